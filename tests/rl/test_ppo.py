"""PPO on probe environments whose answers are known, and as a compiled program."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import Probe, ProbeParams
from variants import seldom

import edgerl
from edgerl import Box
from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig
from edgerl.rl.make_networks import make_networks

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

DISCOUNT = 0.9
CONFIG = PPOConfig(
    num_updates=80,
    num_envs=16,
    num_steps=16,
    epochs=4,
    num_minibatches=2,
    hidden_sizes=(16,),
    learning_rate=2e-2,
    discount=DISCOUNT,
    adam_b2=0.99,
    max_grad_norm=5.0,
    entropy_coefficient=0.0,
)
PROBES = {
    "constant reward": ProbeParams(constant=1.0),
    "value depends on the observation": ProbeParams(by_sign=1.0),
    "reward at the second step": ProbeParams(at_end=1.0, length=2, shows_time=True),
    "reward depends on the action": ProbeParams(by_action=1.0),
    "reward depends on action and observation": ProbeParams(by_both=1.0),
    "time limit": ProbeParams(constant=1.0, length=5, truncates=True),
    "termination": ProbeParams(constant=1.0, length=5, truncates=False, shows_time=True),
}


@functools.cache
def trained():
    """All probes in one call: the environment's parameters are vmapped."""
    params = jax.tree.map(lambda *x: jnp.stack([jnp.asarray(v) for v in x]), *PROBES.values())
    states, _ = jax.vmap(lambda p: ppo.train(Probe(), CONFIG, jax.random.key(0), p))(params)
    networks = make_networks(Probe(), CONFIG)
    leaves, tree = jax.tree.flatten(states.params)
    return {name: (networks, tree.unflatten([x[i] for x in leaves])) for i, name in enumerate(PROBES)}


def value(name, sign, time=0):
    networks, params = trained()[name]
    return float(networks.values(params, jnp.array([sign, time], jnp.float32)))


def action(name, sign):
    networks, params = trained()[name]
    return int(networks.greedy(params)(None, jnp.array([sign, 0.0])))


@pytest.mark.parametrize("sign", [1, *seldom(-1)])
class TestProbes:
    def test_constant_reward(self, sign):
        assert value("constant reward", sign) == pytest.approx(1, abs=0.05)

    def test_value_depends_on_the_observation(self, sign):
        assert value("value depends on the observation", sign) == pytest.approx(sign, abs=0.05)

    def test_discounting_over_two_steps(self, sign):
        assert value("reward at the second step", sign, 1) == pytest.approx(1, abs=0.05)
        assert value("reward at the second step", sign, 0) == pytest.approx(DISCOUNT, abs=0.05)

    def test_action(self, sign):
        assert action("reward depends on the action", sign) == 1
        assert value("reward depends on the action", sign) == pytest.approx(1, abs=0.1)

    def test_action_and_observation(self, sign):
        assert action("reward depends on action and observation", sign) == (1 if sign > 0 else 0)
        assert value("reward depends on action and observation", sign) == pytest.approx(1, abs=0.1)

    def test_a_time_limit_is_not_the_end(self, sign):
        assert value("time limit", sign) == pytest.approx(1 / (1 - DISCOUNT), rel=0.05)

    @pytest.mark.parametrize("time", range(5))
    def test_a_termination_is_the_end(self, sign, time):
        left = (1 - DISCOUNT ** (5 - time)) / (1 - DISCOUNT)
        assert value("termination", sign, time) == pytest.approx(left, rel=0.08)


class Slow(Probe):
    """A probe that says itself what the future of a step is worth."""

    def step(self, *arguments):
        *others, info = super().step(*arguments)
        return *others, {**info, "discount": jnp.float32(0.5)}


def test_an_environment_may_say_what_the_future_is_worth():
    state, _ = ppo.train(Slow(), CONFIG, jax.random.key(0), PROBES["reward at the second step"])
    networks = make_networks(Slow(), CONFIG)
    first, second = (float(networks.values(state.params, jnp.array([1.0, t], jnp.float32))) for t in (0, 1))
    assert (first, second) == (pytest.approx(0.5, abs=0.05), pytest.approx(1, abs=0.05))


SMALL = CONFIG.replace(num_updates=3, num_envs=4, num_steps=8)


def test_same_key_same_bits():
    first, second = (ppo.train(Probe(), SMALL, jax.random.key(3))[0] for _ in range(2))
    assert np.array_equal(*(jax.flatten_util.ravel_pytree(state.params)[0] for state in (first, second)))
    other = ppo.train(Probe(), SMALL, jax.random.key(4))[0]
    assert not np.array_equal(*(jax.flatten_util.ravel_pytree(state.params)[0] for state in (first, other)))


@pytest.mark.long
def test_seeds_rates_and_rewards_vmap_to_what_single_runs_give():
    rates, rewards, keys = jnp.array([1e-3, 1e-2]), jnp.array([0.5, 2.0]), jax.random.split(jax.random.key(0), 2)

    def run(rate, reward, key):
        env_params = ProbeParams(by_both=reward)
        return ppo.train(Probe(), SMALL.replace(learning_rate=rate), key, env_params)[1]

    together = jax.vmap(run)(rates, rewards, keys)
    for i in range(2):
        alone = run(rates[i], rewards[i], keys[i])
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][i], values, rtol=2e-3, atol=2e-4, err_msg=name)
    assert not np.allclose(together["loss"][0], together["loss"][1])


