"""Environments of `to_gymnasium` are pickled, copied, made again from their spec, and run in other processes."""

import copy
import functools
import multiprocessing
import pickle

import gymnasium
import gymnax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Fixed, FixedParams, Keyed, Walk, WalkParams
from flax import struct
from gymnasium import wrappers
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnax.wrappers import LogWrapper

import edgerl
from edgerl import UserError
from edgerl.envs.spaces import Box


@struct.dataclass
class Sized:
    size: int = struct.field(pytree_node=False, default=4)
    max_steps_in_episode: int = 6


class Row(Walk):
    """Observes its place in a row; the size is a static field of the parameters."""

    default_params = Sized()

    def __init__(self):
        pass

    def observation_space(self, params=None):
        return Box(0.0, 1.0, ((params or self.default_params).size,))

    def _row(self, x, params):
        return jnp.zeros((params or self.default_params).size).at[0].set(jnp.clip(x, 0, 1))

    def reset(self, key, params=None):
        _, state = super().reset(key, WalkParams())
        return self._row(state.x, params), state

    def step(self, key, state, action, params=None):
        _, state, reward, _, _, info = super().step(key, state, action, WalkParams())
        p = params or self.default_params
        return self._row(state.x, p), state, reward, jnp.array(False), state.time >= p.max_steps_in_episode, info


def _follow(env, num_steps=6):
    return [env.step(env.action_space.sample() * 0 + 1)[0].tolist() for _ in range(num_steps)]


def _logged():
    return edgerl.from_gymnax(LogWrapper(gymnax.make("CartPole-v1")[0]))


@pytest.mark.parametrize("make", [Walk, Keyed, Row, _logged], ids=["walk", "key-in-state", "static", "gymnax"])
@pytest.mark.parametrize("num_envs", [None, 3], ids=["single", "vector"])
def test_a_copy_of_the_middle_of_an_episode_goes_on_as_it_would(make, num_envs):
    env = edgerl.to_gymnasium(make(), num_envs)
    env.reset(seed=5)
    _follow(env, 2)
    others = pickle.loads(pickle.dumps(env)), copy.deepcopy(env)
    expected = _follow(env)
    for other in others:
        assert _follow(other) == expected
        assert env.observation_space == other.observation_space
        np.testing.assert_array_equal(other.reset()[0], copy.deepcopy(env).reset()[0])  # the generator goes on too


def test_a_copy_draws_for_itself():
    env = edgerl.to_gymnasium(Walk())
    env.reset(seed=5)
    other = copy.deepcopy(env)
    first = other.reset()[0]
    np.testing.assert_array_equal(env.reset()[0], first)


@pytest.mark.parametrize(
    ("env", "params", "steps"),
    [
        ("CartPole-v0", None, 200),
        ("CartPole-v1", None, 500),
        (Row(), None, 6),
        (Row(), Sized(size=7, max_steps_in_episode=9), 9),
        (edgerl.from_gymnax("MountainCar-v0"), None, 200),
        (Walk(), None, None),
    ],
)
def test_the_spec_has_the_time_limit_and_makes_the_environment_again(env, params, steps):
    ours = edgerl.to_gymnasium(env, params=params)
    assert ours.spec.max_episode_steps == steps
    spec = pickle.loads(pickle.dumps(ours.spec))
    for made in (gymnasium.make(ours.spec), gymnasium.make(spec), gymnasium.make(copy.deepcopy(ours.spec))):
        np.testing.assert_array_equal(made.reset(seed=3)[0], ours.reset(seed=3)[0])
        assert made.observation_space == ours.observation_space
    many = gymnasium.make_vec(ours.spec, num_envs=2)
    assert many.reset(seed=3)[0].shape == (2, *ours.observation_space.shape)
    again = gymnasium.make_vec(edgerl.to_gymnasium(env, 2, params).spec, num_envs=3)
    assert again.reset(seed=3)[0].shape == (3, *ours.observation_space.shape)


def test_names_that_gymnasium_does_not_take_are_changed():
    env = edgerl.to_gymnasium(Walk(id="My walk (fast)"))
    assert gymnasium.make(env.spec).reset(seed=0)[0].shape == (1,)


@pytest.mark.parametrize(
    ("wrap", "length"),
    [
        (lambda e: wrappers.TimeLimit(e, 3), 3),
        (wrappers.RecordEpisodeStatistics, 6),
        (wrappers.NormalizeObservation, 6),
        (lambda e: wrappers.FrameStackObservation(e, 4), 6),
        (wrappers.TimeAwareObservation, 6),
        (lambda e: wrappers.RescaleObservation(e, np.float32(-1), np.float32(1)), 6),
        (wrappers.PassiveEnvChecker, 6),
        (lambda e: pickle.loads(pickle.dumps(wrappers.TimeLimit(e, 4))), 4),
    ],
)
def test_gymnasiums_wrappers_run_over_it(wrap, length):
    env = wrap(edgerl.to_gymnasium(Row()))
    env.reset(seed=0)
    flags = [env.step(1)[2:4] for _ in range(length)]
    assert flags == [(False, False)] * (length - 1) + [(False, True)]


