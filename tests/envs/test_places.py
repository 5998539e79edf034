"""Environments by the place where they are made: right ones, and one line for everything that is wrong."""

import sys

import pytest

import edgerl
from edgerl import UserError
from edgerl.tasks.registry import task_of

GOOD = """
import dataclasses, jax, jax.numpy as jnp, edgerl
import neighbour

@dataclasses.dataclass(frozen=True)
class Line:
    id: str = "Line-v0"
    default_params: None = None
    size: int = 3
    def observation_space(self, params=None): return edgerl.Box(-9.0, 9.0, (1,))
    def action_space(self, params=None): return edgerl.Discrete(neighbour.ACTIONS)
    def reset(self, key, params=None): return jnp.zeros(1), jnp.float32(0)
    def step(self, key, state, action, params=None):
        x = state + action - 1
        return x[None], x, x, jnp.abs(x) > self.size, jnp.bool_(False), {}

made = Line(size=2)
nothing = lambda: None
number = 5
def five(): return 5
def fails(): raise ValueError("first line\\nthe last line")
def gymnax_pair():
    import gymnax
    return gymnax.make("CartPole-v1")
class space(Line):
    def action_space(self, params=None): return object()
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "neighbour.py").write_text("ACTIONS = 3\n")
    path = folder / "line_of_mine.py"
    path.write_text(GOOD)
    yield path
    sys.path.remove(str(folder))


def refused(what):
    with pytest.raises(UserError) as caught:
        edgerl.make(what)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_class_or_an_object_of_a_file(file):
    assert edgerl.make(f"{file}:Line") == edgerl.make(f"{file}:Line")
    assert edgerl.make(f"{file}:made").size == 2
    assert edgerl.make(f"{file}:Line", size=7).size == 7
    assert edgerl.make(f"{file}:gymnax_pair").id == "CartPole-v1"


def test_a_file_that_was_changed_is_read_anew(tmp_path):
    path = tmp_path / "changing.py"
    path.write_text(GOOD.replace("import neighbour", "").replace("neighbour.ACTIONS", "3"))
    assert edgerl.make(f"{path}:Line").action_space().n == 3
    path.write_text(GOOD.replace("import neighbour", "").replace("neighbour.ACTIONS", "4"))
    assert edgerl.make(f"{path}:Line").action_space().n == 4
    sys.path.remove(str(tmp_path))


def test_a_module_of_the_working_directory(tmp_path, monkeypatch):
    """The command `edgerl` does not have it on its path, unlike `python -m`."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here_alone.py").write_text("from environments import Walk\n")
    assert edgerl.make("here_alone:Walk").id == "Walk-v0"


def test_a_module_and_gymnax():
    assert edgerl.make("environments:Walk").id == "Walk-v0"
    assert edgerl.make("gymnax:CartPole-v1").observation_space().shape == (4,)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "it returns None; expected an environment"),
        ("number", "it is a int; expected a class or a function"),
        ("five", "int is no environment"),
        ("fails", r"ValueError: the last line"),
        ("Lime", "there is no 'Lime' in"),
        ("space", "its action_space is a object; supported: edgerl's Discrete and Box"),
    ],
)
def test_what_is_no_environment_is_one_line(file, name, says):
    line = refused(f"{file}:{name}")
    assert says in line
    assert str(file) in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = x.missing\n", "broken.py:2: AttributeError: 'int' object has no attribute 'missing'"),
        ("def f(:\n", "broken.py:1: SyntaxError: invalid syntax"),
        ("import no_such_module_anywhere\n", "broken.py:1: ModuleNotFoundError: No module named 'no_such_module"),
        ("raise SystemExit(3)\n", "broken.py:1: SystemExit: 3"),
    ],
)
def test_a_file_that_does_not_import_is_told_with_its_place(tmp_path, text, says):
    (tmp_path / "broken.py").write_text(text)
    line = refused(f"{tmp_path / 'broken.py'}:make")
    assert "cannot be imported" in line
    assert says in line
    sys.path.remove(str(tmp_path))


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nowhere.py:make", "cannot read nowhere.py: No such file"),
        ("no.such.module:make", "there is no module 'no'"),
        ("gymnax:Acrobat-v1", "did you mean 'gymnax:Acrobot-v1'?"),
        (":make", "names no environment"),
        ("pole.py:", "names no environment"),
        ("CartPole-v7", "did you mean 'CartPole-v"),
    ],
)
def test_a_wrong_place_is_one_line(what, says):
    assert says in refused(what)


def test_what_is_no_task_is_told_with_what_there_is():
    with pytest.raises(UserError, match="nothing is called 'cartpool'; did you mean 'cartpole'"):
        task_of("cartpool")
