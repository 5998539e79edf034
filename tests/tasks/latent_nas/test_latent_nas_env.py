"""LatentNAS-v0: the contract, rewards by hand, the end of an episode, its options; the searches and their bounds."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from variants import seldom

import edgerl
from edgerl.tasks.latent_nas import factory
from edgerl.tasks.latent_nas.env import STOP
from edgerl.tasks.latent_nas.evaluation import baselines, bayesian
from edgerl.tasks.latent_nas.evaluation.evaluate import architectures, repeated, walk
from edgerl.tasks.latent_nas.evaluation.exhaustive import best_of_codes
from edgerl.tasks.latent_nas.table import space

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def env():
    return edgerl.make("LatentNAS-v0")


@pytest.fixture(scope="module")
def scored(env):
    """Scores of latents [N, 8], compiled."""
    return jax.jit(jax.vmap(lambda z: env.score(z, env.default_params)))


@pytest.mark.parametrize("options", [{"history": 3, "budget": 250_000, "weighed": True}, *seldom({})])
def test_keeps_the_contract(options):
    env = edgerl.make("LatentNAS-v0", **options)
    checked = edgerl.check_environment(env, num_steps=256)
    assert checked.terminated > 10
    assert checked.truncated > 0


def test_an_episode_by_hand(env):
    """Sets two coordinates and stops: rewards are changes of the score of what the latent decodes to."""
    models, p = factory.load_models(), env.default_params
    step, judge = jax.jit(env.step), jax.jit(lambda z: models.surrogate.of_genes(models.autoencoder.decode(z)))
    obs, state = env.reset(KEY)
    z = np.array(obs)
    scores = [0.0]
    for action in (8 * 3 + 5, 8 * 13 + 0):
        z[action % 8] = np.asarray(models.autoencoder.codebook)[action // 8, action % 8]
        obs, state, reward, terminated, truncated, _ = step(KEY, state, jnp.int32(action))
        np.testing.assert_array_equal(obs, z)
        made = judge(z)
        scores.append(float(made.accuracy - made.uncertainty))
        assert reward == pytest.approx(scores[-1] - scores[-2], abs=1e-5)
        assert not terminated
        assert not truncated
    obs, state, reward, terminated, truncated, _ = step(KEY, state, jnp.int32(STOP))
    np.testing.assert_array_equal(obs, z)
    assert (float(reward), bool(terminated), bool(truncated)) == (0, True, False)
    assert env.score(z, p) == pytest.approx(scores[-1], abs=1e-5)


def test_many_latents_at_once_score_as_one_by_one(env, scored):
    """Also where some lanes have networks of their own."""
    p = env.default_params
    latents = 2 * jax.random.normal(KEY, (50, 8))
    score = jax.jit(env.score)
    np.testing.assert_allclose(scored(latents), [score(z, p) for z in latents], atol=1e-6)
    turned = jax.tree.map(lambda x: -jnp.asarray(x), p.decoder)
    both = jax.tree.map(lambda x, y: jnp.stack([x, y]), p.decoder, turned)
    axes = p.replace(**{**dict.fromkeys(vars(p)), "decoder": 0})
    mixed = jax.jit(jax.vmap(lambda q, z: env.score(z, q), in_axes=(axes, None)))(p.replace(decoder=both), latents[0])
    np.testing.assert_allclose(mixed, [score(latents[0], q) for q in (p, p.replace(decoder=turned))], atol=1e-6)


def test_the_clock_truncates_and_stopping_at_the_last_moment_terminates(env):
    _, state = env.reset(KEY)
    step = jax.jit(env.step)
    late = dataclasses.replace(state, time=jnp.int32(199))
    for action, ends in ((0, (False, True)), (STOP, (True, False))):
        *_, terminated, truncated, _ = step(KEY, late, jnp.int32(action))
        assert (bool(terminated), bool(truncated)) == ends


def test_history_and_step_cost():
    env = edgerl.make("LatentNAS-v0", history=3)
    params = env.default_params.replace(step_cost=0.25)
    obs, state = env.reset(KEY)
    assert obs[8:].tolist() == [-1, -1, -1]
    for action in (5, 56):
        obs, state, *_ = env.step(KEY, state, jnp.int32(action), params)
    np.testing.assert_allclose(obs[8:], [0.5, 5 / 112, -1])
    free = env.step(KEY, state, jnp.int32(7))[2]
    assert env.step(KEY, state, jnp.int32(7), params)[2] == pytest.approx(float(free) - 0.25, abs=1e-6)
    assert env.step(KEY, state, jnp.int32(STOP), params)[2] == 0


def test_shaped_rewards_by_hand():
    """They add up to the logarithm of how much nearer to the target the last score is, less what the steps cost."""
    env = factory.from_models(factory.load_models(), step_cost=0.1, shaped=True)
    p = env.default_params
    _, start = env.reset(KEY)
    state, total = start, 0.0
    for action in (5, 56, STOP):
        _, state, reward, *_ = env.step(KEY, state, jnp.int32(action))
        total += float(reward)
    missing = [p.target - float(env.score(x.latent, p)) + 3e-4 for x in (start, state)]
    assert total == pytest.approx(np.log(missing[0] / missing[1]) - 0.2, abs=1e-3)
    assert missing[0] > 3e-4


def test_shaped_rewards_of_weighed_objectives_are_changes_of_the_score():
    env = factory.from_models(factory.load_models(), weighed=True, shaped=True)
    p = env.default_params
    _, start = env.reset(KEY)
    _, state, reward, *_ = jax.jit(env.step)(KEY, start, jnp.int32(5))
    scores = [float(env.score(x.latent, p, start.weights)) for x in (start, state)]
    assert float(reward) == pytest.approx(scores[1] - scores[0], abs=1e-5)


def test_a_budget_costs_what_is_beyond_it():
    env, tight = edgerl.make("LatentNAS-v0"), edgerl.make("LatentNAS-v0", budget=250_000)
    p = tight.default_params
    genes = np.asarray(jax.jit(jax.vmap(space.sample))(jax.random.split(KEY, 50)))
    excess = np.maximum(np.log10(space.parameter_count(genes.astype(np.int64)) / 250_000), 0)
    plain, made = (jax.jit(jax.vmap(lambda g, e=e: baselines.score_genes(e, p, g)))(genes) for e in (env, tight))
    np.testing.assert_allclose(made, plain - 0.5 * excess, atol=1e-4)
    assert excess.max() > 1


def test_weights_of_objectives():
    env = edgerl.make("LatentNAS-v0", weighed=True)
    obs, _ = jax.jit(jax.vmap(env.reset))(jax.random.split(KEY, 4000))
    weights = np.asarray(obs[:, 8:])
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(weights.mean(0), 1 / 3, atol=0.02)
    np.testing.assert_allclose(weights.var(0), 1 / 18, atol=0.01)  # uniform on the simplex
    z, p = obs[0, :8], env.default_params
    genes = factory.load_models().autoencoder.decode(z)
    made = p.surrogate.of_genes(genes)
    size = np.log10(float(space.parameter_count(np.asarray(genes, np.int64))))
    for i, part in enumerate((made.accuracy - made.uncertainty, (8 - size) / 4, 1 - made.avm / 10)):
        assert env.score(z, p, jnp.eye(3)[i]) == pytest.approx(float(part), abs=1e-4)


@pytest.mark.parametrize("options", [{"history": -1}, {"budget": 0}, {"budget": float("nan")}])
def test_options_out_of_range(options):
    with pytest.raises(edgerl.UserError, match=next(iter(options))):
        edgerl.make("LatentNAS-v0", **options)


@pytest.fixture(scope="module")
def walks(env):
    return walk(env, edgerl.random_policy(env), KEY, count=64)


def test_what_an_episode_earns_is_its_last_score(env, walks, scored):
    found = architectures(env, walks)
    np.testing.assert_allclose(scored(walks.latents[-1]), [one["score"] for one in found], atol=1e-5)
    assert all(one["buildable"] for one in found)
    assert (walks.steps <= 200).all()
    assert walks.stopped.any()
    np.testing.assert_array_equal(walks.stopped, walks.steps < 200)


@pytest.fixture(scope="module")
def ascents(env):
    """(scores, latents) of coordinate ascent."""
    return baselines.ascent(env, env.default_params, KEY, starts=16)


def test_searches_improve_on_a_random_start_and_stay_below_the_bound(env, scored, ascents):
    p = env.default_params
    once = float(scored(jax.random.normal(KEY, (1000, 8))).mean())
    for search in (baselines.random_search, baselines.greedy_search, baselines.evolution):
        found = search(env, p, KEY, 150, 20)
        assert found.mean() > once
        assert found.max() < ascents[0].max() + 0.01


def test_nothing_found_is_better_than_the_best_of_the_whole_space(env, scored, ascents):
    """The shipped surrogate sees of a network M, whether a block widens four times, and the first channels."""
    p = env.default_params
    assert p.surrogate.parts == {"widen"}
    nets = []
    for blocks, widen, channels in itertools.product(range(1, 6), (1, 4), range(8, 129)):
        genes = np.where(space.active(np.full(22, blocks)), 1, 0)
        genes[[0, 1, *space.WIDEN[:blocks]]] = channels, blocks, *[widen] * blocks
        nets.append(genes)
    assert space.buildable(np.array(nets)).all()
    best = float(jax.jit(jax.vmap(lambda g: baselines.score_genes(env, p, g)))(np.array(nets)).max())
    scores, latents = ascents
    assert best - 1e-3 < float(scores.max()) <= best + 1e-6
    neighbours = jax.vmap(lambda a: baselines._moved(latents[0], a, p))(jnp.arange(STOP))
    assert float(scored(neighbours).max()) <= float(scores[0]) + 1e-6
    np.testing.assert_allclose(scored(latents), scores, atol=1e-5)


def test_bayesian_optimisation(env, scored):
    pytest.importorskip("optuna", reason="Optuna (the extra `search`) is not installed")
    found = bayesian.bayesian_search(env, 25, 2)
    assert found.shape == (2,)
    assert 0.6 < found.min() <= found.max() < 1
    np.testing.assert_array_equal(found, bayesian.bayesian_search(env, 25, 2))


def test_the_exhaustive_bound_is_the_best_of_all(env):
    """With three codes instead of fourteen: 3^8 latents."""
    p = env.default_params.replace(codebook=env.default_params.codebook[::6])
    every = np.array(list(itertools.product(range(3), repeat=8)))
    latents = np.asarray(p.codebook)[every, np.arange(8)]
    scores = jax.jit(jax.vmap(lambda z: env.score(z, p)))(latents)
    score, latent = best_of_codes(env, p)
    assert score == pytest.approx(float(scores.max()), abs=1e-5)
    assert env.score(latent, p) == pytest.approx(float(score), abs=1e-5)


def test_repeated_walks_use_up_their_evaluations(env, walks, scored):
    """With one evaluation: the network after the first action of a walk, or the start's where it stopped at once."""
    first = walks.latents[np.minimum(walks.steps, 1), np.arange(len(walks.steps))]
    scores = np.asarray(scored(first))
    once = repeated(env, walks, 1, 2000)
    assert np.isin(once, scores).all()
    assert once.mean() == pytest.approx(scores.mean(), abs=0.02)
    assert scores.max() <= repeated(env, walks, 1000, 10).min()
