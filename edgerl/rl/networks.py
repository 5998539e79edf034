"""PPO's policy and value network, what a training asks them, and the policy that is left of them."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.policy import MLPPolicy
from edgerl.envs.policy_file import FloatPolicy
from edgerl.rl import normalisation
from edgerl.rl.config import PPOConfig
from edgerl.rl.gae import gae
from edgerl.rl.heads import Head
from edgerl.rl.layers import inverse
from edgerl.rl.losses import Minibatch
from edgerl.rl.normalisation import Moments
from edgerl.rl.pieces import each, pieces
from edgerl.rl.rollout import LAST, RolloutStep
from edgerl.rl.share import ALONE, Share
from edgerl.simulator.xla import apart

Variables = Any  # what a Flax module's `init` returns


@struct.dataclass
class Networks:
    """The policy's and the value's network, of the same form and with nothing in common."""

    policy: Any = struct.field(pytree_node=False)  # Flax modules: MLP, or recurrent.GRU
    value: Any = struct.field(pytree_node=False)
    head: Head = struct.field(pytree_node=False)
    value_scale: chex.Numeric
    initial_std: chex.Numeric
    observations: Moments | None

    def init(self, key: chex.PRNGKey) -> Variables:
        """Variables of both, and `log_std` [numbers] of continuous actions; the key is consumed."""
        policy_key, value_key = jax.random.split(key)
        made = {"policy": self._made(self.policy, policy_key), "value": self._made(self.value, value_key)}
        if not self.head.deviations:
            return made
        return {**made, "log_std": jnp.full(self.head.deviations, jnp.log(self.initial_std), jnp.float32)}

    def _made(self, module: Any, key: chex.PRNGKey) -> Variables:
        return module.init(key, jnp.zeros(self.features, jnp.float32))

    def memory(self, num_envs: int) -> Any:
        """What the networks remember in N environments before their episodes: nothing."""
        del num_envs

    def act(
        self, variables: Variables, key: chex.PRNGKey, obs: chex.Array, memory: Any
    ) -> tuple[chex.Array, chex.Array, Any]:
        """(actions [..., N], log-probabilities float32 [N], memory afterwards) for observations [features, N]."""
        return *self.head.sample(key, self.parameters(variables, obs)), memory

    def parameters(self, variables: Variables, obs: chex.Array) -> chex.Array:
        """What the head makes actions of, float32 [parameters, ...] for observations [features, ...].

        Logits; or means, and behind them log standard deviations, which do not depend on the observation.
        """
        return self._with_deviations(variables, apart(self.policy.apply(variables["policy"], self._seen(obs))))

    def values(self, variables: Variables, obs: chex.Array) -> chex.Array:
        """float32 [...] for observations [features, ...]."""
        return self.value_scale * apart(self.value.apply(variables["value"], self._seen(obs)))[0]

    def samples(
        self,
        variables: Variables,
        steps: RolloutStep,
        log_probs: chex.Array,
        before: Any,
        playing: Any,
        config: PPOConfig,
        share: Share = ALONE,
    ) -> tuple[Minibatch, Any]:
        """What is learnt from steps [T, ..., N]: fields [..., T * N], each step by itself; and the memory after them.

        Args:
          log_probs: of the actions, float32 [T, N].
          before, playing: memory of N environments before the steps, and after them as far as `act` knows it.
          share: of all environments, these N. What is returned to learn from is of all.
        """
        del before

        def flat(x: chex.Array) -> chex.Array:
            return jnp.moveaxis(x, 0, LAST - 1).reshape(*x.shape[1:LAST], -1)

        count = config.num_minibatches * pieces(config, config.batch_size // config.num_minibatches)

        def values(obs: chex.Array) -> chex.Array:
            if count == config.num_minibatches:
                return self.values(variables, flat(obs)).reshape(steps.reward.shape)
            return each(lambda part: self.values(variables, part), flat(obs), count).reshape(steps.reward.shape)

        value, after = values(steps.obs), values(steps.next_obs)
        advantages = advantages_of(steps, value, after, config)
        made = Minibatch(steps.obs, steps.action, log_probs, value, advantages, value + advantages)
        return jax.tree.map(flat, share.whole(made)), playing

    def learnt_from(self, variables: Variables, batch: Minibatch) -> tuple[chex.Array, chex.Array, Minibatch]:
        """(parameters [parameters, B], values [B], the batch with fields [..., B]) of a part of the samples."""
        return self.parameters(variables, batch.obs), self.values(variables, batch.obs), batch

    def _with_deviations(self, variables: Variables, outputs: chex.Array) -> chex.Array:
        if not self.head.deviations:
            return outputs
        log_std = variables["log_std"].reshape(-1, *(1,) * (outputs.ndim - 1))
        return jnp.concatenate([outputs, jnp.broadcast_to(log_std, outputs.shape)])

    def with_values_of(self, other: "Networks", variables: Variables) -> Variables:
        """Variables of these networks with which their values are those of others that have another scale.

        Reference: van Hasselt et al., "Learning values across many orders of magnitude", 2016 (without the shift).
        """
        layer, ratio = self.last_layer, other.value_scale / self.value_scale
        layers = variables["value"]["params"]
        scaled = jax.tree.map(lambda x: ratio * x, layers[layer])
        return {**variables, "value": {**variables["value"], "params": {**layers, layer: scaled}}}

    def _seen(self, obs: chex.Array) -> chex.Array:
        """Observations [features, ...] whose mean is 0, and whose deviation is 1 once the input scale divides them."""
        if self.observations is None:
            return obs
        scale = np.asarray(self.policy.input_scale, np.float32) / self._deviation()
        mean, scale = (x.reshape(-1, *(1,) * (obs.ndim - 1)) for x in (self.observations.mean, scale))
        return (obs - mean) * scale

    def _deviation(self) -> chex.Array:
        assert self.observations is not None  # the caller's
        return normalisation.deviation(self.observations, np.asarray(self.policy.input_scale, np.float32))

    @property
    def features(self) -> int:
        """Of an observation."""
        return len(self.policy.input_scale)

    @property
    def last_layer(self) -> str:
        """Its name among a network's parameters."""
        return f"Dense_{len(self.value.hidden_sizes)}"

    def greedy(self, variables: Variables) -> FloatPolicy:
        """The policy without exploration, all that is done to observations folded into the first layer."""
        layers = [variables["policy"]["params"][f"Dense_{i}"] for i in range(len(self.policy.hidden_sizes) + 1)]
        first, *others = (layer["kernel"].T for layer in layers)
        first, bias = self.folded(first, layers[0]["bias"])
        biases = (bias, *(layer["bias"] for layer in layers[1:]))
        return MLPPolicy((first, *others), biases, self.policy.activation, self.head.space)

    def folded(self, kernel: chex.Array, bias: chex.Array) -> tuple[chex.Array, chex.Array]:
        """A kernel [features, out] and a bias [out] that read observations as they are."""
        if self.observations is None:
            return kernel * inverse(self.policy.input_scale)[:, None], bias
        kernel = kernel / self._deviation()[:, None]
        return kernel, bias - self.observations.mean @ kernel


def advantages_of(steps: RolloutStep, values: chex.Array, next_values: chex.Array, config: PPOConfig) -> chex.Array:
    """float32 [T, N] of steps [T, ..., N], by the values of what was observed before and after them."""
    own = steps.discount is not None
    discount, axis = (steps.discount, LAST) if own else (config.discount, None)
    return jax.vmap(gae, in_axes=(LAST,) * 5 + (axis, None), out_axes=LAST)(
        steps.reward, values, next_values, steps.terminated, steps.truncated, discount, config.gae_lambda
    )
