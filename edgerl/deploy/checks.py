"""The checks of `verify`, as its report has them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgerl.deploy import tflm, toolchain

Check = dict[str, Any]


def check(name: str, passed: bool | None, detail: str, **more: Any) -> Check:
    """One of them; `passed` is None where it was not made."""
    return {"name": name, "passed": passed, "detail": detail, **more}


def guarded(name: str, made: Callable[[], Check]) -> Check:
    """The check, or the line that says how a tool failed in it."""
    try:
        return made()
    except (tflm.TFLMError, toolchain.ToolError) as error:
        return check(name, False, str(error))


def compared(name: str, wrong: np.ndarray, how: str) -> Check:
    """Of vectors bool [N] that differ from JAX."""
    differences = int(wrong.sum())
    return check(
        name,
        differences == 0,
        f"{differences} of {len(wrong)} vectors differ from JAX ({how})",
        differences=differences,
    )
