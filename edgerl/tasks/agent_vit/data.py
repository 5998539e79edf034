"""Images to choose patches of: CIFAR-10, or a synthetic set in which a few known patches carry the label."""

import dataclasses
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.cifar import read_cifar
from edgerl.util.errors import UserError

MEAN = (0.4914, 0.4822, 0.4465)  # of CIFAR-10's training images
STD = (0.2470, 0.2435, 0.2616)
MARGIN = 4  # pixels by which a crop may move


@dataclasses.dataclass(frozen=True)
class Images:
    """Images with labels."""

    images: np.ndarray  # uint8 [N, S, S, 3]
    labels: np.ndarray  # int32 [N]


@dataclasses.dataclass(frozen=True)
class Splits:
    """What is trained on, and what everything is judged on. Nothing is chosen by the latter."""

    train: Images
    test: Images
    classes: int


def load_cifar10(folder: str | Path | None = None, train: int = 0, test: int = 0) -> Splits:
    """CIFAR-10 from the official binary files in `folder`, or through tensorflow-datasets when it is None.

    Args:
      train: how many training images to use, the first ones in the official order, which is random; 0: all.
      test: how many test images; 0: all.
    Raises:
      UserError: a file is missing or incomplete.
    """
    images, labels, count = read_cifar("cifar10", folder)
    first, last = train or count, count + (test or len(images) - count)
    if first > count or last > len(images):
        raise UserError(f"CIFAR-10 has {count} training and {len(images) - count} test images, not {train} and {test}")
    return Splits(Images(images[:first], labels[:first]), Images(images[count:last], labels[count:last]), 10)


def synthetic(
    train: int, test: int, side: int = 32, patch_size: int = 4, informative: int = 8, classes: int = 10, seed: int = 0
) -> tuple[Splits, np.ndarray]:
    """Images in which only some patches, always at the same positions, carry the label.

    Each class has one pattern a patch large. At the informative positions stands the pattern of the image's class, at
    every other position that of a class drawn at random: a patch alone does not show whether it tells anything.

    Returns:
      The images, and the informative positions, int [informative], sorted.
    Raises:
      UserError: patches do not tile the images.
    """
    if side % patch_size:
        raise UserError(f"vit.patch_size: patches of {patch_size} pixels do not tile an image of {side}")
    rng = np.random.default_rng(seed)
    grid = side // patch_size
    patterns = rng.uniform(96, 160, (classes, patch_size, patch_size, 3))
    positions = np.sort(rng.permutation(grid * grid)[:informative])

    def draw(count: int) -> Images:
        labels = rng.integers(0, classes, count)
        shown = rng.integers(0, classes, (count, grid * grid))
        shown[:, positions] = labels[:, None]
        tiles = patterns[shown].reshape(count, grid, grid, patch_size, patch_size, 3)
        pixels = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(count, side, side, 3)
        noisy = np.clip(pixels + rng.normal(0, 56, pixels.shape), 0, 255)
        return Images(noisy.round().astype(np.uint8), labels.astype(np.int32))

    return Splits(draw(train), draw(test), classes), positions


def normalise(images: chex.Array) -> chex.Array:
    """uint8 [..., 3] to float32 with zero mean and unit variance per channel over CIFAR-10's training images."""
    return (images.astype(jnp.float32) / 255 - jnp.array(MEAN)) / jnp.array(STD)


def augment(key: chex.PRNGKey, images: chex.Array) -> chex.Array:
    """Random crops, padded with black, and horizontal flips of uint8 [B, S, S, C]; the key is consumed."""
    batch, side = images.shape[:2]
    padded = jnp.pad(images, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)))
    top, left, flip = jax.random.randint(key, (3, batch, 1), 0, jnp.array([2 * MARGIN + 1] * 2 + [2])[:, None, None])
    across = jnp.arange(side)
    columns = left + jnp.where(flip == 1, across[::-1], across)
    return padded[jnp.arange(batch)[:, None, None], (top + across)[:, :, None], columns[:, None, :]]
