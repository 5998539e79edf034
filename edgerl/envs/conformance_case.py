"""What the conformance kit's rules are written with: a case under test, its verdicts, and comparisons of results."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.environment import Environment, Params
from edgerl.envs.resetting import numbers, plain
from edgerl.envs.spaces import Space


class ConformanceError(AssertionError):
    """An environment breaks the contract. The message says which rule, where, and what would be right.

    Example:
      >>> try:
      ...     edgerl.check_environment("Pendulum-v1")
      ... except edgerl.ConformanceError as error:
      ...     print("not to be trained in:", error)
      Checked(steps=8192, terminated=0, truncated=32)
    """


@dataclasses.dataclass(frozen=True)
class Case:
    """What is checked, and the contract's voice. The spaces are made outside of any trace."""

    env: Environment
    params: Params
    key: chex.PRNGKey
    observations: Space
    actions: Space

    @functools.cached_property
    def reset(self) -> Callable[..., Any]:
        """The environment's `reset`, traced once for all the rules: a step that trains a network is slow to trace."""
        return jax.jit(lambda *arguments: self.env.reset(*arguments))

    @functools.cached_property
    def step(self) -> Callable[..., Any]:
        """The environment's `step`, as `reset`."""
        return jax.jit(lambda *arguments: self.env.step(*arguments))

    def require(self, rule: str, kept: Any, what: str, right: str) -> None:
        """Raises unless `kept`."""
        if not bool(kept):
            broken(self.env, rule, what, right)

    def forbid(self, rule: str, seen: Any, what: str, right: str) -> None:
        """Raises at the first [lane, step] of `seen` that is True."""
        for lane, step in np.argwhere(np.asarray(seen))[:1]:
            broken(self.env, rule, f"{what}, in lane {lane} at step {step}", right)

    @contextlib.contextmanager
    def guard(self, rule: str, what: str, right: str) -> Iterator[None]:
        """A block in which any exception breaks `rule`."""
        try:
            yield
        except ConformanceError:
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            broken(self.env, rule, f"{what} ({type(error).__name__}: {reason})", right)


def broken(env: Any, rule: str, what: str, right: str) -> NoReturn:
    """Raises in the contract's words."""
    name = getattr(env, "id", type(env).__name__)
    raise ConformanceError(f"{name}: rule '{rule}': {what}; right would be: {right}")


def same(a: Any, b: Any) -> bool:
    """Equal bit for bit."""
    return all(x.tobytes() == y.tobytes() for x, y in _pairs(a, b))


def close(a: Any, b: Any) -> bool:
    """Equal up to the last digits, in which compiled code may differ."""
    return all(np.allclose(x, y, rtol=1e-4, atol=1e-5, equal_nan=True) for x, y in _pairs(a, b))


def _pairs(a: Any, b: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        yield np.asarray(plain(x)), np.asarray(plain(y))


def form(x: Any) -> str:
    """For example "float32[4]"; of anything but an array, its type."""
    return f"{x.dtype}{list(x.shape)}" if hasattr(x, "dtype") and hasattr(x, "shape") else type(x).__name__


def forms(tree: Any) -> dict[str, str]:
    """Path of each leaf to its dtype and shape."""
    return {jax.tree_util.keystr(path): form(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def any_nan(tree: Any) -> chex.Array:
    return jnp.any(jnp.stack([jnp.isnan(numbers(x)).any() for x in jax.tree.leaves(tree)]))
