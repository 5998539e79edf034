import subprocess
import sys

import pytest

import edgerl
from edgerl import UserError
from edgerl.envs import registry


def test_known_environments_are_made():
    assert {"CartPole-v0", "CartPole-v1"} <= set(edgerl.registered())
    assert edgerl.make("CartPole-v0").id == "CartPole-v0"
    assert edgerl.make("CartPole-v0").default_params.max_steps_in_episode == 200
    assert edgerl.make("CartPole-v1").default_params.max_steps_in_episode == 500
    assert edgerl.make("CartPole-v1") == edgerl.make("CartPole-v1")


def test_an_unknown_environment_is_one_clear_line():
    with pytest.raises(
        UserError,
        match=r"'CartPole-v9'; did you mean 'CartPole-v1'\? Known: .*CartPole-v0, CartPole-v1",
    ):
        edgerl.make("CartPole-v9")


def test_ones_own_environment_can_be_registered(monkeypatch):
    monkeypatch.setattr(registry, "_ENVIRONMENTS", dict(registry._ENVIRONMENTS))
    edgerl.register("Walk-v0", "environments:Walk")
    assert "Walk-v0" in edgerl.registered()
    assert edgerl.make("Walk-v0").id == "Walk-v0"
    assert edgerl.make("Walk-v0", id="Walk-v7").id == "Walk-v7"


def _fresh(code):
    """What a new process prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_imports_nothing_large():
    large = "['jax', 'jaxlib', 'numpy', 'flax', 'tensorflow', 'gymnasium', 'matplotlib', 'orbax', 'distrax', 'yaml']"
    code = f"import sys, edgerl; edgerl.registered(); print([m for m in {large} if m in sys.modules])"
    assert _fresh(code) == "[]"


def test_every_public_name_is_there():
    code = (
        "import sys, edgerl\n"
        "for name in edgerl.__all__: getattr(edgerl, name)\n"
        "from edgerl import *\n"
        "print([m for m in ['tensorflow', 'gymnasium', 'gymnax', 'matplotlib'] if m in sys.modules], simulate.__name__)"
    )
    assert _fresh(code) == "[] simulate"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'edgerl' has no attribute 'nothing'"):
        _ = edgerl.nothing
