"""What the C of an early-exit network is checked for: its size, and that it computes what JAX does, bit for bit."""

import dataclasses
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy import graph_c, tflite_file, tflm, toolchain
from edgerl.deploy.toolchain import Target
from edgerl.tasks.early_exit.trunk.int8 import Int8Trunk
from edgerl.tasks.hardware.profiles import load_profile

SLOW = 8  # images in TFLM's interpreter, under sanitizers and in the emulator
_FAST = dataclasses.replace(toolchain.HOST, link=("-O2",))
_SOURCES = ("_network.c", "_cascade.c", "_exits.c", ".c")  # behind the export's name


def checks(
    folder: Path, name: str, trunk: Int8Trunk, images: np.ndarray, outputs: list[np.ndarray], expected: np.ndarray
) -> list[dict[str, Any]]:
    """The C, and TFLM, against JAX.

    Args:
      name: of the export.
      images: uint8 [N, S, S, 3].
      outputs: what JAX has for every part, int8 [N, H, W, C] each; compared for some of the images.
      expected: the exit and the class in JAX, int [N, 2]; compared for all of them.
    """
    few, rv32, host = images[:SLOW], toolchain.RV32, toolchain.HOST
    some, where = [output[:SLOW] for output in outputs], (folder, name)
    return [
        _check("decisions, host C", len(images), _FAST, lambda: decisions_differ(_FAST, *where, images, expected)),
        _check("decisions, rv32imc", len(few), rv32, lambda: decisions_differ(rv32, *where, few, expected[:SLOW])),
        _check("parts, host C", len(few), host, lambda: parts_differ(host, *where, trunk, few, some)),
        _check("parts, rv32imc", len(few), rv32, lambda: parts_differ(rv32, *where, trunk, few, some)),
        _check("parts, TFLM", len(few), None, lambda: parts_differ_on_tflm(trunk, few, some)),
    ]


def sizes(folder: Path, name: str, trunk: Int8Trunk) -> dict[str, Any] | str:
    """Bytes on rv32imc: flash, static RAM with the arena in it, all functions' stacks together; shares of an ESP32-C3.

    A string where the cross-compiler is missing or fails.
    """
    if missing := toolchain.RV32.missing():
        return missing
    total, stack = dict.fromkeys(("text", "rodata", "data", "bss"), 0), 0
    with tempfile.TemporaryDirectory() as temporary:
        try:
            for end in _SOURCES:
                found, frames = toolchain.object_sizes(toolchain.RV32, folder / f"{name}{end}", Path(temporary))
                total = {section: total[section] + found[section] for section in total}
                stack += sum(frames.values())
        except toolchain.ToolError as error:
            return str(error)
    flash, ram = total["text"] + total["rodata"] + total["data"], total["data"] + total["bss"]
    board = load_profile("esp32_c3")
    assert board.flash_bytes is not None
    assert board.ram_bytes is not None
    shares = {"flash": flash / board.flash_bytes, "ram": (ram + stack) / board.ram_bytes}
    _, arena = graph_c.plan(trunk.network, trunk.ends)
    return total | {"flash": flash, "ram": ram, "arena": arena, "stack_at_most": stack, "share_of_esp32_c3": shares}


def _check(name: str, images: int, target: Target | None, differences: Callable[[], int]) -> dict[str, Any]:
    """{name, passed, images, differences or why there are none}; `passed` is None where a tool is missing."""
    if target is not None and (missing := target.missing()):
        return {"name": name, "passed": None, "images": images, "detail": missing}
    try:
        found = differences()
    except (toolchain.ToolError, tflm.TFLMError) as error:
        return {"name": name, "passed": False, "images": images, "detail": str(error)}
    return {"name": name, "passed": found == 0, "images": images, "differences": found}


def decisions_differ(target: Target, folder: Path, name: str, images: np.ndarray, expected: np.ndarray) -> int:
    """Images whose exit or class in C is not the expected one, int [N, 2]."""
    with tempfile.TemporaryDirectory() as temporary:
        harness = resources.files("edgerl.tasks.early_exit.export") / "templates" / "images.c"
        toolchain.shim(Path(temporary), name, "_cascade")
        sources: list[str | Path] = [*(folder / f"{name}{end}" for end in _SOURCES), str(harness)]
        include: list[str | Path] = [folder, temporary, toolchain.harness("")]
        program = toolchain.build(target, sources, include, Path(temporary) / "images")
        found = toolchain.feed(target, program, images, np.dtype((np.int32, 2)))
    return int((found != expected).any(axis=1).sum())


def parts_differ(
    target: Target, folder: Path, name: str, trunk: Int8Trunk, images: np.ndarray, expected: list[np.ndarray]
) -> int:
    """Images for which any part's output in C is not the expected one, int8 [N, H, W, C] each."""
    record = np.dtype([(str(i), np.int8, outputs.shape[1:]) for i, outputs in enumerate(expected)])
    with tempfile.TemporaryDirectory() as temporary:
        toolchain.shim(Path(temporary), name, "_network")
        sources: list[str | Path] = [folder / f"{name}_network.c", toolchain.harness("parts.c")]
        program = toolchain.build(target, sources, [folder, temporary], Path(temporary) / "parts")
        found = toolchain.feed(target, program, trunk.inputs(images), record)
    return _differing([found[str(i)] for i in range(len(expected))], expected)


def parts_differ_on_tflm(trunk: Int8Trunk, images: np.ndarray, expected: list[np.ndarray]) -> int:
    """The same of TFLM's interpreter, where every part reads what JAX has for the stage before."""
    stages = [trunk.inputs(images), *expected[0::2]]
    read = [stages[(i + 1) // 2] for i in range(len(expected))]
    models = [tflite_file.write(part) for part in trunk.parts]
    return _differing([tflm.run(model, x)[0] for model, x in zip(models, read, strict=True)], expected)


def _differing(found: list[np.ndarray], expected: list[np.ndarray]) -> int:
    pairs = zip(found, expected, strict=True)
    return int(np.any([(a != b).reshape(len(a), -1).any(axis=1) for a, b in pairs], axis=0).sum())
