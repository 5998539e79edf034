"""Multiply-accumulates of a JAX function, and what they cost on a device."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend import core as jex

from edgerl.tasks.hardware.profiles import Profile


def count_macs(function: Callable, *arguments: Any) -> int:
    """Multiply-accumulates of one call of `function`, read from its jaxpr without running it.

    Convolutions and matrix products count; additions, normalisations (which fold into the convolution before them) and
    pooling do not. Products with padding count, as is the custom. A branch counts as its dearest side.

    Args:
      function: a JAX function.
      *arguments: arrays or `jax.ShapeDtypeStruct`s.
    Raises:
      ValueError: the function has a `while` loop with such work inside, whose number of passes is unknown.
    """
    return _macs(jax.make_jaxpr(function)(*arguments).jaxpr)


def latency_ms(profile: Profile, macs: np.ndarray) -> np.ndarray:
    """Milliseconds until each exit, [K], from its cumulative multiply-accumulates."""
    return np.asarray(macs, np.float64) / profile.macs_per_second * 1e3


def energy_mj(profile: Profile, latency_ms: np.ndarray) -> np.ndarray:
    """Millijoules until each exit, [K]: the device's power while it computes, times the time."""
    return profile.power_mw * np.asarray(latency_ms, np.float64) * 1e-3


def _macs(jaxpr: Any) -> int:
    return sum(_equation_macs(equation) for equation in jaxpr.eqns)


def _equation_macs(equation: Any) -> int:
    name = equation.primitive.name
    if name == "conv_general_dilated":
        kernel, out = equation.invars[1].aval, equation.outvars[0].aval
        out_channels = kernel.shape[equation.params["dimension_numbers"].rhs_spec[0]]
        return math.prod(out.shape) * math.prod(kernel.shape) // out_channels
    if name == "dot_general":
        left, out = equation.invars[0].aval, equation.outvars[0].aval
        (contracted, _), _ = equation.params["dimension_numbers"]
        return math.prod(out.shape) * math.prod(left.shape[i] for i in contracted)
    inside = [_macs(jaxpr) for jaxpr in _inner_jaxprs(equation)]
    if name == "cond":
        return max(inside)
    if name == "while" and any(inside):
        raise ValueError("cannot count the multiply-accumulates of a while loop: its number of passes is not fixed")
    return sum(inside) * (equation.params["length"] if name == "scan" else 1)


def _inner_jaxprs(equation: Any) -> Iterator[Any]:
    for value in equation.params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(item, jex.ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, jex.Jaxpr):
                yield item
