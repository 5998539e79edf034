"""What an environment gives whatever happens: the simulator need neither carry nor sum it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from edgerl.envs.environment import Environment
from edgerl.envs.forms import Forms


@dataclasses.dataclass(frozen=True)
class Constants:
    """Of one environment, for all values of its parameters of one form.

    Attributes:
      reward: what every step pays; None where it depends on something.
      start: observation and state after a reset, with a NumPy scalar for what is always the same and else None.
    """

    reward: float | None
    start: Any


def constants_of(env: Environment, forms: Forms) -> Constants:
    """What `reset` and `step` return as a literal, by their traces."""

    def reward(key: jax.Array, params: Any, action: jax.Array) -> jax.Array:
        return env.step(key, env.reset(key, params)[1], action, params)[2]

    value = _literals(reward, forms.params, forms.action)
    return Constants(None if value is None else float(value), _literals(env.reset, forms.params))


def _literals(function: Callable[..., Any], *arguments: Any) -> Any:
    key = jax.eval_shape(lambda: jax.random.key(0))  # its form: an outer trace would keep the making of a real one
    traced, shape = jax.make_jaxpr(function, return_shape=True)(key, *arguments)
    values = [np.asarray(x.val)[()] if isinstance(x, Literal) else None for x in traced.jaxpr.outvars]
    return jax.tree.unflatten(jax.tree.structure(shape), values)
