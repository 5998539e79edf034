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

from edgerl.deploy import c_array, c_source, calibration, extras, int8_policy, perceptron, tflite_file
from edgerl.deploy.extras import Extra
from edgerl.deploy.int8_policy import Deployed
from edgerl.deploy.targets import arduino, esp_idf
from edgerl.deploy.targets import tflm as tflm_package
from edgerl.envs import policy as float_policy
from edgerl.envs.policy import MLPPolicy
from edgerl.util import files

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
      environment: as the report has it, {id, params}, or None.
      extra: what a task adds, by its generator's name.
    """

    policy: MLPPolicy
    deployed: Deployed
    observations: np.ndarray
    calibration: np.ndarray
    arena: int
    environment: Mapping[str, Any] | None = None
    extra: Mapping[str, Extra] = field(default_factory=dict)


def write(folder: Path, made_of: Ingredients) -> None:
    """Writes all files of an export into a folder, its report excepted.

    Raises:
      UserError: an extra's values or files are wrong.
    """
    model = tflite_file.write(made_of.deployed.graph)
    for name, text in _texts(made_of, model).items():
        files.write_bytes(folder / name, text.encode())
    files.write_bytes(folder / "policy_int8.tflite", model)
    float_policy.save_policy(folder / "policy.npz", made_of.policy)
    int8_policy.save(folder / "policy_int8.npz", made_of.deployed)
    arrays = {"observations": made_of.observations, "calibration": made_of.calibration}
    files.write_npz(folder / "observations.npz", arrays)
    for name, extra in made_of.extra.items():
        extras.generate(name, extra.source or folder, folder, extra.said, made_of.deployed.policy)


def paths(folder: Path) -> dict[str, Path]:
    """Relative path, with slashes → every file in a folder that `write` filled."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _texts(made_of: Ingredients, model: bytes) -> dict[str, str]:
    """All generated text files; some of the observations and their scores become test vectors."""
    deployed, kept = made_of.deployed, made_of.observations
    _, scores = int8_policy.evaluate(deployed.policy, kept)
    features, actions = deployed.sizes[0], deployed.sizes[-1]
    count = max(2, min(8, _VECTOR_BYTES // (4 * features + actions + 1)))
    every = -(-len(kept) // count)
    identity, described = _described(made_of.environment)
    sources = c_source.generate(
        deployed,
        c_source.Origin(hashlib.sha256(model).hexdigest(), identity, described),
        c_source.TestVectors(kept[::every], scores[::every], scores[::every].argmax(axis=1)),
    )
    packages = esp_idf.generate(sources) | arduino.generate(sources)
    return sources | c_array.generate(model) | packages | tflm_package.generate(deployed.graph, made_of.arena)


def _described(environment: Mapping[str, Any] | None) -> tuple[str, str]:
    """(the environment's id, id and parameters in a C comment's words)."""
    if environment is None:
        return "", "not given"
    identity = _clean(environment["id"])
    lines = (f" *   {_clean(name)} = {_clean(value)}" for name, value in environment["params"].items())
    return identity, "\n".join([identity, *lines])


def _clean(text: Any) -> str:
    """Without anything that could end a C comment or string."""
    return re.sub(r"[^\w .:/+-]", "_", str(text))


def described_policy(policy: MLPPolicy) -> dict[str, Any]:
    """What the report says of the float policy."""
    return {
        "sizes": list(policy.sizes),
        "activation": policy.activation,
        "multiply_accumulates": sum(int(np.prod(kernel.shape)) for kernel in policy.kernels),
    }


def described_quantisation(deployed: Deployed) -> dict[str, Any]:
    """What the report says of scales and offsets."""
    quantiser, graph, layers = deployed.quantiser, deployed.graph, perceptron.layers(deployed.graph)
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
