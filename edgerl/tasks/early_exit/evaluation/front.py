"""A Pareto front: one policy for each price of compute, learnt side by side by one compiled program.

The reward is then 1 for a correct answer less `price` times the share of the last exit's multiply-accumulates.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from edgerl.envs.policy import MLPPolicy
from edgerl.simulator.xla import compiler_options
from edgerl.tasks.early_exit.env import EarlyExitParams
from edgerl.util import files, progress
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

LOWEST, HIGHEST = 0.003, 1.0  # prices: from hardly ever worth stopping to hardly ever worth going on
CPU_BATCH = 4  # trainings that a CPU interleaves: more leave its cache
PART = 8  # batches of a device in one call

Learner = Callable[[chex.PRNGKey, EarlyExitParams], MLPPolicy]


def prices(count: int) -> np.ndarray:
    """float32 [count], evenly spaced in the logarithm."""
    return np.geomspace(LOWEST, HIGHEST, count, dtype=np.float32)


def at_price(params: EarlyExitParams, price: chex.Numeric) -> EarlyExitParams:
    """The parameters with that price as the only cost."""
    gamma = price * params.max_macs / params.macs[-1]
    zero = jnp.zeros_like(gamma)
    return dataclasses.replace(params, alpha=zero + 1, beta=zero, gamma=gamma, delta=zero)


def learn_front(learn: Learner, params: EarlyExitParams, key: chex.PRNGKey, count: int) -> MLPPolicy:
    """`count` policies, as one pytree with a leading axis, in calls of one program over all devices of all processes.

    Args:
      learn: a training as a pure function; the key is consumed.
    """
    devices = np.array(jax.devices())
    batch = CPU_BATCH if devices[0].platform == "cpu" else -(-count // len(devices))
    mesh, split, shared = Mesh(devices, ("policy",)), PartitionSpec("policy"), PartitionSpec()

    def on_device(keys: chex.PRNGKey, costs: chex.Array, params: EarlyExitParams) -> MLPPolicy:
        return jax.lax.map(lambda x: learn(x[0], at_price(params, x[1])), (keys, costs), batch_size=batch)

    mapped = jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(split, split, shared),
        out_specs=split,
        check_vma=False,
    )
    program = jax.jit(mapped, compiler_options=compiler_options(devices))
    part = min(-(-count // len(devices)), PART * batch) * len(devices)  # of one call, between which a bar moves on
    rows = np.resize(np.arange(count), -(-count // part) * part).reshape(-1, part)
    keys, costs, params = jax.random.split(key, count), prices(count), processes.place(params, mesh, shared)
    trained = []
    for some in progress.each(rows, "front") if processes.is_first() else rows:
        placed = processes.place((keys[some], costs[some]), mesh, split)
        trained.append(processes.gathered(program(*placed, params), mesh))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:count], *trained)


def save_front(path: str | Path, front: MLPPolicy) -> None:
    """Writes the policies as `.npz`: `kernel_i` [P, in, out], `bias_i` [P, out], `activation`."""
    arrays: dict[str, Any] = {"activation": np.asarray(front.activation)}
    for i, (kernel, bias) in enumerate(zip(front.kernels, front.biases, strict=True)):
        arrays |= {f"kernel_{i}": np.asarray(kernel), f"bias_{i}": np.asarray(bias)}
    files.write_npz(path, arrays)


def load_front(path: str | Path) -> MLPPolicy:
    """Reads what `save_front` wrote.

    Raises:
      UserError: the file is missing, damaged, or not a front.
    """
    arrays = files.read_npz(path)
    layers = [(arrays.get(f"kernel_{i}"), arrays.get(f"bias_{i}")) for i in range((len(arrays) - 1) // 2)]
    if not layers or "activation" not in arrays or any(k is None or b is None or k.ndim != 3 for k, b in layers):
        raise UserError(f"{path} is not a front of policies: expected kernel_i, bias_i and activation")
    kernels, biases = zip(*layers, strict=True)
    return MLPPolicy(tuple(map(jnp.asarray, kernels)), tuple(map(jnp.asarray, biases)), str(arrays["activation"]))  # type: ignore[arg-type]


def scores_of(front: MLPPolicy, observations: np.ndarray) -> np.ndarray:
    """float32 [P, n, K]: by how much each policy prefers EXIT to CONTINUE, of observations [n, K, F]."""

    def lead(policy: MLPPolicy) -> chex.Array:
        logits = policy.logits(jnp.asarray(observations))
        return logits[..., 1] - logits[..., 0]

    return np.asarray(jax.jit(lambda front: jax.lax.map(lead, front))(front))
