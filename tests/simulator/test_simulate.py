"""The simulator against a plain loop, on several devices, and at its edges."""

import dataclasses
import json
import math
import os
import subprocess
import sys

import environments
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Fixed, FixedParams, Walk, WalkParams
from jax.sharding import Mesh

import edgerl
from edgerl import UserError, simulate
from edgerl.envs.policy import MLPPolicy
from edgerl.simulator import simulate as module
from edgerl.simulator.simulate import random_policy

# What is tested here is which episodes come out; that devices and blocks do not matter is tested on optimised code.
pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(0)
WALK = Walk()
RANDOM = random_policy(WALK)


def _one_device():
    return Mesh(np.array(jax.local_devices()[:1]), ("env",))


def _plain(record):
    """Count, returns and lengths of the finished episodes of a trajectory, by a loop over steps and environments."""
    reward, ended = np.asarray(record.reward, np.float64), np.asarray(record.terminated | record.truncated)
    returns, lengths = [], []
    for env in range(reward.shape[1]):
        total, length = 0.0, 0
        for time in range(reward.shape[0]):
            total, length = total + reward[time, env], length + 1
            if ended[time, env]:
                returns.append(total)
                lengths.append(length)
                total, length = 0.0, 0
    return np.array(returns), np.array(lengths)


@pytest.mark.parametrize("id", ["walk", "cartpole"])
@pytest.mark.parametrize("num_envs", [1, 37])
def test_statistics_are_a_plain_loops(id, num_envs):
    env = {"walk": WALK, "cartpole": edgerl.make("CartPole-v1")}[id]
    stats = simulate(env, random_policy(env), KEY, num_envs=num_envs, num_steps=150, trajectory=True)
    returns, lengths = _plain(stats.trajectory)
    assert stats.episodes == len(returns) > 3
    assert stats.steps == 150 * num_envs
    for summary, values in ((stats.returns, returns), (stats.lengths, lengths)):
        np.testing.assert_allclose(
            dataclasses.astuple(summary), [values.mean(), values.std(), values.min(), values.max()], rtol=1e-5
        )


def test_a_trajectory_is_the_environments_own():
    """Each transition is a step of the environment; observations follow one another, but for resets."""
    record = simulate(WALK, RANDOM, KEY, num_envs=5, num_steps=60, trajectory=True).trajectory
    shapes = {f.name: getattr(record, f.name).shape for f in dataclasses.fields(record)}
    assert shapes == {
        "obs": (60, 5, 1), "action": (60, 5), "reward": (60, 5), "terminated": (60, 5), "truncated": (60, 5),
        "next_obs": (60, 5, 1),
    }  # fmt: skip
    ended = np.asarray(record.terminated | record.truncated)
    assert ended.sum() > 10
    obs, following = np.asarray(record.obs), np.asarray(record.next_obs)
    np.testing.assert_array_equal(obs[1:][~ended[:-1]], following[:-1][~ended[:-1]])
    assert (np.abs(obs[1:][ended[:-1]]) <= 0.1).all()
    assert (np.abs(obs[0]) <= 0.1).all()
    moved = following[..., 0] - obs[..., 0] - (np.asarray(record.action) - 1)
    assert np.abs(moved).max() < 0.6  # the step's noise, of deviation 0.1
    assert 0.08 < moved.std() < 0.12
    np.testing.assert_array_equal(record.reward, following[..., 0])
    np.testing.assert_array_equal(np.abs(following[..., 0]) > 3, record.terminated)
    assert not (record.terminated & record.truncated).any()
    assert len(np.unique(moved)) == moved.size  # no noise twice: neither in two lanes nor at two times
    starts = obs[0].tolist() + obs[1:][ended[:-1]].tolist()
    assert len(np.unique(starts)) == len(starts)


def test_a_policy_sees_the_observation_and_draws_anew():
    def policy(key, obs):
        return jnp.where(obs[0] > 0, jax.random.randint(key, (), 0, 2), 2)

    record = simulate(WALK, policy, KEY, num_envs=8, num_steps=200, trajectory=True).trajectory
    action, positive = np.asarray(record.action), np.asarray(record.obs)[..., 0] > 0
    assert (action[~positive] == 2).all()
    assert 0.4 < action[positive].mean() < 0.6


