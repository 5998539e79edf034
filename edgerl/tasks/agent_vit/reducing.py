"""Fewer tokens from block to block, inside the transformer: merged (ToMe) or dropped (as in EViT).

Bolya et al., "Token merging: your ViT but faster", 2023: between attention and perceptron, tokens at even places look
for the most alike one at an odd place, by their keys; the most alike pairs become one token each, the mean by size. A
token of size s is attended to as if it were there s times, and weighs s times in the final mean.

Liang et al., "Not all patches are what you need", 2022: the tokens that receive the least attention are left out. This
transformer has no class token, so the attention received is the mean over all queries; left-out tokens are not fused.
"""

import bisect
import dataclasses
import operator
from typing import Any

import chex
import jax
import jax.numpy as jnp

from edgerl.tasks.agent_vit import selection
from edgerl.tasks.agent_vit.model import Block, SimpleViT, classify
from edgerl.tasks.hardware.cost import count_macs

KINDS = ("merge", "drop")


@dataclasses.dataclass(frozen=True)
class Reduction:
    """What happens in each block, between attention and perceptron.

    Attributes:
      kind: "merge" or "drop".
      fewer: tokens less after each block. Merging takes at most half of what is there, dropping leaves at least one.
    """

    kind: str
    fewer: int

    def left(self, count: int) -> int:
        """Tokens after a block that `count` went into."""
        most = count // 2 if self.kind == "merge" else count - 1
        return count - min(self.fewer, most)


def reduced(network: SimpleViT, params: Any, patches: chex.Array, rows: chex.Array, reduction: Reduction) -> chex.Array:
    """Logits float32 [B, classes]; the arguments are those of `model.classify`."""
    x = network.apply({"params": params}, patches, rows, method="embed")
    weights = None
    block = Block(network.config, parent=None)
    for layer in range(network.config.depth):
        variables = {"params": jax.tree.map(operator.itemgetter(layer), params["blocks"])}
        seen: Any = block.apply(variables, x, weights, method="attend")
        x, attention, keys = seen
        x, weights = _fewer(x, weights, attention, keys, reduction)
        x = block.apply(variables, x, method="transform")
    return jnp.asarray(network.apply({"params": params}, x, weights, method="answer"))


def _fewer(
    x: chex.Array, weights: chex.Array | None, attention: chex.Array, keys: chex.Array, reduction: Reduction
) -> tuple[chex.Array, chex.Array | None]:
    left = reduction.left(x.shape[1])
    if left == x.shape[1]:
        return x, weights
    if reduction.kind == "merge":
        return merge(x, jnp.ones(x.shape[:2]) if weights is None else weights, keys, x.shape[1] - left)
    return drop(x, attention, left), None


def merge(x: chex.Array, sizes: chex.Array, keys: chex.Array, pairs: int) -> tuple[chex.Array, chex.Array]:
    """(tokens [B, k - pairs, D], their sizes [B, k - pairs]): bipartite soft matching.

    Args:
      x: tokens, float32 [B, k, D].
      sizes: of how many patches each consists, float32 [B, k].
      keys: float32 [B, k, d]; tokens are alike whose keys point the same way.
      pairs: how many tokens disappear, at most k // 2.
    """
    keys = keys * jax.lax.rsqrt(jnp.square(keys).sum(-1, keepdims=True) + 1e-12)
    alike = jnp.einsum("bid,bjd->bij", keys[:, ::2], keys[:, 1::2])
    partner, closest = alike.argmax(-1), alike.max(-1)
    stay = selection.top(-closest, closest.shape[1] - pairs)  # the least alike of the even places
    goes = 1 - (stay[..., None] == jnp.arange(closest.shape[1])).sum(axis=1)  # [B, evens]: 1 for a token that is merged
    # Sums over those that come, as a product of matrices: a scatter is a loop over single elements on a CPU.
    into = (partner[:, None] == jnp.arange(alike.shape[2])[:, None]) * (goes * sizes[:, ::2])[:, None]
    grown = sizes[:, 1::2] + into.sum(-1)
    total = x[:, 1::2] * sizes[:, 1::2, None] + jnp.einsum("bji,bid->bjd", into, x[:, ::2])
    kept = jnp.take_along_axis(sizes[:, ::2], stay, axis=1)
    tokens = jnp.concatenate([selection.gather(x[:, ::2], stay), total / grown[..., None]], axis=1)
    return tokens, jnp.concatenate([kept, grown], axis=1)


def drop(x: chex.Array, attention: chex.Array, left: int) -> chex.Array:
    """The `left` tokens [B, left, D] of [B, k, D] that receive the most attention [B, heads, k, k]."""
    return selection.gather(x, selection.top(attention.mean(axis=(1, 2)), left))


def forward_macs(network: SimpleViT, params: Any, width: int, count: int, reduction: Reduction | None = None) -> int:
    """Multiply-accumulates of one image's forward pass on `count` patches, counted from the shapes.

    Args:
      params: arrays or their shapes.
      width: numbers that a token sees.
    """
    shapes = jax.ShapeDtypeStruct((1, count, width), jnp.float32), jax.ShapeDtypeStruct((1, count), jnp.int32)
    if reduction is None:
        return count_macs(lambda p, x, r: classify(network, p, x, r), params, *shapes)
    return count_macs(lambda p, x, r: reduced(network, p, x, r, reduction), params, *shapes)


def matching(network: SimpleViT, params: Any, width: int, count: int, kind: str = "merge") -> Reduction:
    """What, from all patches on, costs no more than `count` patches do, or else as little as this kind can."""
    every, limit = network.grid**2, forward_macs(network, params, width, count)

    def cheap(fewer: int) -> bool:
        return forward_macs(network, params, width, every, Reduction(kind, fewer)) <= limit

    return Reduction(kind, 1 + bisect.bisect_left(range(1, every // 2), True, key=cheap))
