"""A policy with memory: a gated recurrent unit behind the layers of a perceptron, as a plain pytree."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp

from edgerl.envs import policy_checks
from edgerl.envs.policy import ACTIVATIONS, Layers

GATES = 3  # update gate, reset gate, candidate


def advance(kernels: Sequence[chex.Array], seen: Sequence[chex.Array], memory: chex.Array) -> chex.Array:
    """The memory of a gated recurrent unit after a step.

    z = σ(U_z h + s_z),  r = σ(U_r h + s_r),  n = tanh(U_n (r h) + s_n),  h' = n + z (h - n)

    Reference: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, equations 5 to 8. The
    reset gate acts on the memory before the product with U_n; that of PyTorch's unit acts after it.

    Args:
      kernels: U_z, U_r and U_n, float32 [units, units].
      seen: s_z, s_r and s_n, what each makes of the observation, float32 [units, ...].
      memory: h, float32 [units, ...].
    """
    update, reset = (
        jax.nn.sigmoid(jnp.tensordot(kernel, memory, 1) + part)
        for kernel, part in zip(kernels[:2], seen[:2], strict=True)
    )
    candidate = jnp.tanh(jnp.tensordot(kernels[2], reset * memory, 1) + seen[2])
    return candidate + update * (memory - candidate)


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True)
class GRUPolicy(Layers):
    """A greedy policy that remembers: a gated recurrent unit between dense layers; the last one's outputs decide.

    It is called as `policy(key, obs, state) -> (action, state)`; the state before an episode is `initial_state()`.
    Actions follow from the outputs as those of `MLPPolicy`, and what it is made of is checked likewise.

    Attributes:
      kernels: float32 [in, out] of each dense layer in front; then of the update gate, the reset gate and the
        candidate, [in + units, units], which read what the layers in front give, and the memory; then of each layer
        behind, the first of which reads the memory.
      biases: float32 [out] of each of them.
      activation: applied after every layer in front and behind, but not after the last.
      space: the bounded box of continuous actions; None: the actions are discrete.
      front: how many layers are in front; 0: the recurrent unit reads the observation.
    Raises:
      UserError: an unknown activation, shapes that do not fit, NaN or infinite weights, or what is no array.

    Example:
      >>> gate, last = np.zeros((3, 2)), np.array([[0.0, 1.0], [0.0, 0.0]])
      >>> candidate = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
      >>> policy = edgerl.GRUPolicy((gate, gate, candidate, last), (np.zeros(2),) * 4)
      >>> action, state = policy(None, jnp.array([2.0]), policy.initial_state())
      >>> int(action), round(float(state[0]), 3)  # half of tanh(2)
      (1, 0.482)
      >>> policy.sizes
      (1, 2, 2)
    """

    STATIC: ClassVar = ("activation", "space", "front")

    front: int = 0

    def _check_form(self, kernels: Sequence[chex.Array]) -> None:
        policy_checks.check_gru(kernels, self.front)

    def initial_state(self) -> chex.Array:
        """float32 [units]: what it remembers before an episode, which is nothing."""
        return jnp.zeros(self.units, jnp.float32)

    def outputs(self, obs: chex.Array, state: chex.Array) -> tuple[chex.Array, chex.Array]:
        """Outputs float32 [..., outputs] and the state afterwards, for observations float32 [..., features]."""
        policy_checks.check_reads(self.kernels, jnp.shape(obs)[-1:], jnp.shape(obs), self.sizes[0])
        outputs, after = self._first(jnp.moveaxis(obs, -1, 0), jnp.moveaxis(state, -1, 0))
        return jnp.moveaxis(outputs, 0, -1), jnp.moveaxis(after, 0, -1)

    def __call__(self, key: chex.PRNGKey, obs: chex.Array, state: chex.Array) -> tuple[chex.Array, chex.Array]:
        """The action, int32 [...] or float32 [..., *shape] of a box, and the state after it; the key is not used.

        Args:
          obs: float32 [..., features].
          state: float32 [..., units], before the observation.
        """
        del key
        outputs, after = self.outputs(obs, state)
        return self.decided(outputs), after

    def lanes(self, obs: chex.Array, state: chex.Array) -> tuple[chex.Array, chex.Array]:
        """The same for observations [features, B] and states [units, B], the lanes last as in the simulator."""
        policy_checks.check_reads(self.kernels, jnp.shape(obs)[:1], jnp.shape(obs)[:-1], self.sizes[0])
        outputs, after = self._first(obs, state)
        return self.decided_lanes(outputs), after

    def _first(self, obs: chex.Array, state: chex.Array) -> tuple[chex.Array, chex.Array]:
        """Outputs and state after, of observations and states whose features and units are the first axis."""

        def dense(kernel: chex.Array, bias: chex.Array, x: chex.Array) -> chex.Array:
            # Turned round once, as in `MLPPolicy.lanes`.
            product = jnp.tensordot(jax.lax.optimization_barrier(kernel.T), x, 1)
            return product + bias.reshape(-1, *(1,) * (x.ndim - 1))

        act, layers = ACTIVATIONS[self.activation], list(zip(self.kernels, self.biases, strict=True))
        before, gates, behind = layers[: self.front], layers[self.front :][:GATES], layers[self.front + GATES :]
        x = obs
        for layer in before:
            x = act(dense(*layer, x))
        seen = [dense(kernel[: len(x)], bias, x) for kernel, bias in gates]
        after = advance([jax.lax.optimization_barrier(kernel[len(x) :].T) for kernel, _ in gates], seen, state)
        y = after
        for layer in behind[:-1]:
            y = act(dense(*layer, y))
        return dense(*behind[-1], y), after

    @property
    def units(self) -> int:
        """How many numbers it remembers."""
        return self.kernels[self.front].shape[-1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """(features, layers in front …, units, layers behind …, actions)."""
        widths = [kernel.shape[-1] for kernel in self.kernels]
        features = self.kernels[0].shape[-2] - (0 if self.front else self.units)
        return (features, *widths[: self.front], self.units, *widths[self.front + GATES :])
