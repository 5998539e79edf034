"""Wrappers of gymnax and a user's own through `from_gymnax`: what runs is the wrapper, its last step included."""

import copy
import functools
import pickle

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Fixed, FixedParams
from flax import struct
from gymnax.environments import environment, spaces
from gymnax.wrappers import FlattenObservationWrapper, LogWrapper, StickyActionWrapper
from gymnax.wrappers.purerl import GymnaxWrapper

import edgerl
from benchmarks.gymnax_parity import compare
from edgerl import AutoReset, from_gymnax
from edgerl.envs.spaces import Box, Discrete

jitted = functools.partial(jax.jit, static_argnames=("self",))


class Tick(environment.Environment):
    """Observes and pays its clock, for ten steps."""

    limit = 10

    @property
    def default_params(self):
        return environment.EnvParams(max_steps_in_episode=self.limit)

    def step_env(self, key, state, action, params):
        state = environment.EnvState(time=state.time + 1)
        return jnp.float32([state.time]), state, jnp.float32(state.time), jnp.array(False), {}

    def reset_env(self, key, params):
        return jnp.zeros(1), environment.EnvState(time=0)

    def action_space(self, params=None):
        return spaces.Discrete(2)

    def observation_space(self, params):
        return spaces.Box(0, params.max_steps_in_episode, (1,), jnp.float32)


class Doubled(GymnaxWrapper):
    """Twice the observation and a reward of the action; the space follows."""

    def observation_space(self, params):
        space = self._env.observation_space(params)
        return spaces.Box(2 * space.low, 2 * space.high, space.shape)

    @jitted
    def reset(self, key, params=None):
        obs, state = self._env.reset(key, params)
        return 2 * obs, state

    @jitted
    def step(self, key, state, action, params=None):
        obs, state, _, terminated, truncated, info = self._env.step(key, state, action, params)
        return 2 * obs, state, jnp.float32(action), terminated, truncated, info


class Early(Doubled):
    """Terminates at an observation of 4."""

    @jitted
    def step(self, key, state, action, params=None):
        obs, state, reward, _, truncated, info = self._env.step(key, state, action, params)
        return 2 * obs, state, reward, obs[0] == 4, truncated, info


class PaysMore(Tick):
    """A subclass with a step of its own."""

    @jitted
    def step(self, key, state, action, params=None):
        obs, state, reward, *rest = super().step(key, state, action, params)
        return obs, state, reward + 100, *rest


class OnHooks(Tick):
    """A wrapper in an environment's clothes: gymnax's own step calls its hooks."""

    def __init__(self, env):
        self.inner = env

    def step_env(self, key, state, action, params):
        obs, state, reward, terminated, _, info = self.inner.step(key, state, action, params)
        return -obs, state, -reward, terminated, info

    def observation_space(self, params):
        return spaces.Box(-100, 100, (1,), jnp.float32)


def _play(env, num_steps, action=1, params=None):
    """Observations, rewards and (terminated, truncated) of the first steps of an episode."""
    _, state = env.reset(jax.random.key(0), params)
    observations, rewards, flags = [], [], []
    step = jax.jit(env.step)
    for i in range(num_steps):
        obs, state, reward, *ends, info = step(jax.random.key(i), state, action, params)
        observations.append(obs.tolist()[0])
        rewards.append(float(reward))
        flags.append(tuple(map(bool, ends)))
        assert not {"terminated", "truncated", "final_observation"} & set(info)
    return observations, rewards, flags


@pytest.mark.parametrize(
    ("env", "scale", "reward"),
    [
        (Tick(), 1, lambda n: n),
        (Doubled(Tick()), 2, lambda n: 1),
        (LogWrapper(Doubled(Tick())), 2, lambda n: 1),
        (Doubled(LogWrapper(Tick())), 2, lambda n: 1),
        (Doubled(Doubled(Tick())), 4, lambda n: 1),
        (PaysMore(), 1, lambda n: n + 100),
        (OnHooks(Tick()), -1, lambda n: -n),
        (Doubled(OnHooks(PaysMore())), -2, lambda n: 1),
    ],
    ids=["none", "own", "log-own", "own-log", "twice", "subclass", "hooks", "nested"],
)
def test_the_wrappers_own_step_runs_and_the_last_observation_is_not_lost(env, scale, reward):
    adapted = from_gymnax(env)
    observations, rewards, flags = _play(adapted, 10)
    assert observations == [scale * n for n in range(1, 11)]
    assert rewards == [reward(n) for n in range(1, 11)]
    assert flags == [(False, False)] * 9 + [(False, True)]
    stats = edgerl.simulate(adapted, edgerl.random_policy(adapted), jax.random.key(0), num_envs=4, num_steps=30)
    assert (stats.episodes, stats.lengths.mean, stats.lengths.std) == (12, 10.0, 0.0)


