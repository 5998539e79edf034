"""Variants of a test that are run with the long ones."""

from typing import Any

import pytest


def seldom(*values: Any) -> list[Any]:
    """Parameters that are marked long: `@pytest.mark.parametrize("seed", [0, *seldom(1, 2)])`."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]
