"""The policy contract between learners and deployment: a multilayer perceptron as a plain pytree."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import policy_checks
from edgerl.envs.actions import in_box
from edgerl.envs.spaces import Box, Space
from edgerl.util import files
from edgerl.util.errors import UserError

Activation = Literal["relu", "relu6", "tanh", "sigmoid"]

ACTIVATIONS = {"relu": jax.nn.relu, "relu6": jax.nn.relu6, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True)
class MLPPolicy:
    """A greedy policy: what a multilayer perceptron's outputs decide.

    Of discrete actions the index of the largest output; ties: the lowest. Of a box's actions each number by an output
    of its own: -1 for the lower side, 1 for the upper one, clipped beyond them.

    What it is made of is checked when it is made; numbers of another type, and lists, become float32. JAX's own
    rebuilding (`jit`, `vmap`, `tree.map`) checks nothing: there the leaves may be anything. Several policies of one
    form are one with leading axes, `[P, in, out]` and `[P, out]`, for `jax.vmap`.

    Attributes:
      kernels: float32 [in, out] of each dense layer.
      biases: float32 [out] of each dense layer.
      activation: applied after every layer but the last.
      space: the bounded box of continuous actions; None: the actions are discrete.
    Raises:
      UserError: an unknown activation, shapes that do not fit, NaN or infinite weights, or what is no array.

    Example:
      >>> policy = edgerl.MLPPolicy((np.eye(2), np.eye(2)), (np.zeros(2), np.array([0.0, 1.0])))
      >>> int(policy(None, jnp.array([0.5, 0.0]))), int(policy(None, jnp.array([3.0, 0.0])))
      (1, 0)
      >>> policy.sizes
      (2, 2, 2)
    """

    kernels: tuple[chex.Array, ...]
    biases: tuple[chex.Array, ...]
    activation: Activation = "relu"
    space: Box | None = None

    def __post_init__(self) -> None:
        kernels, biases = policy_checks.checked(self.kernels, self.biases, self.activation, ACTIVATIONS)
        object.__setattr__(self, "kernels", kernels)
        object.__setattr__(self, "biases", biases)
        policy_checks.check_space(self.space, kernels)

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], tuple[Activation, Box | None]]:
        """Kernels and biases under their names; the activation and the space are static."""
        names = ("kernels", "biases")
        leaves = tuple((jax.tree_util.GetAttrKey(name), getattr(self, name)) for name in names)
        return leaves, (self.activation, self.space)

    @classmethod
    def tree_unflatten(cls, static: tuple[Activation, Box | None], children: tuple[Any, Any]) -> "MLPPolicy":
        """Without `__post_init__`: JAX puts tracers, specifications and place holders here."""
        made = object.__new__(cls)
        for name, value in zip(("kernels", "biases", "activation", "space"), (*children, *static), strict=True):
            object.__setattr__(made, name, value)
        return made

    def replace(self, **changes: Any) -> "MLPPolicy":
        """The same with other kernels, biases or another activation."""
        return dataclasses.replace(self, **changes)

    def logits(self, obs: chex.Array) -> chex.Array:
        """float32 [..., actions] for observations float32 [..., features]."""
        policy_checks.check_reads(self.kernels, jnp.shape(obs)[-1:], jnp.shape(obs))
        x = obs
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = x @ kernel + bias
            if i + 1 < len(self.kernels):
                x = ACTIVATIONS[self.activation](x)
        return x

    def __call__(self, key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        """int32 action [...], or float32 [..., *shape] of a box; the key is not used."""
        del key
        outputs = self.logits(obs)
        if self.space is not None:
            return in_box(self.space, outputs)
        return jnp.argmax(outputs, axis=-1).astype(jnp.int32)

    def lanes(self, obs: chex.Array) -> chex.Array:
        """Actions for observations float32 [features, B], the lanes last as in the simulator: int32 [B], or float32
        [*shape, B] of a box."""
        policy_checks.check_reads(self.kernels, jnp.shape(obs)[:1], jnp.shape(obs)[:-1])
        x = obs
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            # Turned round once, not read along its columns: XLA has a faster library for such products on a CPU.
            x = jax.lax.optimization_barrier(kernel.T) @ x + bias[:, None]
            if i + 1 < len(self.kernels):
                x = ACTIVATIONS[self.activation](x)
        return _first_highest(x) if self.space is None else jnp.moveaxis(in_box(self.space, x.T), 0, -1)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(features, hidden …, actions)."""
        return (self.kernels[0].shape[-2], *(kernel.shape[-1] for kernel in self.kernels))


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


def check_one(policy: Any) -> None:
    """Raises a `UserError` unless this is one `MLPPolicy` with finite weights: what can be saved and exported."""
    if not isinstance(policy, MLPPolicy):
        raise UserError(f"the policy is {policy_checks.described(policy)}, expected an edgerl.MLPPolicy")
    # JAX may have rebuilt it from anything.
    policy_checks.checked(policy.kernels, policy.biases, policy.activation, ACTIVATIONS)
    policy_checks.check_reads(policy.kernels)


def save_policy(path: str | Path, policy: MLPPolicy) -> None:
    """Writes a policy as `.npz`: `kernel_i`, `bias_i`, `activation`; `low` and `high` of continuous actions.

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
    if policy.space is not None:
        arrays |= dict(zip(("low", "high"), policy.space.bounds(), strict=True))
    files.write_npz(path, arrays)


def load_policy(path: str | Path) -> MLPPolicy:
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
        stored_space(path, arrays),
    )


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


def same_space(a: Box | None, b: Space | None) -> bool:
    """Whether two policies' actions are discrete, or of boxes with the same sides, however those are written."""
    if a is None or b is None:
        return a is b
    return isinstance(b, Box) and a.shape == b.shape and np.array_equal(a.bounds(), b.bounds())


def same(a: MLPPolicy, b: MLPPolicy) -> bool:
    """True if two policies are equal bit for bit."""
    return (
        a.activation == b.activation
        and same_space(a.space, b.space)
        and a.sizes == b.sizes
        and all(
            np.asarray(x).tobytes() == np.asarray(y).tobytes()
            for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        )
    )


__all__ = ["ACTIVATIONS", "Activation", "MLPPolicy", "check_one", "load_policy", "same", "save_policy"]
