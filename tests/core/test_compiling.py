"""A function compiled as one kernel: the same numbers, and left alone where XLA could not compile it so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.core.compiling import compiler_options, one_kernel

OPTIONS = compiler_options(np.array(jax.local_devices()[:1]))
X = jnp.linspace(-1, 1, 4096)


def loop(x: jax.Array) -> jax.Array:
    """A loop over enough numbers to be one kernel."""
    return jax.lax.fori_loop(0, 20, lambda i, y: jnp.sin(y) + i, x)


def scalar_loop(x: jax.Array) -> jax.Array:
    """A loop over one number within a loop over many: XLA ends the process on it if both become small calls."""
    return jax.lax.fori_loop(0, 3, lambda i, y: y + jax.lax.fori_loop(0, i + 1, lambda j, z: z + j, 0), x)


def product(x: jax.Array) -> jax.Array:
    rows = x.reshape(64, 64)
    return jax.lax.fori_loop(0, 3, lambda _, y: jnp.tanh(rows @ y), rows).reshape(-1)


def ordered(x: jax.Array) -> jax.Array:
    return jnp.sort(x) + loop(x)


def compiled(function) -> tuple[jax.Array, str]:
    program = jax.jit(lambda x: one_kernel(function, x), compiler_options=OPTIONS).lower(X).compile()
    return program(X), program.as_text()


@pytest.mark.parametrize(
    ("function", "whole"), [(loop, True), (scalar_loop, False), (product, False), (ordered, False)]
)
def test_the_numbers_are_those_of_the_function(function, whole: bool) -> None:
    result, text = compiled(function)
    np.testing.assert_allclose(result, jax.jit(function)(X), rtol=1e-5, atol=1e-6)
    # XLA's own small calls do not have the first of these.
    assert ('inlineable="false",xla_cpu_small_call="true"' in text) == whole


def test_several_results_and_arguments() -> None:
    def function(x: jax.Array, y: dict) -> tuple[jax.Array, dict]:
        return loop(x), {"sum": x + y["a"], "untouched": y["b"]}

    program = jax.jit(lambda x, y: one_kernel(function, x, y), compiler_options=OPTIONS)
    first, second = program(X, {"a": 2 * X, "b": jnp.int32(3)})
    np.testing.assert_allclose(first, loop(X), rtol=1e-5)
    np.testing.assert_allclose(second["sum"], 3 * X, rtol=1e-6)
    assert second["untouched"] == 3
