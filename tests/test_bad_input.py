"""Generated bad input: it is read, or refused with one line, and nothing is left half written.

A few examples of each kind in the suite; `EDGERL_EXAMPLES=3000 pytest tests/test_bad_input.py` for many.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from tables import lines, table

from edgerl import UserError, cli
from edgerl.rl.config import RunConfig
from edgerl.tasks.agent_vit.methods import AgentViTConfig
from edgerl.tasks.early_exit.config import EarlyExitConfig
from edgerl.tasks.early_exit.table.import_logits import import_logits
from edgerl.tasks.early_exit.table.table import Table, load_table
from edgerl.tasks.early_exit.trunk.config import TrainConfig
from edgerl.tasks.hardware.profiles import Profile
from edgerl.tasks.latent_nas import factory
from edgerl.tasks.latent_nas.table.data import Architectures, read_csv
from edgerl.tasks.latent_nas.task import LatentNASConfig
from edgerl.util.config import as_dict, load

EXAMPLES = int(os.environ.get("EDGERL_EXAMPLES", "30"))
few = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)

SYSTEMS = {
    "cartpole": RunConfig,
    "early-exit": EarlyExitConfig,
    "latent-nas": LatentNASConfig,
    "agent-vit": AgentViTConfig,
}
CONFIGS = [*SYSTEMS.values(), TrainConfig, Profile]

# Values as people write them, and as those who look for trouble do.
NUMBERS = ["010", "1:30", "1_000", "0x10", "0o17", "0b1", "1e3", "1e-3", "1e999", ".5", "5.", "-1", "1.5", "9" * 20]
NUMBERS += ["9" * 5000, ".inf", "-.inf", ".nan", "nan", "inf", "2024-01-01", "-0", "１２", "²"]
NAMES = ["yes", "no", "on", "off", "y", "n", "True", "false", "null", "~", "relu", "constant", "margin", "é"]
MARKS = [
    "=",
    "<<",
    "!!int",
    "!!python/object:os.system",
    "&a",
    "*a",
    "[1,2",
    "{a:1}",
    "]",
    "}",
    "-",
    "?",
    "|",
    ">",
    "%",
]
MARKS += ["@", "`", "'", '"', "#", "---", "...", "", " ", "\t", "a: b", "- 1", "\u2028", "\x00", "\ufeff", "[" * 300]
WORDS = st.sampled_from([*NUMBERS, *NAMES, *MARKS, "{a: " * 200])


def one_line(error):
    """The message of a refusal is one line that a terminal can show."""
    text = str(error)
    assert text
    assert text.isprintable()
    assert len(text) < 2000
    return text


@st.composite
def yaml_texts(draw, cls):
    """A configuration in which something was changed."""
    text = yaml.safe_dump(as_dict(cls()), sort_keys=False).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text) - 1))
        match draw(st.integers(0, 6)):
            case 0:
                text[at] = f"{text[at].partition(':')[0]}: {draw(WORDS)}"
            case 1:
                text.insert(at, text[draw(st.integers(0, len(text) - 1))])
            case 2:
                text[at] = draw(st.sampled_from(["  ", "\t", " ", "- "])) + text[at]
            case 3:
                text[at] = text[at].lstrip()
            case 4:
                cut = draw(st.integers(0, len(text[at])))
                text[at] = text[at][:cut] + draw(st.text(max_size=3)) + text[at][cut:]
            case 5:
                text[at] = draw(WORDS)
            case 6:
                text[at] = draw(st.text(max_size=20))
    return "\n".join(text)


@st.composite
def overrides(draw, cls):
    """`key=value`, mostly with keys that there are."""
    keys = list(as_dict(cls()))
    key = draw(st.sampled_from([*keys, "ppo.num_envs", "ppo", "ppo.", ".", "seed.low", ""]) | st.text(max_size=8))
    return key + draw(st.sampled_from(["=", "=", "=", "", "=="])) + draw(WORDS | st.text(max_size=10))


@few
@given(st.data())
def test_configurations(data):
    cls = data.draw(st.sampled_from(CONFIGS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        kind = data.draw(st.integers(0, 9))
        text = data.draw(st.binary(max_size=60)) if kind == 0 else data.draw(yaml_texts(cls)).encode("utf-8", "replace")
        path.write_bytes(text)
        given_too = data.draw(st.lists(overrides(cls), max_size=2))
        try:
            made = load(cls, path, given_too)
        except UserError as error:
            one_line(error)
            refused_by_the_command(cls, path, given_too, Path(folder))
        else:
            assert isinstance(made, cls)
        assert [file.name for file in Path(folder).iterdir()] == ["a.yaml"]


def refused_by_the_command(cls, path, given_too, folder):
    """The command line gives status 2 and leaves nothing."""
    if cls is Profile:
        return  # which no command reads on its own
    name = next((name for name, config in SYSTEMS.items() if config is cls), None)
    words = ["logits", "build"] if name is None else ["train", name]
    words += ["--config", str(path), *(f"--set={word}" for word in given_too), "--out", str(folder / "run")]
    try:
        status = cli.main(words)
    except SystemExit as stop:  # of a word that no shell passes on
        status = stop.code
    assert status == 2


def network(images=12, exits=3, classes=4):
    rng = np.random.default_rng(0)
    labels = np.arange(images) % classes
    return {
        "logits": rng.normal(size=(images, exits, classes)).astype(np.float32),
        "labels": labels,
        "split": 1 + np.arange(images) % 2,
        "macs": np.arange(1.0, exits + 1) * 1e6,
    }


TYPES = ["f2", "f4", "f8", "g", "i1", "u1", "i8", ">f4", "?", "c8", "U3", "S3", "M8[s]", "O", "V4"]
ANY_ARRAY = arrays_of.arrays(
    st.sampled_from(["f4", "f8", "i8", "u1", "?", "U2", "c8"]),
    st.lists(st.sampled_from([0, 1, 2, 3, 4, 12]), max_size=4).map(tuple),
)


@st.composite
def logit_files(draw):
    """Named arrays of which something was changed."""
    made = network()
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(made)))
        value = made[name]
        match draw(st.integers(0, 8)):
            case 0:
                del made[name]
                made["logits"] = made.get("logits", np.zeros((2, 2, 2), np.float32))
            case 1:
                made[draw(st.sampled_from(["flops", "probs", "exit_0", "arr_0", "x", "Logits", "latency_ms"]))] = value
            case 2:
                with np.errstate(all="ignore"):
                    made[name] = cast(value, draw(st.sampled_from(TYPES)))
            case 3:
                made[name] = np.ascontiguousarray(np.transpose(value, draw(st.permutations(range(value.ndim)))))
            case 4 if value.size and value.dtype.kind == "f":
                value = value.copy()
                value.flat[draw(st.integers(0, value.size - 1))] = draw(st.floats(width=16))
                made[name] = value
            case 5:
                made[name] = value[..., None] if draw(st.booleans()) else value[None]
            case 6 if value.ndim:
                made[name] = value[: draw(st.integers(0, 13))]
            case 7:
                made[name] = draw(ANY_ARRAY)
            case 8 if value.dtype.kind in "fiu":
                with np.errstate(all="ignore"):
                    made[name] = value * draw(st.sampled_from([0, 1, -1, 2, 100]))
    return made


def cast(value, kind):
    if kind == "V4":
        return np.zeros(value.shape, "V4")
    try:
        return (value.real if kind != "c8" else value).astype(kind)
    except (TypeError, ValueError):
        return value


@st.composite
def damage(draw, data):
    """Bytes of which some were changed, cut off or put in."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case 2:
                data[at:at] = draw(st.binary(max_size=8))
            case 3 if draw(st.integers(0, 3)) == 0 and at:
                del data[at:]
    return bytes(data)


