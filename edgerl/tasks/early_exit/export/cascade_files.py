"""The files of a whole early-exit network on a chip, made of `network_int8.npz`: an export's extra."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy import c_text, graph_c, graph_file, names, tflite_file
from edgerl.deploy.extras import Firmware
from edgerl.deploy.ops.arrays import array
from edgerl.deploy.targets.example import Example
from edgerl.tasks.early_exit.export.exits_c import PACKAGE
from edgerl.tasks.early_exit.trunk.int8 import Int8Trunk
from edgerl.util import files
from edgerl.util.errors import UserError

NAME = "cascade"
NETWORK = "network_int8.npz"  # behind the export's name
_DRIVER = ("cascade.h", "cascade.c")
EXAMPLE = Example(
    header="${p}_cascade.h",
    word="image",
    count="${P}_IMAGE_BYTES",
    digits=4,
    tests="${p}_cascade_self_test()",
    total="1",
    state="static uint8_t image[${P}_IMAGE_BYTES];",
    decide="""int i;
    for (i = 0; i < ${P}_IMAGE_BYTES; i++) {
        image[i] = (uint8_t)values[i];
    }
    answers[0] = ${p}_classify(image, &answers[1]);""",
    says="class: %d exit: %d",
    about="the bytes of an image in (rows of red, green, blue), its class and the exit where it stopped out",
)


def save(folder: Path, trunk: Int8Trunk) -> None:
    """Writes what `write` reads."""
    graph_file.save(folder / NETWORK, trunk.network, ends=np.array(trunk.ends, np.int32))


def write(source: Path, out: Path, said: Mapping[str, Any], firmware: Firmware) -> Example:
    """The extra's generator; see `edgerl.deploy.extras`.

    Raises:
      UserError: `network_int8.npz` is missing, damaged or no network of stages and heads.
    """
    trunk = _load(source / NETWORK)
    _check(source / NETWORK, trunk, said)
    save(out, trunk)
    words = firmware.words
    stamp = names.stamp_of(hashlib.sha256((out / NETWORK).read_bytes()).hexdigest(), words["model"])
    for name, content in contents(trunk, names.words(words["p"], stamp)).items():
        files.write_bytes(out / name, content)
    return EXAMPLE


def _load(path: Path) -> Int8Trunk:
    network, arrays = graph_file.load(path)
    try:
        ends = tuple(array(arrays, "ends", np.int32, 1).tolist())
        if list(ends) != sorted({*ends}) or not ends or ends[0] < 1 or ends[-1] != len(network.operations):
            raise ValueError("the ends of its parts")
    except ValueError as error:
        raise UserError(f"{path} is not an int8 network in parts ({error})") from error
    return Int8Trunk(network, ends)


def _check(path: Path, trunk: Int8Trunk, said: Mapping[str, Any]) -> None:
    """A square image in; of each pair of parts the second reads the first, and answers with as many classes."""
    shape, parts = trunk.network.tensors[trunk.network.input].shape, trunk.parts
    answers = {head.tensors[head.output].shape for head in parts[1::2]}
    whole = len(parts) % 2 == 0 and shape[0] == shape[1] and shape[2] == 3 and len(answers) == 1
    if said or not whole or answers.pop()[:2] != (1, 1) or not _reads_the_stage_before(trunk):
        raise UserError(f"{path} is not a network of stages and heads on square images")


def _reads_the_stage_before(trunk: Int8Trunk) -> bool:
    """Every part reads its own tensors, and what the stage before it, or the image, is."""
    before = trunk.network.input
    for i, part in enumerate(trunk.parts):
        made = {operation.target for operation in part.operations}
        read = {source for operation in part.operations for source in operation.sources} - made
        if read != {before} or part.input != before:
            return False
        before = before if i % 2 else part.output
    return True


def contents(trunk: Int8Trunk, words: Mapping[str, str]) -> dict[str, bytes]:
    """File name → what is in it."""
    p = words["p"]
    called = [f"{kind} {i}" for i in range(len(trunk.ends) // 2) for kind in ("stage", "head")]
    texts = graph_c.generate(trunk.network, trunk.ends, called, words) | _driver(trunk, words)
    models = zip(called, trunk.parts, strict=True)
    return {name: text.encode() for name, text in texts.items()} | {
        f"{p}_{name.replace(' ', '_')}.tflite": tflite_file.write(part) for name, part in models
    }


def _driver(trunk: Int8Trunk, words: Mapping[str, str]) -> dict[str, str]:
    """File name → text of `NAME_cascade.h` and `NAME_cascade.c`."""
    scales = [head.tensors[head.output].q for head in trunk.parts[1::2]]
    side = trunk.network.tensors[0].shape[0]
    answers = trunk.answers(trunk.outputs(_made_up_image(side)))[0]
    constants = [
        c_text.array("int8_t pixels[3][256]", trunk.pixels),
        c_text.array(f"float scale[{len(scales)}]", c_text.floats([scale.scale for scale in scales])),
        c_text.array(f"int16_t zero[{len(scales)}]", [scale.zero_point for scale in scales]),
        c_text.array(f"int8_t test_answers[{answers.shape[0]}][{answers.shape[1]}]", answers),
    ]
    counts = ", ".join(f"{count:,}" for count in macs(trunk))
    values = {**words, "version": __version__, "side": side, "macs": counts, "constants": "\n\n".join(constants)}
    return {f"{words['p']}_{name}": c_text.template(f"{name}.in", values, PACKAGE) for name in _DRIVER}


def _made_up_image(side: int) -> np.ndarray:
    """uint8 [1, side, side, 3]: the self-test's, from the generator in cascade.c (Numerical Recipes' constants)."""
    state, values = 1, []
    for _ in range(side * side * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state >> 24)
    return np.array(values, np.uint8).reshape(1, side, side, 3)


def macs(trunk: Int8Trunk) -> list[int]:
    """Until each exit, its head and those before it included."""
    costs = np.array([part.macs() for part in trunk.parts]).reshape(-1, 2).sum(axis=1)
    return [int(cost) for cost in costs.cumsum()]
