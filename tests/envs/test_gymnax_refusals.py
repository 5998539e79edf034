"""What `from_gymnax` cannot run is refused when it is called, in one line that says why; what is risky is warned of."""

import functools
import types

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import pytest
from environments import Walk
from flax import struct
from gymnax import wrappers
from gymnax.environments import environment, spaces
from gymnax.wrappers.purerl import GymnaxWrapper
from test_gymnax_wrappers import Doubled, Tick

import edgerl
from edgerl import UserError, from_gymnax

cartpole = functools.partial(lambda: gymnax.make("CartPole-v1")[0])


def changed(base=Tick, **members):
    """An instance of a class with other members."""
    return type("Changed", (base,), members)()


def _step(change):
    """A `step_env` that changes what Tick's returns."""

    def step_env(self, key, state, action, params):
        return change(*Tick.step_env(self, key, state, action, params))

    return step_env


class ByItself(GymnaxWrapper):
    def step(self, key, state, action, params=None):
        obs, state, reward, _, truncated, info = self._env.step(key, state, action, params)
        first, fresh = self._env.reset(key, params)
        state = jax.tree.map(lambda a, b: jnp.where(reward > 5, a, b), fresh, state)
        return jnp.where(reward > 5, first, obs), state, reward, reward > 5, truncated, info


class Repeats(GymnaxWrapper):
    def step(self, key, state, action, params=None):
        def again(carry, key):
            result = self._env.step(key, carry[1], action, params)
            return result[:5], None

        first = self._env.step(key, state, action, params)
        return *jax.lax.scan(again, first[:5], jax.random.split(key, 3))[0], {}


class Stored(GymnaxWrapper):
    def __init__(self, env):
        self._env, self.stepper = env, types.SimpleNamespace(go=env.step)

    def step(self, *arguments):
        return self.stepper.go(*arguments)


class Hooked(GymnaxWrapper):
    def step_env(self, key, state, action, params):
        return self._env.step_env(key, state, action, params)


class Wrapped5(GymnaxWrapper):
    def step(self, key, state, action, params=None):
        obs, state, reward, done, info = self._env.step(key, state, action, params)
        return obs, state, reward, done, info


