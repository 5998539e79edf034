"""What users hand to `simulate` and to training is checked at the door: the right value, or one line."""

import dataclasses
from typing import Any

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Fixed, FixedParams, Walk
from flax import struct

import edgerl
from edgerl import UserError
from edgerl.envs.policy import MLPPolicy
from edgerl.envs.spaces import Box, Discrete
from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig

KEY = jax.random.key(0)
SMALL = PPOConfig(num_updates=1, num_envs=4, num_steps=8, num_minibatches=1, hidden_sizes=(4,))
WALK = Walk()


def play(env=WALK, policy=None, **options):
    policy = policy or edgerl.random_policy(Walk())
    return edgerl.simulate(env, policy, KEY, **{"num_envs": 4, "num_steps": 21, **options})


def network(features, actions):
    return MLPPolicy((np.ones((features, actions), np.float32),), (np.ones(actions, np.float32),))


def refused(call):
    """The line with which a call is refused."""
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_id_is_made():
    assert play("CartPole-v1", edgerl.random_policy("CartPole-v1"), num_steps=100).episodes > 4
    assert edgerl.check_environment("CartPole-v0", num_steps=16).steps == 256


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Walk, "Walk is not an environment of EdgeRL: it is a class; make one: Walk()"),
        (lambda: Walk(), "it is a function"),
        ((Walk(), None), "it is a tuple, as gymnax.make returns it"),
        (edgerl.AutoReset(Walk()), "it resets by itself; pass the environment in it"),
        (gymnax.make("CartPole-v1")[0], "it is gymnax's, whose step resets by itself; pass edgerl.from_gymnax(env)"),
        (gymnasium.make("CartPole-v1"), "it is Gymnasium's"),
        ("CartPole-v7", "unknown environment 'CartPole-v7'; did you mean"),
        (7, "int is no environment: it has no id, default_params"),
    ],
)
def test_what_is_no_environment_is_refused(given, says):
    assert says in refused(lambda: play(given))
    if not isinstance(given, edgerl.AutoReset):
        assert says in refused(lambda: edgerl.random_policy(given))


class Methodical(Walk):
    def __init__(self):
        pass

    id = "Methodical-v0"

    def default_params(self):
        return FixedParams()


def test_default_params_as_a_method():
    assert "its default_params is a method" in refused(lambda: play(Methodical()))


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (
            lambda key, obs: jnp.array([1]),
            "the policy answers int32[1]; Walk-v0 takes an integer scalar of Discrete(n=3)",
        ),
        (lambda key, obs: jnp.float32(1), "the policy answers float32[]"),
        (lambda key, obs: (jnp.int32(1), None), "the policy answers a tuple"),
        (lambda key, obs: None, "the policy answers a NoneType"),
        (lambda obs: 1, "policy(key, obs) cannot be traced (TypeError"),
        (lambda key, obs: int(obs[0]), "policy(key, obs) cannot be traced (ConcretizationTypeError"),
        (lambda key, obs: key[0], "keys are typed, as jax.random.key's"),
        (lambda key, obs: jnp.int32(7), "the policy answered action 7 outside Discrete(n=3) in 4 of 4 environments"),
        (lambda key, obs: jnp.where(obs[0] < 1e9, -2, 0), "action -2 outside Discrete(n=3)"),
        (lambda key, obs: jnp.uint32(2**32 - 1), "action -1 outside Discrete(n=3)"),
        ("left", "the policy is a str"),
        (
            MLPPolicy((np.ones((1, 5), np.float32),), (np.ones(5, np.float32),)),
            "decides among 5 actions; Walk-v0 has 3",
        ),
        (
            MLPPolicy((np.ones((2, 3), np.float32),), (np.ones(3, np.float32),)),
            "takes 2 features; Walk-v0 observes (1,)",
        ),
    ],
)
def test_a_policy_that_does_not_fit_is_refused(policy, says):
    assert says in refused(lambda: play(policy=policy))


