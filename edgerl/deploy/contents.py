"""The files of an export, made from what they depend on: by `export`, and once more by `verify`, to compare.

The same ingredients give the same bytes. Whatever text the ingredients bring into C is cleaned here, so that no report
can have code written into a source file that `verify` compiles.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy import c_array, c_source, calibration, extras, int8_policy, names, networks, plays, tflite_file
from edgerl.deploy.extras import Extra, Firmware
from edgerl.deploy.folder import NO_PAGE, PAGE
from edgerl.deploy.int8_policy import Deployed
from edgerl.deploy.plays import Play
from edgerl.deploy.targets import arduino, demo, esp_idf, readme
from edgerl.deploy.targets import tflm as tflm_package
from edgerl.deploy.targets.example import Example, of_policy
from edgerl.envs import policy_file as float_policy
from edgerl.envs.policy_file import FloatPolicy
from edgerl.envs.spaces import Box
from edgerl.util import files
from edgerl.util.errors import UserError

# Of every report; `inspect` may add more.
SECTIONS = (
    *("edgerl", "name", "policy", "run", "environment", "quantisation", "fidelity", "closed_loop"),
    *("size", "c", "remarks", "versions", "extra", "files"),
)
_VECTOR_BYTES = 128  # of embedded test vectors, at most; but two at least


@dataclass(frozen=True)
class Ingredients:
    """What every file of an export but its report follows from.

    Attributes:
      policy: as it was learnt.
      deployed: quantiser and int8 network.
      observations: float32 [N, features] that stay in the folder; some become test vectors.
      calibration: int8 [M, features], the network's inputs whose values set its scales.
      arena: bytes that TFLM's interpreter was measured to need.
      environment: as the report has it, {id, params, observations, actions}, or None.
      extra: what a task adds, by its generator's name.
      name: prefix of what goes into firmware.
      program: the WebAssembly in the page, empty for no page; None: it is compiled, where a compiler is.
    """

    policy: FloatPolicy
    deployed: Deployed
    observations: np.ndarray
    calibration: np.ndarray
    arena: int
    environment: Mapping[str, Any] | None = None
    extra: Mapping[str, Extra] = field(default_factory=dict)
    name: str = names.DEFAULT
    program: bytes | None = None


def write(folder: Path, made_of: Ingredients) -> list[str]:
    """Writes all files of an export into a folder, its report excepted.

    Returns:
      A line for each file that could not be made here, with what to install.
    Raises:
      UserError: an extra's values or files are wrong.
    """
    name, deployed = made_of.name, made_of.deployed
    model = tflite_file.write(deployed.graph)
    words = names.words(name, hashlib.sha256(model).hexdigest())
    files.write_bytes(folder / f"{name}_int8.tflite", model)
    float_policy.save_policy(folder / f"{name}.npz", made_of.policy)
    int8_policy.save(folder / f"{name}_int8.npz", deployed)
    arrays = {"observations": made_of.observations, "calibration": made_of.calibration}
    files.write_npz(folder / "observations.npz", arrays)
    _write(folder, _policy(made_of, words["model"]))
    example = of_policy(None if deployed.space is None else deployed.sizes[-1], deployed.units > 0)
    play = plays.of(made_of.environment)
    for kind, extra in made_of.extra.items():
        firmware = Firmware(deployed.policy, words)
        made = extras.generate(kind, extra.source or folder, folder, extra.said, firmware)
        example = made if isinstance(made, Example) else example
        play = made if isinstance(made, Play) else play
    remarks = _page(folder, made_of, play)
    _write(folder, _packages(folder, made_of, example.named(words)))
    packages = tflm_package.generate(deployed, made_of.arena, words)
    _write(folder, c_array.generate(model, name) | packages)
    return remarks


def _page(folder: Path, made_of: Ingredients, play: Play) -> list[str]:
    """Writes the page, or returns the line that says why there is none."""
    try:
        program = demo.build(folder, made_of.name, play) if made_of.program is None else made_of.program
    except UserError as error:
        return [f"{NO_PAGE}: {error}"]
    if program:
        parts = made_of.environment, made_of.deployed, made_of.observations, play, program
        _write(folder, {PAGE: demo.generate(made_of.name, *parts)})
    return []


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        files.write_bytes(folder / name, text.encode())


def paths(folder: Path) -> dict[str, Path]:
    """Relative path, with slashes → every file in a folder that `write` filled."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _policy(made_of: Ingredients, model_sha256: str) -> dict[str, str]:
    """The policy's C; some of the observations and their scores become test vectors."""
    deployed, kept, environment = made_of.deployed, made_of.observations, made_of.environment or {}
    features, actions = deployed.sizes[0], deployed.sizes[-1]
    answer = 1 if deployed.space is None else 4 * actions
    count = max(2, min(8, _VECTOR_BYTES // (4 * features + actions + answer)))
    chosen = kept[:: -(-len(kept) // count), :features]
    scores = int8_policy.in_sequence(deployed.policy, chosen)
    identity, described = _described(made_of.environment)
    told = {key: [_clean(text) for text in environment.get(key, ())] for key in ("observations", "actions")}
    return c_source.generate(
        deployed,
        c_source.Origin(model_sha256, identity, described, **told, name=made_of.name),
        c_source.TestVectors(chosen, scores[:, :actions], np.asarray(deployed.policy.decide(scores))),
    )


def _packages(folder: Path, made_of: Ingredients, example: Example) -> dict[str, str]:
    """READMEs, the ESP-IDF project and the Arduino library, with all C files that are there."""
    found = sorted([*folder.glob("*.h"), *folder.glob("*.c")])
    sources = {path.name: path.read_text() for path in found}
    sizes = "-".join(map(str, made_of.deployed.sizes))
    title = f"an int8 policy of {sizes} neurons; {example.about}"
    described = [line.removeprefix(" *").strip() for line in _described(made_of.environment)[1].splitlines()]
    about = [f"Environment: {described[0]}.", *([f"Parameters: {'; '.join(described[1:])}."] if described[1:] else [])]
    code = [name for name in sources if name.endswith(".c")]
    whole, package = readme.generate(
        made_of.name, __version__, title, about, code, example, page=(folder / PAGE).is_file()
    )
    packages = esp_idf.generate(sources, made_of.name, example, package)
    return {"README.md": whole} | packages | arduino.generate(sources, made_of.name, example, package)


def _described(environment: Mapping[str, Any] | None) -> tuple[str, str]:
    """(the environment's id, id and parameters in a C comment's words)."""
    if environment is None:
        return "", "not given"
    identity = _clean(environment["id"])
    lines = (f" *   {_clean(name)} = {_clean(value)}" for name, value in environment["params"].items())
    return identity, "\n".join([identity, *lines])


def _clean(text: Any) -> str:
    """Without anything that could end a C comment or string."""
    return re.sub(r"[^\w .,:;()%/+-]", "_", str(text), flags=re.ASCII)


def described_policy(policy: FloatPolicy) -> dict[str, Any]:
    """What the report says of the float policy."""
    return {
        "sizes": list(policy.sizes),
        "activation": policy.activation,
        "actions": "discrete" if policy.space is None else _sides(policy.space),
        "multiply_accumulates": sum(int(np.prod(kernel.shape)) for kernel in policy.kernels),
    }


def _sides(space: Box) -> dict[str, list[float]]:
    """A box in words that JSON holds, its numbers in row-major order."""
    return {name: bound.reshape(-1).tolist() for name, bound in zip(("low", "high"), space.bounds(), strict=True)}


def described_quantisation(deployed: Deployed) -> dict[str, Any]:
    """What the report says of scales and offsets."""
    quantiser, graph, layers = deployed.quantiser, deployed.graph, networks.layers(deployed.graph)
    read = graph.tensors[graph.input].q
    features = zip(quantiser.step, quantiser.offset, quantiser.low, quantiser.high, strict=True)
    return {
        "percentile": calibration.PERCENTILE,
        "widening": calibration.WIDENING,
        "rounding": "halves away from zero; NaN counts as an observation of 0; infinities saturate",
        "features": [
            {"step": float(s), "offset": int(o), "low": float(low), "high": float(high)} for s, o, low, high in features
        ],
        "input": {"scale": float(read.scale), "zero_point": read.zero_point},
        "weights": "per channel" if any(len(layer.dense.scales) > 1 for layer in layers) else "per tensor",
        "layers": [
            {
                "weight_scales": [float(scale) for scale in layer.dense.scales],
                "output_scale": float(graph.made(layer.dense).q.scale),
                "output_zero_point": graph.made(layer.dense).q.zero_point,
                "activation": layer.activation,
            }
            for layer in layers
        ],
        "argmax": deployed.argmax,
    }
