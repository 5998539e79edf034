"""What the C of an early-exit network is checked for: its size, and that it computes what JAX does, bit for bit."""

import dataclasses
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy import convnet_c, convnet_jax, convnet_tflite, tflm, toolchain
from edgerl.deploy.toolchain import Target
from edgerl.pipelines.trunk_int8 import Int8Trunk

SLOW = 8  # images in TFLM's interpreter, under sanitizers and in the emulator
_C3 = {"flash": 4 * 2**20, "ram": 400 * 2**10}  # bytes of an ESP32-C3
_FAST = dataclasses.replace(toolchain.HOST, link=("-O2",))
_SOURCES = ("network.c", "cascade.c", "exits.c", "policy.c")


def checks(folder: Path, trunk: Int8Trunk, images: np.ndarray, expected: np.ndarray) -> list[dict[str, Any]]:
    """The C against JAX: exits and classes int [N, 2] of all images, and every part's output of some of them."""
    few = images[:SLOW]
    decisions, parts = len(images), len(few)
    rv32 = toolchain.RV32
    return [
        _check("decisions, host C", decisions, _FAST, lambda: _decisions(_FAST, folder, images, expected)),
        _check("decisions, rv32imc", parts, rv32, lambda: _decisions(rv32, folder, few, expected[:SLOW])),
        _check("parts, host C", parts, toolchain.HOST, lambda: _parts(toolchain.HOST, folder, trunk, few)),
        _check("parts, rv32imc", parts, rv32, lambda: _parts(rv32, folder, trunk, few)),
        _check("parts, TFLM", parts, None, lambda: _parts_on_tflm(trunk, few)),
    ]


def sizes(folder: Path, trunk: Int8Trunk) -> dict[str, Any] | str:
    """Bytes on rv32imc: flash, static RAM with the arena in it, all functions' stacks together; shares of an ESP32-C3.

    A string where the cross-compiler is missing or fails.
    """
    if missing := toolchain.RV32.missing():
        return missing
    total, stack = dict.fromkeys(("text", "rodata", "data", "bss"), 0), 0
    with tempfile.TemporaryDirectory() as temporary:
        try:
            for name in _SOURCES:
                found, frames = toolchain.object_sizes(toolchain.RV32, folder / name, Path(temporary))
                total = {section: total[section] + found[section] for section in total}
                stack += sum(frames.values())
        except toolchain.ToolError as error:
            return str(error)
    flash, ram = total["text"] + total["rodata"] + total["data"], total["data"] + total["bss"]
    shares = {"flash": flash / _C3["flash"], "ram": (ram + stack) / _C3["ram"]}
    _, arena = convnet_c.plan(trunk.network, trunk.ends)
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


def _decisions(target: Target, folder: Path, images: np.ndarray, expected: np.ndarray) -> int:
    """Images whose exit or class is not the expected one."""
    with tempfile.TemporaryDirectory() as temporary:
        program = Path(temporary) / "images"
        harness = resources.files("edgerl.pipelines") / "templates" / "images.c"
        sources: list[str | Path] = [*(folder / name for name in _SOURCES), str(harness)]
        toolchain.build(target, sources, [folder, toolchain.harness("")], program)
        found = toolchain.feed(target, program, images, np.dtype((np.int32, 2)))
    return int((found != expected).any(axis=1).sum())


def _parts(target: Target, folder: Path, trunk: Int8Trunk, images: np.ndarray) -> int:
    """Images of which a part's output differs anywhere."""
    inputs, expected = _in_jax(trunk, images)
    record = np.dtype([(str(i), np.int8, outputs.shape[1:]) for i, outputs in enumerate(expected)])
    with tempfile.TemporaryDirectory() as temporary:
        sources: list[str | Path] = [folder / "network.c", toolchain.harness("parts.c")]
        program = toolchain.build(target, sources, [folder], Path(temporary) / "parts")
        found = toolchain.feed(target, program, inputs, record)
    return _differing([found[str(i)] for i in range(len(expected))], expected)


def _parts_on_tflm(trunk: Int8Trunk, images: np.ndarray) -> int:
    x, expected = _in_jax(trunk, images)
    found = []
    for i, part in enumerate(trunk.parts):
        outputs, _ = tflm.run(convnet_tflite.write(part), x)
        found.append(outputs)
        x = outputs if i % 2 == 0 else x  # a head leaves its stage's output to the next stage
    return _differing(found, expected)


def _in_jax(trunk: Int8Trunk, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """(the network's int8 inputs, every part's int8 output)."""
    x = inputs = trunk.pixels[np.arange(3), images]
    outputs = []
    for i, part in enumerate(trunk.parts):
        outputs.append(np.asarray(convnet_jax.outputs(part, x)))
        x = outputs[-1] if i % 2 == 0 else x
    return inputs, outputs


def _differing(found: list[np.ndarray], expected: list[np.ndarray]) -> int:
    pairs = zip(found, expected, strict=True)
    return int(np.any([(a != b).reshape(len(a), -1).any(axis=1) for a, b in pairs], axis=0).sum())
