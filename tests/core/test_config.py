import dataclasses
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgerl import UserError
from edgerl.core import config
from edgerl.core.config import as_dict, build, field, load, parse_yaml, read_yaml


@dataclasses.dataclass(frozen=True)
class Network:
    sizes: tuple[int, ...] = field((64, 64), "units of the hidden layers", low=1, high=1024)
    activation: str = field("tanh", "between layers", choices=("tanh", "relu"))


@dataclasses.dataclass(frozen=True)
class Training:
    lr: float = field(1e-3, "learning rate", low=1e-6, high=1.0)
    seed: int = field(0, "of everything random", low=0)
    anneal: bool = field(True, "lower the learning rate to 0")
    name: str = field("run", "of the run")
    limit: float | None = field(None, "gradient norm", low=0.0)
    network: Network = dataclasses.field(default_factory=Network)


def test_a_groups_other_keys_stay_as_the_default_has_them():
    @dataclasses.dataclass(frozen=True)
    class Own:
        network: Network = Network((8,), "relu")

    assert build(Own, {"network": {"sizes": [4]}}).network == Network((4,), "relu")


def test_nothing_given_is_the_default():
    assert build(Training, {}) == Training() == load(Training)


def test_every_type_is_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "lr: 3e-4\nseed: 7\nanneal: no\nname: first\nlimit: 0.5\nnetwork:\n  sizes: [16, 16]\n  activation: relu\n"
    )
    made = load(Training, path)
    assert made == Training(3e-4, 7, False, "first", 0.5, Network((16, 16), "relu"))
    assert type(made.lr) is float
    assert type(made.network.sizes) is tuple


@pytest.mark.parametrize("text", ["3e-4", "3E-4", "0.0003", "3.0e-4", "'3e-4'", ".0003"])
def test_a_number_is_a_number_however_it_is_written(text):
    """YAML 1.1 takes 3e-4 for text."""
    assert build(Training, parse_yaml(f"lr: {text}", "here")).lr == 3e-4
    assert load(Training, overrides=[f"lr={text}"]).lr == 3e-4


@pytest.mark.parametrize(("text", "value"), [("50000", 50000), ("5e4", 50000), ("5.0e4", 50000), ("5.0", 5)])
def test_a_whole_number_may_be_written_as_a_float(text, value):
    seed = load(Training, overrides=[f"seed={text}"]).seed
    assert (seed, type(seed)) == (value, int)


def test_a_whole_number_is_a_float_where_one_is_asked_for():
    lr = build(Training, {"lr": 1}).lr
    assert (lr, type(lr)) == (1.0, float)


