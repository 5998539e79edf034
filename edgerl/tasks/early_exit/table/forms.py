"""The shapes in which people save logits and labels, recognised by what fits the file's other arrays.

A file whose axes or labels are not as documented is refused with the line that puts it right; nothing is turned over
on a guess.
"""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from edgerl.tasks.early_exit.table.checks import Check

AXES = ("images", "exits", "classes")
Shape = tuple[int, ...]


def check_axes(check: Check, shape: Shape, labels: np.ndarray, costs: Mapping[str, np.ndarray]) -> None:
    """Refuses logits whose axes fit the labels and costs in another order, or that are no three axes, and names them.

    What fits in no order is left to the checks of the single arrays.
    """
    images = labels.shape[0] if labels.ndim else None
    exits = next((cost.shape[0] for cost in costs.values() if cost.ndim == 1), None)
    said = f"logits have shape {list(shape)}; expected [images, exits, classes]"
    if len(shape) != 3:
        check.expect(False, f"{said}{_flat(shape, images, exits)}")
    for count in (exits, None):  # the costs may be wrong, too
        fitting = list(_orders(shape, images, count, labels))
        if (0, 1, 2) in fitting:
            return
        if fitting:
            looks = " or ".join(f"[{', '.join(AXES[order.index(i)] for i in range(3))}]" for order in fitting)
            save = " or ".join(f"logits.transpose{order}" for order in fitting)
            facts = f"with {images} labels" + (f" and {count} costs" if count is not None else "")
            check.expect(False, f"{said}: {facts} it looks like {looks}: save {save}")


def also_fitting(shape: Shape) -> list[tuple[int, ...]]:
    """Other orders of the axes whose sizes are the same: `logits.transpose(order)` has the very shape of the logits."""
    orders = itertools.permutations(range(3))
    return [order for order in orders if order != (0, 1, 2) and tuple(shape[i] for i in order) == shape]


def check_labels(check: Check, labels: np.ndarray, images: int, classes: int) -> None:
    """Labels are the classes' numbers from 0; one-hot rows, text, and numbers from 1 are named."""
    said = f"labels have shape {list(labels.shape)}; expected [{images}]"
    if labels.ndim == 2 and 1 not in labels.shape and labels.dtype.kind in "iufb":
        rows = np.asarray(labels, np.float64)
        certain = ((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()
        check.expect(not certain, f"{said}: they are one-hot, save labels.argmax(1)")
        shares = (rows >= 0).all() and np.allclose(rows.sum(1), 1, atol=1e-3)
        check.expect(not shares, f"{said}: they are shares of classes; save the true class of each image")
    text = f"labels are {labels.dtype}: text; save each class's number, from 0, in the order of the logits"
    check.expect(labels.dtype.kind not in "US", text)
    if np.issubdtype(labels.dtype, np.integer) and labels.shape == (images,):
        least, most = int(labels.min()), int(labels.max())
        check.expect(not (least >= 1 and most == classes), f"labels go from {least} to {most}: save labels - 1")
        nobody = f"labels[{int(labels.argmin())}] is {least}; expected 0 to {classes - 1}: leave out unlabelled images"
        check.expect(least >= 0, nobody)
    check.integers("labels", labels, images, classes)


def check_type(check: Check, dtype: np.dtype) -> None:
    """Logits are floats."""
    remedies = {
        "i": "dequantise each exit, (q - zero_point) * scale",
        "u": "dequantise each exit, (q - zero_point) * scale",
        "V": "of bfloat16 NumPy keeps no more than the bytes; save logits.astype(np.float32)",
        "U": "save them as numbers",
        "S": "save them as numbers",
        "c": "save real numbers",
        "b": "save what the exits answered before the decision",
    }
    remedy = remedies.get(dtype.kind, "save them as numbers")
    check.expect(dtype.kind == "f", f"logits are {dtype}; expected float16, float32 or float64: {remedy}")


def _orders(shape: Shape, images: int | None, exits: int | None, labels: np.ndarray) -> Iterator[Shape]:
    """Which axes of the logits may be images, exits and classes."""
    least = _classes(labels)
    for order in itertools.permutations(range(3)):
        fits = images is None or shape[order[0]] == images
        fits &= shape[order[1]] == exits if exits is not None else shape[order[1]] > 1
        if fits and shape[order[2]] >= least:
            yield order


def _classes(labels: np.ndarray) -> int:
    """How many classes there are at least: labels may be one-hot, or begin at 1."""
    if labels.ndim == 2 and 1 not in labels.shape:
        return labels.shape[1]
    if labels.dtype.kind not in "iuf" or not labels.size or not np.isfinite(labels.astype(np.float64)).all():
        return 2
    least, most = float(labels.min()), float(labels.max())
    return max(2, int(min(most, 2**31)) + (least < 1))


def _flat(shape: Shape, images: int | None, exits: int | None) -> str:
    """What logits that are no three axes may be."""
    if 1 in shape and len([n for n in shape if n != 1]) == 3:
        return ": save logits.squeeze()"
    if len(shape) != 2 or images is None:
        return ""
    if exits is not None and exits > 1:
        if shape[0] == images and shape[1] % exits == 0 and shape[1] // exits > 1:
            return f": if a row holds one exit after another, save logits.reshape({images}, {exits}, -1)"
        if shape[0] == images * exits:
            return f": if an image's exits follow each other, save logits.reshape({images}, {exits}, -1)"
    return ": one exit alone leaves nothing to decide; of several save np.stack(list_of_logits, axis=1)"
