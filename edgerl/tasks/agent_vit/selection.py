"""From scores to chosen patches, and what an agent can see of an image before any patch is chosen."""

from typing import Any

import chex
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.agent_vit.model import SimpleViT, core

VIEWS = ("attention", "received", "norm", "pixels", "nothing")
# Of a patch, before its position's one-hot code; pixels are in standard deviations of the training images.
_FEATURES = (
    *(f"mean {colour}, standard deviations" for colour in ("red", "green", "blue")),
    "log of 1 + variance of the pixels",
    "the same, less its mean over the image",
    "distance of the colour from the image's mean colour",
    "distance of the colour from the border's mean colour",
    "the same, less its mean over the image",
    "mean of the log of 1 + variance around it",
    "mean distance from the image's mean colour around it",
)
PIXEL_FEATURES = len(_FEATURES)


def top(scores: chex.Array, size: int) -> chex.Array:
    """Positions int32 [..., size] of the highest scores [..., N], in the order of the grid. Ties: the lowest index."""
    count = scores.shape[-1]
    if size == count:
        return jnp.broadcast_to(jnp.arange(size), scores.shape)
    # By comparing all pairs: to sort is a loop over single elements on a CPU.
    place = np.arange(count)
    mine, other = scores[..., :, None], scores[..., None, :]
    ahead = jnp.where(place < place[:, None], other >= mine, other > mine)  # of equal scores, the lower index
    chosen = ahead.sum(axis=-1) < size
    before = jnp.where(place < place[:, None], chosen[..., None, :], False).sum(axis=-1)  # chosen ones of lower index
    return jnp.where(chosen[..., None, :] & (before[..., None, :] == np.arange(size)[:, None]), place, 0).sum(axis=-1)


def gather(patches: chex.Array, rows: chex.Array) -> chex.Array:
    """float32 [B, k, P]: the patches [B, N, P] at `rows` [B, k]."""
    return jnp.take_along_axis(patches, rows[..., None], axis=1)


def placed(values: chex.Array, rows: chex.Array, count: int) -> chex.Array:
    """float32 [B, count]: the values [B, k] at their positions `rows` int [B, k], which differ; 0 elsewhere.

    By comparing: a scatter is a loop over single elements on a CPU.
    """
    return jnp.where(rows[:, None] == jnp.arange(count)[:, None], values[:, None], 0).sum(axis=-1)


def above_mean(scores: chex.Array) -> chex.Array:
    """bool [..., N]: AgentViT's rule, a patch is chosen if its score is at least the mean score."""
    return scores >= scores.mean(axis=-1, keepdims=True)


def view(kind: str, network: SimpleViT, params: Any, patches: chex.Array) -> chex.Array:
    """What an agent sees of each patch, for flat patches [B, N, P].

    * "attention": the first block's attention output averaged over channels, float32 [B, N]. AgentViT's state.
    * "received": the attention that a patch receives in the first block, over heads and queries, float32 [B, N].
    * "norm": the norm of what the stem makes of it, float32 [B, N]. One matrix product, of the patch stem.
    * "pixels": statistics of its pixels and its position, float32 [B, N, F]. No product with any weight.
    * "nothing": zeros, float32 [B, N].
    """
    if kind == "nothing":
        return jnp.zeros(patches.shape[:2])
    if kind == "attention":
        return network.first_attention(params, patches)[0].mean(axis=-1)
    if kind == "received":
        return network.first_attention(params, patches)[1].mean(axis=(1, 2))
    if kind == "norm":
        return jnp.linalg.norm(network.apply({"params": params}, patches, method="project"), axis=-1)
    return pixel_features(core(network.config, patches))


def names(kind: str, count: int) -> tuple[str, ...]:
    """What the numbers along the last axis of a `view` are, for patches of a square grid of `count`."""
    grid = round(count**0.5)
    patches = [f"patch in row {i // grid}, column {i % grid}" for i in range(count)]
    if kind == "pixels":
        return (*_FEATURES, *(f"1 for the {patch}, else 0" for patch in patches))
    said = {
        "attention": "first attention's output, mean of its channels",
        "received": "attention received in the first block, a share",
        "norm": "norm of the linear embedding",
        "nothing": "always 0",
    }
    return tuple(f"{patch}: {said[kind]}" for patch in patches)


def pixel_features(patches: chex.Array) -> chex.Array:
    """float32 [B, N, PIXEL_FEATURES + N]: colour, contrast, what sets a patch apart from its image; then its position.

    Args:
      patches: normalised pixels, float32 [B, N, P], the channel last within P.
    """
    batch, count, width = patches.shape
    # As products of matrices, which are fast where sums over short axes are not.
    channels = np.tile(np.eye(3, dtype=np.float32), (width // 3, 1))  # [P, 3]
    colour = patches @ (channels / (width // 3))  # [B, N, 3]
    spread = jnp.log1p(jnp.square(patches - colour @ channels.T).mean(-1))  # [B, N]
    apart = colour - colour.mean(axis=1, keepdims=True)
    strange = jnp.linalg.norm(apart, axis=-1)
    ring = border(count)
    edge = (colour * ring[:, None]).sum(1, keepdims=True) / ring.sum()
    unlike = jnp.linalg.norm(colour - edge, axis=-1)
    around = [neighbours(x, count) for x in (spread, strange)]
    scalars = [spread, spread - spread.mean(1, keepdims=True), strange, unlike, unlike - unlike.mean(1, keepdims=True)]
    features = jnp.concatenate([colour, jnp.stack([*scalars, *around], axis=-1)], axis=-1)
    place = jnp.broadcast_to(jnp.eye(count), (batch, count, count))
    return jnp.concatenate([features, place], axis=-1)


def border(count: int) -> np.ndarray:
    """float32 [count]: 1 for the patches along the edge of a square grid."""
    grid = round(count**0.5)
    ring = np.ones((grid, grid), np.float32)
    ring[1:-1, 1:-1] = 0
    return ring.ravel()


def centre(count: int) -> np.ndarray:
    """float32 [count]: higher the nearer a patch is to the middle of the grid."""
    grid = round(count**0.5)
    y, x = np.divmod(np.arange(count), grid)
    middle = (grid - 1) / 2
    return -np.hypot(x - middle, y - middle).astype(np.float32)


def layouts(count: int, size: int) -> np.ndarray:
    """float32 [L, count], 0 or 1: L ways to spread `size` patches evenly, disjoint, each of `size` or a few less.

    A lattice shifted from row to row and, where it has more points, those nearest to the middle. L is as large as it
    can be, and 2 where `size` is above a half: of 30 out of 64 the black and the white squares of a chessboard.
    """
    grid = round(count**0.5)
    y, x = np.divmod(np.arange(count), grid)
    ways = max(2, count // size)
    lattice = (round(ways**0.5) * y + x + 1) % ways == np.arange(ways)[:, None]
    nearest = np.argsort(np.argsort(-(lattice * grid + centre(count)), axis=1, kind="stable"), axis=1)
    return (lattice & (nearest < size)).astype(np.float32)


def neighbours(values: chex.Array, count: int) -> chex.Array:
    """float32 [B, N]: the mean of the values [B, N] of the 3x3 patches around each, those outside counted as 0."""
    grid = round(count**0.5)
    framed = jnp.pad(values.reshape(-1, grid, grid), ((0, 0), (1, 1), (1, 1)))
    rows = framed[:, :-2] + framed[:, 1:-1] + framed[:, 2:]
    return ((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9).reshape(values.shape)
