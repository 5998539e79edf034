"""`edgerl config`: a file that `--config` reads back, with every key's meaning, type and range."""

import dataclasses

import pytest
import yaml

from edgerl.rl.config import RunConfig
from edgerl.tasks.registry import SHIPPED, task_of
from edgerl.util import config
from edgerl.util.config_text import annotated


@pytest.mark.parametrize("what", [*SHIPPED, "CartPole-v0"])
def test_it_is_read_back_as_it_was(what, tmp_path):
    task = task_of(what)
    settings = task.settings(None, ["seed=7"])
    (tmp_path / "all.yaml").write_text(annotated(settings))
    assert config.load(task.config, tmp_path / "all.yaml") == settings


def test_every_key_has_its_meaning_type_and_range():
    lines = annotated(RunConfig()).splitlines()
    keys = [i for i, line in enumerate(lines) if not line.lstrip().startswith("#") and not line.endswith(":")]
    assert len(keys) > 20
    assert all(lines[i - 1].lstrip().startswith("# ") for i in keys)
    assert "# of the run's random key (whole number, 0 to 2147483647)" in lines
    assert "  # between layers (text: relu | relu6 | tanh | sigmoid)" in lines
    assert "  # width of each hidden layer of policy and value network (list, each a whole number, 1 or more)" in lines


@dataclasses.dataclass(frozen=True)
class Odd:
    """Values that YAML could take for something else."""

    name: str | None = config.field("010", "a name")
    other: str | None = config.field(None, "nothing")
    share: float = config.field(3e-4, "a share", high=1)
    flag: bool = config.field(True, "yes")


def test_values_that_look_like_others_keep_their_type(tmp_path):
    (tmp_path / "odd.yaml").write_text(annotated(Odd()))
    assert config.load(Odd, tmp_path / "odd.yaml") == Odd()
    assert yaml.safe_load(annotated(Odd())) == {"name": "010", "other": None, "share": 3e-4, "flag": True}
    assert "# a share (number, 1 at most)" in annotated(Odd())
    assert "# a name (text or null)" in annotated(Odd())