WRONG = [
    ({"lrate": 1}, "here: unknown key 'lrate'; known keys: lr, seed, anneal, name, limit, network"),
    ({3: 1}, "here: unknown key '3'"),
    ({"lr": "fast"}, r"here: lr: expected a number, got 'fast' \(str\)"),
    ({"lr": True}, r"here: lr: expected a number, got True \(bool\)"),
    ({"lr": None}, r"here: lr: expected a number, got None \(NoneType\)"),
    ({"lr": [1.0]}, "here: lr: expected a number"),
    ({"lr": math.nan}, "here: lr: expected a finite number, got nan"),
    ({"lr": "inf"}, "here: lr: expected a finite number, got inf"),
    ({"lr": 0}, r"here: lr: 0\.0 is below 1e-06, the least allowed"),
    ({"lr": 2.0}, r"here: lr: 2\.0 is above 1\.0, the most allowed"),
    ({"seed": 1.5}, r"here: seed: expected a whole number, got 1\.5 \(float\)"),
    ({"seed": True}, "here: seed: expected a whole number, got True"),
    ({"seed": "many"}, "here: seed: expected a whole number, got 'many'"),
    ({"seed": "nan"}, "here: seed: expected a whole number, got 'nan'"),
    ({"seed": "1e999"}, "here: seed: expected a whole number, got '1e999'"),
    ({"seed": -1}, "here: seed: -1 is below 0"),
    ({"anneal": 1}, "here: anneal: expected true or false, got 1"),
    ({"anneal": "yes"}, "here: anneal: expected true or false, got 'yes'"),
    ({"name": 5}, "here: name: expected text, got 5"),
    ({"limit": -1.0}, r"here: limit: -1\.0 is below 0\.0"),
    ({"limit": "no"}, "here: limit: expected a number"),
    ({"network": 3}, r"here: network: expected keys and values, got 3 \(int\)"),
    ({"network": {"size": 3}}, "here: network: unknown key 'size'; known keys: sizes, activation"),
    ({"network": {"sizes": 64}}, r"here: network: sizes: expected a list of int, got 64"),
    ({"network": {"sizes": [64, 0]}}, r"here: network: sizes\[1\]: 0 is below 1"),
    ({"network": {"sizes": [64, "x"]}}, r"here: network: sizes\[1\]: expected a whole number, got 'x'"),
    ({"network": {"activation": "gelu"}}, "here: network: activation: 'gelu' is not one of tanh, relu"),
    ([1, 2], r"here: expected keys and values, got \[1, 2\] \(list\)"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_what_is_wrong_is_named(values, message):
    with pytest.raises(UserError, match=f"^{message}") as caught:
        build(Training, values, "here")
    assert "\n" not in str(caught.value)


def test_overrides_win_over_the_file_and_reach_into_groups(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("seed: 1\nnetwork: {activation: relu}\n")
    made = load(Training, path, ["seed=2", "network.sizes=[8]", "limit=null", "name=a=b"])
    assert made == Training(seed=2, name="a=b", network=Network((8,), "relu"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: expected key=value, for example --set seed=1"),
        ("=3", "--set =3: expected key=value"),
        ("seed.low=3", "'seed' is a value, not a group of keys"),
        ("sede=3", "unknown key 'sede'"),
        ("seed=[", r"--set seed=\[: not valid YAML"),
        ("network.sizes=a", "network: sizes: expected a list of int"),
    ],
)
def test_a_wrong_override_is_one_clear_line(tmp_path, override, message):
    path = tmp_path / "a.yaml"
    path.write_text("seed: 1\n")
    with pytest.raises(UserError, match=message) as caught:
        load(Training, path, [override])
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_one_clear_line(tmp_path):
    path = tmp_path / "a.yaml"
    with pytest.raises(UserError, match=r"cannot read configuration .*a\.yaml: No such file"):
        read_yaml(path)
    with pytest.raises(UserError, match="Is a directory"):
        read_yaml(tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot read configuration"):
        read_yaml(path)
    for text, message in (("- 1\n", "expected keys and values at the top level"), ("a: [", "not valid YAML")):
        path.write_text(text)
        with pytest.raises(UserError, match=rf"a\.yaml: {message}") as caught:
            read_yaml(path)
        assert "\n" not in str(caught.value)
    path.write_text("# nothing\n")
    assert read_yaml(path) == {}


def test_yaml_builds_no_objects():
    with pytest.raises(UserError, match="not valid YAML"):
        parse_yaml("!!python/object/apply:os.system [true]", "here")


trainings = st.builds(
    Training,
    lr=st.floats(1e-6, 1.0),
    seed=st.integers(0, 2**62),
    anneal=st.booleans(),
    name=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"]), max_size=20),
    limit=st.none() | st.floats(0.0, 1e6),
    network=st.builds(
        Network,
        sizes=st.lists(st.integers(1, 1024), max_size=4).map(tuple),
        activation=st.sampled_from(["tanh", "relu"]),
    ),
)


@given(trainings)
def test_a_configuration_survives_yaml(training):
    assert build(Training, parse_yaml(yaml.safe_dump(as_dict(training)), "here")) == training


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=5,
    )
)
def test_any_value_is_taken_or_refused_in_one_line(value):
    kinds = {"lr": float, "seed": int, "anneal": bool, "name": str, "limit": (float, type(None)), "network": Network}
    for name, kind in kinds.items():
        refused, made = "", ...
        try:
            made = getattr(build(Training, {name: value}), name)
        except UserError as error:
            refused = str(error)
        assert refused.startswith(f"configuration: {name}") != isinstance(made, kind)


def test_help_and_range_are_kept_with_the_field():
    metadata = {f.name: f.metadata for f in dataclasses.fields(Training)}
    assert metadata["lr"]["help"] == "learning rate"
    assert (metadata["lr"]["low"], metadata["lr"]["high"]) == (1e-6, 1.0)
    assert config.field(1, "x").default == 1