def archive(made):
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "a.npz", **made)
        return (Path(folder) / "a.npz").read_bytes()


def read(path, reader, kind):
    """What a reader gives, or its refusal."""
    try:
        made = reader(path)
    except UserError as error:
        one_line(error)
        return None
    assert isinstance(made, kind)
    return made


@few
@given(st.data())
def test_files_of_logits(data):
    made = data.draw(logit_files())
    content = archive(made)
    if data.draw(st.integers(0, 2)) == 0:
        content = data.draw(damage(archive(network())))
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "mine.npz", Path(folder) / "table.npz"
        source.write_bytes(content)
        table_made = read(source, lambda path: import_logits(path, out), Table)
        left = sorted(path.name for path in Path(folder).iterdir())
        assert left == (["mine.npz"] if table_made is None else ["mine.npz", "table.npz"])


@pytest.fixture(scope="module")
def table_bytes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    np.savez(folder / "mine.npz", **network())
    import_logits(folder / "mine.npz", folder / "table.npz")
    return (folder / "table.npz").read_bytes()


@few
@given(st.data())
def test_damaged_tables_and_models(table_bytes, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        path.write_bytes(data.draw(damage(table_bytes)))
        read(path, load_table, Table)
        path.write_bytes(data.draw(damage(factory.SHIPPED.read_bytes())))
        read(path, factory.load_models, factory.Models)


CELLS = WORDS | st.sampled_from(["A", "E", "0", "1.0", "1,5", "93.1", "1e-400", "1e300", "+5", "5_0"])
ROWS = lines(table(30))


@st.composite
def tables(draw):
    """A table's text of which something was changed."""
    rows = [list(row) for row in ROWS]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(rows) - 1))
        row = rows[at]
        column = draw(st.integers(0, len(row) - 1)) if row else 0
        match draw(st.integers(0, 6)):
            case 0 if row:
                row[column] = draw(CELLS)
            case 1 if row:
                del row[column]
            case 2:
                row.append(draw(CELLS))
            case 3:
                rows.insert(at, draw(st.sampled_from([[], row, rows[0]])))
            case 4:
                rows[0] = [name.upper() for name in rows[0]]
            case 5 if len(rows) > 1:
                del rows[at]
            case 6:
                rows = rows[: at + 1]
    mark = draw(st.sampled_from([",", ",", ",", ";", "\t"]))
    return "\n".join(mark.join(row) for row in rows)


@few
@given(st.data())
def test_tables_of_architectures(data):
    text = data.draw(tables()).encode(data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])), "replace")
    if data.draw(st.integers(0, 3)) == 0 and text:
        text = data.draw(damage(text))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(text)
        made = read(path, read_csv, Architectures)
        assert made is None or np.isfinite(made.targets).all()
        assert [file.name for file in Path(folder).iterdir()] == ["table.csv"]
