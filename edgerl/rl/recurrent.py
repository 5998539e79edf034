"""Policy and value networks with memory: a gated recurrent unit between dense layers, the batch along the last axis."""

from dataclasses import replace
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.envs.gru import GRUPolicy, advance
from edgerl.envs.policy import ACTIVATIONS
from edgerl.rl.config import PPOConfig
from edgerl.rl.initialisers import orthogonal
from edgerl.rl.layers import Dense, scaled
from edgerl.rl.losses import Minibatch
from edgerl.rl.networks import Networks, Variables, advantages_of
from edgerl.rl.rollout import LAST, RolloutStep
from edgerl.rl.share import ALONE, Share
from edgerl.simulator.xla import apart

GATES = ("update", "reset", "candidate")


class GRU(nn.Module):
    """A gated recurrent unit between dense layers. Orthogonal kernels, zero biases. See `envs.gru`.

    Attributes: those of `layers.MLP`, whose `hidden_sizes` are behind the unit, and
      units: numbers that are remembered.
      encoder_sizes: width of each layer in front.
    """

    hidden_sizes: tuple[int, ...]
    outputs: int
    output_gain: float
    activation: str
    units: int
    encoder_sizes: tuple[int, ...] = ()
    input_scale: tuple[float, ...] = ()

    @nn.compact
    def __call__(self, obs: chex.Array, memory: chex.Array, ended: chex.Array) -> tuple[chex.Array, chex.Array]:
        """What the network answers to a sequence of T observations.

        Args:
          obs: float32 [features, T, ...].
          memory: float32 [units, ...] before the first of them.
          ended: bool [T, ...], whether the episode ended after an observation, so that the next begins without memory.
        Returns:
          Outputs float32 [outputs, T, ...], and the memory float32 [units, T, ...] after each observation.
        """
        x = scaled(obs, self.input_scale)
        for width in self.encoder_sizes:
            x = ACTIVATIONS[self.activation](Dense(width, 2**0.5)(x))
        kernels, biases = zip(*(self._gate(name, len(x)) for name in GATES), strict=True)
        # What does not depend on the memory is computed for the whole sequence in one product.
        seen = [
            jnp.tensordot(kernel[:, : len(x)], x, 1) + bias.reshape(-1, *(1,) * (x.ndim - 1))
            for kernel, bias in zip(kernels, biases, strict=True)
        ]
        remembered = [kernel[:, len(x) :] for kernel in kernels]

        def step(memory: chex.Array, inputs: Any) -> tuple[chex.Array, chex.Array]:
            seen, ended = inputs
            after = advance(remembered, seen, memory)
            return jnp.where(ended, 0, after), after

        if len(ended) == 1:  # without a loop
            after = step(memory, ([part[:, 0] for part in seen], ended[0]))[1][:, None]
        else:
            along = [jnp.moveaxis(part, 1, 0) for part in seen]
            after = jnp.moveaxis(jax.lax.scan(step, memory, (along, ended))[1], 0, 1)
        y = after
        for width in self.hidden_sizes:
            y = ACTIVATIONS[self.activation](Dense(width, 2**0.5)(y))
        return Dense(self.outputs, self.output_gain, name="output")(y), after

    def _gate(self, name: str, inputs: int) -> tuple[chex.Array, chex.Array]:
        """Kernel [units, inputs + units] and bias [units]."""
        kernel = self.param(f"{name}_kernel", orthogonal(1.0), (self.units, inputs + self.units))
        return kernel, self.param(f"{name}_bias", nn.initializers.zeros, (self.units,), jnp.float32)


@struct.dataclass
class Memory:
    """What both networks remember in N environments, float32 [units, N]."""

    policy: chex.Array
    value: chex.Array


