"""One seed's environments on several devices: what a device has of them, and what the devices tell each other."""

import dataclasses
from typing import TypeVar

import chex
import jax

from edgerl.envs import prng

Tree = TypeVar("Tree")


@dataclasses.dataclass(frozen=True)
class Share:
    """A device's part of a training, inside `jax.shard_map`. Environments, the last axis of everything, are shared out
    in equal parts; parameters are the same on every device. A device that is alone has them all, and tells nobody.

    Attributes:
      axis: of the mesh, along which the devices lie.
      parts: how many they are.
    """

    axis: str = ""
    parts: int = 1

    def key(self, key: chex.PRNGKey) -> chex.PRNGKey:
        """With which a device draws its part of what one device would draw for all environments with `key`."""
        return key if self.parts == 1 else prng.part_of(key, jax.lax.axis_index(self.axis))

    def own(self, x: chex.Array) -> chex.Array:
        """The device's part [..., n] of what every device has, [..., parts * n]."""
        if self.parts == 1:
            return x
        count = x.shape[-1] // self.parts
        start = count * jax.lax.axis_index(self.axis)
        return jax.lax.dynamic_slice_in_dim(x, start, count, axis=x.ndim - 1)

    def whole(self, tree: Tree) -> Tree:
        """All devices' parts [..., n] behind each other, [..., parts * n], on every device."""
        if self.parts == 1:
            return tree
        return jax.tree.map(lambda x: jax.lax.all_gather(x, self.axis, axis=x.ndim - 1, tiled=True), tree)

    def total(self, tree: Tree) -> Tree:
        """The sum of what the devices have, on every device."""
        return tree if self.parts == 1 else jax.lax.psum(tree, self.axis)

    def mean(self, tree: Tree) -> Tree:
        """The mean of what the devices have, on every device."""
        return tree if self.parts == 1 else jax.lax.pmean(tree, self.axis)


ALONE = Share()
