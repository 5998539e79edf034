"""Generated command lines that cannot be right: one line and status 2 each, no traceback, no file made or changed.

EDGERL_EXAMPLES sets how many are tried, for example 10000; a few by default.
"""

import contextlib
import io
import itertools
import json
import os

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgerl import cli
from edgerl.envs.policy import MLPPolicy
from edgerl.envs.policy_file import save_policy
from edgerl.rl.config import RunConfig
from edgerl.util import config as configuration

EXAMPLES = int(os.environ.get("EDGERL_EXAMPLES", "120"))
FEW = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

ANYTHING = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "-", "--", "a\nb", "ä/ö", "‮", "\x1b[31m", "\udcff", "x" * 5000, "%s", "{0}", "../..", "~"]
    ),
)
NUMBERS = [
    "0",
    "-1",
    "-0",
    "1.5",
    "1e3",
    "nan",
    "inf",
    "-inf",
    "",
    "many",
    "9" * 20,
    "9" * 5000,
    "0x10",
    "2147483648",
    "۱۲x",
]
SETS = [
    *("seed", "=1", "seed=-1", "seed=99999999999999999999", "seed=soon", "seed=[1]", "seed={a: 1}", "seed=null"),
    *("num_seeds=0", "num_seeds=1000000000", "num_seeds=99999999999", "checkpoint_every=0", "checkpoint_every=1.5"),
    *("ppo=1", "ppo.discount=2", "ppo.learning_rate=nan", "ppo.learning_rate=[1]", "ppo.learning_rate.x=1", "ppo..x=1"),
    *("ppo.hidden_sizes=[1000000, 1000000]", "ppo.hidden_sizes=[0]", "ppo.hidden_sizes=8", "ppo.activation=Tanh"),
    *("ppo.num_envs=1000000000", "ppo.num_minibatches=4095", "ppo.num_updates=99999999999", "ppo.schedule=never"),
    *("environment=CartPole-v7", "environment=EarlyExit-v0", "evaluation_envs=-1", "evaluation_envs=2000000000"),
    *(
        "unknown=1",
        "a=[",
        "a='",
        "a=\t{",
        "a=!!python/object:os.system x",
        "évaluation=1",
        "evaluation_steps=99999999999",
    ),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of things that are wrong in all ways, from which every command is given."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "empty").write_bytes(b"")
    (folder / "binary.npz").write_bytes(bytes(range(256)) * 4)
    (folder / "text.yaml").write_text("seed: [1\n")
    (folder / "other.yaml").write_text("sede: 1\n")
    (folder / "folder").mkdir()
    np.savez(folder / "arrays.npz", a=np.zeros(3))
    write_run(folder / "run")
    write_run(folder / "own", about={"environment": "Five-v0"})
    write_run(folder / "unknown", about={"system": "unknown", "environment": "CartPole-v1"})
    (folder / "unfinished").mkdir()
    for name in ("config.yaml", "run.json"):
        (folder / "unfinished" / name).write_bytes((folder / "run" / name).read_bytes())
    (folder / "report").mkdir()
    (folder / "report" / "report.json").write_text("[1, 2]")
    save_policy(folder / "report" / "policy.npz", policy(7, 2))
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def policy(features, actions):
    sizes = (features, 8, actions)
    kernels = tuple(np.ones(shape, np.float32) for shape in itertools.pairwise(sizes))
    return MLPPolicy(kernels, tuple(np.zeros(size, np.float32) for size in sizes[1:]), "tanh")


def write_run(folder, about=None):
    """A finished run of CartPole whose policy has learnt nothing."""
    folder.mkdir()
    config = configuration.as_dict(RunConfig(num_seeds=1))
    config["ppo"].update(hidden_sizes=[8], num_updates=2)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "run.json").write_text(json.dumps(about or {"system": "cartpole", "environment": "CartPole-v1"}))
    (folder / "result.json").write_text(json.dumps({"best_seed": 0}))
    (folder / "log.csv").write_text("update,steps,seed,episode_return\n1,4096,0,20.0\n2,8192,0,21.0\n")
    save_policy(folder / "policy.npz", policy(4, 2))


BAD_RUNS = ["", "folder", "empty", "missing", "unfinished", "own", "unknown", "report", "run/run.json", "run/missing"]
BAD_FILES = [
    "",
    "folder",
    "empty",
    "missing",
    "binary.npz",
    "text.yaml",
    "other.yaml",
    "run/policy.npz",
    "a\nb",
    "x" * 300,
]
BAD_OUTS = ["", "empty/below", "folder", "empty", "x" * 300, "run", "a/" * 3000]


def words(*values):
    return st.sampled_from([list(value) for value in values])


def option(name, values):
    return st.sampled_from(values).map(lambda value: [name, value])