# Not a function of this file, which every process would import.
_cartpole = functools.partial(edgerl.to_gymnasium, "CartPole-v1")


def _catch():
    return edgerl.to_gymnasium(edgerl.from_gymnax("Catch-bsuite"))


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_processes_step_as_one_does(context):
    """Two environments, each in a process of its own, against the same in this one."""
    together = SyncVectorEnv([_cartpole, _cartpole])
    apart = AsyncVectorEnv([_cartpole, _cartpole], context=context)
    try:
        for env in (together, apart):
            env.reset(seed=1)
        for _ in range(3):
            for a, b in zip(together.step(np.array([0, 1])), apart.step(np.array([0, 1])), strict=True):
                np.testing.assert_array_equal(a, b)
    finally:
        apart.close()


def _first_line(make, queue):
    try:
        make().reset(seed=0)
        queue.put("no refusal")
    except UserError as error:
        queue.put(str(error))


@pytest.mark.parametrize("make", [_cartpole, _catch])
@pytest.mark.filterwarnings("ignore:os.fork.. was called:RuntimeWarning")
def test_a_process_forked_after_jax_ran_says_so_and_does_not_hang(make):
    make().reset(seed=0)  # JAX has run
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_first_line, args=(make, queue))
    process.start()
    try:
        line = queue.get(timeout=60)
    finally:
        process.kill()
    assert 'was forked after JAX had run, where JAX hangs; start it with context="spawn"' in line


def test_parameters_with_static_fields_decide_the_spaces():
    for num_envs in (None, 2):
        env = edgerl.to_gymnasium(Row(), num_envs, Sized(size=7))
        obs, _ = env.reset(seed=0)
        assert obs.shape[-1] == env.observation_space.shape[-1] == 7
        assert env.step(env.action_space.sample())[0] in env.observation_space


class Other:
    pass


@pytest.mark.parametrize(
    ("env", "num_envs", "why"),
    [
        ("CartPole-v9", None, "unknown environment 'CartPole-v9'; did you mean 'CartPole-v1'"),
        (gymnasium.make("CartPole-v1"), None, "is not an environment of EdgeRL: it is Gymnasium's"),
        (
            gymnax.make("CartPole-v1")[0],
            None,
            "it is gymnax's, whose step resets by itself",
        ),
        (Walk, None, r"it is a class; make one: Walk\(\)"),
        (
            Other(),
            None,
            "Other is no environment: it has no id, default_params, reset, step, observation_space, action_space",
        ),
        (None, None, "NoneType is no environment"),
        (Walk(), 2.0, "num_envs is 2.0; it must be from 1 to"),
        (Walk(), "2", "num_envs is '2'; it must be from 1 to"),
        (Walk(), True, "num_envs is True; it must be from 1 to"),
        (Walk(), -1, "num_envs is -1; it must be from 1 to"),
    ],
)
def test_what_is_no_environment_is_one_line(env, num_envs, why):
    with pytest.raises(UserError, match=why):
        edgerl.to_gymnasium(env, num_envs)


def test_a_whole_number_of_numpy_is_one():
    assert edgerl.to_gymnasium(Walk(), np.int64(2)).num_envs == 2


FORMS = {
    "reward": lambda r, d: (jnp.stack([r]), d),
    "terminated": lambda r, d: (r, jnp.stack([d])),
    "reward's type": lambda r, d: (jnp.int32(2), d),
}


class Odd(Fixed):
    """Rewards and flags of other forms."""

    def step(self, key, state, action, params=None):
        obs, state, reward, terminated, *rest = super().step(key, state, action, params)
        return obs, state, *FORMS[self.id](reward, terminated), *rest


@pytest.mark.parametrize("num_envs", [None, 2])
def test_rewards_and_flags_are_scalars(num_envs):
    for what in ("reward", "terminated"):
        with pytest.raises(UserError, match=rf"to_gymnasium: {what}: {what} is .*\[1\]; expected a .* scalar"):
            edgerl.to_gymnasium(Odd(what), num_envs)
    env = edgerl.to_gymnasium(Odd("reward's type", FixedParams(1)), num_envs)
    env.reset(seed=0)
    _, reward, terminated, truncated, _ = env.step(0 if num_envs is None else np.zeros(num_envs, int))
    assert np.asarray(reward).dtype.kind == "f"
    assert np.all(reward == 2)
    assert np.all(terminated)
    assert not np.any(truncated)
