"""JAX = TFLM = host C = rv32imc on random int8 networks: how many of how many outputs differ.

    python -m benchmarks.equality --networks 300 --vectors 4000
    python -m benchmarks.equality --networks 100 --vectors 4000 --continuous
    python -m benchmarks.equality --networks 100 --vectors 10000 --memory [--continuous]

Networks have 1 to 4 layers of odd and even sizes, every activation, weights per tensor and per channel, zero points off
centre, and multipliers on both sides of 1; they decide by their outputs or, where they can, by their accumulators. With
--continuous their outputs are actions of random boxes, compared as float and as Q15. With --memory they are random
policies with a gated recurrent unit, in sequences: each step begins with what JAX remembered after the one before, so
that an implementation which is equal in each step carries the same memory along the sequence; every hundredth step
begins with any memory. Four of them in turn have one form (sizes, activation, scales per channel or not), for which JAX
compiles once, and weights of their own. Inputs are uniform int8, with rows of extremes among them. Prints JSON.
"""

import argparse
import dataclasses
import hashlib
import itertools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl.deploy import c_source, int8_policy, networks, perceptron, recurrent, tflite_file, tflm, toolchain, vectors
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.graph import Builder, Graph
from edgerl.deploy.int8_policy import Argmax, Deployed
from edgerl.deploy.tensor import Quantisation
from edgerl.envs.gru import GATES, GRUPolicy
from edgerl.envs.spaces import Box

_SEQUENCE = 100  # steps along which memory is carried
_OF_A_FORM = 4  # networks with memory, one after another
HIDDEN = ("relu", "relu6", "tanh", "sigmoid")


def random_sizes(rng: np.random.Generator) -> list[int]:
    """Of a perceptron with 1 to 4 layers."""
    return [int(n) for n in rng.integers(1, 40, rng.integers(2, 6))]


def random_network(rng: np.random.Generator, sizes: Sequence[int] = (), continuous: bool = False) -> Graph:
    """A network whose outputs use the int8 range, of random sizes by default; multipliers from 2^-12 to 2^2.

    With continuous outputs the last layer's scale is that of actions.
    """
    sizes = sizes or random_sizes(rng)
    first = Quantisation(np.float32(2.0 ** rng.uniform(-10, 0)), int(rng.choice([0, rng.integers(-128, 128)])))
    builder = Builder((sizes[0],), first)
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        last = i + 2 == len(sizes)
        activation = "none" if last else HIDDEN[rng.integers(len(HIDDEN))]
        _random_layer(rng, builder, inputs, outputs, activation, perceptron.BOX if last and continuous else None)
    return builder.graph()


@dataclasses.dataclass(frozen=True)
class Form:
    """What networks with memory have in common for which JAX compiles once.

    Attributes:
      features, units, actions: numbers of an observation, of the memory, and of scores.
      front, behind: sizes of the layers around the memory.
      activation: between layers.
      per_channel: whether each output has a scale of weights.
    """

    features: int
    units: int
    actions: int
    front: tuple[int, ...]
    behind: tuple[int, ...]
    activation: str
    per_channel: bool


def random_form(rng: np.random.Generator) -> Form:
    """Of random sizes."""
    features, units, actions = (int(n) for n in rng.integers(1, (13, 25, 9)))
    front, behind = (tuple(int(n) for n in rng.integers(1, 20, rng.integers(0, 3))) for _ in range(2))
    return Form(features, units, actions, front, behind, str(rng.choice(HIDDEN)), bool(rng.random() < 0.5))


def random_gru(rng: np.random.Generator, form: Form | None = None, space: Box | None = None) -> Graph:
    """A network with memory of a form, or of a random one: random weights, scales from random inputs."""
    form = form or random_form(rng)
    widths = [form.features, *form.front]
    pairs = [*itertools.pairwise(widths), *[(widths[-1] + form.units, form.units)] * GATES]
    pairs += itertools.pairwise([form.units, *form.behind, form.actions])
    size = 10.0 ** rng.uniform(-0.5, 0.7)
    kernels = tuple(size * rng.normal(size=pair) / pair[0] ** 0.5 for pair in pairs)
    biases = tuple(0.3 * rng.normal(size=pair[1]) for pair in pairs)
    policy = GRUPolicy(kernels, biases, form.activation, space, len(form.front))  # type: ignore[arg-type]
    inputs = random_inputs(rng, form.features + form.units, 1000)
    return recurrent.quantised(policy, _quantiser(form.features), inputs, form.per_channel)


def random_box(rng: np.random.Generator, numbers: int) -> Box:
    """Sides of any sign and size, symmetric or not."""
    middle = rng.normal(size=numbers) * rng.choice([0, 1, 100], numbers)
    half = 10.0 ** rng.uniform(-2, 3, numbers)
    return Box(*(np.float32(middle + side * half) for side in (-1, 1)), (numbers,))  # type: ignore[arg-type]


