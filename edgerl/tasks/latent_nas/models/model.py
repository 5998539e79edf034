"""The latent space: a vector-quantised autoencoder of architectures, supervised by accuracy, eight numbers wide.

What is reconstructed is the *continuous* latent z, each coordinate of mean 0 and variance 1 over random architectures,
so that z ~ N(0, I) decodes to usual ones. The codebook has 14 codes of 8. By default (`quantiser: coordinate`) each
coordinate is quantised by itself, to the nearest of the 14 codes' values of that coordinate: just what the
environment's action (code, dimension) sets. In training a fifth of the latents are decoded after quantisation, so that
the decoder knows both. The origin's variant (`quantiser: label`) chooses one code of 8 for the whole latent, in
training by the accuracy's bin, and decodes that code alone: 14 architectures in all.

The decoder answers with logits of M and a number for every other gene. Decoding takes the most probable M, rounds each
gene into its range, and leaves out what is beyond M: every latent decodes to a network that can be built. Kinds of
convolution are encoded as categories and decoded on their scale A to D, which loses least where the latent is full.

Reference: van den Oord, Vinyals & Kavukcuoglu, "Neural Discrete Representation Learning", 2017; quantising parts of
the latent apart: Jégou et al., "Product Quantization for Nearest Neighbor Search", 2011.
"""

import dataclasses
from collections.abc import Collection, Sequence

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.tasks.latent_nas.models.lanes import affine
from edgerl.tasks.latent_nas.table.space import (
    BLOCKS,
    BRANCHES,
    HIGH,
    KIND,
    LOW,
    WIDEN,
    Architecture,
    R,
    active,
    blocks_there,
    join,
)
from edgerl.util.config import field

LATENT = 8
CODES = 14
QUANTISERS = ("coordinate", "label")

# The decoder's outputs: logits of M, then the first channels and the genes of the blocks, part by part, each from 0
# (its least) to 1 (its greatest).
PARTS = {"residual": R, "kind": KIND, "widen": WIDEN, "branches": BRANCHES}
OTHERS = np.array([0, *(gene for part in PARTS.values() for gene in part)])
OUTPUTS = BLOCKS + len(OTHERS)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Widths of the networks."""

    encoder: tuple[int, ...] = field((256, 256), "width of each hidden layer of the encoder", low=1)
    decoder: tuple[int, ...] = field(
        (48, 48), "width of each hidden layer of the decoder, which plays in every step", low=1
    )
    quantiser: str = field("coordinate", "which code a latent gets", choices=QUANTISERS)


class Network(nn.Module):
    """Dense layers with ReLU between them."""

    hidden: tuple[int, ...]
    outputs: int

    @nn.compact
    def __call__(self, x: chex.Array) -> chex.Array:
        """float32 [..., outputs]."""
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.outputs)(x)


@struct.dataclass
class Layer:
    """float32 kernel [out, in] and bias [out]."""

    kernel: chex.Array
    bias: chex.Array


@struct.dataclass
class Autoencoder:
    """A trained one, as plain layers; the latent's standardisation is in the encoder's last."""

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    codebook: chex.Array  # float32 [CODES, LATENT]

    def encode(self, genes: chex.Array) -> chex.Array:
        """float32 [8] for genes int32 [22] that can be built. Unbatched."""
        return perceptron(self.encoder, encoder_features(genes))

    def decode(self, latent: chex.Array) -> chex.Array:
        """Genes int32 [22] of a network that can be built, for any latent float32 [8]. Unbatched."""
        return join(decode(self.decoder, latent))


def perceptron(layers: Sequence[Layer], x: chex.Array) -> chex.Array:
    """float32 [out, ...] for float32 [in, ...]: of one, or of many, the lanes last."""
    return finished(layers[1:], affine(layers[0].kernel, layers[0].bias, x))


def finished(layers: Sequence[Layer], sums: chex.Array) -> chex.Array:
    """float32 [out, ...] for the first layer's float32 [hidden, ...], before its ReLU; `layers`: the others."""
    for layer in layers:
        sums = affine(layer.kernel, layer.bias, jax.nn.relu(sums))
    return sums


def decode(layers: Sequence[Layer], latent: chex.Array, parts: Collection[str] = tuple(PARTS)) -> Architecture:
    """The network for a latent [8, ...], its genes whole float32 numbers. Where the decoder says NaN: least values.

    Only `parts` of the blocks' genes are computed, the others are 0: what nobody looks at costs nothing.
    """
    return architecture(perceptron(narrowed(layers, parts), latent), parts)


def narrowed(layers: Sequence[Layer], parts: Collection[str]) -> list[Layer]:
    """The decoder without the outputs that none of `parts` needs."""
    rows = [np.arange(BLOCKS + 1)]
    rows += [BLOCKS + 1 + BLOCKS * i + np.arange(BLOCKS) for i, name in enumerate(PARTS) if name in parts]
    kept = np.concatenate(rows)
    return [*layers[:-1], Layer(layers[-1].kernel[kept], layers[-1].bias[kept])]


def architecture(out: chex.Array, parts: Collection[str] = tuple(PARTS)) -> Architecture:
    """The network that the decoder's outputs mean: M, the first channels, `parts` in the order of `PARTS`."""
    # The first of the largest logits, by comparing: an argmax over so few does not vectorise.
    best, depth = out[0], jnp.float32(1)
    for m in range(1, BLOCKS):
        larger = out[m] > best
        best, depth = jnp.where(larger, out[m], best), jnp.where(larger, jnp.float32(m + 1), depth)
    there = blocks_there(depth)
    genes, start = {}, BLOCKS + 1
    for name, columns in PARTS.items():
        genes[name] = jnp.zeros_like(there, jnp.float32)
        if name in parts:
            genes[name] = jnp.where(there, _gene(out[start : start + BLOCKS], columns[0]), 0)
            start += BLOCKS
    return Architecture(_gene(out[BLOCKS], 0), depth, **genes)


def _gene(share: chex.Array, column: int) -> chex.Array:
    """Shares of a gene's range as whole float32 numbers in it."""
    low, high = float(LOW[column]), float(HIGH[column])
    return low + jnp.round(jnp.where(share > 0, jnp.minimum(share, 1), 0) * (high - low))


def nearest(codebook: chex.Array, latent: chex.Array) -> chex.Array:
    """int32 [..., 8]: for each coordinate of latents [..., 8] the code with the nearest value of that coordinate."""
    return jnp.argmin(jnp.abs(latent[..., None, :] - codebook), axis=-2)


def nearest_code(codebook: chex.Array, latent: chex.Array) -> chex.Array:
    """int32 [...]: the code nearest to the whole latent [..., 8]."""
    return jnp.argmin(jnp.sum((latent[..., None, :] - codebook) ** 2, axis=-1), axis=-1)


def encoder_features(genes: chex.Array) -> chex.Array:
    """float32 [..., 67]: genes in their ranges, 0 beyond M; M, kinds and widenings also as categories."""
    genes = jnp.asarray(genes)
    scaled = jnp.where(active(genes), (genes - LOW) / (HIGH - LOW), 0.0)
    depth = jax.nn.one_hot(genes[..., 1] - 1, BLOCKS)
    categories = [jax.nn.one_hot(genes[..., column] - 1, 4) for column in (*KIND, *WIDEN)]
    return jnp.concatenate([scaled, depth, *categories], -1).astype(jnp.float32)
