"""A policy in, a folder of files for a microcontroller out."""

import dataclasses
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy import (
    calibration,
    contents,
    counting,
    fidelity,
    int8_policy,
    machines,
    names,
    networks,
    tflite_file,
    tflm,
    toolchain,
)
from edgerl.deploy.contents import Ingredients
from edgerl.deploy.cores import CORES
from edgerl.deploy.extras import Extra
from edgerl.deploy.folder import REPORT
from edgerl.deploy.int8_policy import Argmax, Deployed, Int8Policy
from edgerl.deploy.machines.machine import TooSmall
from edgerl.envs import policy_file as float_policy
from edgerl.envs.environment import Environment
from edgerl.envs.gru import GRUPolicy
from edgerl.envs.policy import same_space
from edgerl.envs.policy_file import FloatPolicy
from edgerl.envs.registry import make
from edgerl.util import files, progress
from edgerl.util.errors import UserError

CALIBRATION_ROWS = 1000  # that set the network's scales; ranges of observations are taken from all
KEPT_ROWS = 1000  # observations that stay in the folder, for `verify`
_PACKAGES = ("jax", "ai-edge-litert", "tflite-micro", "numpy")


def export(
    policy: FloatPolicy,
    observations: np.ndarray,
    out: str | Path,
    *,
    name: str = names.DEFAULT,
    env: Environment | str | None = None,
    per_channel: bool = False,
    argmax: Argmax = "outputs",
    about: Mapping[str, Any] | None = None,
    closed_loop: Callable[[Int8Policy], dict[str, Any]] | None = None,
    extra: Mapping[str, Extra] | None = None,
    inspect: Callable[[Path], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Quantises a policy and writes everything a device needs, as a whole or not at all.

    Four fifths of the observations calibrate, the last of every five judges (all do both where there are fewer than
    five). They should include states that the policy has to recover from: what lies outside their range saturates.

    Args:
      policy: float multilayer perceptron or one with memory, over discrete actions or those of a box.
      observations: float32 [N, features], finite, not all rows the same. Of a policy with memory, whole episodes from
        their start on, [episodes, steps, features]; or single steps [N, features + units], each observation with what
        was remembered before it.
      out: folder to make.
      name: begins every file, symbol, macro and package that goes into firmware, so that several exports fit into one.
      env: names the environment and its parameters in the C header and the report; an id is made.
      per_channel: one weight scale for each output; the model grows by half.
      argmax: "outputs" decides by the last layer's int8 outputs, as TFLM can; "accumulators" by its int32 sums, where
        two actions are seldom equal. That needs one scale for all of them: no per_channel.
      about: what the report shall say of the training, for example its configuration.
      closed_loop: plays the deployed policy; what it returns goes into the report.
      extra: files of a task's own, by their generator's name.
      inspect: looks at the folder when all files are there but the report, to which it adds what it returns.
    Returns:
      What is in `report.json`. `remarks` are lines on what may be a mistake.
    Raises:
      UserError: no policy, unusable observations, a folder that exists, TFLM or TFLite's schema not installed.

    Example:
      >>> policy = edgerl.MLPPolicy((np.array([[-1.0, 1.0], [0.0, 0.0]]),), (np.zeros(2),))
      >>> observations = np.random.default_rng(0).normal(size=(1000, 2))
      >>> report = edgerl.export(policy, observations, "runs/mine", name="mine")
      >>> report["fidelity"]["agreement"] > 0.9
      True
    """
    int8_policy.check_argmax(argmax, per_channel)
    names.checked(name)
    judged, fitted = _prepared(policy, observations)
    env = make(env) if isinstance(env, str) else env
    environment = _environment(env, policy)
    with files.new_folder(out) as folder, progress.stages(4, "export") as begin:
        begin("conversion to int8")
        deployed, seen = _quantise(policy, fitted, per_channel, argmax)
        model = tflite_file.write(deployed.graph)
        kept = judged[:: -(-len(judged) // KEPT_ROWS)]
        inputs, _ = int8_policy.evaluate(deployed.policy, kept)
        _, arena = tflm.run(model, inputs[:1])
        begin("files")
        added = dict(extra or {})
        lacking = contents.write(folder, Ingredients(policy, deployed, kept, seen, arena, environment, added, name))
        begin("measurements")
        report = {
            "edgerl": __version__,
            "name": name,
            "policy": contents.described_policy(policy),
            "run": None if about is None else dict(about),
            "environment": environment,
            "quantisation": contents.described_quantisation(deployed),
            "fidelity": fidelity.agreement(policy, deployed.policy, judged),
            "closed_loop": _plain(closed_loop(deployed.policy)) if closed_loop else None,
            "size": {"tflite": len(model), "tflm_arena": arena},
            "c": measure(folder, inputs, kept, name),
            "remarks": [*calibration.remarks(fitted), *fidelity.silent_layers(policy, fitted), *lacking],
            "versions": {name: _version(name) for name in _PACKAGES},
            "extra": {name: dict(one.said) for name, one in added.items()},
            "files": {name: _digest(path) for name, path in contents.paths(folder).items()},
        }
        begin("checks")
        report |= _plain(inspect(folder)) if inspect else {}
        files.write_json(folder / REPORT, report)
    return report


def quantise(policy: FloatPolicy, observations: np.ndarray, per_channel: bool = False) -> Int8Policy:
    """The deployed policy that `export` would write, without the files.

    Args:
      policy: float multilayer perceptron over discrete actions.
      observations: float32 [N, features], finite, not all rows the same; see `export`.
      per_channel: one weight scale for each output.
    Raises:
      UserError: no policy, or unusable observations.

    Example:
      >>> policy = edgerl.MLPPolicy((np.array([[-1.0, 1.0], [0.0, 0.0]]),), (np.zeros(2),))
      >>> deployed = edgerl.quantise(policy, np.random.default_rng(0).normal(size=(1000, 2)))
      >>> int(deployed(None, jnp.array([0.5, 0.0])))
      1
    """
    _, fitted = _prepared(policy, observations)
    return _quantise(policy, fitted, per_channel, "outputs")[0].policy


def _prepared(policy: FloatPolicy, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(judged, fitted) observations of a policy, both checked; with memory, each row with what is remembered."""
    float_policy.check_one(policy)
    observations = _rows(policy, observations)
    last = np.arange(len(observations)) % 5 == 4
    few = len(observations) < 5
    judged, fitted = (observations, observations) if few else (observations[last], observations[~last])
    calibration.check_range(fitted)
    return judged, fitted


def _rows(policy: FloatPolicy, observations: np.ndarray) -> np.ndarray:
    features = policy.sizes[0]
    if not isinstance(policy, GRUPolicy):
        return calibration.check_observations(observations, features)
    given = np.shape(observations)
    if len(given) == 3 and given[2] == features:
        flat = calibration.check_observations(np.reshape(observations, (-1, features)), features)
        return calibration.with_states(policy, flat.reshape(given))
    if len(given) != 2 or given[1] != features + policy.units:
        raise UserError(
            f"observations have shape {given}, expected [episodes, steps, {features}], since the policy remembers: or "
            f"[N, {features} + {policy.units}], each with what was remembered before it"
        )
    return calibration.check_observations(observations, features + policy.units)


def _quantise(
    policy: FloatPolicy, observations: np.ndarray, per_channel: bool, argmax: Argmax
) -> tuple[Deployed, np.ndarray]:
    """The int8 policy, and the int8 inputs [M, features] that set its scales."""
    quantiser = calibration.fit_quantiser(observations[:, : policy.sizes[0]])
    whole = calibration.with_memory(quantiser, policy.units)
    inputs = calibration.representative_inputs(whole, observations, CALIBRATION_ROWS)
    try:
        graph = networks.quantised(policy, quantiser, inputs, per_channel)
        return Deployed(graph, quantiser, argmax, policy.space), inputs
    except UserError as error:
        silent = fidelity.silent_layers(policy, observations)
        raise UserError("; ".join([str(error), *silent[:1]])) from error


def _environment(env: Environment | None, policy: FloatPolicy) -> dict[str, Any] | None:
    """Id, params that are numbers, names of observations and actions; the spaces must be the policy's."""
    if env is None:
        return None
    if not isinstance(getattr(env, "id", None), str):
        raise UserError(f"env is a {type(env).__name__} without an id, expected an environment or its id")
    _check_spaces(env, policy)
    params = env.default_params
    names = [field.name for field in dataclasses.fields(params)] if dataclasses.is_dataclass(params) else []
    values = {name: np.asarray(getattr(params, name)) for name in names}
    numbers = {name: value.item() for name, value in values.items() if value.ndim == 0 and value.dtype.kind in "biuf"}
    told = {
        key: [str(text) for text in getattr(env, attribute, ())]
        for key, attribute in (("observations", "observation_names"), ("actions", "action_names"))
    }
    # The name goes into C comments and strings.
    return {"id": re.sub(r"[^\w .:/+-]", "_", env.id), "params": numbers, **told}


def _check_spaces(env: Environment, policy: FloatPolicy) -> None:
    seen, space = env.observation_space().shape, env.action_space()
    actions = getattr(space, "n", None)
    if policy.space is not None:
        if seen == policy.sizes[:1] and same_space(policy.space, space):
            return
        raise UserError(
            f"the policy reads {policy.sizes[0]} features and its actions are of {policy.space}, but {env.id} has "
            f"observations of shape {seen} and actions of {space}"
        )
    if (seen, actions) != (policy.sizes[:1], policy.sizes[-1]):
        raise UserError(
            f"the policy reads {policy.sizes[0]} features and has {policy.sizes[-1]} actions, but {env.id} has "
            f"observations of shape {seen} and {actions or 'no discrete'} actions"
        )


def _plain(played: dict[str, Any]) -> dict[str, Any]:
    """What `closed_loop` or `inspect` returned, if JSON can hold it."""
    try:
        json.dumps(played)
    except (TypeError, ValueError) as error:
        raise UserError(f"closed_loop or inspect returned what JSON cannot hold ({files.first_line(error)})") from error
    return played


def measure(folder: Path, inputs: np.ndarray, observations: np.ndarray, name: str = names.DEFAULT) -> dict[str, Any]:
    """Sizes of the C object, and what a decision costs, for each tool that is installed.

    Returns:
      Target → sizes in bytes (see `toolchain.measure_object`); `instructions` on rv32imc, `instructions_cortex_m0`,
      `instructions_cortex_m4f`, and `cycles` → core → minimum, mean and maximum of `decide` (network and argmax) and of
      `act` (the quantiser in front of it); `cycles_esp32_c3_estimate` (see `counting.esp32_c3`). Where a tool is
      missing or fails, a string that says so.
    """
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        for target in (toolchain.HOST, toolchain.RV32):
            try:
                measured[target.name] = toolchain.measure_object(target, folder, out, name=name)
            except (UserError, toolchain.ToolError) as error:
                measured[target.name] = target.missing() or str(error)
        many, few = (counting.few(n, inputs, observations) for n in (counting.ROWS, counting.CYCLE_ROWS))
        measured["instructions"] = _costs(lambda: counting.instructions(folder, out, *many, name))
        # QEMU's board with an M0 has no timer that counts; another with an M4 runs the same program.
        m4f = machines.CORTEX_M4F
        m0 = dataclasses.replace(m4f, cpu="cortex-m0", flags=())
        for word, cortex in (("m0", m0), ("m4f", m4f)):
            counted = _costs(partial(counting.on_cortex, cortex, folder, out, *many, name))
            measured[f"instructions_cortex_{word}"] = counted
        measured["cycles"] = {
            core.name: _costs(partial(counting.cycles, core, folder, out, *few, name)) for core in CORES
        }
        measured["cycles_esp32_c3_estimate"] = counting.esp32_c3(measured["cycles"])
    return measured


def _costs(count: Callable[[], np.ndarray]) -> dict[str, dict[str, float]] | str:
    """Of `decide` and `act`, or why they were not counted."""
    try:
        counts = count()
    except (UserError, toolchain.ToolError, TooSmall) as error:
        return str(error)
    return {
        name: {"min": int(column.min()), "mean": float(column.mean()), "max": int(column.max())}
        for name, column in zip(("decide", "act"), counts.T, strict=True)
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
