"""The policies between learners and deployment as plain pytrees: a multilayer perceptron, and what is common to all."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import policy_checks
from edgerl.envs.actions import in_box
from edgerl.envs.spaces import Box, Space
from edgerl.util.errors import UserError

Activation = Literal["relu", "relu6", "tanh", "sigmoid"]

ACTIVATIONS = {"relu": jax.nn.relu, "relu6": jax.nn.relu6, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}


@dataclasses.dataclass(frozen=True)
class Layers:
    """What policies of dense layers have in common: their arrays, which are a pytree's leaves; see `MLPPolicy`."""

    STATIC: ClassVar[tuple[str, ...]] = ("activation", "space")  # what is no leaf

    kernels: tuple[chex.Array, ...]
    biases: tuple[chex.Array, ...]
    activation: Activation = "relu"
    space: Box | None = None

    def __post_init__(self) -> None:
        try:
            kernels, biases = policy_checks.checked(self.kernels, self.biases, self.activation, ACTIVATIONS)
            self._check_form(kernels)
            policy_checks.check_space(self.space, kernels)
        except UserError as error:
            raise UserError(f"{type(self).__name__}: {error}") from None
        object.__setattr__(self, "kernels", kernels)
        object.__setattr__(self, "biases", biases)

    def _check_form(self, kernels: Sequence[chex.Array]) -> None:
        """Raises a `UserError` unless each layer reads what is in front of it."""
        policy_checks.check_chain(kernels)

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], tuple[Any, ...]]:
        """Kernels and biases under their names; all else is static."""
        names = ("kernels", "biases")
        leaves = tuple((jax.tree_util.GetAttrKey(name), getattr(self, name)) for name in names)
        return leaves, tuple(getattr(self, name) for name in self.STATIC)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: tuple[Any, Any]) -> Self:
        """Without `__post_init__`: JAX puts tracers, specifications and place holders here."""
        made = object.__new__(cls)
        for name, value in zip(("kernels", "biases", *cls.STATIC), (*children, *static), strict=True):
            object.__setattr__(made, name, value)
        return made

    def replace(self, **changes: Any) -> Self:
        """The same with other kernels, biases or another activation."""
        return dataclasses.replace(self, **changes)

    def decided(self, outputs: chex.Array) -> chex.Array:
        """Actions of outputs [..., outputs]: int32 [...], or float32 [..., *shape] of a box."""
        if self.space is not None:
            return in_box(self.space, outputs)
        return jnp.argmax(outputs, axis=-1).astype(jnp.int32)

    def decided_lanes(self, outputs: chex.Array) -> chex.Array:
        """The same with the lanes last: of outputs [outputs, B]."""
        if self.space is not None:
            return jnp.moveaxis(in_box(self.space, outputs.T), 0, -1)
        return _first_highest(outputs)


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True)
class MLPPolicy(Layers):
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
        return self.decided(self.logits(obs))

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
        return self.decided_lanes(x)

    @property
    def units(self) -> int:
        """How many numbers it remembers: none."""
        return 0

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


def same_space(a: Box | None, b: Space | None) -> bool:
    """Whether two policies' actions are discrete, or of boxes with the same sides, however those are written."""
    if a is None or b is None:
        return a is b
    return isinstance(b, Box) and a.shape == b.shape and np.array_equal(a.bounds(), b.bounds())


def same(a: Layers, b: Layers) -> bool:
    """True if two policies are equal bit for bit."""
    return (
        type(a) is type(b)
        and a.activation == b.activation
        and same_space(a.space, b.space)
        and [x.shape for x in a.kernels] == [x.shape for x in b.kernels]
        and all(
            np.asarray(x).tobytes() == np.asarray(y).tobytes()
            for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        )
    )
