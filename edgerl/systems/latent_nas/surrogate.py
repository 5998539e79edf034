"""What an architecture would reach, predicted: an ensemble of small networks, each with a variance of its own.

A member looks at every main block with the same weights and keeps the largest answer of each unit over the blocks
(Zaheer et al., "Deep Sets", 2017): block 2 widening four times and block 3 doing so are one fact to learn, not two.
Mean and variance of the mixture: Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using
Deep Ensembles", 2017, section 2.4.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.systems.latent_nas.space import BLOCKS, BRANCHES, HIGH, KIND, LOW, WIDEN, R

BLOCK_FEATURES = 11
FEATURES = 6  # of the whole network
OUTPUTS = 4  # accuracy, spread, AVM, logarithm of the accuracy's standard deviation


@struct.dataclass
class Member:
    """Weights of one network, or of K with a leading axis; kernels are [out, in]."""

    block_kernel: chex.Array  # float32 [H, BLOCK_FEATURES]
    block_bias: chex.Array  # float32 [H]
    kernel: chex.Array  # float32 [W, H + FEATURES]
    bias: chex.Array  # float32 [W]
    out_kernel: chex.Array  # float32 [OUTPUTS, W]
    out_bias: chex.Array  # float32 [OUTPUTS]


@struct.dataclass
class Prediction:
    """float32 scalars."""

    accuracy: chex.Array  # one day after the weights were programmed, a share
    uncertainty: chex.Array  # standard deviation of a measured accuracy around it: noise and ignorance together
    ignorance: chex.Array  # of `uncertainty` what the members' disagreement makes: more data would lessen it
    spread: chex.Array  # standard deviation of the accuracy over runs, a share
    avm: chex.Array  # accuracy variation over one month, percent


@struct.dataclass
class Surrogate:
    """The ensemble: members with a leading axis of K, and the quantile that makes intervals honest."""

    members: Member
    quantile: chex.Numeric  # |measured - accuracy| / uncertainty stays below it for nine of ten architectures

    def __call__(self, genes: chex.Array) -> Prediction:
        """For genes int32 [22]. Unbatched."""
        blocks, whole = features(genes)
        out = jax.vmap(lambda member: outputs(member, blocks, whole))(self.members)
        accuracy, spread, avm = (jnp.mean(out[:, i]) for i in range(3))
        disagreement = jnp.mean((out[:, 0] - accuracy) ** 2)
        uncertainty = jnp.sqrt(disagreement + jnp.mean(jnp.exp(2 * out[:, 3])))
        return Prediction(accuracy, uncertainty, jnp.sqrt(disagreement), spread, avm)

    def interval(self, prediction: Prediction) -> tuple[chex.Array, chex.Array]:
        """(low, high) that hold a measured accuracy nine times of ten: split conformal, see `fit_surrogate`."""
        width = self.quantile * prediction.uncertainty
        return prediction.accuracy - width, prediction.accuracy + width


def features(genes: chex.Array) -> tuple[chex.Array, chex.Array]:
    """(float32 [BLOCK_FEATURES, 5] of the main blocks, all 0 where one is not there; float32 [FEATURES]).

    A block: which widening (4), which kind (4), residual blocks and branches from -1 to 1, and whether it is there.
    The network: which M (5), and its first channels from -1 to 1. `genes` [22], not batched; decoded ones may be real.
    """
    genes = jnp.asarray(genes)
    there = (genes[1] > np.arange(BLOCKS)).astype(jnp.float32)
    widens, kinds = (
        [(genes[columns] == value).astype(jnp.float32) for value in range(1, 5)] for columns in (WIDEN, KIND)
    )
    sizes = [_centred(genes[columns], columns[0]) * there for columns in (R, BRANCHES)]
    depth = [(genes[1] == m).astype(jnp.float32) for m in range(1, BLOCKS + 1)]
    return jnp.stack([*widens, *kinds, *sizes, there]), jnp.stack([*depth, _centred(genes[0], 0)])


def outputs(member: Member, blocks: chex.Array, whole: chex.Array) -> chex.Array:
    """float32 [OUTPUTS] of one member for what `features` gives."""
    seen = jax.nn.relu(jnp.max(member.block_kernel @ blocks, axis=1) + member.block_bias)
    hidden = jax.nn.relu(member.kernel @ jnp.concatenate([seen, whole]) + member.bias)
    return member.out_kernel @ hidden + member.out_bias


def _centred(values: chex.Array, column: int) -> chex.Array:
    low, high = int(LOW[column]), int(HIGH[column])
    return (values.astype(jnp.float32) - np.float32((low + high) / 2)) * np.float32(2 / (high - low))
