"""Imports the package before any test imports JAX, so that the host shows one device a core."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import edgerl  # noqa: F401

# A shell that starts the tests in the background has them ignore Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first: of two processes, neither then ends long after the other."""
    tasks = Path(__file__).parent / "tasks"

    def rank(item: pytest.Item) -> int:
        if item.path.name in ("test_documents.py", "test_train_trunk.py"):
            return 0
        return 1 if item.path.is_relative_to(tasks) else 2

    items.sort(key=rank)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are named by their number: what they hold (a time, say) may differ between two test processes."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="module")
def quick_compile() -> Iterator[None]:
    """Code that compiles fast and runs slowly, for networks that are large to compile and tiny to run."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
