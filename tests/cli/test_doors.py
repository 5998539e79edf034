"""`edgerl --version`, and `train WHAT`, `config`, `envs`: what is wrong with an environment is told in one line."""

import json

import pytest

import edgerl
from edgerl import cli

WRONG = """
import dataclasses, jax.numpy as jnp, edgerl

@dataclasses.dataclass(frozen=True)
class Bad:
    id: str = "Bad-v0"
    default_params: None = None
    def observation_space(self, params=None): return edgerl.Box(-9.0, 9.0, (2,))
    def action_space(self, params=None): return edgerl.Discrete(2)
    def reset(self, key, params=None): return jnp.zeros(2), jnp.int32(0)
    def step(self, key, state, action, params=None):
        return jnp.zeros(3), state + 1, jnp.float32(0), state > 5, jnp.bool_(False), {}
"""


def refused(capsys, *arguments):
    """The one line of a command that is refused."""
    assert cli.main(list(map(str, arguments))) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(WRONG)
    return path


def test_an_environment_that_breaks_the_contract(capsys, file, tmp_path):
    line = refused(capsys, "train", f"{file}:Bad", "--out", tmp_path / "run")
    assert "observation is float32[2] from reset and float32[3] from step; expected one form" in line
    assert not (tmp_path / "run").exists()


def test_a_file_that_does_not_import(capsys, file, tmp_path):
    file.write_text("import json\n\nx = json.lodas('')\n")
    line = refused(capsys, "train", f"{file}:Bad", "--out", tmp_path / "run")
    assert "bad.py:3: AttributeError" in line
    assert "lodas" in line


@pytest.mark.parametrize("command", ["config", "train"])
def test_a_name_that_is_none(capsys, tmp_path, command):
    out = ["--out", tmp_path / "run"] if command == "train" else []
    assert "did you mean 'CartPole-v1'" in refused(capsys, command, "CartPole-v11", *out)


def test_all_keys_are_printed(capsys):
    assert cli.main(["config", "early-exit", "--set", "profile=low_power"]) == 0
    text = capsys.readouterr().out
    assert "\nprofile: low_power\n" in text
    assert text.startswith("# edgerl train early-exit --config FILE.yaml --out RUN\n")


def test_all_environments_are_listed(capsys):
    assert cli.main(["envs", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["id"]: row for row in found["environments"]}
    assert rows["CartPole-v1"] == {
        "id": "CartPole-v1",
        "observations": "Box[4]",
        "actions": "Discrete(2)",
        "max_steps": 500,
    }
    assert "gymnax:Acrobot-v1" in found["gymnax"]
    assert cli.main(["envs"]) == 0
    assert "PatchSelection-v0" in capsys.readouterr().out


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"edgerl {edgerl.__version__}\n"
