"""Programs written for version 0.1 still import what they did, and are told the new names."""

import importlib
import subprocess
import sys

import pytest

import edgerl

OLD = {
    "core.spaces": ("edgerl.envs.spaces", "Box"),
    "core.environment": ("edgerl.envs.environment", "AutoReset"),
    "core.unseen": ("edgerl.simulator.shortcuts", "ignores"),
    "deploy.tflite": ("edgerl.deploy.converter", "convert"),
    "core.generator": ("edgerl.envs.prng", "derive"),
    "core.simulate": ("edgerl.simulator.simulate", "simulate"),
    "core.config": ("edgerl.util.config", "load"),
    "core.gymnax_adapter": ("edgerl.envs.adapters.gymnax_adapter", "from_gymnax"),
    "agents.ppo": ("edgerl.rl.ppo", "train"),
    "agents.config": ("edgerl.rl.config", "PPOConfig"),
    "agents.runner": ("edgerl.rl.run.runner", "train_run"),
    "hardware.profiles": ("edgerl.tasks.hardware.profiles", "load_profile"),
    "systems.cartpole.env": ("edgerl.tasks.cartpole.env", "CartPole"),
    "systems.early_exit.table": ("edgerl.tasks.early_exit.table.table", "load_table"),
    "systems.latent_nas.space": ("edgerl.tasks.latent_nas.table.space", "sample"),
    "pipelines.logits": ("edgerl.tasks.early_exit.table.logits", "import_logits"),
}


@pytest.mark.parametrize("old", OLD)
def test_an_old_name_is_the_same_thing(old):
    new, name = OLD[old]
    sys.modules.pop(f"edgerl.{old}", None)
    with pytest.warns(DeprecationWarning, match=rf"edgerl\.{old} is called {new} since version 0\.2"):
        module = importlib.import_module(f"edgerl.{old}")
    assert getattr(module, name) is getattr(importlib.import_module(new), name)


def test_what_never_was_is_not_there():
    for name in ("edgerl.core.nothing", "edgerl.nothing", "edgerl.systems.pong.env"):
        with pytest.raises(ModuleNotFoundError, match=name.split(".")[1]):
            importlib.import_module(name)


def test_the_import_statements_of_a_program():
    program = "import edgerl\nfrom edgerl.agents import ppo\nfrom edgerl.core.spaces import Box, Discrete\n"
    program += "assert Box is edgerl.Box\nassert ppo.train\n"
    command = [sys.executable, "-W", "always", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "<string>:2: DeprecationWarning: edgerl.agents.ppo is called edgerl.rl.ppo" in done.stderr
    assert edgerl.Discrete(2).n == 2