def test_the_same_key_gives_the_same_bits_and_another_does_not():
    one, again, other = (simulate(WALK, RANDOM, jax.random.key(s), num_envs=99, num_steps=80) for s in (1, 1, 2))
    assert one == again
    assert one != other


SCRIPT = """
import json, sys
import jax, numpy as np
from jax.sharding import Mesh
sys.path.insert(0, sys.argv[1])
from environments import Walk, WalkParams
import edgerl
from edgerl.simulator import simulate as module
from edgerl.tasks.pendulum.env import Pendulum, PendulumParams
results = {}
swinging = Pendulum(default_params=PendulumParams(max_steps_in_episode=20))  # whose actions are continuous
for id, env in (("walk", Walk()), ("cartpole", edgerl.make("CartPole-v1")), ("pendulum", swinging)):
    for devices, block in ((1, 8192), (2, 8192), (3, 100)):
        module.CPU_BLOCK = module.CPU_NETWORK_BLOCK = block
        mesh = Mesh(np.array(jax.local_devices()[:devices]), ("env",))
        policy = edgerl.random_policy(env)
        stats = edgerl.simulate(env, policy, jax.random.key(4), num_envs=601, num_steps=100, mesh=mesh)
        results[f"{id} {devices} {block}"] = stats.as_dict()
module.CPU_BLOCK = module.CPU_NETWORK_BLOCK = 100
limits = np.linspace(1, 5, 601, dtype=np.float32)
record = edgerl.simulate(Walk(), edgerl.random_policy(Walk()), jax.random.key(4), num_envs=601, num_steps=50,
                         params=WalkParams(limit=limits), trajectory=True).trajectory
results["limits kept"] = bool(((np.abs(record.next_obs[..., 0]) > limits) == record.terminated).all())
results["devices"] = len(jax.local_devices())
print(json.dumps(results))
"""


def test_devices_and_blocks_make_no_difference():
    """In a process with three devices: counts, extremes, means and deviations are equal to the last digit."""
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "3", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", SCRIPT, os.path.dirname(environments.__file__)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results.pop("devices") == 3
    assert results.pop("limits kept")
    for id in ("walk", "cartpole", "pendulum"):
        several = [value for name, value in results.items() if name.startswith(id)]
        assert len(several) == 3
        assert several[0]["episodes"] > 1000
        assert all(value == several[0] for value in several)


def test_each_environment_can_have_its_own_parameters():
    limits = np.linspace(0.5, 5, 64).astype(np.float32)
    params = WalkParams(limit=limits)
    record = simulate(WALK, RANDOM, KEY, num_envs=64, num_steps=100, params=params, trajectory=True).trajectory
    np.testing.assert_array_equal(np.abs(record.next_obs[..., 0]) > limits, record.terminated)
    alone = simulate(
        WALK, RANDOM, KEY, num_envs=64, num_steps=100, params=WalkParams(limit=0.5), trajectory=True
    ).trajectory
    np.testing.assert_array_equal(record.next_obs[:, 0], alone.next_obs[:, 0])


def test_parameters_change_the_episodes_without_a_new_compilation():
    module._program.cache_clear()
    lengths = []
    for steps in (5, 10, 20):
        params = WalkParams(limit=1e9, max_steps=steps)
        lengths.append(simulate(WALK, RANDOM, KEY, num_envs=4, num_steps=40, params=params).lengths.mean)
    assert lengths == [5, 10, 20]
    assert _compilations() == 1


def _compilations():
    """How many programs were compiled since the cache was cleared."""
    assert module._program.cache_info().currsize == 1
    return LAST_PROGRAMS[-1][0]._cache_size()


LAST_PROGRAMS = []


@pytest.fixture(autouse=True)
def _watch_programs(monkeypatch):
    """Keeps the compiled functions that `simulate` used in LAST_PROGRAMS."""
    real = module._program

    def watched(*arguments):
        program = real(*arguments)
        LAST_PROGRAMS.append(program)
        return program

    watched.cache_info, watched.cache_clear = real.cache_info, real.cache_clear
    monkeypatch.setattr(module, "_program", watched)


