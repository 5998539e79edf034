"""SimpleViT on a chosen subset of patches.

Beyer et al., "Better plain ViT baselines for ImageNet-1k", 2022: fixed 2-D sine and cosine positions, pre-norm blocks,
mean pooling. Tokens get their positions before anything is left out, so that a subset is a shorter sequence of the same
tokens, and every matrix shrinks with it.

With a convolutional stem (Xiao et al., "Early convolutions help transformers see better", 2021) a token sees `MARGIN`
pixels beyond its patch. The two convolutions are computed where a token is needed and nowhere else: each token brings
its own window of the image, so that the stem, too, costs as many patches as are taken. In the first layer neighbours
share positions, which are computed for each of them.
"""

import dataclasses
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.util.config import field
from edgerl.util.errors import UserError

MOST_DEPTH = 64
UNROLLED = 8  # blocks; a loop over them costs 15 % of a step, and a long program is long in compiling
MARGIN = 2  # pixels around a patch that a token of the convolutional stem sees
_KERNEL, _STRIDE = 4, 2  # of its first layer


@dataclasses.dataclass(frozen=True)
class ViTConfig:
    """The transformer's shape, under the names of AgentViT's table. The defaults are for two CPU cores."""

    patch_size: int = field(4, "side of a patch in pixels; divides the image's side", low=1)
    att_dim: int = field(64, "width of a token; a multiple of 4", low=4)
    depth: int = field(4, "transformer blocks", low=1, high=MOST_DEPTH)
    heads: int = field(2, "attention heads", low=1)
    dim_head: int = field(32, "width of a head", low=1)
    mlp_dim: int = field(128, "hidden width of a block's perceptron", low=1)
    stem: str = field("patch", "patch: linear; conv: two convolutions, 2 pixels around", choices=("patch", "conv"))
    stem_width: int = field(48, "channels between the two convolutions", low=1)

    @property
    def window(self) -> int:
        """Side in pixels of what a token sees."""
        return self.patch_size + (2 * MARGIN if self.stem == "conv" else 0)


class Attention(nn.Module):
    """Pre-norm multi-head self-attention without biases, as in SimpleViT."""

    config: ViTConfig

    @nn.compact
    def __call__(self, x: chex.Array, weights: chex.Array | None = None) -> tuple[chex.Array, chex.Array, chex.Array]:
        """Output float32 [B, k, D], attention [B, heads, k, k], the heads' mean key [B, k, d] for tokens [B, k, D].

        A token of weight w in `weights` [B, k] is attended to as if it were there w times; one of weight 0, not at all.
        """
        config, shape = self.config, x.shape[:2]
        x = nn.LayerNorm(name="norm")(x)
        qkv = nn.Dense(3 * config.heads * config.dim_head, use_bias=False, name="qkv")(x)
        # Heads first, by one transposition that leaves the last axis alone: others are five times as slow on a CPU.
        parts = qkv.reshape(*shape, 3 * config.heads, config.dim_head).transpose(0, 2, 1, 3)
        q, k, v = jnp.split(parts, 3, axis=1)  # [B, heads, k, d]
        scores = jnp.einsum("bhid,bhjd->bhij", q, k) * config.dim_head**-0.5
        if weights is not None:
            scores = scores + jnp.log(jnp.maximum(weights, 1e-30))[:, None, None]
        attention = jax.nn.softmax(scores)
        mixed = jnp.einsum("bhij,bhjd->bihd", attention, v).reshape(*shape, -1)
        return nn.Dense(x.shape[-1], use_bias=False, name="out")(mixed), attention, k.mean(axis=1)


