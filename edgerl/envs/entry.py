"""What users hand to the functions of the package, checked where it comes in."""

import operator
from typing import Any

import jax
import numpy as np

from edgerl.envs.environment import Environment
from edgerl.envs.instance import checked
from edgerl.envs.registry import make
from edgerl.util.errors import UserError


def environment_of(env: Any, where: str) -> Environment:
    """The environment that is meant: made, if it is given by its id or place; else `checked`."""
    return make(env) if isinstance(env, str) else checked(env, where)


def whole_number(where: str, name: str, value: Any) -> int:
    """An integer from 1 to 2³¹ - 1, of Python or NumPy.

    Raises:
      UserError: anything else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or not 1 <= number < 2**31:
        raise UserError(f"{where}: {name} is {value!r}; it must be from 1 to {2**31 - 1}, a whole number")
    return number


def check_key(where: str, key: Any) -> None:
    """Any kind of JAX key, but one only.

    Raises:
      UserError: a number or several keys.
    """
    typed = isinstance(key, jax.Array) and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
    raw = isinstance(key, (jax.Array, np.ndarray)) and key.dtype == np.uint32 and key.ndim == 1
    if typed and key.shape:
        raise UserError(f"{where}: key holds {key.size} keys; expected one, such as jax.random.key(0)")
    if not (typed or raw):
        what = repr(key) if isinstance(key, (int, float)) else f"a {type(key).__name__}"
        raise UserError(f"{where}: key is {what}; expected a JAX key, such as jax.random.key(0)")
