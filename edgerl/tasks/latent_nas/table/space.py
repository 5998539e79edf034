"""The search space of AnalogNAS: residual networks for CIFAR-10, each written as 22 whole numbers.

A network is a 7x7 convolution of `out_channel0` channels, then M main blocks, then pooling and a linear layer. Main
block i is R_i residual blocks of B_i branches and makes the channels `widenfact_i` times as many; `convblock_i` is its
kind of convolution, A to D, here 1 to 4. Genes of blocks beyond M are 0, all others are not: what breaks this rule
cannot be built.

Source: Benmeziane et al., "AnalogNAS: A Neural Network Design Framework for Accurate Inference with Analog In-Memory
Computing", 2023.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

BLOCKS = 5  # main blocks at most
KINDS = "ABCD"  # of convolution

_BLOCK_GENES = tuple(
    name for i in range(1, BLOCKS + 1) for name in (f"convblock{i}", f"widenfact{i}", f"B{i}")
)  # in the order of the published table
GENES = ("out_channel0", "M", *(f"R{i}" for i in range(1, BLOCKS + 1)), *_BLOCK_GENES)

# Columns of the genes of main blocks 1 to 5.
R = np.arange(2, 7)
KIND = np.arange(7, 22, 3)
WIDEN = np.arange(8, 22, 3)
BRANCHES = np.arange(9, 22, 3)

LOW = np.ones(22, np.int32)
HIGH = np.zeros(22, np.int32)
LOW[0] = 8
HIGH[[0, 1]] = 128, BLOCKS
HIGH[R], HIGH[KIND], HIGH[WIDEN], HIGH[BRANCHES] = 16, len(KINDS), 4, 12

# The main block that a gene belongs to, 0 to 4; -1 for the two genes of the whole network.
BLOCK = np.full(22, -1)
BLOCK[R], BLOCK[KIND], BLOCK[WIDEN], BLOCK[BRANCHES] = (range(BLOCKS),) * 4

COUNTED = {"residual", "widen", "branches"}  # parts of an `Architecture` that decide how many parameters it has

_KERNEL = 3 * 3
_STEM = 7 * 7 * 3
_POOLED = 21 * 21  # positions that the linear layer sees
_CLASSES = 10


def active(genes: Any) -> Any:
    """bool [..., 22]: the genes that the network has, by its M; NumPy or JAX."""
    return genes[..., 1:2] > BLOCK


def buildable(genes: Any) -> Any:
    """bool [...] for whole numbers [..., 22], NumPy or JAX: every gene is in its range, and 0 exactly beyond M."""
    has = active(genes)
    fits = (genes >= LOW * has) & (genes <= HIGH * has)
    return fits.all(-1)


@struct.dataclass
class Architecture:
    """Genes by what they are: scalars, and arrays whose first axis is the main block; NumPy or JAX, any number type.

    Of many architectures: one more axis, the last.
    """

    channels: Any  # of the first convolution
    depth: Any  # M
    residual: Any  # [5], R
    kind: Any  # [5], 1 to 4 for A to D
    widen: Any  # [5]
    branches: Any  # [5], B


def split(genes: Any) -> Architecture:
    """Genes [22], or columns [22, N] of N architectures, by what they are."""
    return Architecture(genes[0], genes[1], genes[R], genes[KIND], genes[WIDEN], genes[BRANCHES])


def blocks_there(depth: Any) -> Any:
    """bool [5, ...] for M [...]: which main blocks there are."""
    return depth > np.arange(BLOCKS, dtype=np.float32).reshape(-1, *(1,) * np.ndim(depth))


def join(net: Architecture) -> chex.Array:
    """Genes int32 [22] of an architecture."""
    blocks = jnp.stack([net.kind, net.widen, net.branches], 1).reshape(-1)
    return jnp.concatenate([jnp.stack([net.channels, net.depth]), net.residual, blocks]).astype(jnp.int32)


def parameter_count(genes: Any) -> Any:
    """Weights of networks with genes [22] or [N, 22]; see `count`. Exact for NumPy's int64."""
    return count(split(genes.T))


def count(net: Architecture) -> Any:
    """Weights of the network, of the number type of its genes.

    Every residual block of main block i has B_i branches of two 3x3 convolutions with batch normalisation; the first
    one takes c_i channels to c_i * widenfact_i and has, where these differ, a skip connection of two halves. Exact for
    int64; in float32 to six digits. The largest network has 1e13: int32 would overflow.
    """
    channels = net.channels
    total = _STEM * channels + 2 * channels
    for i in range(BLOCKS):
        there = net.depth > i
        wide = channels * (net.widen[i] + (1 - there))  # beyond M as many as before
        first, other = (_branch(inputs, wide) for inputs in (channels, wide))
        skip = (channels * (wide - wide % 2) + 2 * wide) * (wide != channels)  # 2 c (wide // 2), and its normalisation
        total = total + there * (net.branches[i] * (first + (net.residual[i] - there) * other) + skip)
        channels = wide
    return total + channels * _POOLED * _CLASSES + _CLASSES


def _branch(inputs: Any, outputs: Any) -> Any:
    return _KERNEL * inputs * outputs + 2 * outputs + _KERNEL * outputs * outputs + 2 * outputs


def in_high_group(genes: Any) -> Any:
    """bool [...] for genes [..., 22]: four blocks or more, or some block that widens four times.

    Found in the published table, where it holds without exception: the accuracy of 789 such rows lies above .90, and
    that of the 411 others below .90. Within the two groups, no gene was found to matter. It judges; nothing learns it.
    """
    return (genes[..., 1] >= 4) | (genes[..., WIDEN] == 4).any(-1)


def sample(key: chex.PRNGKey) -> chex.Array:
    """int32 [22]: a buildable network, M and then each of its genes drawn uniformly. The key is consumed."""
    return from_uniform(jax.random.uniform(key, (22,)))


def from_uniform(draws: chex.Array) -> chex.Array:
    """Buildable networks int32 [..., 22] from numbers [..., 22] in [0, 1): what share of its range each gene takes."""
    genes = jnp.asarray(LOW) + (draws * (HIGH - LOW + 1)).astype(jnp.int32)
    return jnp.where(active(genes), genes, 0)


def as_dict(genes: np.ndarray) -> dict[str, Any]:
    """Genes [22] under their published names, the kinds of convolution as letters: what AnalogNAS's builder reads."""
    values = dict(zip(GENES, map(int, genes), strict=True))
    return {name: _letter(value) if name.startswith("conv") else value for name, value in values.items()}


def _letter(kind: int) -> str | int:
    return KINDS[kind - 1] if kind else 0