class ConvStem(nn.Module):
    """Two convolutions over each token's window: 4 x 4 with stride 2, then one position, over all that is left."""

    config: ViTConfig

    @nn.compact
    def __call__(self, windows: chex.Array) -> chex.Array:
        """float32 [B, k, D] of flat windows [B, k, W * W * 3]."""
        config, lead = self.config, windows.shape[:2]
        side = (config.window - _KERNEL) // _STRIDE + 1
        pixels = windows.reshape(*lead, config.window, config.window, -1)
        starts = [_STRIDE * i for i in range(side)]
        seen = [pixels[:, :, y : y + _KERNEL, x : x + _KERNEL].reshape(*lead, -1) for y in starts for x in starts]
        hidden = nn.Dense(config.stem_width, use_bias=False, name="first")(jnp.stack(seen, axis=2))
        hidden = nn.gelu(nn.LayerNorm(name="norm")(hidden))
        return nn.Dense(config.att_dim, name="second")(hidden.reshape(*lead, -1))


class Block(nn.Module):
    """Attention, then a perceptron, each added to its input."""

    config: ViTConfig

    def setup(self) -> None:
        self.attention, self.norm = Attention(self.config), nn.LayerNorm()
        self.up, self.down = nn.Dense(self.config.mlp_dim), nn.Dense(self.config.att_dim)

    def attend(self, x: chex.Array, weights: chex.Array | None) -> tuple[chex.Array, chex.Array, chex.Array]:
        """The first half: tokens [B, k, D], and the attention and keys behind them, see `Attention`."""
        mixed, attention, keys = self.attention(x, weights)
        return x + mixed, attention, keys

    def transform(self, x: chex.Array) -> chex.Array:
        """The second half: each token [B, k, D] for itself."""
        return x + self.down(nn.gelu(self.up(self.norm(x))))

    def __call__(self, x: chex.Array, weights: chex.Array | None) -> tuple[chex.Array, None]:
        """Tokens float32 [B, k, D] for tokens [B, k, D], in the form of a step of `scan`."""
        return self.transform(self.attend(x, weights)[0]), None


class SimpleViT(nn.Module):
    """The network: patches in, logits out."""

    config: ViTConfig
    classes: int
    grid: int  # patches a side

    def setup(self) -> None:
        if self.config.stem == "conv":
            self.conv_stem = ConvStem(self.config)
        else:
            self.patch_norm, self.patch_dense = nn.LayerNorm(), nn.Dense(self.config.att_dim)
        self.token_norm = nn.LayerNorm()
        # The blocks' parameters are stacked along a first axis; a deep transformer's are one program, compiled once.
        depth = self.config.depth
        repeated = nn.scan(
            Block,
            {"params": 0},
            split_rngs={"params": True},
            in_axes=nn.broadcast,
            length=depth,
            unroll=depth if depth <= UNROLLED else 1,
        )
        self.blocks = repeated(self.config)
        self.head_norm, self.head = nn.LayerNorm(), nn.Dense(self.classes)

    def project(self, patches: chex.Array) -> chex.Array:
        """The stem's output, float32 [B, k, D], for flat patches [B, k, P]; of the convolutional one, flat windows."""
        if self.config.stem == "conv":
            return self.conv_stem(patches)
        return self.patch_dense(self.patch_norm(patches))

    def embed(self, patches: chex.Array, rows: chex.Array) -> chex.Array:
        """Tokens float32 [B, k, D] of flat patches [B, k, P] that stand at positions `rows` int [B, k]."""
        table = jnp.asarray(positions(self.grid, self.config.att_dim))
        return self.token_norm(self.project(patches)) + table[rows]

    def __call__(self, patches: chex.Array, rows: chex.Array, weights: chex.Array | None = None) -> chex.Array:
        """Logits float32 [B, classes].

        Args:
          patches: float32 [B, k, P], flat.
          rows: int [B, k], their positions in the grid, row by row.
          weights: float32 [B, k], how often each token counts, in attention and in the mean: 1 for a patch, 0 for one
            that only fills the static size. None: all are 1.
        """
        return self.answer(self.blocks(self.embed(patches, rows), weights)[0], weights)

    def answer(self, x: chex.Array, weights: chex.Array | None) -> chex.Array:
        """Logits float32 [B, classes] of the last block's tokens [B, k, D], their mean by weight [B, k]."""
        if weights is None:
            pooled = x.mean(axis=1)
        else:
            pooled = jnp.einsum("bkd,bk->bd", x, weights) / jnp.maximum(weights.sum(1, keepdims=True), 1)
        return self.head(self.head_norm(pooled))

    def first_attention(self, params: Any, patches: chex.Array) -> tuple[chex.Array, chex.Array]:
        """The first block's attention output [B, N, D] and attention [B, heads, N, N] over all N patches [B, N, P]."""
        rows = jnp.broadcast_to(jnp.arange(patches.shape[1]), patches.shape[:2])
        tokens = self.apply({"params": params}, patches, rows, method="embed")
        first = jax.tree.map(lambda x: x[0], params["blocks"]["attention"])
        return Attention(self.config, parent=None).apply({"params": first}, tokens)[:2]