BAD_SET = st.sampled_from(SETS).map(lambda value: ["--set", value])
BAD_CONFIG = option("--config", [name for name in BAD_FILES if name != "empty"])
TRAIN = st.one_of(
    st.tuples(words(["train", "cartpole", "--out", "new"]), st.one_of(BAD_SET, BAD_CONFIG)),
    st.tuples(words(["train", "latent-nas", "--out", "new"]), option("--data", BAD_FILES)),
    st.tuples(
        words(["train", "early-exit", "--out", "new", "--set"]), words(["table=missing"], ["profile=none"], ["x=1"])
    ),
    st.tuples(words(["train", "agent-vit", "--out", "new"]), option("--data", BAD_FILES)),
    st.tuples(words(["train", "cartpole"]), option("--out", BAD_OUTS)),
    st.tuples(words(["train"]), ANYTHING.map(lambda text: ["!" + text, "--out", "new"])),
)
OF_RUN = st.tuples(
    words(["evaluate"], ["figures"], ["export", "--out", "new"], ["export", "--cascade", "--out", "new"], ["verify"]),
    st.sampled_from(BAD_RUNS).map(lambda run: [run]),
)
SIMULATE = st.one_of(
    st.tuples(
        words(["simulate", "CartPole-v1"]),
        option("--policy", [*(run for run in BAD_RUNS if run != "unknown"), "binary.npz"]),
    ),
    st.tuples(words(["simulate", "CartPole-v1"]), st.one_of(*(option(o, NUMBERS) for o in ("--envs", "--steps")))),
    st.tuples(
        words(["simulate", "CartPole-v1"]), option("--seed", [n for n in NUMBERS if n not in ("0", "-0", "2147483648")])
    ),
    st.tuples(words(["simulate", "CartPole-v1"]), option("--envs", ["2000000000", "2147483647"])),
    st.tuples(words(["simulate"]), ANYTHING.map(lambda text: ["!" + text])),
    st.tuples(
        words(["simulate", "EarlyExit-v0", "--policy"], ["simulate", "LatentNAS-v0", "--policy"]), words(["run"])
    ),
)
ELSE = st.one_of(
    st.tuples(
        words(["logits", "import", "--out", "new"]), st.sampled_from([*BAD_FILES, "arrays.npz"]).map(lambda f: [f])
    ),
    st.tuples(words(["logits", "build", "--out", "new", "--data"]), words(["folder"], ["missing"], ["empty"])),
    st.tuples(words(["logits"], [], ["bench"]), ANYTHING.map(lambda text: ["!" + text])),
    st.tuples(words(["bench"]), option("--figure", ["", "folder", "missing/x.png", "x.doc", "empty/x.png"])),
    st.tuples(
        words(["simulate", "CartPole-v1"], ["train", "cartpole", "--out", "new"]),
        words(
            ["--processes", "0"],
            ["--processes", "2"],
            ["--coordinator", "nowhere"],
            ["--coordinator", "localhost:1", "--processes", "2", "--process-id", "5"],
            ["--coordinator", "localhost:99999", "--processes", "2", "--process-id", "0"],
            ["--coordinator", "a b:1", "--processes", "2", "--process-id", "0"],
            ["--process-id", "-1", "--processes", "1"],
        ),
    ),
)
# What is added to a wrong command line leaves it wrong.
MORE = st.one_of(
    st.just([]), st.just([]), words(["--json"], ["--nonsense"], ["--seed"]), ANYTHING.map(lambda x: ["!" + x])
)
LINES = st.tuples(st.one_of(TRAIN, OF_RUN, SIMULATE, ELSE), MORE).map(
    lambda parts: [*parts[0][0], *parts[0][1], *parts[1]]
)


def content(folder):
    """Every file and folder below, and when it was written."""
    found = {}
    for parent, folders, names in os.walk(folder):
        found.update({os.path.join(parent, name): None for name in folders})
        paths = (os.path.join(parent, name) for name in names)
        found.update({path: (os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in paths})
    return found


def refused(arguments, folder):
    """The line of a command that must be refused."""
    before, out, err = content(folder), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(arguments)
        except SystemExit as stop:
            status = stop.code
    assert status == 2
    assert out.getvalue() == ""
    line = err.getvalue()
    assert line.startswith("edgerl")
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1  # by any of Unicode's line breaks
    assert len(line) < 2500
    assert content(folder) == before
    return line


@FEW
@given(arguments=LINES)
def test_a_command_line_that_cannot_be_right_is_one_line(world, arguments):
    refused(arguments, world)


JSONS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
NESTED = b"[" * 600
GARBAGE = st.one_of(st.binary(max_size=60), JSONS.map(lambda value: json.dumps(value).encode()), st.just(NESTED))
NOTICED = {  # file of a run → commands that read it
    "run.json": (["evaluate"], ["figures"], ["export", "--out", "new"], ["simulate", "CartPole-v1", "--policy"]),
    "config.yaml": (["evaluate"], ["figures"], ["export", "--out", "new"]),
    "result.json": (["evaluate"], ["figures"], ["export", "--out", "new"]),
    "policy.npz": (["evaluate"], ["figures"], ["export", "--out", "new"], ["simulate", "CartPole-v1", "--policy"]),
    "log.csv": (["figures"],),
}
DAMAGED = st.sampled_from(sorted(NOTICED)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(NOTICED[name]), GARBAGE, st.floats(0, 0.99), st.booleans())
)


@FEW
@given(damaged=DAMAGED)
def test_a_damaged_run_is_one_line(world, damaged):
    name, command, garbage, share, cut = damaged
    file = world / "run" / name
    whole = file.read_bytes()
    try:
        # Cut text may still be right: of a YAML file every line is, and so are rows of a log.
        file.write_bytes(whole[: int(share * len(whole))] if cut and name in ("run.json", "policy.npz") else garbage)
        refused([*command, "run"], world)
    finally:
        file.write_bytes(whole)


def test_the_undamaged_run_is_right(world):
    """Or else the tests above would see no damage."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.main(["simulate", "CartPole-v1", "--policy", "run", "--envs", "4", "--steps", "30", "--json"]) == 0
    assert json.loads(out.getvalue())["episodes"] > 0
