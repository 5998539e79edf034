"""A policy in, a folder of files for a microcontroller out."""

import dataclasses
import hashlib
import re
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.core import files
from edgerl.core import policy as float_policy
from edgerl.core.environment import Environment
from edgerl.core.errors import UserError
from edgerl.core.policy import MLPPolicy
from edgerl.deploy import c_array, c_source, calibration, fidelity, flatbuffer, int8_policy, tflite, tflm, toolchain
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.int8_policy import Argmax, Int8Policy
from edgerl.deploy.network import Network
from edgerl.deploy.targets import arduino, esp_idf
from edgerl.deploy.targets import tflm as tflm_package

CALIBRATION_ROWS = 1000  # that the converter sees; ranges of observations are taken from all
KEPT_ROWS = 1000  # observations that stay in the folder, for `verify`
_VECTOR_BYTES = 128  # of embedded test vectors, at most; but two at least
_PACKAGES = ("jax", "tensorflow", "ai-edge-litert", "tflite-micro", "numpy")


def export(
    policy: MLPPolicy,
    observations: np.ndarray,
    out: str | Path,
    *,
    env: Environment | None = None,
    per_channel: bool = False,
    argmax: Argmax = "outputs",
    about: Mapping[str, Any] | None = None,
    closed_loop: Callable[[Int8Policy], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Quantises a policy and writes everything a device needs, as a whole or not at all.

    Four fifths of the observations calibrate, the last of every five judges (all do both where there are fewer than
    five). They should include states that the policy has to recover from: what lies outside their range saturates.

    Args:
      policy: float multilayer perceptron over discrete actions.
      observations: float32 [N, features], N ≥ 1, finite.
      out: folder to make.
      env: names the environment and its parameters in the C header and the report.
      per_channel: one weight scale for each output; the model grows by half.
      argmax: "outputs" decides by the last layer's int8 outputs, as TFLM can; "accumulators" by its int32 sums, where
        two actions are seldom equal. That needs one scale for all of them: no per_channel.
      about: what the report shall say of the training, for example its configuration.
      closed_loop: plays the deployed policy; what it returns goes into the report.
    Returns:
      What is in `report.json`.
    Raises:
      UserError: unusable observations, a folder that exists, TensorFlow or TFLM not installed.
    """
    int8_policy.check_argmax(argmax, per_channel)
    observations = calibration.check_observations(observations, policy.sizes[0])
    judged, fitted = _split(observations)
    with files.new_folder(out) as folder:
        quantiser = calibration.fit_quantiser(fitted)
        network, model = _quantise(policy, quantiser, fitted, per_channel)
        deployed = int8_policy.from_network(network, quantiser.gain, quantiser.offset, argmax)
        kept = judged[:: -(-len(judged) // KEPT_ROWS)]
        inputs, scores = int8_policy.evaluate(deployed, kept)
        _, arena = tflm.run(model, inputs[:1])
        texts = _texts(deployed, model, kept, scores, env) | tflm_package.generate(network, arena)
        for name, text in texts.items():
            files.write_bytes(folder / name, text.encode())
        files.write_bytes(folder / "policy_int8.tflite", model)
        float_policy.save_policy(folder / "policy.npz", policy)
        int8_policy.save(folder / "policy_int8.npz", deployed)
        files.write_npz(folder / "observations.npz", {"observations": kept})
        report = {
            "edgerl": __version__,
            "policy": {
                "sizes": list(policy.sizes),
                "activation": policy.activation,
                "multiply_accumulates": sum(int(np.prod(kernel.shape)) for kernel in policy.kernels),
            },
            "run": None if about is None else dict(about),
            "environment": _environment(env),
            "quantisation": _quantisation(quantiser, network) | {"argmax": argmax},
            "fidelity": fidelity.agreement(policy, deployed, judged),
            "closed_loop": closed_loop(deployed) if closed_loop else None,
            "size": {"tflite": len(model), "tflm_arena": arena},
            "c": measure(folder, inputs, kept),
            "versions": {name: _version(name) for name in _PACKAGES},
            "files": _hashes(folder),
        }
        files.write_json(folder / "report.json", report)
    return report


def quantise(policy: MLPPolicy, observations: np.ndarray, per_channel: bool = False) -> Int8Policy:
    """The deployed policy that `export` would write, without the files. Arguments and errors are those of `export`."""
    _, fitted = _split(calibration.check_observations(observations, policy.sizes[0]))
    quantiser = calibration.fit_quantiser(fitted)
    network, _ = _quantise(policy, quantiser, fitted, per_channel)
    return int8_policy.from_network(network, quantiser.gain, quantiser.offset)


def _split(observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(judged, fitted)."""
    if len(observations) < 5:
        return observations, observations
    last = np.arange(len(observations)) % 5 == 4
    return observations[last], observations[~last]


def _quantise(
    policy: MLPPolicy, quantiser: Quantiser, observations: np.ndarray, per_channel: bool
) -> tuple[Network, bytes]:
    inputs = calibration.representative_inputs(quantiser, observations, CALIBRATION_ROWS)
    converted = tflite.convert(calibration.fold(policy, quantiser), inputs, per_channel)
    network = flatbuffer.read_network(converted, "the converter's model")
    if (network.input.scale, network.input.zero_point) != (np.float32(1 / 128), 0):
        raise UserError(f"the converter chose the input scale {network.input}, expected 1/128 and zero point 0")
    return network, flatbuffer.write_network(network)


def _texts(
    deployed: Int8Policy, model: bytes, kept: np.ndarray, scores: np.ndarray, env: Environment | None
) -> dict[str, str]:
    """All generated text files; some of the kept observations and their scores become test vectors."""
    features, actions = deployed.sizes[0], deployed.sizes[-1]
    count = max(2, min(8, _VECTOR_BYTES // (4 * features + actions + 1)))
    every = -(-len(kept) // count)
    described = _environment(env) or {"id": ""}
    sources = c_source.generate(
        deployed,
        c_source.Origin(hashlib.sha256(model).hexdigest(), described["id"], _describe(env)),
        c_source.TestVectors(kept[::every], scores[::every], scores[::every].argmax(axis=1)),
    )
    return sources | c_array.generate(model) | esp_idf.generate(sources) | arduino.generate(sources)


def _environment(env: Environment | None) -> dict[str, Any] | None:
    if env is None:
        return None
    params = env.default_params
    names = [field.name for field in dataclasses.fields(params)] if dataclasses.is_dataclass(params) else []
    values = {name: np.asarray(getattr(params, name)) for name in names}
    numbers = {name: value.item() for name, value in values.items() if value.ndim == 0 and value.dtype.kind in "biuf"}
    # The name goes into C comments and strings.
    return {"id": re.sub(r"[^\w .:/+-]", "_", env.id), "params": numbers}


def _describe(env: Environment | None) -> str:
    """The environment in a C comment's words."""
    described = _environment(env)
    if described is None:
        return "not given"
    return "\n".join([described["id"], *(f" *   {name} = {value}" for name, value in described["params"].items())])


def _quantisation(quantiser: Quantiser, network: Network) -> dict[str, Any]:
    features = zip(quantiser.step, quantiser.offset, quantiser.low, quantiser.high, strict=True)
    return {
        "percentile": calibration.PERCENTILE,
        "widening": calibration.WIDENING,
        "rounding": "halves away from zero; NaN counts as an observation of 0; infinities saturate",
        "features": [
            {"step": float(s), "offset": int(o), "low": float(low), "high": float(high)} for s, o, low, high in features
        ],
        "input": {"scale": float(network.input.scale), "zero_point": network.input.zero_point},
        "weights": "per channel" if any(len(layer.weight_scales) > 1 for layer in network.layers) else "per tensor",
        "layers": [
            {
                "weight_scales": [float(scale) for scale in layer.weight_scales],
                "output_scale": float(layer.output.scale),
                "output_zero_point": layer.output.zero_point,
                "activation": layer.activation,
            }
            for layer in network.layers
        ],
    }


def measure(folder: Path, inputs: np.ndarray, observations: np.ndarray) -> dict[str, Any]:
    """Sizes of the C object, and instructions on rv32imc, for each compiler that is installed.

    Returns:
      Target → sizes in bytes (see `toolchain.measure_object`); `instructions` on rv32imc → minimum, mean and maximum
      of `decide` (network and argmax) and of `act` (the quantiser's software float in front of it). Where a tool is
      missing or fails, a string that says so.
    """
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        for target in (toolchain.HOST, toolchain.RV32):
            try:
                measured[target.name] = toolchain.measure_object(target, folder, out)
            except (UserError, toolchain.ToolError) as error:
                measured[target.name] = target.missing() or str(error)
        every = -(-len(observations) // 200)
        try:
            counts = toolchain.count_instructions(folder, out, inputs[::every], observations[::every])
        except (UserError, toolchain.ToolError) as error:
            return measured | {"instructions": toolchain.RV32.missing("qemu-system-riscv32") or str(error)}
        measured["instructions"] = {
            name: {"min": int(column.min()), "mean": float(column.mean()), "max": int(column.max())}
            for name, column in zip(("decide", "act"), counts.T, strict=True)
        }
    return measured


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _hashes(folder: Path) -> dict[str, str]:
    """Relative path → SHA-256 of every file of an export, but the report itself."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