class Vectorised(GymnaxWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.reset, self.step = jax.vmap(env.reset, (0, None)), jax.vmap(env.step, (0, 0, 0, None))


class Old:
    """From before 1.0, and without its base class."""

    default_params = environment.EnvParams()

    def step_env(self, key, state, action, params): ...
    def reset_env(self, key, params): ...
    def is_terminal(self, state, params): ...


def _method(self):
    return environment.EnvParams()


def _space(space):
    return lambda self, params=None: space


class Other:
    pass


REFUSED = [
    (gymnax.make("CartPole-v1"), "tuple of 2; of what gymnax.make returns pass the first"),
    (type(cartpole()), r"CartPole is a class; pass an environment, CartPole\(\.\.\.\)"),
    (gymnasium.make("CartPole-v1"), "is an environment of Gymnasium"),
    (wrappers.GymnaxToGymWrapper(cartpole()), "is an environment of Gymnasium"),
    ("CartPole-v7", "gymnax has no environment 'CartPole-v7'; it has CartPole-v1, "),
    (Walk(), "an environment of EdgeRL's own is used as it is"),
    (edgerl.AutoReset(Walk()), "use its .env as it is"),
    (Other(), "has no step_env, reset_env, is_truncated; from_gymnax takes a gymnax 1.x environment"),
    (3, "has no step_env, reset_env, is_truncated"),
    (Old(), "written for gymnax before 1.0"),
    (wrappers.LegacyStepAPIWrapper(cartpole()), "returns 5 values, not .* written for gymnax before 1.0"),
    (Wrapped5(cartpole()), r"step fails \(ValueError: too many values.*\); written for gymnax before 1.0\?"),
    (wrappers.GymnaxToDmEnvWrapper(cartpole()), r"reset returns a TimeStep, not \(observation, state\)"),
    (changed(default_params=_method), "its default_params is a method; write @property above it"),
    (changed(observation_space=_space(spaces.Dict({"x": spaces.Discrete(2)}))), "Dict observations are not supported"),
    (
        changed(action_space=_space(spaces.Tuple([spaces.Discrete(2)]))),
        "Tuple actions are not supported, only",
    ),
    (changed(action_space=_space(spaces.Box(0, 3, (2,), jnp.int32))), "its actions are a Box of int32"),
    (changed(action_space=_space(gymnasium.spaces.Discrete(3, start=1))), "its actions are Discrete from 1 on"),
    (changed(observation_space=_space(spaces.Box(0, 1, (4,)))), r"observation is float32\[1\]; right is float32\[4\]"),
    (changed(step_env=_step(lambda o, *rest: ({"a": o}, *rest))), "step's observation is a dict; right is one array"),
    (
        changed(step_env=_step(lambda o, s, r, d, i: (o, s, jnp.zeros(2), d, i))),
        r"its reward is float32\[2\]; a scalar",
    ),
    (changed(step_env=_step(lambda o, s, r, d, i: (o, s, r, jnp.zeros(3), i))), r"its terminated is float32\[3\]"),
    (
        changed(step_env=_step(lambda *out: (*out, {}))),
        r"its step_env returns 6 values, not \(obs, state, reward,",
    ),
    (
        changed(step_env=_step(lambda o, s, *rest: (o, s.replace(time=1.5), *rest))),
        "time is int32.* from reset and",
    ),
    (changed(step_env=_step(lambda o, s, *rest: (o, s, *rest) if s.time > 3 else ())), "its step fails"),
    (ByItself(Tick()), "its step resets by itself"),
    (Repeats(Tick()), "steps the environment more than once"),
    (Stored(Tick()), "does not call the step of the environment that it holds"),
    (Hooked(Tick()), "a wrapper's step_env is never called: gymnax calls its step"),
    (Vectorised(Tick()), "its reset fails"),
    (Doubled(Wrapped5(cartpole())), "written for gymnax before 1.0"),
]


@pytest.mark.parametrize(("env", "why"), REFUSED, ids=[f"{type(e).__name__}-{i}" for i, (e, _) in enumerate(REFUSED)])
def test_what_cannot_be_run_is_refused_in_one_line(env, why):
    with pytest.raises(UserError, match=f"^from_gymnax: .*{why}") as caught:
        from_gymnax(env)
    assert "\n" not in str(caught.value)


def test_a_name_is_made():
    for name in ("CartPole-v1", "gymnax:CartPole-v1"):
        assert from_gymnax(name).id == "CartPole-v1"


@pytest.mark.parametrize(
    ("change", "reward", "ended"),
    [
        (lambda o, s, r, d, i: (o, s, r[None], d, i), 1.0, False),
        (lambda o, s, r, d, i: (o, s, jnp.int32(3), d, i), 3.0, False),
        (lambda o, s, r, d, i: (o, s, r > 0, d, i), 1.0, False),
        (lambda o, s, r, d, i: (o, s, 2, True, i), 2.0, True),
        (lambda o, s, r, d, i: (o, s, r.astype(jnp.float16), jnp.float32(1), i), 1.0, True),
        (lambda o, s, r, d, i: (o, s, r, jnp.int32([1]), i), 1.0, True),
    ],
)
def test_rewards_and_flags_of_any_type_become_scalars(change, reward, ended):
    env = from_gymnax(changed(step_env=_step(change)))
    *_, got, terminated, truncated, _ = env.step(jax.random.key(0), env.reset(jax.random.key(0))[1], 1)
    assert [(x.dtype, x.shape) for x in (got, terminated, truncated)] == [(jnp.float32, ()), (bool, ()), (bool, ())]
    assert (float(got), bool(terminated), bool(truncated)) == (reward, ended, False)


def _ends(condition):
    return _step(lambda o, s, r, d, i: (o, s, r, condition(s.time), i))


@struct.dataclass
class OtherClock(environment.EnvParams):
    """gymnax's limit stays at 1."""

    max_time: int = 5


@pytest.mark.parametrize(
    ("members", "warned"),
    [
        ({"step_env": _ends(lambda t: t >= 10)}, "ends an episode as terminated, as before gymnax 1.0"),
        ({"step_env": _ends(lambda t: (t >= 10) | (t < 0))}, "ends an episode as terminated"),
        ({"step_env": _ends(lambda t: t > 5), "default_params": OtherClock()}, "every episode is cut after 1 step"),
        ({}, None),
        ({"step_env": _ends(lambda t: t >= 7)}, None),  # a deadline of the task's own
        ({"step_env": _ends(lambda t: t > 10)}, None),  # the limit truncates before
    ],
)
def test_a_time_limit_that_terminates_is_warned_of(members, warned, recwarn):
    from_gymnax(changed(**members))
    assert [warned in str(w.message) for w in recwarn] == ([True] if warned else [])


def test_the_time_limit_inside_of_wrappers_is_warned_of_too():
    with pytest.warns(UserWarning, match="Changed: its time limit ends an episode as terminated"):
        from_gymnax(Doubled(changed(step_env=_ends(lambda t: t >= 10))))
