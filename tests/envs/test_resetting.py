"""Environments whose `step` resets without telling are refused by everything that plays or trains; others are not."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from environments import Walk
from flax import struct

import edgerl
from edgerl import UserError
from edgerl.envs.conformance_case import ConformanceError
from edgerl.envs.resetting import resets_itself
from edgerl.envs.spaces import Box, Discrete
from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run.runner import train_run

KEY = jax.random.key(0)
SMALL = PPOConfig(num_updates=1, num_envs=4, num_steps=8, num_minibatches=1, hidden_sizes=(4,))


@struct.dataclass
class State:
    """Of all environments here; each uses what it needs."""

    x: jax.Array
    time: jax.Array
    first: jax.Array
    key: jax.Array


@struct.dataclass
class Params:
    limit: int = 12


@dataclasses.dataclass(frozen=True)
class Plain:
    """A value that moves by up to one a step, for `limit` steps or until it leaves -3 to 3, and keeps the contract."""

    id: str = "Plain-v0"
    width: float = 0.5  # of the starts

    @property
    def default_params(self):
        return Params()

    def reset(self, key, params=None):
        x = self.width * jax.random.uniform(key, (), minval=-1.0)
        state = State(x, jnp.int32(0), x, jax.random.key_data(key).astype(jnp.uint32)[:2])
        return x[None], state

    def step(self, key, state, action, params=None):
        params = params or self.default_params
        later = state.replace(x=state.x + action - 1.0 + 0.1 * jax.random.normal(key), time=state.time + 1)
        terminated = jnp.abs(later.x) > 3
        truncated = (later.time >= params.limit) & ~terminated
        later = jax.tree.map(lambda a, b: jnp.where(terminated | truncated, a, b), self.last(key, later), later)
        return later.x[None], later, jnp.float32(1), terminated, truncated, {}

    def last(self, key, state):
        """The state after the end of an episode."""
        return state

    def observation_space(self, params=None):
        return Box(-float("inf"), float("inf"), (1,))

    def action_space(self, params=None):
        return Discrete(3)


class FromTheStepsKey(Plain):
    """As gymnax."""

    def last(self, key, state):
        return self.reset(key)[1]


class FromItsOwnKey(Plain):
    """A key in the state, as some wrappers have it."""

    def last(self, key, state):
        return self.reset(jax.random.wrap_key_data(state.key))[1]


class ToItsOwnStart(Plain):
    """As Brax: each lane goes back to where it first began."""

    def last(self, key, state):
        return state.replace(x=state.first, time=jnp.int32(0))


class OneStep(Plain):
    """Every step ends an episode: nothing to tell a start by. It is kept as it is."""

    def step(self, key, state, action, params=None):
        return state.x[None], state, jnp.float32(1), jnp.bool_(True), jnp.bool_(False), {}


class Home(Plain):
    """The last state is one and the same, whatever came before, but no start."""

    def last(self, key, state):
        return state.replace(x=jnp.float32(0), time=jnp.int32(99), first=jnp.float32(0), key=state.key * 0)


class Everywhere(Plain):
    """Without a clock, and with starts wherever an episode may go: only the step's key tells."""

    def reset(self, key, params=None):
        x = jax.random.uniform(key, (), minval=-3.0, maxval=3.0)
        return x[None], x

    def step(self, key, state, action, params=None):
        later = state + action - 1.0 + 0.1 * jax.random.normal(key)
        ended = jnp.abs(later) > 3
        later = jnp.where(ended, self.last(key, later), later)
        return later[None], later, jnp.float32(1), ended, jnp.bool_(False), {}


class EverywhereAnew(Everywhere):
    def last(self, key, state):
        return self.reset(key)[1]


RESETTING = [kind(width=width) for kind in (FromTheStepsKey, FromItsOwnKey, ToItsOwnStart) for width in (0.0, 0.5)] + [
    FromTheStepsKey(width=3.0),
    EverywhereAnew(),
]  # where starts lie everywhere, an end looks like one
KEEPING = [
    Everywhere(),
    Plain(),
    Plain(width=0.0),
    Plain(width=3.0),
    OneStep(),
    OneStep(width=0.0),
    Home(),
    Home(width=0.0),
    Walk(),
]


def name(env):
    return f"{type(env).__name__}-{getattr(env, 'width', '')}"


@pytest.mark.parametrize("env", RESETTING, ids=name)
def test_a_step_that_resets_is_seen(env):
    assert resets_itself(env, env.default_params)


@pytest.mark.parametrize("env", KEEPING, ids=name)
def test_a_step_that_does_not_is_left_alone(env):
    assert not resets_itself(env, env.default_params)


def test_whatever_plays_or_trains_refuses_it(tmp_path):
    env = FromTheStepsKey()
    uses = {
        "simulate": lambda: edgerl.simulate(env, edgerl.random_policy(Plain()), KEY, num_envs=4, num_steps=4),
        "ppo": lambda: ppo.train(env, SMALL, KEY),
        "train": lambda: train_run(env, RunConfig(ppo=SMALL), tmp_path / "run"),
        "to_gymnasium": lambda: edgerl.to_gymnasium(env),
    }
    for where, use in uses.items():
        with pytest.raises(UserError, match=f"{where}: Plain-v0: its step resets by itself: after the last step") as e:
            use()
        assert "\n" not in str(e.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConformanceError, match="no reset"):
        edgerl.check_environment(env, num_steps=16)


def test_the_parameters_given_decide():
    """Episodes without an end show nothing; with a limit, they do."""
    env, long = ToItsOwnStart(width=0.5), Params(limit=10**6)
    assert not resets_itself(Plain(width=0.5), long)
    assert resets_itself(env, Params(limit=3))
