"""From named tensors to the layers of a multilayer perceptron: by names and shapes, or not at all."""

import dataclasses
import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgerl.util.errors import UserError

_KINDS = {"weight": True, "kernel": False}  # of a layer's tensor -> whether it is [out, in], as PyTorch keeps it
_DEVIATIONS = ("log_std", "logstd", "log_stds")  # of an exploring policy: no part of its mean
# Of what remembers: PyTorch's tensors, and the layers of Flax's units for the memory.
_REMEMBERS = re.compile(r"(.*[./])?(weight_hh(_l\d+)?(_reverse)?|h[rznifgo][./]kernel)", re.DOTALL)
_MOST_LAYERS = 12  # in one file: the orders of many layers take long to try


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer.

    Attributes:
      name: of its tensors, without their own last word.
      kernel: float64 [in, out].
      bias: float64 [out].
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray


def layers(
    tensors: Mapping[str, np.ndarray], features: int, outputs: int, prefix: str, where: str
) -> tuple[list[Layer], list[str]]:
    """The dense layers, in order, that lead from an observation to what a policy puts out.

    Args:
      tensors: `NAME.weight` [out, in] or `NAME/kernel` [in, out], and `NAME.bias` [out] where there is one.
      features, outputs: how many numbers are observed and put out.
      prefix: only tensors whose names begin with it are looked at; may be empty.
      where: the file's name in an error.
    Returns:
      The layers, and the names of those that belong to another network.
    Raises:
      UserError: names, shapes or numbers are no dense layers, or none or several orders lead through all of them.
    """
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if not kept:
        raise UserError(f"{where} has no tensor whose name begins with '{prefix}': {_listed(tensors)}")
    _refuse_memory(kept, where)
    found = _dense(kept, where)
    whole = _orders(found, features, outputs)
    if len(whole) == 1:
        return whole[0], []
    groups = _groups(found) if not whole else {}
    parts = {name: _orders(part, features, outputs) for name, part in groups.items()}
    fitting = [name for name, orders in parts.items() if orders]
    if len(fitting) == 1 and len(parts[fitting[0]]) == 1:
        return parts[fitting[0]][0], [layer.name for name in groups if name != fitting[0] for layer in groups[name]]
    raise UserError(_unclear(where, found, fitting, bool(whole), features, outputs))


def dense(tensors: Mapping[str, np.ndarray], names: Sequence[str], where: str) -> list[Layer]:
    """The layers of these names, as they stand.

    Raises:
      UserError: one is not there, or their shapes do not chain.
    """
    found = []
    for name in names:
        if f"{name}.weight" not in tensors:
            raise UserError(f"{where} has no tensor {name}.weight: {_listed(tensors)}")
        found.append(_layer(f"{name}.weight", tensors, where))
    for a, b in itertools.pairwise(found):
        if a.kernel.shape[1] != b.kernel.shape[0]:
            raise UserError(f"{where}: {_said(a)} is followed by {_said(b)}, which does not fit")
    return found


def _refuse_memory(names: Iterable[str], where: str) -> None:
    """By name: its layers would be taken for dense ones."""
    for name in filter(_REMEMBERS.fullmatch, names):
        raise UserError(
            f"{where}: {name} is of a recurrent network, and those are not read: in a GRU of PyTorch or Flax the reset "
            "gate acts after the product with the memory, in edgerl.GRUPolicy before it"
        )


def _dense(tensors: Mapping[str, np.ndarray], where: str) -> list[Layer]:
    """All layers, by the numbers in their names."""
    words = {name: _words(name)[-1] for name in tensors}
    found = [_layer(name, tensors, where) for name, word in words.items() if word in _KINDS]
    used = {f"{name.removesuffix(word)}bias" for name, word in words.items() if word in _KINDS}
    for name, word in words.items():
        if word not in _KINDS and name not in used and not word.endswith(_DEVIATIONS):
            raise UserError(
                f"{where}: {name} is neither weight, kernel nor bias of a dense layer; --prefix says whose names count"
            )
    if not 1 <= len(found) <= _MOST_LAYERS:
        raise UserError(f"{where} has {len(found)} dense layers; expected 1 to {_MOST_LAYERS}: {_listed(tensors)}")
    return sorted(found, key=lambda layer: _numbers(layer.name))