def test_one_compilation_a_configuration():
    module._program.cache_clear()
    for seed in range(3):
        simulate(Walk(), random_policy(Walk()), jax.random.key(seed), num_envs=8, num_steps=10)
    assert _compilations() == 1


def _network(scale):
    kernels = tuple(scale * jax.random.normal(jax.random.key(i), s) for i, s in enumerate(((4, 8), (8, 2))))
    return MLPPolicy(kernels, (jnp.zeros(8), jnp.zeros(2)))


def test_new_weights_do_not_compile_again_and_do_count():
    module._program.cache_clear()
    env = edgerl.make("CartPole-v1")
    means = {simulate(env, _network(scale), KEY, num_envs=8, num_steps=50).returns.mean for scale in (-1.0, 1.0, 2.0)}
    assert len(means) >= 2
    assert _compilations() == 1


def test_a_network_decides_as_it_would_outside():
    env, network = edgerl.make("CartPole-v1"), _network(1.0)
    record = simulate(env, network, KEY, num_envs=16, num_steps=40, trajectory=True).trajectory
    logits = np.asarray(network.logits(record.obs))
    clear = np.abs(logits[..., 0] - logits[..., 1]) > 1e-4
    np.testing.assert_array_equal(np.asarray(record.action)[clear], logits.argmax(axis=-1)[clear])
    assert clear.mean() > 0.9


@pytest.mark.parametrize("key", [jax.random.PRNGKey(7), jax.random.key(7), jax.random.key(7, impl="rbg")])
def test_any_kind_of_key_is_accepted(key):
    assert simulate(WALK, RANDOM, key, num_envs=8, num_steps=50).episodes > 10


def test_raw_and_typed_keys_of_one_seed_are_one_key():
    a, b = (simulate(WALK, RANDOM, k, num_envs=8, num_steps=50) for k in (jax.random.PRNGKey(7), jax.random.key(7)))
    assert a == b


def test_threefry_gives_other_episodes_of_the_same_distribution():
    kinds = []

    def policy(key, obs):
        kinds.append(str(jax.random.key_impl(key)))
        return RANDOM(key, obs)

    ours = simulate(WALK, RANDOM, KEY, num_envs=256, num_steps=500)
    theirs = simulate(WALK, policy, KEY, num_envs=256, num_steps=500, generator="threefry2x32")
    assert set(kinds) == {"threefry2x32"}
    assert ours != theirs
    for a, b in ((ours.lengths, theirs.lengths), (ours.returns, theirs.returns)):
        assert abs(a.mean - b.mean) < 4 * math.hypot(a.std, b.std) / math.sqrt(ours.episodes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs is 0; it must be from 1"),
        ({"num_steps": -1}, "num_steps is -1; it must be from 1"),
        ({"num_steps": 2**31}, "num_steps is 2147483648; it must be from 1 to 2147483647"),
        ({"generator": "mersenne"}, "unknown generator 'mersenne'; known: edgerl, threefry2x32"),
        ({"mesh": "batch"}, r"the mesh has axes \('batch',\); it must have one, named 'env'"),
        ({"params": WalkParams(limit=np.ones(3))}, r"shape \(3,\); expected \(\) or \(4,\)"),
    ],
)
def test_misuse_is_one_clear_line(options, message):
    if options.get("mesh"):
        options = {"mesh": Mesh(np.array(jax.local_devices()[:1]), (options["mesh"],))}
    with pytest.raises(UserError, match=message) as caught:
        simulate(WALK, RANDOM, KEY, **{"num_envs": 4, "num_steps": 4, **options})
    assert "\n" not in str(caught.value)


def test_parameters_of_another_environment_are_one_clear_line():
    with pytest.raises(UserError, match=r"params is PyTreeDef.*FixedParams.*; expected the form of the default"):
        simulate(WALK, RANDOM, KEY, num_envs=4, num_steps=4, params=FixedParams())


def test_random_policy_is_one_object_for_equal_spaces():
    assert random_policy(Walk()) is random_policy(Walk(id="other"))
    assert random_policy(Walk()) is not random_policy(Fixed())
