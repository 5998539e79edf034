"""CIFAR-10 and CIFAR-100 in one file that is small enough to be sent: as JPEG, of the best quality that fits.

    python -m gpu_day.images --cifar100 cifar-100-binary --cifar10 cifar-10-batches-bin --out gpu_images.npz

Without loss the images would be 88 MB each. What is trained on them is to be judged on the original ones.
"""

import argparse
import io
import os
from pathlib import Path

import numpy as np

from edgerl.tasks.agent_vit.data import Images, Splits
from edgerl.tasks.cifar import read_cifar
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, Dataset
from edgerl.util import files
from edgerl.util.errors import UserError

FILE = "EDGERL_GPU_IMAGES"  # the variable that names the file
ACROSS, TILES, SIDE = 40, 2000, 32  # of a sheet
SEEN = 2000  # images that only show how far a training is: of the policy split, and CIFAR-10's test images
QUALITIES = (95, 92, 90, 87, 85, 80, 75, 70, 60, 50)


def cifar100(toy: bool) -> Dataset:
    """Images to fit the trunk to, and some others."""
    found = _read(toy)
    return Dataset(*(found[f"cifar100_{name}"] for name in ("images", "labels", "split")))


def cifar10(toy: bool) -> Splits:
    """Images to train a transformer with, and some others."""
    found = _read(toy)
    images, labels, split = (found[f"cifar10_{name}"] for name in ("images", "labels", "split"))
    parts = (Images(images[split == part], labels[split == part]) for part in (FIT, POLICY))
    return Splits(*parts, classes=10)


def _read(toy: bool) -> dict[str, np.ndarray]:
    if toy:
        return unpack(pack({name: _drawn(classes) for name, classes in (("cifar100", 100), ("cifar10", 10))}, 90))
    path = os.environ.get(FILE)
    if not path:
        raise UserError("no images were sent: make them by `python -m gpu_day.images`, and name them by --images")
    return unpack(files.read_npz(path))


def _drawn(classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(classes)
    count = 320
    split = np.where(np.arange(count) < 256, FIT, POLICY).astype(np.uint8)
    images = rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)
    return images, rng.integers(0, classes, count).astype(np.int32), split


def pack(sets: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], quality: int) -> dict[str, np.ndarray]:
    """Arrays for a file, of images uint8 [N, 32, 32, 3], labels [N] and splits [N] by name."""
    arrays: dict[str, np.ndarray] = {"quality": np.int32(quality)}
    for name, (images, labels, split) in sets.items():
        sheets = [_sheet(images[at : at + TILES], quality) for at in range(0, len(images), TILES)]
        arrays[f"{name}_sheets"] = np.frombuffer(b"".join(sheets), np.uint8)
        arrays[f"{name}_ends"] = np.cumsum([len(sheet) for sheet in sheets])
        arrays[f"{name}_labels"], arrays[f"{name}_split"] = labels.astype(np.uint8), split.astype(np.uint8)
    return arrays


def _sheet(images: np.ndarray, quality: int) -> bytes:
    """A picture of up to 2,000 images. A JPEG's blocks of 8 pixels never hold two of them."""
    from PIL import Image

    down = -(-len(images) // ACROSS)
    padded = np.zeros((down * ACROSS, SIDE, SIDE, 3), np.uint8)
    padded[: len(images)] = images
    picture = padded.reshape(down, ACROSS, SIDE, SIDE, 3).swapaxes(1, 2).reshape(down * SIDE, ACROSS * SIDE, 3)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def unpack(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `pack` was given, as `NAME_images`, `NAME_labels` int32 and `NAME_split`; images with the JPEG's loss."""
    from PIL import Image

    found = {}
    for name in sorted(key.removesuffix("_ends") for key in arrays if key.endswith("_ends")):
        labels, start, parts = arrays[f"{name}_labels"].astype(np.int32), 0, []
        for end in arrays[f"{name}_ends"]:
            picture = np.asarray(Image.open(io.BytesIO(arrays[f"{name}_sheets"][start:end].tobytes())))
            tiles = picture.reshape(-1, SIDE, ACROSS, SIDE, 3).swapaxes(1, 2)
            parts.append(tiles.reshape(-1, SIDE, SIDE, 3))
            start = end
        images = np.concatenate(parts)[: len(labels)]
        found |= {f"{name}_images": images, f"{name}_labels": labels, f"{name}_split": arrays[f"{name}_split"]}
    return found


def _chosen(name: str, folder: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is sent of a data set: what is fitted, and `SEEN` others."""
    images, labels, train = read_cifar(name, folder)
    fit = train * 4 // 5 if name == "cifar100" else train  # the rest of CIFAR-100's is for policies
    kept = np.r_[0:fit, fit : fit + SEEN]
    return images[kept], labels[kept], np.where(kept < fit, FIT, POLICY)


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description="Pack CIFAR for scripts/gpu.")
    parser.add_argument("--cifar100", required=True, metavar="DIR")
    parser.add_argument("--cifar10", required=True, metavar="DIR")
    parser.add_argument("--out", required=True, metavar="FILE.npz")
    parser.add_argument("--mebibytes", type=float, default=50, help="at most (default: 50)")
    options = parser.parse_args()
    sets = {name: _chosen(name, getattr(options, name)) for name in ("cifar100", "cifar10")}
    few = {name: tuple(x[:TILES] for x in parts) for name, parts in sets.items()}
    for quality in QUALITIES:
        share = sum(len(parts[0]) for parts in sets.values()) / sum(len(parts[0]) for parts in few.values())
        size = share * sum(x.nbytes for x in pack(few, quality).values())  # type: ignore[arg-type]
        if size <= 0.97 * options.mebibytes * 2**20:
            files.write_npz(options.out, pack(sets, quality))
            print(f"{options.out}: quality {quality}, {Path(options.out).stat().st_size / 2**20:.1f} MiB")
            return
    raise SystemExit(f"even quality {QUALITIES[-1]} is larger than {options.mebibytes} MiB")


if __name__ == "__main__":
    main()
