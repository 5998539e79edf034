"""Policy and value networks: Flax multilayer perceptrons, the batch along the last axis."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.environment import Environment, Params
from edgerl.envs.parameters import spaces_of
from edgerl.envs.policy import ACTIVATIONS, MLPPolicy
from edgerl.rl import normalisation
from edgerl.rl.config import PPOConfig
from edgerl.rl.heads import Head, head_of
from edgerl.rl.initialisers import orthogonal
from edgerl.rl.normalisation import Moments, Statistics
from edgerl.simulator.xla import Trick, apart, turned, uses
from edgerl.util.errors import UserError

Variables = Any  # what a Flax module's `init` returns


class Dense(nn.Module):
    """`kernel x + bias` along the first axis; batch axes, if any, follow.

    Flax's own layer has the features last. With the batch last, short features do not stop the vector unit, and XLA
    hands all but one of a training step's matrix products to its fast library on a CPU: twice as fast in all.
    """

    features: int
    gain: float

    @nn.compact
    def __call__(self, x: chex.Array) -> chex.Array:
        """float32 [features, ...] for float32 [inputs, ...]."""
        shape = (self.features, x.shape[0])
        kernel = self.param("kernel", orthogonal(self.gain), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        product = _product(kernel, x) if uses(Trick.PRODUCT) else jnp.tensordot(kernel, x, 1)
        return product + bias.reshape(-1, *(1,) * (x.ndim - 1))


@jax.custom_vjp
def _product(kernel: chex.Array, x: chex.Array) -> chex.Array:
    """`kernel x` along the first axis of x. The kernel is turned round for the gradient, not read the other way.

    XLA gives a product whose left side is read along its columns to a library that takes twice as long on a CPU.
    """
    return jnp.tensordot(kernel, x, 1)


def _product_forward(kernel: chex.Array, x: chex.Array) -> tuple[chex.Array, tuple[chex.Array, chex.Array]]:
    return _product(kernel, x), (kernel, x)


def _product_backward(inputs: tuple[chex.Array, chex.Array], gradient: chex.Array) -> tuple[chex.Array, chex.Array]:
    kernel, x = inputs
    return _over_samples(gradient, x), jnp.tensordot(turned(kernel), gradient, 1)


def _over_samples(a: chex.Array, b: chex.Array) -> chex.Array:
    """`a bᵀ`, float32 [m, n], for [m, ...] and [n, ...].

    Not by turning b round, which XLA would do element by element under `vmap`. The longer side is the result's last,
    which the library computes a vector at a time.
    """
    if len(b) < len(a):
        return _over_samples(b, a).T
    samples = tuple(range(1, a.ndim))
    return jnp.tensordot(a, b, (samples, samples))


_product.defvjp(_product_forward, _product_backward)


class MLP(nn.Module):
    """Dense layers with an activation after each but the last. Orthogonal kernels, zero biases.

    The gains are those of Andrychowicz et al., "What Matters in On-Policy Reinforcement Learning?", 2021.

    Attributes:
      hidden_sizes: width of each hidden layer.
      outputs: width of the last layer.
      output_gain: of the last layer's initial kernel; the others have the square root of two.
      activation: name in `edgerl.envs.policy.ACTIVATIONS`.
      input_scale: what each feature is divided by; empty for one.
    """

    hidden_sizes: tuple[int, ...]
    outputs: int
    output_gain: float
    activation: str
    input_scale: tuple[float, ...] = ()

    @nn.compact
    def __call__(self, obs: chex.Array) -> chex.Array:
        """float32 [outputs, ...] for float32 [features, ...]."""
        x = obs
        if self.input_scale:
            x = x * _inverse(self.input_scale).reshape(-1, *(1,) * (x.ndim - 1))
        for width in self.hidden_sizes:
            x = ACTIVATIONS[self.activation](Dense(width, 2**0.5)(x))
        return Dense(self.outputs, self.output_gain)(x)


@struct.dataclass
class Networks:
    """The policy's and the value's network, of the same form and with nothing in common."""

    policy: MLP = struct.field(pytree_node=False)
    value: MLP = struct.field(pytree_node=False)
    head: Head = struct.field(pytree_node=False)
    value_scale: chex.Numeric
    initial_std: chex.Numeric
    observations: Moments | None

    def init(self, key: chex.PRNGKey) -> Variables:
        """Variables of both, and `log_std` [numbers] of continuous actions; the key is consumed."""
        policy_key, value_key = jax.random.split(key)
        obs = jnp.zeros(self.features, jnp.float32)
        made = {"policy": self.policy.init(policy_key, obs), "value": self.value.init(value_key, obs)}
        if not self.head.deviations:
            return made
        return {**made, "log_std": jnp.full(self.head.deviations, jnp.log(self.initial_std), jnp.float32)}

    def parameters(self, variables: Variables, obs: chex.Array) -> chex.Array:
        """What the head makes actions of, float32 [parameters, ...] for observations [features, ...].

        Logits; or means, and behind them log standard deviations, which do not depend on the observation.
        """
        outputs = apart(self.policy.apply(variables["policy"], self._seen(obs)))
        if not self.head.deviations:
            return outputs
        log_std = variables["log_std"].reshape(-1, *(1,) * (outputs.ndim - 1))
        return jnp.concatenate([outputs, jnp.broadcast_to(log_std, outputs.shape)])

    def values(self, variables: Variables, obs: chex.Array) -> chex.Array:
        """float32 [...] for observations [features, ...]."""
        return self.value_scale * apart(self.value.apply(variables["value"], self._seen(obs)))[0]

    def with_values_of(self, other: "Networks", variables: Variables) -> Variables:
        """Variables of these networks with which their values are those of others that have another scale.

        Reference: van Hasselt et al., "Learning values across many orders of magnitude", 2016 (without the shift).
        """
        layer, ratio = f"Dense_{len(self.value.hidden_sizes)}", other.value_scale / self.value_scale
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

    def greedy(self, variables: Variables) -> MLPPolicy:
        """The policy without exploration, all that is done to observations folded into the first layer."""
        layers = [variables["policy"]["params"][f"Dense_{i}"] for i in range(len(self.policy.hidden_sizes) + 1)]
        first, *others = (layer["kernel"].T for layer in layers)
        biases = tuple(layer["bias"] for layer in layers)
        if self.observations is None:
            first = first * _inverse(self.policy.input_scale)[:, None]
        else:
            first = first / self._deviation()[:, None]
            biases = (biases[0] - self.observations.mean @ first, *biases[1:])
        return MLPPolicy((first, *others), biases, self.policy.activation, self.head.space)  # type: ignore[arg-type]


def make_networks(
    env: Environment, config: PPOConfig, env_params: Params | None = None, statistics: Statistics | None = None
) -> Networks:
    """Networks for an environment, whose spaces its parameters decide (by default the published ones).

    Args:
      statistics: of what was seen so far, where the configuration asks for some.
    Raises:
      UserError: the actions have no bounds, observations are not vectors, or `observation_scale` does not fit them.
    """
    observations, actions = spaces_of(env, env.default_params if env_params is None else env_params)
    shape = observations.shape
    head = head_of(env.id, actions)
    if len(shape) != 1:
        raise UserError(f"PPO needs observations that are vectors; {env.id} observes arrays of shape {shape}")
    scale = config.observation_scale or (1.0,) * shape[0]
    if len(scale) != shape[0]:
        raise UserError(f"observation_scale has {len(scale)} numbers; {env.id} observes {shape[0]}")
    policy, value = (
        MLP(config.hidden_sizes, outputs, gain, config.activation, scale)
        for outputs, gain in ((head.outputs, 0.01), (1, 1.0))
    )
    size = normalisation.value_scale(config, statistics)
    seen = None if statistics is None else statistics.observations
    return Networks(policy, value, head, size, config.initial_std, seen)


def _inverse(scale: tuple[float, ...]) -> np.ndarray:
    return 1 / np.asarray(scale, np.float32)
