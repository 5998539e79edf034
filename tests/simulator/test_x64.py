"""With JAX's 64 bits on, as users from physics have it, everything works, and the house's own arrays stay 32 bits."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.long

CODE = """
import json, edgerl, jax, jax.numpy as jnp, numpy as np
from edgerl import deploy
from edgerl.rl import ppo
from edgerl.rl.run import seeds
from edgerl.rl.config import PPOConfig
from edgerl.envs.policy import MLPPolicy
assert jax.config.read("jax_enable_x64")
key, found = jax.random.key(0), {}
for id in ("CartPole-v1", "EarlyExit-v0", "LatentNAS-v0"):
    env = edgerl.make(id)
    state = jax.eval_shape(env.reset, key, env.default_params)[1]
    if id != "LatentNAS-v0":  # slow to compile
        stats = edgerl.simulate(env, edgerl.random_policy(env), key, num_envs=64, num_steps=40)
        found[id] = stats.as_dict()
    forms = jax.eval_shape(env.step, key, state, jnp.int32(0), env.default_params)
    assert {x.dtype.itemsize for x in jax.tree.leaves(forms)} <= {1, 4}, forms
env = edgerl.make("CartPole-v1")
edgerl.check_environment(env, num_steps=16)
single, many = edgerl.to_gymnasium(env), edgerl.to_gymnasium(env, num_envs=3)
single.reset(seed=0), many.reset(seed=0)
found["gymnasium"] = [str(single.step(1)[0].dtype), str(many.step(np.array([0, 1, 1]))[0].dtype)]
config = PPOConfig(num_updates=2, num_envs=16, num_steps=32, hidden_sizes=(8,))
state, metrics = ppo.train(env, config, key)
found["params"] = sorted({str(x.dtype) for x in jax.tree.leaves(state.params)})
found["seeds"] = float(seeds.train(env, config, jax.random.split(key, 2))[1]["loss"].sum())
policy = ppo.greedy_policy(env, config, state)
found["float"] = edgerl.simulate(env, policy, key, num_envs=16, num_steps=200).returns.mean
obs = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
int8 = deploy.quantise(policy, obs)
found["int8"] = edgerl.simulate(env, int8, key, num_envs=16, num_steps=200).returns.mean
found["actions"] = np.asarray(jax.vmap(lambda o: int8(key, o))(obs)).tolist()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    environment = {**os.environ, "JAX_ENABLE_X64": "1"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_environments_play_as_with_32_bits(found):
    assert found["CartPole-v1"]["lengths"]["mean"] == pytest.approx(22, rel=0.2)
    assert found["EarlyExit-v0"]["episodes"] > 1000


def test_adapters_training_and_deployment_work(found):
    assert found["gymnasium"] == ["float32", "float32"]
    assert found["params"] == ["float32"]
    assert abs(found["seeds"]) < 1e6
    assert min(found["float"], found["int8"]) >= 8
    assert len(set(found["actions"])) == 2