def test_a_policy_that_leaves_the_space_once_is_refused():
    def policy(key, obs):
        return jnp.where(jax.random.uniform(key) < 0.01, 3, 0)

    assert "action 3 outside" in refused(lambda: play(policy=policy, num_envs=64, num_steps=100))


@pytest.mark.parametrize("action", [1, np.int64(1), True, jnp.uint8(1), jnp.int8(1)])
def test_whole_numbers_of_any_type_are_actions(action):
    still = play(policy=lambda key, obs: action, num_steps=200)
    assert still == play(policy=lambda key, obs: jnp.int32(1), num_steps=200)


@struct.dataclass
class _Torque(FixedParams):
    length: int = 5


class Torque(Fixed):
    """Pays the action, of two numbers."""

    def action_space(self, params=None):
        return Box(-1.0, (1.0, 2.0), (2,))

    def step(self, key, state, action, params=None):
        obs, state, _, *rest = super().step(key, state, action, params)
        return obs, state, action.sum(), *rest


TORQUE = Torque(default_params=_Torque())


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16, jnp.int32])
def test_continuous_actions(dtype):
    stats = play(TORQUE, lambda key, obs: jnp.ones(2, dtype))
    assert stats.returns.mean == 10


@pytest.mark.parametrize("action", [[1.0, 2.5], [np.nan, 0], [-np.inf, 0]])
def test_continuous_actions_outside_their_bounds_are_refused(action):
    assert "the policy answered an action, or NaN, outside Box" in refused(
        lambda: play(TORQUE, lambda key, obs: jnp.array(action, jnp.float32))
    )
    assert "answers float32[3]" in refused(lambda: play(TORQUE, lambda key, obs: jnp.zeros(3)))


@dataclasses.dataclass(frozen=True)
class Odd(Walk):
    """A walk with something odd in what `step` returns, by its place: a function of the right value."""

    place: int = 2
    change: Any = dataclasses.field(default=None)

    def step(self, key, state, action, params=None):
        result = list(super().step(key, state, action, params))
        result[self.place] = self.change(result[self.place])
        return tuple(result)


@pytest.mark.parametrize(
    ("place", "change", "says"),
    [
        (2, lambda x: x[None], "Walk-v0: reward is float32[1]; expected a float32 scalar"),
        (3, lambda x: x.astype(jnp.float32), "terminated is float32[]; expected a bool scalar"),
        (4, lambda x: x[None], "truncated is bool[1]; expected a bool scalar"),
        (0, lambda x: x.astype(jnp.int32), "observation is float32[1] from reset and int32[1] from step"),
        (
            1,
            lambda x: dataclasses.replace(x, time=x.time + 0.5),
            "state.time is int32[] from reset and float32[] from step",
        ),
        (5, lambda x: {"final_observation": jnp.zeros(1)}, "its step resets by itself (info has 'final_observation')"),
    ],
)
def test_what_step_returns_is_checked(place, change, says):
    env = Odd(place=place, change=change)
    assert says in refused(lambda: play(env))
    assert says in refused(lambda: ppo.train(env, SMALL, KEY))


@pytest.mark.parametrize("change", [lambda x: 1, lambda x: True, lambda x: jnp.float16(1), lambda x: jnp.int32(1)])
def test_rewards_of_any_number_type_are_summed(change):
    stats = play(Odd(place=2, change=change))
    assert stats.returns == stats.lengths
    assert np.isfinite(ppo.train(Odd(place=2, change=change), SMALL, KEY)[1]["loss"]).all()


class OldStep(Walk):
    def step(self, key, state, action, params=None):
        return super().step(key, state, action, params)[:5]


class RawKeys(Walk):
    def reset(self, key, params=None):
        return super().reset(jax.random.PRNGKey(key[0]), params)