@struct.dataclass
class RecurrentNetworks(Networks):
    """Networks that remember. Samples are whole sequences: an environment's steps of one iteration in their order."""

    def _made(self, module: Any, key: chex.PRNGKey) -> Variables:
        return module.init(key, jnp.zeros((self.features, 1)), jnp.zeros(module.units), jnp.zeros(1, bool))

    def memory(self, num_envs: int) -> Memory:
        """Nothing is remembered yet."""
        nothing = jnp.zeros((self.policy.units, num_envs), jnp.float32)
        return Memory(nothing, nothing)

    def act(
        self, variables: Variables, key: chex.PRNGKey, obs: chex.Array, memory: Memory
    ) -> tuple[chex.Array, chex.Array, Memory]:
        """See `Networks.act`. The value's memory stays: it is caught up on by `samples`."""
        never = jnp.zeros((1, obs.shape[-1]), bool)
        outputs, after = self.policy.apply(variables["policy"], self._seen(obs)[:, None], memory.policy, never)
        parameters = self._with_deviations(variables, apart(outputs[:, 0]))
        return *self.head.sample(key, parameters), replace(memory, policy=after[:, 0])

    def samples(
        self,
        variables: Variables,
        steps: RolloutStep,
        log_probs: chex.Array,
        before: Memory,
        playing: Memory,
        config: PPOConfig,
        share: Share = ALONE,
    ) -> tuple[Minibatch, Memory]:
        """See `Networks.samples`; fields [..., T, N]."""
        ended = steps.terminated | steps.truncated
        obs = jnp.moveaxis(steps.obs, 0, LAST - 1)
        seen, after_all = self._seen(obs), self._seen(jnp.moveaxis(steps.next_obs, 0, LAST - 1))
        values, remembered = self.value.apply(variables["value"], seen, before.value, ended)
        # What follows each step, by what was remembered then: every one by itself, as a sequence of one.
        alone = [x.reshape(len(x), 1, -1) for x in (after_all, remembered)]
        later = self.value.apply(variables["value"], alone[0], alone[1][:, 0], jnp.zeros((1, ended.size), bool))[0]
        value, following = self.value_scale * values[0], self.value_scale * later[0].reshape(ended.shape)
        advantages = advantages_of(steps, value, following, config)
        actions = jnp.moveaxis(steps.action, 0, LAST - 1)
        made = Minibatch(obs, actions, log_probs, value, advantages, value + advantages, ended, before)
        return share.whole(made), replace(playing, value=jnp.where(ended[-1], 0, remembered[:, -1]))

    def learnt_from(self, variables: Variables, batch: Minibatch) -> tuple[chex.Array, chex.Array, Minibatch]:
        """See `Networks.learnt_from`: the memory is computed anew along each sequence, from where it began."""
        seen, memory = self._seen(batch.obs), batch.memory
        outputs = self.policy.apply(variables["policy"], seen, memory.policy, batch.ended)[0]
        values = self.value_scale * self.value.apply(variables["value"], seen, memory.value, batch.ended)[0][0]
        flat = replace(batch, ended=None, memory=None)
        parameters = self._with_deviations(variables, outputs)
        parameters, values, flat = jax.tree.map(lambda x: x.reshape(*x.shape[:-2], -1), (parameters, values, flat))
        return parameters, values, flat

    @property
    def last_layer(self) -> str:
        """Its name among a network's parameters."""
        return "output"

    def greedy(self, variables: Variables) -> GRUPolicy:
        """The policy without exploration, all that is done to observations folded into what reads them."""
        layers = variables["policy"]["params"]
        count, behind = len(self.policy.encoder_sizes), len(self.policy.hidden_sizes)
        dense = [layers[f"Dense_{i}"] for i in range(count + behind)] + [layers["output"]]
        gates = [(layers[f"{name}_kernel"].T, layers[f"{name}_bias"]) for name in GATES]
        pairs = [(layer["kernel"].T, layer["bias"]) for layer in dense]
        front, rest = pairs[:count], pairs[count:]
        if front:
            front[0] = self.folded(*front[0])
        else:
            gates = [self._gate_folded(kernel, bias) for kernel, bias in gates]
        kernels, biases = zip(*front, *gates, *rest, strict=True)
        return GRUPolicy(kernels, biases, self.policy.activation, self.head.space, count)

    def _gate_folded(self, kernel: chex.Array, bias: chex.Array) -> tuple[chex.Array, chex.Array]:
        seen, bias = self.folded(kernel[: self.features], bias)
        return jnp.concatenate([seen, kernel[self.features :]]), bias
