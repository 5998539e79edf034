"""distrax's distributions without TensorFlow.

distrax imports TensorFlow Probability's JAX substrate, and three modules of that (`…backend.jax._utils`,
`…backend.numpy._utils` and `…backend.jax.tf_inspect`) import TensorFlow if they can: two to copy its docstrings, one
for a drop-in of Python's `inspect`. All three have a branch for a machine without TensorFlow, and that is what they
are shown while distrax is imported, and only then. It saves about six seconds. It is needed as well where TensorFlow
was imported before: `tensorflow_probability` then loads its Keras layers, which want the package `tf_keras`.
"""

import contextlib
import functools
import importlib
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

import chex
import jax.numpy as jnp


@functools.cache
def _distrax() -> ModuleType:
    with _tensorflow_absent(), warnings.catch_warnings():
        # TensorFlow Probability still reads names that JAX has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("distrax")


def categorical(logits: chex.Array) -> Any:
    """A `distrax.Categorical` over the last axis of `logits`, float32 [..., actions]."""
    return _distrax().Categorical(logits=logits)


def normal(mean: chex.Array, log_std: chex.Array) -> Any:
    """distrax's Gaussian of independent numbers: the last axis of `mean` and `log_std`, float32 [..., numbers]."""
    distrax = _distrax()
    return distrax.Independent(distrax.Normal(mean, jnp.exp(log_std)), reinterpreted_batch_ndims=1)


class _Absent(MetaPathFinder):
    """Answers one thread's imports of TensorFlow with "no such module"."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if _is_tensorflow(fullname) and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is not needed to import distrax", name=fullname)


@contextlib.contextmanager
def _tensorflow_absent() -> Iterator[None]:
    """Afterwards `sys.modules` and `sys.meta_path` hold of TensorFlow what they held before, and no stub."""
    finder = _Absent()
    sys.meta_path.insert(0, finder)
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_tensorflow(name)}
    try:
        yield
    finally:
        sys.modules.update(hidden)
        sys.meta_path.remove(finder)


def _is_tensorflow(name: str) -> bool:
    return name.partition(".")[0] == "tensorflow"
