"""Imports the package before any test imports JAX, so that the host shows one device a core."""

import pytest
from hypothesis import settings

import edgerl  # noqa: F401

# A busy machine is no failure.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The notebooks first: they take longest, and with two processes the rest runs beside them."""
    items.sort(key=lambda item: item.path.name != "test_documents.py")
