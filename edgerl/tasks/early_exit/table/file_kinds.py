"""What people give in place of an `.npz` of logits, told by its first bytes and by the names inside; never opened."""

import difflib
import re
import zipfile
from pathlib import Path

from edgerl.util.errors import UserError

_KINDS = {  # first bytes
    b"\x93NUMPY": "a single array (.npy)",
    b"\x80": "a pickle, which could run any program and is never opened",
    b"\x89HDF": "an HDF5 file",
    b"MATLAB": "a MATLAB file",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x1f\x8b": "a gzip file",
}
_SAVE = "save np.savez('mine.npz', logits=logits, labels=labels, macs=macs)"

# Names that people use, and what to save under the known ones.
_OTHER_NAMES = {
    r".*flops.*": "most tools count two FLOPs a multiply-accumulate, some one: save macs=flops / 2, or macs=flops",
    r"prob\w*|p|softmax\w*|confidences?": "if these are probabilities p, save logits=np.log(np.maximum(p, 1e-12))",
    r"logit|outputs?|preds?|predictions?|scores?|y_pred|z|answers": "if these are logits, save them as logits",
    r"label|targets?|y|ys|y_true|gt|ground_?truth|classes": "if these are classes' numbers, save them as labels",
    r"latency|latencies|times?|ms|.*_ms|seconds|latency_s": "if milliseconds until each exit, save them as latency_ms",
    r"macs?_.*|mac|madds?|mult_adds|costs?": "if multiply-accumulates until each exit, save them as macs",
    r"splits|subset|fold|partition": "save split with 0 for fit, 1 policy, 2 test",
}


def refuse_other_kinds(path: str | Path) -> None:
    """Raises a `UserError` that names the kind of file where it is no `.npz`; what cannot be opened is left alone."""
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except (OSError, ValueError):
        return
    kind = _zip_kind(path) if start.startswith(b"PK") else _kind(start)
    if kind is not None:
        raise UserError(f"{path} is not a readable .npz archive of named arrays but {kind}: {_SAVE}")


def advice(names: tuple[str, ...], missing: str | None, known: tuple[str, ...]) -> str:
    """What may have been meant by the names of a file's arrays, to end a message with; empty where nothing is known.

    Args:
      names: all that are there.
      missing: the array that is not there; None where one is there that is not known.
      known: the names that may be used.
    """
    unknown = [name for name in names if name not in known]
    if missing == "logits" and "logits_q" in names:
        return ": this is a table already, edgerl train early-exit --set table=FILE reads it"
    if missing == "logits_q" and "logits" in names:
        return ": these are logits, edgerl logits import FILE --out TABLE makes a table of them"
    if any(re.fullmatch(r"arr_\d+", name) for name in unknown):
        return f": arrays without names; {_SAVE}"
    numbered = [name for name in unknown if re.fullmatch(r"\D+\d+", name)]
    if missing == "logits" and len(numbered) > 1:
        return f": an array an exit; save logits=np.stack([{numbered[0]}, …, {numbered[-1]}], axis=1)"
    for name in unknown:
        for pattern, text in _OTHER_NAMES.items():
            if re.fullmatch(pattern, name.lower()):
                return f": '{name}'? {text}"
        near = difflib.get_close_matches(name.lower(), known, 1)
        if near:
            return f": did you mean '{near[0]}' by '{name}'?"
    return ""


def _kind(start: bytes) -> str | None:
    if not start:
        return "an empty file"
    for magic, kind in _KINDS.items():
        if start.startswith(magic):
            return kind
    if start[8:10] == b'{"':
        return "a safetensors file"
    text = start.decode("utf-8", "ignore")
    if text.isprintable() or all(c.isprintable() or c in "\r\n\t" for c in text):
        return "a text file"
    return None


def _zip_kind(path: str | Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return None  # damaged: told by who reads it
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch file (torch.save), which holds a pickle and is never opened"
    if "[Content_Types].xml" in names:
        return "an Office file"
    return None if any(name.endswith(".npy") for name in names) else "a zip archive without arrays"
