"""On a CPU, seeds are trained some at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.rl.run.seeds import CPU_BATCH, _in_batches, seed_mesh

MESH = seed_mesh(1)


@pytest.mark.parametrize("count", [1, 7, 8, 11, 12, 50])
def test_every_count_is_covered_in_order(count: int) -> None:
    sizes = []

    def function(x: jax.Array) -> dict[str, jax.Array]:
        def note(y: np.ndarray) -> np.ndarray:
            sizes.append(y.shape)
            return y

        return {"twice": 2 * jax.pure_callback(note, x, x, vmap_method="expand_dims"), "sum": x.sum()}

    x = jnp.arange(3.0 * count).reshape(count, 3)
    result = jax.jit(lambda x: _in_batches(function, x, MESH))(x)
    jax.block_until_ready(result)
    np.testing.assert_array_equal(result["twice"], 2 * x)
    np.testing.assert_array_equal(result["sum"], x.sum(axis=1))
    assert max(shape[0] for shape in sizes) < 2 * CPU_BATCH
    assert sum(shape[0] for shape in sizes) == count


def test_batches_are_of_equal_size_where_the_count_can_be_divided() -> None:
    """50 seeds: ten batches of five."""
    traced = jax.make_jaxpr(lambda x: _in_batches(lambda y: y + 1, x, MESH))(jnp.zeros((50, 4)))
    scans = [equation for equation in traced.eqns if equation.primitive.name == "scan"]
    assert [scan.params["length"] for scan in scans] == [10]