def _layer(name: str, tensors: Mapping[str, np.ndarray], where: str) -> Layer:
    stem, mark, word = re.fullmatch(r"(?:(.*)([./]))?([^./]*)", name, re.DOTALL).groups("")  # type: ignore[union-attr]
    kernel = _finite(name, tensors[name], where)
    if kernel.ndim != 2 or 0 in kernel.shape:
        raise UserError(f"{where}: {name} has shape {list(kernel.shape)}; only dense layers, of two axes, are read")
    kernel = kernel.T if _KINDS[word] else kernel
    bias_name = f"{stem}{mark}bias"
    bias = _finite(bias_name, tensors[bias_name], where) if bias_name in tensors else np.zeros(kernel.shape[1])
    if bias.shape != kernel.shape[1:]:
        shape = list(bias.shape)
        raise UserError(f"{where}: {name} makes {kernel.shape[1]} numbers, but {bias_name} has shape {shape}")
    return Layer(stem, kernel, bias)


def _finite(name: str, tensor: np.ndarray, where: str) -> np.ndarray:
    """float64; other than floating-point numbers are no weights."""
    if tensor.dtype.kind != "f":
        raise UserError(f"{where}: {name} holds {tensor.dtype}, expected floating-point numbers")
    with np.errstate(invalid="ignore"):  # a NaN of the signalling kind
        made = tensor.astype(np.float64)
    if not np.isfinite(made).all():
        raise UserError(f"{where}: {name} holds NaN or infinite numbers")
    return made


def _orders(found: Sequence[Layer], features: int, outputs: int) -> list[list[Layer]]:
    """At most two orders in which all layers lead from the features to the outputs.

    Layers whose names differ by a number only stand in its order; the shapes must tell the rest.
    """
    rows: dict[str, list[Layer]] = {}
    for layer in found:
        rows.setdefault(re.sub(r"\d+", "0", layer.name), []).append(layer)
    members = list(rows.values())

    @functools.cache
    def chains(width: int, taken: tuple[int, ...]) -> list[list[Layer]]:
        if sum(taken) == len(found):
            return [[]] if width == outputs else []
        made: list[list[Layer]] = []
        for i, (row, number) in enumerate(zip(members, taken, strict=True)):
            if number < len(row) and row[number].kernel.shape[0] == width:
                after = (*taken[:i], number + 1, *taken[i + 1 :])
                made += [[row[number], *rest] for rest in chains(row[number].kernel.shape[1], after)]
        return made[:2]

    return chains(features, (0,) * len(members))


def _groups(found: Sequence[Layer]) -> dict[str, list[Layer]]:
    """By the first word in which their names differ; `actor_mean` and `actor.0` are two words."""
    words = [_words(layer.name) for layer in found]
    common = 0
    while all(len(word) > common + 1 for word in words) and len({word[common] for word in words}) == 1:
        common += 1
    groups: dict[str, list[Layer]] = {}
    for layer, word in zip(found, words, strict=True):
        groups.setdefault(word[common], []).append(layer)
    return groups


def _words(name: str) -> list[str]:
    return re.split(r"[./]", name)


def _numbers(name: str) -> list[tuple[str, int]]:
    """A key by which layer2 stands before layer10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d{0,9})", name)]


def _unclear(where: str, found: Sequence[Layer], fitting: list[str], several: bool, features: int, outputs: int) -> str:
    shown = ", ".join(map(_said, found))
    wanted = f"{features} features to {outputs} outputs"
    if several:
        return f"{where}: more than one order of its layers leads from {wanted}, so number their names: {shown}"
    if fitting:
        return f"{where}: more than one network leads from {wanted}: --prefix says which, {' or '.join(fitting)}"
    return f"{where}: no order of its layers leads from {wanted}: {shown}"


def _said(layer: Layer) -> str:
    return f"{layer.name or 'the layer'} {list(layer.kernel.shape)}"


def _listed(tensors: Mapping[str, np.ndarray]) -> str:
    names = list(tensors)
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"it has {', '.join(names[:8])}{more}" if names else "it is empty"
