"""CIFAR-100 or CIFAR-10 in three splits that keep the difficulty honest, and its augmentation on the device.

The trunk is fitted on 40,000 training images. Policies, thresholds and temperatures are fitted on the other 10,000,
where the trunk is as uncertain as on new images. Everything is judged on the 10,000 test images.
"""

import dataclasses
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.cifar import read_cifar

FIT, POLICY, TEST = 0, 1, 2
POLICY_SHARE = 0.2  # of the training images: the last ones in the official order, which is random

# Of CIFAR-100. CIFAR-10's are within .03 of them, and batch normalisation follows: they serve for both.
MEAN = (0.5071, 0.4867, 0.4408)
STD = (0.2675, 0.2565, 0.2761)

SHIFTS = 9  # a crop has 9 x 9 possible places


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images with labels and the split that each belongs to."""

    images: np.ndarray  # uint8 [N, 32, 32, 3]
    labels: np.ndarray  # int32 [N]
    split: np.ndarray  # uint8 [N]: FIT, POLICY or TEST

    def part(self, split: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of one split."""
        chosen = self.split == split
        return self.images[chosen], self.labels[chosen]


def load_images(name: str, folder: str | Path | None = None) -> Dataset:
    """A data set from its official binary files in `folder`, or through tensorflow-datasets when it is None.

    Args:
      name: "cifar10" or "cifar100".
      folder: see `read_cifar`.
    Raises:
      UserError: a file is missing or incomplete.
    """
    images, labels, train = read_cifar(name, folder)
    split = np.full(len(images), TEST, np.uint8)
    split[:train] = FIT
    split[train - round(POLICY_SHARE * train) : train] = POLICY
    return Dataset(images, labels, split)


def normalise(images: chex.Array) -> chex.Array:
    """uint8 [..., 3] to float32 with zero mean and unit variance per channel over the training images."""
    return (images.astype(jnp.float32) / 255 - jnp.array(MEAN)) / jnp.array(STD)


def augment(key: chex.PRNGKey, images: chex.Array, crop: int) -> chex.Array:
    """Random crops and horizontal flips.

    Args:
      key: consumed.
      images: float32 [B, S, S, 3], normalised, so that the padding is the mean colour.
      crop: the side of the result; the images are padded where it is larger than S - 8.
    Returns:
      float32 [B, crop, crop, 3].
    """
    batch, side = images.shape[:2]
    padding = max(0, (crop + SHIFTS - 1 - side) // 2)
    padded = jnp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    top, left, flip = jax.random.randint(key, (3, batch), 0, jnp.array([[SHIFTS], [SHIFTS], [2]]))

    def one(image: chex.Array, top: chex.Array, left: chex.Array, flip: chex.Array) -> chex.Array:
        cut = jax.lax.dynamic_slice(image, (top, left, 0), (crop, crop, 3))
        return jnp.where(flip == 1, cut[:, ::-1], cut)

    return jax.vmap(one)(padded, top, left, flip)
