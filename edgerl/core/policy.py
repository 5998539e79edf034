"""The policy contract between learners and deployment: a multilayer perceptron as a plain pytree."""

from pathlib import Path
from typing import Any, Literal, get_args

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.core import files
from edgerl.core.errors import UserError

Activation = Literal["relu", "relu6", "tanh", "sigmoid"]

ACTIVATIONS = {"relu": jax.nn.relu, "relu6": jax.nn.relu6, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}


@struct.dataclass
class MLPPolicy:
    """A greedy policy over discrete actions: argmax of a multilayer perceptron's outputs. Ties: the lowest index.

    Attributes:
      kernels: float32 [in, out] of each dense layer.
      biases: float32 [out] of each dense layer.
      activation: applied after every layer but the last.
    """

    kernels: tuple[chex.Array, ...]
    biases: tuple[chex.Array, ...]
    activation: Activation = struct.field(pytree_node=False, default="relu")

    def logits(self, obs: chex.Array) -> chex.Array:
        """float32 [..., actions] for observations float32 [..., features]."""
        x = obs
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = x @ kernel + bias
            if i + 1 < len(self.kernels):
                x = ACTIVATIONS[self.activation](x)
        return x

    def __call__(self, key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        """int32 action [...]; the key is not used."""
        del key
        return jnp.argmax(self.logits(obs), axis=-1).astype(jnp.int32)

    def lanes(self, obs: chex.Array) -> chex.Array:
        """int32 actions [B] for observations float32 [features, B], the lanes last as in the simulator."""
        x = obs
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            # Turned round once, not read along its columns: XLA has a faster library for such products on a CPU.
            x = jax.lax.optimization_barrier(kernel.T) @ x + bias[:, None]
            if i + 1 < len(self.kernels):
                x = ACTIVATIONS[self.activation](x)
        return _first_highest(x)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(features, hidden …, actions)."""
        return (self.kernels[0].shape[0], *(kernel.shape[1] for kernel in self.kernels))


def _first_highest(values: chex.Array) -> chex.Array:
    """int32 [B]: argmax over the first axis of [n, B], by what vector units do fast; 0 where a value is NaN."""
    if len(values) > 16:
        rows = jnp.arange(len(values), dtype=jnp.int32)[:, None]
        first = jnp.min(jnp.where(values == jnp.max(values, axis=0), rows, len(values)), axis=0)
        return first % len(values)
    best, index = values[0], jnp.zeros(values.shape[1:], jnp.int32)
    for i in range(1, len(values)):
        index = jnp.where(values[i] > best, i, index)
        best = jnp.maximum(best, values[i])
    return index


def save_policy(path: str | Path, policy: MLPPolicy) -> None:
    """Writes a policy as `.npz`: `kernel_i`, `bias_i`, `activation`."""
    arrays: dict[str, Any] = {"activation": np.asarray(policy.activation)}
    for i, (kernel, bias) in enumerate(zip(policy.kernels, policy.biases, strict=True)):
        arrays |= {f"kernel_{i}": np.asarray(kernel, np.float32), f"bias_{i}": np.asarray(bias, np.float32)}
    files.write_npz(path, arrays)


def load_policy(path: str | Path) -> MLPPolicy:
    """Reads what `save_policy` wrote.

    Raises:
      UserError: missing file, not a policy, shapes that do not chain, NaN or infinite weights.
    """
    arrays = files.read_npz(path)
    kernels = tuple(arrays[f"kernel_{i}"] for i in range(len(arrays)) if f"kernel_{i}" in arrays)
    biases = tuple(arrays[f"bias_{i}"] for i in range(len(kernels)) if f"bias_{i}" in arrays)
    activation = str(arrays.get("activation", ""))
    if not kernels or len(biases) != len(kernels) or activation not in get_args(Activation):
        raise UserError(f"{path} is not a policy: expected kernel_i, bias_i and activation")
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        chains = kernel.ndim == 2 and bias.shape == kernel.shape[1:] and (i == 0 or len(kernel) == len(biases[i - 1]))
        if not chains:
            raise UserError(f"{path}: layer {i} has kernel {kernel.shape} and bias {bias.shape}, which do not fit")
        if not all(np.issubdtype(x.dtype, np.number) for x in (kernel, bias)):
            raise UserError(f"{path}: layer {i} has kernel {kernel.dtype} and bias {bias.dtype}, not numbers")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise UserError(f"{path}: layer {i} has NaN or infinite weights")
    return MLPPolicy(
        tuple(jnp.asarray(k, jnp.float32) for k in kernels),
        tuple(jnp.asarray(b, jnp.float32) for b in biases),
        activation,  # type: ignore[arg-type]
    )


def same(a: MLPPolicy, b: MLPPolicy) -> bool:
    """True if two policies are equal bit for bit."""
    return (
        a.activation == b.activation
        and a.sizes == b.sizes
        and all(
            np.asarray(x).tobytes() == np.asarray(y).tobytes()
            for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        )
    )


__all__ = ["ACTIVATIONS", "Activation", "MLPPolicy", "load_policy", "same", "save_policy"]
