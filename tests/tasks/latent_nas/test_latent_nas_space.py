"""The search space: constraints, parameter counts by hand, samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.tasks.latent_nas.evaluation.baselines import mutated
from edgerl.tasks.latent_nas.table import space

# One block: 10 channels, widened twice, two residual blocks of three branches.
ONE = np.zeros(22, np.int64)
ONE[[0, 1, 2, 7, 8, 9]] = 10, 1, 2, 1, 2, 3
# Two blocks, the second without widening: no skip connection.
TWO = ONE.copy()
TWO[[1, 3, 10, 11, 12]] = 2, 1, 4, 1, 2


def samples(count, seed=0):
    return np.asarray(jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.key(seed), count)))


def branch(inputs, outputs):
    return 9 * inputs * outputs + 2 * outputs + 9 * outputs * outputs + 2 * outputs


def test_parameters_by_hand():
    stem, head = 7 * 7 * 3 * 10 + 20, 20 * 21 * 21 * 10 + 10
    first = 3 * branch(10, 20) + 3 * branch(20, 20) + 2 * 10 * 10 + 2 * 20
    assert space.parameter_count(ONE) == stem + first + head
    assert space.parameter_count(TWO) == stem + first + 2 * branch(20, 20) + head


def test_parameters_in_float32_agree_to_six_digits():
    genes = samples(2000)
    exact = space.parameter_count(genes.astype(np.int64))
    rough = jax.jit(space.parameter_count)(jnp.asarray(genes, jnp.float32))
    assert exact.dtype == np.int64
    assert exact.min() > 0
    np.testing.assert_allclose(rough, exact, rtol=2e-6)


@pytest.mark.parametrize(
    ("gene", "value"),
    [(0, 7), (0, 129), (1, 0), (1, 6), (2, 0), (2, 17), (3, 1), (7, 0), (7, 5), (8, 5), (9, 13), (21, 1)],
)
def test_what_cannot_be_built(gene, value):
    genes = ONE.copy()
    assert space.buildable(genes)
    genes[gene] = value
    assert not space.buildable(genes)


def test_samples_and_their_mutants_can_be_built_and_cover_the_ranges():
    genes = samples(4000)
    assert space.buildable(genes).all()
    for column in range(22):
        there = space.active(genes)[:, column]
        assert (genes[there, column].min(), genes[there, column].max()) == (space.LOW[column], space.HIGH[column])
    children = np.asarray(jax.jit(jax.vmap(mutated))(jax.random.split(jax.random.key(1), len(genes)), genes))
    assert space.buildable(children).all()
    assert (children != genes).any(1).mean() > 0.7


def test_split_and_join_are_inverse():
    genes = samples(50)
    again = jax.jit(jax.vmap(lambda g: space.join(space.split(g))))(genes)
    np.testing.assert_array_equal(again, genes)


def test_published_names():
    named = space.as_dict(TWO)
    assert list(named) == list(space.GENES)
    assert (named["convblock1"], named["convblock2"], named["convblock3"]) == ("A", "D", 0)
    assert (named["out_channel0"], named["R2"], named["B2"]) == (10, 1, 2)


def test_high_group_by_hand():
    wide = ONE.copy()
    wide[8] = 4
    deep = samples(500)
    deep = deep[deep[:, 1] >= 4]
    assert not space.in_high_group(ONE)
    assert space.in_high_group(wide)
    assert space.in_high_group(deep).all()