def test_train_is_traced_once_for_all_rates_and_keys():
    chex.clear_trace_counter()
    traced = jax.jit(chex.assert_max_traces(lambda c, k: ppo.train(Probe(), c, k)[1], n=1))
    for seed in range(3):
        traced(SMALL.replace(learning_rate=jnp.float32(1e-3 * seed)), jax.random.key(seed))
    size = ppo.train._cache_size()
    for seed in range(3):
        ppo.train(Probe(), SMALL.replace(learning_rate=1e-3 * seed, num_updates=2), jax.random.key(seed))
    assert ppo.train._cache_size() == size + 1


def test_train_is_init_and_updates():
    whole, metrics = ppo.train(Probe(), SMALL, jax.random.key(0))
    state = ppo.init(Probe(), SMALL, jax.random.key(0))
    update = jax.jit(lambda state: ppo.update(Probe(), SMALL, state))
    for i in range(SMALL.num_updates):
        state, row = update(state)
        np.testing.assert_allclose(row["loss"], metrics["loss"][i], rtol=1e-4, atol=1e-5)
    a, b = (jax.flatten_util.ravel_pytree(s.params)[0] for s in (whole, state))
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_metrics_of_episodes():
    _, metrics = ppo.train(Probe(), SMALL, jax.random.key(0), ProbeParams(constant=1.0, length=4))
    np.testing.assert_array_equal(metrics["episodes"], 4 * 8 / 4)
    np.testing.assert_array_equal(metrics["episode_return"], 4)
    np.testing.assert_array_equal(metrics["episode_length"], 4)
    _, metrics = ppo.train(Probe(), SMALL, jax.random.key(0), ProbeParams(length=1000))
    assert np.isnan(metrics["episode_return"]).all()


@pytest.mark.parametrize(
    ("schedule", "rates"), [("constant", [1, 1, 1]), ("linear", [1, 0.5, 0]), ("cosine", [1, 0.5, 0])]
)
def test_schedules_fall_to_zero_over_the_whole_training(schedule, rates):
    config = SMALL.replace(schedule=schedule, num_updates=2, epochs=1, num_minibatches=1, max_grad_norm=1e9)
    optimise = ppo.optimiser(config)
    state = optimise.init(jnp.zeros(1))
    for rate in rates:
        change, state = optimise.update(jnp.ones(1), state)
        np.testing.assert_allclose(-change[0], config.learning_rate * rate, rtol=1e-3, atol=1e-9)


def test_the_gradient_is_clipped():
    # Adam's first step hides the gradient's size but for its epsilon, 1e-5.
    config = SMALL.replace(max_grad_norm=1e-5, schedule="constant")
    optimise = ppo.optimiser(config)
    change, _ = optimise.update(jnp.full(1, 1e3), optimise.init(jnp.zeros(1)))
    np.testing.assert_allclose(-change[0], config.learning_rate / 2, rtol=1e-3)


def test_minibatches_that_do_not_fit():
    with pytest.raises(edgerl.UserError, match=r"num_envs \* num_steps = 4 \* 8 = 32 .* num_minibatches = 5"):
        ppo.train(Probe(), SMALL.replace(num_minibatches=5), jax.random.key(0))


def test_observation_scale_that_does_not_fit():
    with pytest.raises(edgerl.UserError, match="observation_scale has 3 numbers; Probe-v0 observes 2"):
        ppo.init(Probe(), SMALL.replace(observation_scale=(1.0, 2.0, 3.0)), jax.random.key(0))


@dataclasses.dataclass(frozen=True)
class Target:
    """The action is worth its squared distance from twice the observed sign, or from beyond the box."""

    at: tuple[float, float]
    id: str = "Target-v0"
    default_params: ProbeParams = dataclasses.field(default_factory=ProbeParams)

    def observation_space(self, params=None):
        return Box(-1.0, 1.0, (1,))

    def action_space(self, params=None):
        return Box(-1.0, 4.0, ())

    def reset(self, key, params=None):
        sign = jnp.where(jax.random.bernoulli(key), 1.0, -1.0)
        return sign[None], sign

    def step(self, key, state, action, params=None):
        target = jnp.where(state > 0, self.at[1], self.at[0])
        return state[None], state, -jnp.square(action - target), jnp.bool_(True), jnp.bool_(False), {}


@pytest.mark.parametrize(("at", "best"), [((0.0, 3.0), (0.0, 3.0)), ((-9.0, 9.0), (-1.0, 4.0))])
def test_continuous_actions_find_the_best_one_inside_and_at_the_ends(at, best):
    config = CONFIG.replace(value_scale=5.0, num_updates=60)
    state, _ = ppo.train(Target(at), config, jax.random.key(0))
    policy = ppo.greedy_policy(Target(at), config, state)
    found = [float(policy(None, jnp.array([sign]))) for sign in (-1.0, 1.0)]
    np.testing.assert_allclose(found, best, atol=0.15)
