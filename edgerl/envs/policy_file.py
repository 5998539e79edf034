"""A policy's file, `policy.npz`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import jax.numpy as jnp
import numpy as np

from edgerl.envs import policy_checks
from edgerl.envs.gru import GRUPolicy
from edgerl.envs.policy import ACTIVATIONS, Activation, MLPPolicy
from edgerl.envs.spaces import Box
from edgerl.util import files
from edgerl.util.errors import UserError

FloatPolicy = MLPPolicy | GRUPolicy
GRU = "gru"  # in a file


def check_one(policy: Any) -> None:
    """Raises a `UserError` unless this is one policy of ours with finite weights: what can be saved and exported."""
    if not isinstance(policy, MLPPolicy | GRUPolicy):
        raise UserError(
            f"the policy is {policy_checks.described(policy)}, expected an edgerl.MLPPolicy or an edgerl.GRUPolicy"
        )
    # JAX may have rebuilt it from anything.
    policy_checks.checked(policy.kernels, policy.biases, policy.activation, ACTIVATIONS)
    policy_checks.check_reads(policy.kernels)


def save_policy(path: str | Path, policy: FloatPolicy) -> None:
    """Writes a policy as `.npz`: `kernel_i`, `bias_i`, `activation`; where it remembers, `memory`, the word gru, and
    `front`; `low` and `high` of continuous actions.

    Args:
      path: of the file, which is replaced if it is there.
      policy: a single one.
    Raises:
      UserError: it is no policy, a stack of them, or has NaN or infinite weights.

    Example:
      >>> edgerl.save_policy("mine.npz", edgerl.MLPPolicy((np.eye(2),), (np.zeros(2),)))
      >>> edgerl.load_policy("mine.npz").sizes
      (2, 2)
    """
    check_one(policy)
    arrays: dict[str, Any] = {"activation": np.asarray(policy.activation)}
    for i, (kernel, bias) in enumerate(zip(policy.kernels, policy.biases, strict=True)):
        arrays |= {f"kernel_{i}": np.asarray(kernel, np.float32), f"bias_{i}": np.asarray(bias, np.float32)}
    if isinstance(policy, GRUPolicy):
        arrays |= {"memory": np.asarray(GRU), "front": np.asarray(policy.front, np.int32)}
    if policy.space is not None:
        arrays |= dict(zip(("low", "high"), policy.space.bounds(), strict=True))
    files.write_npz(path, arrays)


def load_policy(path: str | Path) -> FloatPolicy:
    """Reads what `save_policy` wrote.

    Args:
      path: of the file.
    Raises:
      UserError: missing file, not a policy, shapes that do not chain, NaN or infinite weights.

    Example:
      >>> edgerl.load_policy("runs/pole/policy.npz").sizes
      (4, 32, 32, 2)
    """
    arrays = files.read_npz(path)
    kernels = tuple(arrays[f"kernel_{i}"] for i in range(len(arrays)) if f"kernel_{i}" in arrays)
    biases = tuple(arrays[f"bias_{i}"] for i in range(len(kernels)) if f"bias_{i}" in arrays)
    activation: Any = str(arrays.get("activation", ""))
    if not kernels or len(biases) != len(kernels) or activation not in get_args(Activation):
        raise UserError(f"{path} is not a policy: expected kernel_i, bias_i and activation")
    memory = str(arrays.get("memory", "none"))
    if memory not in ("none", GRU):
        raise UserError(f"{path} is not a policy: its memory is {ascii(memory)[:40]}, expected {GRU} or none")
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        if kernel.ndim != 2 or bias.shape != kernel.shape[1:]:
            raise UserError(f"{path}: layer {i} has kernel {kernel.shape} and bias {bias.shape}, which do not fit")
        if not all(np.issubdtype(x.dtype, np.number) for x in (kernel, bias)):
            raise UserError(f"{path}: layer {i} has kernel {kernel.dtype} and bias {bias.dtype}, not numbers")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise UserError(f"{path}: layer {i} has NaN or infinite weights")
    floats = [tuple(jnp.asarray(x, jnp.float32) for x in arrays_of) for arrays_of in (kernels, biases)]
    space = stored_space(path, arrays)
    front = np.asarray(arrays.get("front", 0))
    if front.ndim or not np.issubdtype(front.dtype, np.integer):
        raise UserError(f"{path} is not a policy: front is no whole number")
    try:
        if memory == GRU:
            return GRUPolicy(floats[0], floats[1], activation, space, int(front))
        return MLPPolicy(floats[0], floats[1], activation, space)
    except UserError as error:
        raise UserError(f"{path} is not a policy: {error}") from None


def load_perceptron(path: str | Path) -> MLPPolicy:
    """The same of a policy without memory, for what has no use for one."""
    policy = load_policy(path)
    if not isinstance(policy, MLPPolicy):
        raise UserError(f"{path} is a policy with memory, expected one without")
    return policy


def stored_space(path: str | Path, arrays: Mapping[str, np.ndarray]) -> Box | None:
    """The bounded box whose sides are the arrays `low` and `high` of a file; None if it has none.

    Raises:
      UserError: they are no sides of a box.
    """
    if not {"low", "high"} & arrays.keys():
        return None
    low, high = (arrays.get(name, np.empty(0)) for name in ("low", "high"))
    if low.dtype != np.float32 or high.dtype != np.float32 or low.shape != high.shape or not low.size:
        raise UserError(f"{path}: low and high are not the sides of a box: two float32 arrays of one shape")
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
        raise UserError(f"{path}: low and high are not the sides of a box: finite numbers, low not above high")
    return Box(low, high, low.shape)  # type: ignore[arg-type]
