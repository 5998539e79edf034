"""What a piece of work will take, told before it starts."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import edgerl
from edgerl.envs.forms import environment_forms
from edgerl.rl.config import RunConfig
from edgerl.rl.run.needs import bytes_needed
from edgerl.rl.run.seeds import seed_mesh
from edgerl.simulator import needs as simulation_needs
from edgerl.simulator import simulate as simulator
from edgerl.util import memory


def test_what_fits_is_let_through_and_what_does_not_is_told():
    memory.require("a thing", 1, "make it smaller")
    with pytest.raises(edgerl.UserError, match=r"^a thing: about 1e\+03 EB of memory needed, \S+ .B free: make it sm"):
        memory.require("a thing", 10**21, "make it smaller", jax.devices())


def test_free_memory_is_some_and_less_than_a_machine_has():
    assert 2**20 < memory.available() < 2**50


def test_a_limit_of_the_process_counts():
    code = """if True:
        import resource
        from edgerl.util import memory
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        assert memory.available() < 2**31, memory.available()
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (4.2e12, "4.2 TB")])
def test_amounts(count, text):
    assert memory.amount(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 seconds"), (3600, "60 minutes"), (1e10, "317 years")])
def test_durations(seconds, text):
    assert memory.duration(seconds) == text


def test_sizes_are_those_of_the_arrays():
    assert memory.size_of({"a": np.zeros((3, 4), np.float32), "b": jax.ShapeDtypeStruct((5,), np.int8)}) == 53


def of_training(**changes):
    env, config = edgerl.make("CartPole-v1"), RunConfig(num_seeds=changes.pop("num_seeds", 1))
    config = RunConfig(num_seeds=config.num_seeds, ppo=config.ppo.replace(**changes))
    return bytes_needed(env, config, env.default_params, seed_mesh(config.num_seeds))


def test_a_training_needs_more_with_all_that_makes_it_larger():
    least = of_training()
    assert 2**20 < least < 2**27
    assert of_training(num_seeds=1000) > 100 * least
    assert of_training(num_envs=64_000) > 100 * least
    assert of_training(num_steps=64_000) > 100 * least
    # Weights of two networks, four bytes each, and Adam's two means, before and after an update and on the host.
    assert of_training(hidden_sizes=(10_000, 10_000)) > 2 * 10**8 * 4 * 3 * 3


def test_a_simulation_needs_memory_for_lanes_and_for_a_trajectory():
    env, mesh = edgerl.make("CartPole-v1"), simulator.default_mesh()
    forms = environment_forms("test", env, env.default_params)
    simulation_needs.require_memory(forms, 10_000, 10_000, False, mesh)
    with pytest.raises(edgerl.UserError, match=r"num_envs = 200000000000: about 10\.4 TB of memory needed"):
        simulation_needs.require_memory(forms, 200_000_000_000, 1, False, mesh)
    # A step of CartPole: two observations of 16 bytes, action, reward, two flags.
    with pytest.raises(edgerl.UserError, match=r"num_steps = 10000000, with a trajectory: about 4\.2 TB"):
        simulation_needs.require_memory(forms, 10_000, 10_000_000, True, mesh)
