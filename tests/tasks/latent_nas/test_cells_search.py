"""Searches through NAS-Bench-201's cells: looks are counted, surrogate and latent space hold what they promise."""

import cells as made_up
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import edgerl
from edgerl import UserError
from edgerl.tasks.latent_nas.cells import autoencoder, baselines, report, space, table
from edgerl.tasks.latent_nas.cells import surrogate as gp
from edgerl.tasks.latent_nas.cells.agent import SearchConfig, batch_sizes
from edgerl.tasks.latent_nas.cells.comparison import AGENT, SURROGATE, agents, objective, regrets, wins
from edgerl.tasks.latent_nas.cells.config import CellsConfig
from edgerl.tasks.latent_nas.cells.env import STOP, CellWalk, CellWalkParams
from edgerl.tasks.latent_nas.cells.looks import Looks

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

VALUES = made_up.accuracy()
FAST = ("random", "regularised evolution", "local search")
SEARCH = SearchConfig(growth=3, first_updates=2, updates=1, walks=16)


@pytest.fixture(scope="module")
def latent():
    return autoencoder.fit(autoencoder.AutoencoderConfig(width=64, steps=400, batch=256), 0)


class Counting(np.ndarray):
    """A table that notes which cells are read."""

    def __getitem__(self, index):
        found = super().__getitem__(index)
        if isinstance(index, np.ndarray) and index.dtype.kind == "i":
            self.read.extend(np.ravel(index).tolist())
        return np.asarray(found)


def counting():
    watched = VALUES.view(Counting)
    watched.read = []
    return watched


@pytest.mark.parametrize("name", [*FAST, "TPE (Optuna)"])
def test_a_search_uses_its_looks_and_reads_nothing_else(name):
    watched = counting()
    looks = baselines.side_by_side(baselines.SEARCHES[name], watched, 2, 60, seed=0)
    assert looks.cells.shape == looks.seen.shape == (2, 60)
    assert watched.read == [*looks.cells[0].tolist(), *looks.cells[1].tolist()]
    assert all(len(set(cells.tolist())) == 60 for cells in looks.cells)
    np.testing.assert_array_equal(looks.seen, VALUES[looks.cells])


@pytest.mark.long
@pytest.mark.parametrize("everywhere", [False, True])
def test_the_agents_looks_are_all_that_it_sees(latent, everywhere):
    watched = counting()
    looks = agents(latent, watched, SEARCH, 2, 40, seed=0, everywhere=everywhere)
    assert looks.cells.shape == (2, 40)
    assert sorted(watched.read) == sorted(looks.cells.ravel().tolist())
    assert all(len(set(cells.tolist())) == 40 for cells in looks.cells)
    found = regrets(looks, (10, 40))
    assert found["40"]["mean"] < found["10"]["mean"]
    random = regrets(baselines.side_by_side(baselines.random_search, VALUES, 20, 40, 0), (40,))
    assert found["40"]["mean"] < random["40"]["mean"]


def test_looks_beyond_the_budget_or_the_limits_are_refused():
    config = CellsConfig(parameters=100_000)
    values = objective(table.Cells(space.all_cells(), {"analog_accuracy": VALUES}), config)
    looks = Looks(values, 1, 3)
    looks.measure([0, 1])
    with pytest.raises(UserError, match="2 of 3 looks are used: 2 more are too many"):
        looks.measure([2, 3])
    with pytest.raises(UserError, match="limit"):
        looks.measure([int(space.numbers(np.full(6, 2)))])
    assert looks.count == 2
    many = baselines.side_by_side(baselines.evolution, values, 1, 100, 0)
    assert space.parameter_count(space.all_cells()[many.cells]).max() <= 100_000


def test_rounds_use_up_the_budget():
    sizes = batch_sizes(SearchConfig(initial=8, growth=12), 100)
    assert sizes[0] == 8
    assert sum(sizes) == 100
    assert batch_sizes(SearchConfig(initial=8), 5) == [5]


def test_every_latent_decodes_to_a_cell_and_like_cells_share_a_code(latent):
    assert ((latent.decoded >= 0) & (latent.decoded < 5**6)).all()
    assert len(latent.encoded) == len(space.classes()[1])
    found = autoencoder.report(latent)
    assert found["recovered"] > 0.05
    assert found["codes_used"] > 0.5
    book = jnp.asarray(latent.codebook)
    digits = np.stack([latent.encoded // 6**d % 6 for d in range(6)], 1)
    values = np.take_along_axis(np.asarray(book), digits, 0)
    nearest = np.asarray(book)[np.abs(values[:, None] - book).argmin(1), np.arange(6)]
    np.testing.assert_array_equal(nearest, values)


def test_the_surrogate_orders_cells_and_knows_how_well():
    cells = np.random.default_rng(0).permutation(15625)[:200]
    found = report.judge(gp.SurrogateConfig(), cells, VALUES)
    assert found["spearman"] > 0.9
    assert 0.8 < found["coverage_of_90_percent_interval"] < 0.97
    assert found["other_cells"] == 15625 - 200


def test_what_is_not_measured_yet_is_no_matter():
    config, covariance = gp.SurrogateConfig(), jnp.asarray(gp.kernel(gp.SurrogateConfig()))
    classes, accuracy = np.arange(0, 3000, 150, dtype=np.int32), VALUES[:20].astype(np.float32)
    whole = gp.posterior(config, covariance, gp.Measured(classes, accuracy, 20))
    longer = gp.Measured(np.pad(classes, (0, 12)), np.pad(accuracy, (0, 12), constant_values=99), 20)
    padded = gp.posterior(config, covariance, longer)
    np.testing.assert_allclose(padded.mean, whole.mean, atol=1e-4)
    np.testing.assert_allclose(padded.variance, whole.variance, atol=1e-4)


def test_wins_are_those_outside_the_noise():
    def at(mean):
        return {"10": {"mean": mean, "standard_error": 0.1, "runs": 9}}

    assert wins({AGENT: at(0.5), SURROGATE: at(0.1), "random": at(0.9)}) == {"10": True}
    assert wins({AGENT: at(0.5), "random": at(0.9), "evolution": at(0.7)}) == {"10": False}
    assert wins({AGENT: at(0.5), SURROGATE: at(0.1)}) == {}  # against nobody nothing is won


def test_the_walk_keeps_the_contract(latent):
    worth = VALUES[latent.decoded].astype(np.float32)
    env = CellWalk(CellWalkParams(np.asarray(latent.codebook), worth / 30))
    edgerl.check_environment(env)
    obs, state = env.reset(jax.random.key(0))
    for action in range(STOP):
        new_obs, new, reward, terminated, _, _ = env.step(jax.random.key(1), state, jnp.int32(action))
        expected = np.asarray(obs).copy()
        expected[action % 6] = latent.codebook[action // 6, action % 6]
        np.testing.assert_array_equal(new_obs, expected)
        np.testing.assert_allclose(
            reward,
            (worth[int(autoencoder.place_of(new.codes))] - worth[int(autoencoder.place_of(state.codes))]) / 30 - 0.02,
            atol=1e-5,
        )
        assert not terminated
    *_, reward, terminated, truncated, _ = env.step(jax.random.key(1), state, jnp.int32(STOP))
    assert (float(reward), bool(terminated), bool(truncated)) == (0, True, False)
