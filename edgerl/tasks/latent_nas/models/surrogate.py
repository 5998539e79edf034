"""What an architecture would reach, predicted: an ensemble of small networks, each with a variance of its own.

A member looks at every main block with the same weights and keeps the largest answer of each unit over the blocks
(Zaheer et al., "Deep Sets", 2017): block 2 widening four times and block 3 doing so are one fact to learn, not two.
Mean and variance of the mixture: Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using
Deep Ensembles", 2017, section 2.4.
"""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.tasks.latent_nas.models.lanes import affine, plus
from edgerl.tasks.latent_nas.table.space import BLOCKS, BRANCHES, HIGH, LOW, Architecture, R, blocks_there, split

BLOCK_FEATURES = 11
FEATURES = 6  # of the whole network
_PARTS = ("widen",) * 4 + ("kind",) * 4 + ("residual", "branches")  # what the first of `features` tell of
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

    def __call__(self, blocks: chex.Array, whole: chex.Array) -> chex.Array:
        """float32 [OUTPUTS, ...] for what `features` gives, of one architecture or of many, the lanes last."""
        answers = jnp.max(jnp.tensordot(self.block_kernel, blocks, 1), axis=1)
        seen = jax.nn.relu(plus(answers, self.block_bias))
        hidden = jax.nn.relu(affine(self.kernel, self.bias, jnp.concatenate([seen, whole])))
        return affine(self.out_kernel, self.out_bias, hidden)


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
    """The ensemble as one network, its members side by side, without the features and units that no member uses.

    One matrix with zeros between the members is faster on thousands of architectures than K small ones.
    """

    network: Member  # outputs [2 K + 2]: the members' accuracies and log deviations, the mean spread and AVM
    quantile: chex.Numeric  # |measured - accuracy| / uncertainty stays below it for nine of ten architectures
    block_features: tuple[int, ...] = struct.field(pytree_node=False)  # which of `features` the network takes
    whole_features: tuple[int, ...] = struct.field(pytree_node=False)

    @property
    def parts(self) -> set[str]:
        """The blocks' genes that the network looks at, under their names in `Architecture`."""
        return {_PARTS[i] for i in self.block_features if i < len(_PARTS)}

    def __call__(self, net: Architecture) -> Prediction:
        """For one architecture, or for many, the lanes last."""
        blocks, whole = features(net)
        blocks, whole = [blocks[i] for i in self.block_features], [whole[i] for i in self.whole_features]
        out = self.network(jnp.stack(blocks), jnp.stack(whole))
        members = (out.shape[0] - 2) // 2
        accuracy = _mean(out[:members])
        disagreement = _mean((out[:members] - accuracy) ** 2)
        uncertainty = jnp.sqrt(disagreement + _mean(jnp.exp(2 * out[members:-2])))
        return Prediction(accuracy, uncertainty, jnp.sqrt(disagreement), out[-2], out[-1])

    def of_genes(self, genes: chex.Array) -> Prediction:
        """For genes int32 [22]. Unbatched."""
        return self(split(genes))

    def interval(self, prediction: Prediction) -> tuple[chex.Array, chex.Array]:
        """(low, high) that hold a measured accuracy nine times of ten: split conformal, see `fit_surrogate`."""
        width = self.quantile * prediction.uncertainty
        return prediction.accuracy - width, prediction.accuracy + width


def features(net: Architecture) -> tuple[list[chex.Array], list[chex.Array]]:
    """(BLOCK_FEATURES times float32 [5, ...], all 0 for main blocks that are not there; FEATURES times float32 [...]).

    A block: which widening (4), which kind (4), residual blocks and branches from -1 to 1, and whether it is there.
    The network: which M (5), and its first channels from -1 to 1.
    """
    there = blocks_there(net.depth).astype(jnp.float32)
    widens, kinds = ([(part == value).astype(jnp.float32) for value in range(1, 5)] for part in (net.widen, net.kind))
    sizes = [_centred(part, columns[0]) * there for part, columns in ((net.residual, R), (net.branches, BRANCHES))]
    depth = [(net.depth == m).astype(jnp.float32) for m in range(1, BLOCKS + 1)]
    return [*widens, *kinds, *sizes, there], [*depth, _centred(net.channels, 0)]


def predict(surrogate: Surrogate, genes: np.ndarray) -> Prediction:
    """Predictions [N] for genes [N, 22], as NumPy arrays."""
    return jax.tree.map(np.asarray, _predict(surrogate, jnp.asarray(genes)))


@jax.jit
def _predict(surrogate: Surrogate, genes: chex.Array) -> Prediction:
    return jax.vmap(surrogate.of_genes)(genes)


def side_by_side(members: Member, quantile: chex.Numeric) -> Surrogate:
    """The ensemble of members with a leading axis of K."""
    network = _joined(jax.tree.map(np.asarray, members))
    width = len(network.block_kernel)
    units = list(_used(network.kernel[:, :width]))
    blocks, whole = _used(network.block_kernel[units]), _used(network.kernel[:, width:])
    network = dataclasses.replace(
        network,
        block_kernel=network.block_kernel[np.ix_(units, blocks)],
        block_bias=network.block_bias[units],
        kernel=network.kernel[:, [*units, *(width + i for i in whole)]],
    )
    return Surrogate(jax.tree.map(jnp.asarray, network), jnp.float32(quantile), blocks, whole)


def _joined(members: Member) -> Member:
    """One network with the members' units one after another, and zeros between them."""
    count, units, inputs = members.kernel.shape
    width = inputs - FEATURES
    kernel = np.zeros((count * units, count * width + FEATURES), np.float32)
    outs = np.zeros((OUTPUTS, count, count * units + 1), np.float32)  # the bias last
    for k in range(count):
        rows = slice(k * units, (k + 1) * units)
        kernel[rows, k * width : (k + 1) * width] = members.kernel[k, :, :width]
        kernel[rows, count * width :] = members.kernel[k, :, width:]
        outs[:, k, rows] = members.out_kernel[k]
        outs[:, k, -1] = members.out_bias[k]
    accuracy, spread, avm, deviation = outs
    last = np.concatenate([accuracy, deviation, spread.mean(0, keepdims=True), avm.mean(0, keepdims=True)])
    flat = members.block_kernel.reshape(count * width, -1), members.block_bias.reshape(-1)
    return Member(*flat, kernel, members.bias.reshape(-1), last[:, :-1], last[:, -1])


def _used(kernel: np.ndarray) -> tuple[int, ...]:
    """Inputs that a kernel [out, in] has a weight for; the first where it has none, since no array may be empty."""
    return tuple(map(int, np.flatnonzero((kernel != 0).any(0)))) or (0,)


def _mean(rows: chex.Array) -> chex.Array:
    """Mean over the first axis, of few rows: quicker one by one, and one kernel with what follows."""
    return sum(rows) / len(rows)  # type: ignore[return-value]


def _centred(values: chex.Array, column: int) -> chex.Array:
    low, high = int(LOW[column]), int(HIGH[column])
    return (jnp.asarray(values, jnp.float32) - np.float32((low + high) / 2)) * np.float32(2 / (high - low))