def _random_layer(
    rng: np.random.Generator,
    builder: Builder,
    inputs: int,
    outputs: int,
    activation: str,
    written: Quantisation | None = None,
) -> None:
    at = len(builder.tensors) - 1
    source = builder.tensors[at].q
    amplitude = int(rng.choice([2, 20, 127]))
    weights = rng.integers(-amplitude, amplitude + 1, (outputs, inputs)).astype(np.int8)
    # Accumulators of this spread, times the multiplier, should cover a few times the int8 range.
    spread = 75 * amplitude * np.sqrt(inputs) / 1.7
    multiplier = 60 / spread * 2.0 ** rng.uniform(-2, 3)
    channels = outputs if rng.random() < 0.5 and outputs > 1 else 1
    scales = (2.0 ** rng.uniform(-9, -3) * 2.0 ** rng.uniform(-1, 1, channels)).astype(np.float32)
    output_scale = np.float32(source.scale * scales.mean() / multiplier)
    if activation in ("tanh", "sigmoid") or written:  # which are of the order of 1
        ratio = (written.scale if written else np.float32(2.0 ** rng.uniform(-7, -3))) / output_scale
        scales, output_scale = (scales * ratio).astype(np.float32), np.float32(output_scale * ratio)
    at_bottom = activation in ("relu", "relu6") and rng.random() < 0.8
    zero = -128 if at_bottom else int(rng.integers(-128, 128))
    bias = rng.normal(0, spread, outputs).astype(np.int32)
    fields = {"weights": weights, "bias": bias, "weight_scales": scales}
    perceptron.append(builder, at, activation, written or Quantisation(output_scale, zero), **fields)


def deployed(graph: Graph, argmax: Argmax = "outputs", space: Box | None = None) -> Deployed:
    """With a quantiser under which an integer observation -128 … 127 is the network's input."""
    return Deployed(graph, _quantiser(networks.sizes(graph)[0]), argmax, space)


def _quantiser(features: int) -> Quantiser:
    return Quantiser(np.full(features, 2, np.float32), np.zeros(features, np.int32))


def random_inputs(rng: np.random.Generator, features: int, num: int) -> np.ndarray:
    """int8 [num, features]: uniform, every eighth row of extremes only."""
    inputs = rng.integers(-128, 128, (num, features))
    inputs[::8] = rng.choice([-128, 127], inputs[::8].shape)
    return inputs.astype(np.int8)


def random_rows(rng: np.random.Generator, policy: int8_policy.Int8Policy, num: int) -> np.ndarray:
    """float32 [num, features + units]: random observations, and the memory that the ones before leave."""
    rows = random_inputs(rng, policy.sizes[0] + policy.units, num).astype(np.float32)
    rows[:, policy.sizes[0] :] /= 128  # what is remembered
    rows[0, policy.sizes[0] :] = 0  # as before an episode: the first rows are the test vectors
    return int8_policy.carried(policy, rows, np.arange(num) % _SEQUENCE == 0)


def compare(graph: Graph, rng: np.random.Generator, num: int, space: Box | None = None) -> dict[str, int | str]:
    """Rows that differ from the JAX arithmetic, for each implementation; a string where a tool is missing."""
    layers, memory = networks.layers(graph), recurrent.is_recurrent(graph)
    comparable = len(layers[-1].dense.scales) == 1 and space is None and not memory
    argmax: Argmax = "accumulators" if comparable and rng.random() < 0.5 else "outputs"
    made, model = deployed(graph, argmax, space), tflite_file.write(graph)
    policy = made.policy
    arithmetic = policy.replace(space=None)  # which JAX compiles once for all boxes
    observations = random_rows(rng, arithmetic, num)
    quantised, scores = int8_policy.evaluate(arithmetic, observations)
    expected = vectors.records(policy, quantised, scores)
    inputs = np.rint(observations * np.repeat(np.float32([1, 128]), [policy.sizes[0], policy.units])).astype(np.int8)
    found: dict[str, int | str] = {"quantiser": int((quantised != inputs).any(axis=1).sum())}
    outputs, _ = tflm.run(model, inputs)
    own = scores if argmax == "outputs" else np.asarray(jax.jit(policy.outputs)(inputs))
    found["TFLM"] = int((outputs != own).any(axis=1).sum())
    first = scores[:4]
    actions = np.asarray(policy.decide(first))
    tests = c_source.TestVectors(observations[:4, : policy.sizes[0]], first[:, : policy.sizes[-1]], actions)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        origin = c_source.Origin(hashlib.sha256(model).hexdigest())
        for name, text in c_source.generate(made, origin, tests).items():
            (folder / name).write_text(text)
        for target in (toolchain.HOST, toolchain.RV32):
            if missing := target.missing():
                found[target.name] = missing
                continue
            program = toolchain.compile_program(target, folder, folder)
            records = toolchain.run_program(target, program, observations, expected.form)
            found[target.name] = int(vectors.different(records, expected.records).sum())
    return found


def run(count: int, vectors: int, seed: int = 0, continuous: bool = False, memory: bool = False) -> dict[str, Any]:
    """Totals over random networks."""
    rng = np.random.default_rng(seed)
    totals: dict[str, Any] = {}
    form = random_form(rng)
    for number in range(count):
        form = random_form(rng) if number % _OF_A_FORM == 0 else form
        sizes = () if memory else random_sizes(rng)
        space = random_box(rng, form.actions if memory else sizes[-1]) if continuous else None
        graph = random_gru(rng, form, space) if memory else random_network(rng, sizes, continuous)
        for name, value in compare(graph, rng, vectors, space).items():
            totals[name] = value if isinstance(value, str) else totals.get(name, 0) + value
    kinds = {"continuous": continuous, "memory": memory}
    return {"networks": count, **kinds, "vectors_each": vectors, "differences": totals}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--vectors", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--continuous", action="store_true")
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    print(json.dumps(run(options.networks, options.vectors, options.seed, options.continuous, options.memory)))


if __name__ == "__main__":
    main()
