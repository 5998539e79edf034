"""Fine-tuning for int8: some more updates, in which a policy sees what the device sees."""

import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

import edgerl
from edgerl import UserError
from edgerl.deploy.calibration import fit_quantiser
from edgerl.envs.policy import same
from edgerl.tasks.generic.finetuning import Rounded


@struct.dataclass
class HillState:
    position: Any
    time: Any


@dataclasses.dataclass(frozen=True)
class Hill:
    """A ball on the top of a hill rolls down on the side to which it is pushed; the way to the goal is the right one.

    Beside its position, which hardly differs from 0, a number as large as 100 is observed, by which nothing is decided.
    """

    id: str = "Hill-v0"
    default_params: None = None

    def observation_space(self, params=None):
        return edgerl.Box(-100.0, 100.0, (2,))

    def action_space(self, params=None):
        return edgerl.Discrete(2)

    def reset(self, key, params=None):
        position = jax.random.uniform(key, (), jnp.float32, -0.01, 0.01)
        return jnp.stack([position, 100 * position]), HillState(position, jnp.int32(0))

    def step(self, key, state, action, params=None):
        reward = jnp.where((state.position > 0) == (action == 1), 1.0, -1.0)
        later = HillState(-state.position, state.time + 1)
        obs = jnp.stack([later.position, 100 * later.position])
        return obs, later, reward, jnp.bool_(False), later.time >= 8, {}


SETTINGS = {
    "num_seeds": 2,
    "evaluation_envs": 64,
    "evaluation_steps": 8,
    "ppo": {"num_updates": 6, "num_envs": 16, "num_steps": 8, "num_minibatches": 4, "hidden_sizes": [8]},
}


def test_observations_are_those_that_the_device_knows():
    rows = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    quantiser = fit_quantiser(rows)
    env = Rounded(Hill(), quantiser)
    obs, state = env.reset(jax.random.key(0))
    exact, _ = Hill().reset(jax.random.key(0))
    steps = (np.asarray(obs) / quantiser.step) + quantiser.offset
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert (np.abs(obs - exact) <= 0.51 * quantiser.step).all()
    later, *_ = env.step(jax.random.key(0), state, jnp.int32(0))
    assert (np.abs(np.asarray(later) + np.asarray(exact)) <= 0.51 * quantiser.step).all()


@pytest.mark.long
def test_the_better_policy_is_kept_and_a_run_says_so(tmp_path):
    plain = edgerl.train(Hill(), tmp_path / "plain", **SETTINGS)
    tuned = edgerl.train(Hill(), tmp_path / "tuned", finetune_updates=3, **SETTINGS)
    found = json.loads((tmp_path / "tuned" / "result.json").read_text())["finetuning"]
    assert found["updates"] == 3
    assert found["kept"] == (found["after"] > found["before"])
    assert same(tuned.policy, plain.policy) != found["kept"]
    assert "finetuning" not in plain.result
    again = edgerl.train(Hill(), tmp_path / "again", finetune_updates=3, **SETTINGS)
    assert same(again.policy, tuned.policy)


@pytest.mark.long
def test_a_policy_with_memory_is_tuned(tmp_path):
    settings = {**SETTINGS, "ppo": {**SETTINGS["ppo"], "gru_size": 4}}
    run = edgerl.train(Hill(), tmp_path / "run", finetune_updates=1, **settings)
    assert isinstance(run.policy, edgerl.GRUPolicy)
    assert run.result["finetuning"]["updates"] == 1


def test_tasks_that_do_not_tune_say_so(tmp_path):
    with pytest.raises(UserError, match="finetune_updates = 2, but this task does not fine-tune"):
        edgerl.train("early-exit", tmp_path / "run", finetune_updates=2)
