"""Searches that an agent is compared with, at equal numbers of surrogate evaluations, and bounds.

All maximise the environment's score, and all but `ascent` without objectives' weights. Each runs R times side by side
and answers with the best score of each run, float32 [R].
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.env import STOP, LatentNAS, LatentNASParams
from edgerl.tasks.latent_nas.models.model import CODES, LATENT, decode
from edgerl.tasks.latent_nas.table.space import HIGH, LOW, active, from_uniform, join, split
from edgerl.util.content import jit_by_content

POPULATION, TOURNAMENT = 50, 10
_SWEEPS = 20


@jit_by_content("env", "runs")
def random_search(
    env: LatentNAS, params: LatentNASParams, key: chex.PRNGKey, evaluations: int, runs: int
) -> chex.Array:
    """Latents from N(0, I), the best kept."""

    def one(i: chex.Array, best: chex.Array) -> chex.Array:
        latents = jax.random.normal(jax.random.fold_in(key, i), (runs, LATENT))
        return jnp.maximum(best, jax.vmap(lambda z: env.score(z, params))(latents))

    return jax.lax.fori_loop(0, evaluations, one, jnp.full(runs, -jnp.inf))


@jit_by_content("env", "runs")
def greedy_search(
    env: LatentNAS, params: LatentNASParams, key: chex.PRNGKey, evaluations: int, runs: int
) -> chex.Array:
    """From a random latent, looks at all 112 actions and takes the best; where none helps, starts anew.

    The last look is at as many actions, in random order, as evaluations are left.
    """

    def look(number: chex.Array, key: chex.PRNGKey, carry: tuple[chex.Array, ...]) -> tuple[chex.Array, ...]:
        latent, score, best = carry
        start_key, order_key = jax.random.split(jax.random.fold_in(key, number))
        # One evaluation of the latent itself and one of each neighbour.
        here = jnp.where(jnp.isfinite(score), score, env.score(latent, params))
        neighbours = jax.vmap(lambda a: _moved(latent, a, params))(jax.random.permutation(order_key, STOP))
        left = evaluations - number * (STOP + 1) - 1
        scores = jax.vmap(lambda z: env.score(z, params))(neighbours)
        scores = jnp.where(jnp.arange(STOP) < left, scores, -jnp.inf)
        top = jnp.argmax(scores)
        better = scores[top] > here
        best = jnp.maximum(best, jnp.maximum(here, scores[top]))
        fresh = jax.random.normal(start_key, (LATENT,))
        return jnp.where(better, neighbours[top], fresh), jnp.where(better, scores[top], -jnp.inf), best

    def one(key: chex.PRNGKey) -> chex.Array:
        start_key, key = jax.random.split(key)
        none = jnp.float32(-jnp.inf)
        start: tuple[chex.Array, ...] = (jax.random.normal(start_key, (LATENT,)), none, none)
        looks = (evaluations + STOP) // (STOP + 1)
        return jax.lax.fori_loop(0, looks, lambda i, carry: look(i, key, carry), start)[2]

    return jax.vmap(one)(jax.random.split(key, runs))


def evolution(env: LatentNAS, params: LatentNASParams, key: chex.PRNGKey, evaluations: int, runs: int) -> chex.Array:
    """Regularised evolution on genes: a parent wins a tournament, a gene of it changes, the oldest dies.

    Real et al., "Regularized Evolution for Image Classifier Architecture Search", 2019: population and tournament as
    theirs, scaled down (from 100 and 25) to fewer evaluations, and half of these at most for the first population.
    """
    population = max(min(POPULATION, evaluations // 2), 1)
    return _evolution(env, params, key, evaluations, runs, population)


@jit_by_content("env", "runs", "population")
def _evolution(
    env: LatentNAS, params: LatentNASParams, key: chex.PRNGKey, evaluations: int, runs: int, population: int
) -> chex.Array:
    tournament = max(min(TOURNAMENT, population // 2), 1)

    def child(number: chex.Array, key: chex.PRNGKey, carry: tuple[chex.Array, ...]) -> tuple[chex.Array, ...]:
        genes, scores, best = carry
        pick_key, mutate_key = jax.random.split(jax.random.fold_in(key, number))
        chosen = jax.random.randint(pick_key, (tournament,), 0, population)
        made = mutated(mutate_key, genes[chosen[jnp.argmax(scores[chosen])]])
        reached = score_genes(env, params, made)
        oldest = number % population
        return genes.at[oldest].set(made), scores.at[oldest].set(reached), jnp.maximum(best, reached)

    def one(key: chex.PRNGKey) -> chex.Array:
        start_key, key = jax.random.split(key)
        genes = from_uniform(jax.random.uniform(start_key, (population, 22)))
        scores = jax.vmap(lambda g: score_genes(env, params, g))(genes)
        start: tuple[chex.Array, ...] = (genes, scores, jnp.max(scores))
        return jax.lax.fori_loop(0, evaluations - population, lambda i, carry: child(i, key, carry), start)[2]

    return jax.vmap(one)(jax.random.split(key, runs))


def score_genes(env: LatentNAS, params: LatentNASParams, genes: chex.Array) -> chex.Array:
    """The score of genes int32 [22], float32 scalar. Unbatched."""
    return env.score_of(split(genes.astype(jnp.float32)), params)


def mutated(key: chex.PRNGKey, genes: chex.Array) -> chex.Array:
    """Genes [22] of which one that the network has is drawn anew; blocks that a larger M adds are random."""
    pick, *draws = jax.random.uniform(key, (3, 22))
    value, fresh = (jnp.asarray(LOW) + (draw * (HIGH - LOW + 1)).astype(jnp.int32) for draw in draws)
    gene = jnp.argmax(active(genes) * (1 + pick))
    changed = jnp.where(jnp.arange(22) == gene, value, genes)
    return jnp.where(active(changed), jnp.where(active(genes), changed, fresh), 0).astype(jnp.int32)


@jit_by_content("env", "starts")
def ascent(
    env: LatentNAS,
    params: LatentNASParams,
    key: chex.PRNGKey,
    starts: int = 512,
    weights: chex.Array | None = None,
) -> tuple[chex.Array, chex.Array]:
    """(scores [starts], latents [starts, 8]) from which no single action leads to a better score.

    Each starts at random codes; coordinate after coordinate takes the best of its 14 values, 20 times around at most.
    `weights`: of the objectives, float32 [3].
    """

    def sweep(_: int, carry: tuple[chex.Array, chex.Array]) -> tuple[chex.Array, chex.Array]:
        def coordinate(d: int, carry: tuple[chex.Array, chex.Array]) -> tuple[chex.Array, chex.Array]:
            latent, _ = carry
            tried = jax.vmap(lambda k: _moved(latent, k * LATENT + d, params))(jnp.arange(CODES))
            scores = jax.vmap(lambda z: env.score(z, params, weights))(tried)
            best = jnp.argmax(scores)
            return tried[best], scores[best]

        return jax.lax.fori_loop(0, LATENT, coordinate, carry)

    def one(key: chex.PRNGKey) -> tuple[chex.Array, chex.Array]:
        codes = jax.random.randint(key, (LATENT,), 0, CODES)
        latent = jnp.asarray(params.codebook)[codes, jnp.arange(LATENT)]
        latent, score = jax.lax.fori_loop(0, _SWEEPS, sweep, (latent, jnp.float32(0)))
        return score, latent

    return jax.vmap(one)(jax.random.split(key, starts))


def genes_of(params: LatentNASParams, latents: chex.Array) -> np.ndarray:
    """Genes int32 [N, 22] of latents [N, 8], as NumPy."""
    return np.asarray(jax.jit(jax.vmap(lambda z: join(decode(params.decoder, z))))(latents))


def _moved(latent: chex.Array, action: chex.Array, params: LatentNASParams) -> chex.Array:
    """The latent [8] after an action below 112."""
    return jnp.where(jnp.arange(LATENT) == action % LATENT, jnp.ravel(jnp.asarray(params.codebook))[action], latent)