def test_other_contracts_are_named():
    assert "step returns 5 values; expected (obs, state, reward, terminated" in refused(lambda: play(OldStep()))
    assert "keys are typed, as jax.random.key's" in refused(lambda: play(RawKeys()))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_envs": 1e3}, "num_envs is 1000.0; it must be from 1"),
        ({"num_steps": True}, "num_steps is True; it must be from 1"),
        ({"num_envs": "8"}, "num_envs is '8'; it must be from 1"),
        ({"params": {"limit": 2.0}}, "expected the form of the default"),
    ],
)
def test_numbers_and_parameters_are_checked(options, says):
    assert says in refused(lambda: play(**options))


@pytest.mark.parametrize("key", [0, None, np.zeros(2), jax.random.split(jax.random.key(0), 3)])
def test_a_key_is_one_jax_key(key):
    assert "key" in refused(lambda: edgerl.simulate(WALK, edgerl.random_policy(WALK), key, num_envs=4, num_steps=4))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Discrete(0), "Discrete: n is 0"),
        (lambda: Discrete(2.0), "Discrete: n is 2.0"),
        (lambda: Box(1.0, 0.0, (2,)), "Box: low 1.0 is not below high 0.0 everywhere"),
        (lambda: Box(np.nan, 0.0, (2,)), "Box: low nan is not below"),
        (lambda: Box((0.0, 1.0), 2.0, (3,)), "Box: low and high do not fit the shape (3,)"),
    ],
)
def test_spaces_are_checked(make, says):
    assert says in refused(make)


def test_a_box_of_arrays_is_hashable():
    box = Box(np.zeros(2), jnp.ones(2), [2])
    assert hash(box) == hash(Box((0.0, 0.0), (1.0, 1.0), (2,)))
    assert box == Box((0.0, 0.0), (1.0, 1.0), (2,))


@struct.dataclass
class CorridorParams:
    size: int = struct.field(pytree_node=False, default=4)
    pays: float = struct.field(pytree_node=False, default=1.0)
    max_steps: int = 100


@struct.dataclass
class CorridorState:
    cell: jax.Array
    time: jax.Array


@dataclasses.dataclass(frozen=True)
class Corridor:
    """A walk from one end of a corridor to the other; a static field decides how long it is."""

    id: str = "Corridor-v0"
    default_params: Any = dataclasses.field(default_factory=CorridorParams)

    def _state(self, cell, time, p):
        return jnp.zeros(p.size).at[cell].set(1.0), CorridorState(cell, time)

    def reset(self, key, params=None):
        return self._state(jnp.int32(0), jnp.int32(0), params or self.default_params)

    def step(self, key, state, action, params=None):
        p = params or self.default_params
        cell = jnp.clip(state.cell + 2 * action - 1, 0, p.size - 1).astype(jnp.int32)
        obs, state = self._state(cell, state.time + 1, p)
        ended = cell == p.size - 1
        return obs, state, jnp.float32(p.pays), ended, (state.time >= p.max_steps) & ~ended, {}

    def observation_space(self, params=None):
        return Box(0.0, 1.0, ((params or self.default_params).size,))

    def action_space(self, params=None):
        return Discrete(2)


def test_static_fields_of_the_parameters_given_decide():
    env, long = Corridor(), CorridorParams(size=7, pays=2.0)
    right = lambda key, obs: jnp.int32(1)  # noqa: E731
    assert play(env, right).lengths.mean == 3
    stats = play(env, right, params=long)
    assert (stats.lengths.mean, stats.returns.mean) == (6, 12)
    own = dataclasses.replace(long, max_steps=np.array([3, 9, 9, 9]))
    assert play(env, right, params=own).lengths.min == 3
    state, metrics = ppo.train(env, SMALL, KEY, long)
    assert np.isfinite(metrics["loss"]).all()
    assert ppo.greedy_policy(env, SMALL, state, long).sizes == (7, 4, 2)
    assert edgerl.check_environment(env, long, num_steps=32).steps == 512
