"""Calls that are found again in a trace: what a wrapper's `step` calls of the environment that it holds."""

from collections.abc import Callable, Iterator
from typing import Any

import jax

STEP, RESET = "edgerl_gymnax_step", "edgerl_gymnax_reset"


def counted(function: Callable[..., Any], name: str, depth: int) -> Callable[..., Any]:
    """The function, compiled under a name where it is called by a wrapper: `calls` then finds it in a trace."""
    if depth == 0:
        return function

    def call(*arguments: Any) -> Any:
        return function(*arguments)

    call.__name__ = f"{name}_{depth}"
    return jax.jit(call)


def calls(jaxpr: Any, name: str, depth: int | None = None) -> int:
    """How often a trace calls what `counted` named, at one depth or at any; inside of a loop, twice."""
    total = 0
    for equation in jaxpr.eqns:
        called = str(equation.params.get("name", ""))
        found = called.startswith(name) if depth is None else called == f"{name}_{depth}"
        inner = [calls(x, name, depth) for x in _inner(equation)]
        several = max(inner, default=0) if equation.primitive.name == "cond" else sum(inner)
        total += found + several * (2 if equation.primitive.name in ("scan", "while") else 1)
    return total


def _inner(equation: Any) -> Iterator[Any]:
    for parameter in jax.tree.leaves(dict(equation.params), is_leaf=lambda x: hasattr(x, "eqns")):
        jaxpr = getattr(parameter, "jaxpr", parameter)
        if hasattr(jaxpr, "eqns"):
            yield jaxpr