def test_a_wrapper_may_end_an_episode_itself():
    assert _play(from_gymnax(Early(Tick())), 4)[2] == [(False, False)] * 3 + [(True, False)]


def test_spaces_and_parameters_are_the_wrappers():
    params = environment.EnvParams(max_steps_in_episode=3)
    env = from_gymnax(Doubled(Tick()))
    assert env.observation_space() == Box(0.0, 20.0, (1,))
    assert env.observation_space(params) == Box(0.0, 6.0, (1,))
    assert env.action_space() == Discrete(2)
    assert _play(env, 3, params=params)[2] == [(False, False)] * 2 + [(False, True)]
    flat = from_gymnax(FlattenObservationWrapper(gymnax.make("Catch-bsuite")[0]))
    assert flat.observation_space().shape == (50,)
    assert flat.reset(jax.random.key(0))[0].shape == (50,)


def test_a_sticky_action_is_the_last_one():
    """With probability 1, the action with which an episode begins: 0."""
    assert _play(from_gymnax(Doubled(StickyActionWrapper(Tick(), 1.0))), 3)[1] == [1.0] * 3
    assert _play(from_gymnax(StickyActionWrapper(Doubled(Tick()), 1.0)), 3)[1] == [0.0] * 3


def test_wrappers_around_an_environment_of_this_package():
    env = from_gymnax(LogWrapper(AutoReset(Fixed(default_params=FixedParams(5, 2.0)))))
    assert _play(env, 5) == ([1, 2, 3, 4, 5], [2.0] * 5, [(False, False)] * 4 + [(True, False)])


@pytest.mark.parametrize(
    ("name", "wrapper"),
    [
        ("Catch-bsuite", "Log(Sticky(Flatten))"),
        ("DeepSea-bsuite", "none"),
        ("PointRobot-misc", "a user's own"),
    ],
)
def test_means_are_those_of_gymnaxs_own_loop(name, wrapper):
    """All environments in all wrappers: `python -m benchmarks.gymnax_parity`."""
    row = compare(name, wrapper, num_envs=64, num_steps=200)
    assert row.refused == ""
    assert min(row.episodes) >= 100
    assert row.equal, row


def test_what_is_changed_later_is_another_environment():
    raw = Tick()
    raw.table, raw.options = np.zeros(2), {"depth": 1}
    first, again = from_gymnax(raw), from_gymnax(raw)
    assert first == again
    assert hash(first) == hash(again)
    raw.limit = 4
    changed = from_gymnax(raw)
    assert changed != first
    assert (first.default_params.max_steps_in_episode, changed.default_params.max_steps_in_episode) == (10, 4)
    del raw.limit
    assert from_gymnax(raw) == first
    raw.table[1] = 1
    assert from_gymnax(raw) != first
    raw.table[1], raw.options["depth"] = 0, 2
    assert from_gymnax(raw) != first


@struct.dataclass
class KeyState(environment.EnvState):
    key: jax.Array


class Keeps(Tick):
    """Keeps a random key in its state, and a clock that begins as an integer of another size."""

    def reset_env(self, key, params):
        return jnp.zeros(1), KeyState(time=jnp.int16(0), key=key)

    def step_env(self, key, state, action, params):
        obs, new, *rest = super().step_env(key, state, action, params)
        return obs, KeyState(time=jnp.int32(new.time), key=jax.random.split(state.key)[0]), *rest


def test_a_state_keeps_its_form():
    env = from_gymnax(LogWrapper(Keeps()))
    assert _play(env, 10) == _play(from_gymnax(Tick()), 10)
    state = env.reset(jax.random.key(0))[1]
    after = env.step(jax.random.key(0), state, 1)[1]
    assert [x.dtype for x in jax.tree.leaves(after)] == [x.dtype for x in jax.tree.leaves(state)]


class Scaled(GymnaxWrapper):
    """Equal to every other of its kind, which is false."""

    def __init__(self, env, factor):
        super().__init__(env)
        self.factor = factor

    def __eq__(self, other):
        return isinstance(other, Scaled)

    def __hash__(self):
        return 1

    @jitted
    def step(self, key, state, action, params=None):
        obs, state, reward, *rest = self._env.step(key, state, action, params)
        return obs, state, self.factor * reward, *rest


def test_wrappers_that_say_that_they_are_equal_share_nothing():
    inner = Tick()
    means = []
    for factor in (1.0, 2.0):
        env = from_gymnax(Scaled(inner, factor))
        stats = edgerl.simulate(env, edgerl.random_policy(env), jax.random.key(0), num_envs=2, num_steps=20)
        means.append(stats.returns.mean)
    assert means == [55.0, 110.0]


def test_an_adapted_wrapper_pickles_and_copies():
    env = from_gymnax(LogWrapper(Doubled(Tick())))
    for again in (pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert again.id == env.id
        assert _play(again, 10) == _play(env, 10)
