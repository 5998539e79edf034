"""Flax layers and the multilayer perceptron, the features first and the batch along the last axis."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.policy import ACTIVATIONS
from edgerl.rl.initialisers import orthogonal
from edgerl.simulator.xla import Trick, turned, uses


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
        x = scaled(obs, self.input_scale)
        for width in self.hidden_sizes:
            x = ACTIVATIONS[self.activation](Dense(width, 2**0.5)(x))
        return Dense(self.outputs, self.output_gain)(x)


def scaled(obs: chex.Array, scale: tuple[float, ...]) -> chex.Array:
    """Observations [features, ...], each feature divided by its scale; as they are where there is none."""
    return obs * inverse(scale).reshape(-1, *(1,) * (obs.ndim - 1)) if scale else obs


def inverse(scale: tuple[float, ...]) -> np.ndarray:
    """float32 [features], by which an observation is multiplied."""
    return 1 / np.asarray(scale, np.float32)