def positions(grid: int, width: int) -> np.ndarray:
    """float32 [grid², width]: sines and cosines of a patch's column and row at width / 4 frequencies."""
    y, x = np.divmod(np.arange(grid * grid), grid)
    quarter = width // 4
    frequency = 10_000.0 ** -(np.arange(quarter) / max(quarter - 1, 1))
    columns, rows = x[:, None] * frequency, y[:, None] * frequency
    table = np.concatenate([np.sin(columns), np.cos(columns), np.sin(rows), np.cos(rows)], axis=1)
    return table.astype(np.float32)


def make(config: ViTConfig, side: int, classes: int) -> SimpleViT:
    """The network for square images of `side` pixels.

    Raises:
      UserError: the patches do not tile the image, or the width has no quarter.
    """
    if side % config.patch_size:
        raise UserError(f"vit.patch_size: patches of {config.patch_size} pixels do not tile an image of {side}")
    if config.stem == "conv" and config.patch_size % _STRIDE:
        raise UserError(f"vit.patch_size: {config.patch_size} is odd, which the convolutional stem cannot halve")
    if config.att_dim % 4:
        raise UserError(f"vit.att_dim: {config.att_dim} is not a multiple of 4, which the positions need")
    return SimpleViT(config, classes, side // config.patch_size)


def initialise(network: SimpleViT, key: chex.PRNGKey, patch_width: int) -> Any:
    """Parameters of the network; the key is consumed."""
    return network.init(key, jnp.zeros((1, 1, patch_width)), jnp.zeros((1, 1), jnp.int32))["params"]


def classify(
    network: SimpleViT, params: Any, patches: chex.Array, rows: chex.Array, weights: chex.Array | None = None
) -> chex.Array:
    """Logits float32 [B, classes]; see `SimpleViT.__call__`."""
    return jnp.asarray(network.apply({"params": params}, patches, rows, weights))


def cut(config: ViTConfig, images: chex.Array) -> chex.Array:
    """What the tokens of images [B, S, S, C] see, flat, [B, (S/p)², W²·C], row by row; beyond the border, zeros."""
    margin = (config.window - config.patch_size) // 2
    if not margin:
        return patchify(images, config.patch_size)
    batch, side, _, channels = images.shape
    starts, width = range(0, side, config.patch_size), config.window
    padded = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    rows = jnp.stack([padded[:, y : y + width] for y in starts], axis=1)  # [B, S/p, W, S + 2m, C]
    windows = jnp.stack([rows[:, :, :, x : x + width] for x in starts], axis=2)
    return windows.reshape(batch, len(starts) ** 2, width * width * channels)


def core(config: ViTConfig, seen: chex.Array) -> chex.Array:
    """The patches' own pixels, flat [B, N, p²·C], of what their tokens see, [B, N, W²·C]."""
    margin = (config.window - config.patch_size) // 2
    if not margin:
        return seen
    windows = seen.reshape(*seen.shape[:2], config.window, config.window, -1)
    return windows[:, :, margin:-margin, margin:-margin].reshape(*seen.shape[:2], -1)


def patchify(images: chex.Array, patch_size: int) -> chex.Array:
    """Flat patches [B, (S/p)², p²·C] of images [B, S, S, C], row by row."""
    batch, side, _, channels = images.shape
    grid = side // patch_size
    cut = images.reshape(batch, grid, patch_size, grid, patch_size, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(batch, grid * grid, patch_size * patch_size * channels)
