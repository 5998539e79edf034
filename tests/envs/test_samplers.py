"""Every sampler of `jax.random` works inside an environment, with the fast generator and with JAX's own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Walk

import edgerl
from edgerl.envs import prng
from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig

SAMPLERS = {
    "ball": lambda k: jax.random.ball(k, 3),
    "bernoulli": lambda k: jax.random.bernoulli(k, 0.3),
    "beta": lambda k: jax.random.beta(k, 2.0, 3.0),
    "binomial": lambda k: jax.random.binomial(k, 10, 0.3),
    "bits": lambda k: jax.random.bits(k) >> 8,
    "categorical": lambda k: jax.random.categorical(k, jnp.zeros(4)),
    "cauchy": lambda k: jnp.arctan(jax.random.cauchy(k)),
    "chisquare": lambda k: jax.random.chisquare(k, 3.0),
    "choice": lambda k: jax.random.choice(k, 5, (3,), replace=False),
    "dirichlet": lambda k: jax.random.dirichlet(k, jnp.ones(3)),
    "double_sided_maxwell": lambda k: jax.random.double_sided_maxwell(k, 0.0, 1.0),
    "exponential": lambda k: jax.random.exponential(k),
    "f": lambda k: jax.random.f(k, 9.0, 9.0),
    "gamma": lambda k: jax.random.gamma(k, 2.0),
    "generalized_normal": lambda k: jax.random.generalized_normal(k, 2.0),
    "geometric": lambda k: jax.random.geometric(k, 0.3),
    "gumbel": lambda k: jax.random.gumbel(k),
    "laplace": lambda k: jax.random.laplace(k),
    "loggamma": lambda k: jax.random.loggamma(k, 2.0),
    "logistic": lambda k: jax.random.logistic(k),
    "lognormal": lambda k: jax.random.lognormal(k, 0.3),
    "maxwell": lambda k: jax.random.maxwell(k),
    "multinomial": lambda k: jax.random.multinomial(k, 5, jnp.ones(3) / 3),
    "multivariate_normal": lambda k: jax.random.multivariate_normal(k, jnp.zeros(2), jnp.eye(2)),
    "normal": lambda k: jax.random.normal(k),
    "orthogonal": lambda k: jax.random.orthogonal(k, 2),
    "pareto": lambda k: jax.random.pareto(k, 9.0),
    "permutation": lambda k: jax.random.permutation(k, 5)[:2],
    "poisson": lambda k: jax.random.poisson(k, 3.0),
    "poisson, many": lambda k: jax.random.poisson(k, 30.0),
    "rademacher": lambda k: jax.random.rademacher(k),
    "randint": lambda k: jax.random.randint(k, (), 0, 9),
    "rayleigh": lambda k: jax.random.rayleigh(k, 1.0),
    "t": lambda k: jax.random.t(k, 9.0),
    "triangular": lambda k: jax.random.triangular(k, 0.0, 0.5, 1.0),
    "truncated_normal": lambda k: jax.random.truncated_normal(k, -1.0, 1.0),
    "uniform": lambda k: jax.random.uniform(k),
    "wald": lambda k: jax.random.wald(k, 1.0),
    "weibull_min": lambda k: jax.random.weibull_min(k, 1.0, 2.0),
}
KEYS = {"PRNGKey", "clone", "fold_in", "key", "key_data", "key_dtype", "key_impl", "split", "wrap_key_data"}
DRAWS = 4000


def test_the_list_is_jaxs():
    public = {n for n in dir(jax.random) if not n.startswith("_") and callable(getattr(jax.random, n))}
    assert {name.split(",")[0] for name in SAMPLERS} == public - KEYS


def _flat(name):
    def draw(key):
        return jnp.ravel(jnp.asarray(SAMPLERS[name](key), jnp.float32))[:1][0]

    return jax.jit(jax.vmap(draw))


@pytest.mark.parametrize("name", SAMPLERS)
def test_both_generators_draw_from_one_distribution(name, quick_compile):
    draws = []
    for kind in prng.GENERATORS:
        key = prng.derive(jax.random.key(1), kind)
        assert jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
        draws.append(np.asarray(_flat(name)(jax.random.split(key, DRAWS)), np.float64))
    ours, theirs = draws
    assert np.isfinite(ours).all()
    for power in (1, 2):
        a, b = ours**power, theirs**power
        assert abs(a.mean() - b.mean()) < 5 * np.hypot(a.std(), b.std()) / DRAWS**0.5 + 1e-6


@dataclasses.dataclass(frozen=True)
class Drawing(Walk):
    """A walk whose every step also draws from some samplers, and pays what it drew."""

    names: tuple[str, ...] = ()

    def step(self, key, state, action, params=None):
        obs, state, _, *rest = super().step(key, state, action, params)
        drawn = [jnp.ravel(jnp.asarray(SAMPLERS[n](key), jnp.float32))[0] for n in self.names]
        return obs, state, sum(drawn) / len(drawn), *rest


NAMES = sorted(SAMPLERS)
GROUPS = [tuple(NAMES[i::4]) for i in range(4)]


@pytest.mark.long
@pytest.mark.parametrize("group", GROUPS, ids=[g[0] for g in GROUPS])
@pytest.mark.parametrize("kind", prng.GENERATORS)
def test_samplers_inside_a_simulated_environment(group, kind, quick_compile):
    env = Drawing(names=group)
    options = {"num_envs": 8, "num_steps": 25, "generator": kind, "trajectory": True}
    record = edgerl.simulate(env, edgerl.random_policy(env), jax.random.key(0), **options).trajectory
    assert np.isfinite(record.reward).all()
    assert len(np.unique(record.reward)) > 50


@pytest.mark.long
def test_poisson_demand_everywhere(quick_compile):
    env = Drawing(names=("poisson",))
    stats = edgerl.simulate(env, edgerl.random_policy(env), jax.random.key(0), num_envs=64, num_steps=200)
    assert stats.returns.mean / stats.lengths.mean == pytest.approx(3, rel=0.05)
    assert edgerl.check_environment(env, num_steps=32).steps == 512
    config = PPOConfig(num_updates=1, num_envs=8, num_steps=64, num_minibatches=1, hidden_sizes=(4,))
    metrics = ppo.train(env, config, jax.random.key(0))[1]
    assert float(metrics["episode_return"][0] / metrics["episode_length"][0]) == pytest.approx(3, rel=0.2)
    adapted = edgerl.to_gymnasium(env)
    adapted.reset(seed=0)
    rewards = [adapted.step(1)[1] for _ in range(5)]
    assert all(reward == int(reward) >= 0 for reward in rewards)
