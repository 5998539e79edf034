import dataclasses
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgerl import UserError
from edgerl.util import config
from edgerl.util.config import as_dict, build, field, load, parse_yaml, read_yaml


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


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [true]",
        "seed: !!int x",
        "seed: !!int 1",
        "name: !!binary x",
        "lr: !!float many",
        "seed: !!timestamp x",
        "!own {seed: 1}",
        "network: !!set {sizes}",
    ],
)
def test_yaml_builds_no_objects(text):
    with pytest.raises(UserError, match=r"not valid YAML here.*tags are not read") as caught:
        parse_yaml(text, "here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nlr: 0.1\nseed: 2\n", "key 'seed' is there twice, in line 1 and in line 3"),
        ("network:\n  sizes: [1]\n  sizes: [2]\n", "key 'sizes' is there twice, in line 2 and in line 3"),
        ("{seed: 1, 'seed': 1}", "key 'seed' is there twice"),
        ("1: a\n1: b\n", "key '1' is there twice"),
        ("? [seed]\n: 1\n", "line 1: a key is no text"),
        ("network: &n {sizes: [1]}\n<<: *n\n", "merging with << is not read"),
        ("name: &n [*n]\n", "an alias stands inside what it stands for"),
        ("name: *n\n", "undefined alias"),
        ("seed: 1\n---\nseed: 2\n", "line 2: expected a single document"),
        ("seed:\t- 1\n\tlr: 2\n", "line 1: .*character .*t. that cannot start"),
        ("network:\n\tsizes: [1]\n", r"line 2: .*found character .*t' that cannot start"),
        ("seed: 1\n lr: 2\n", "line 2: mapping values are not allowed"),
        ("name: \x07\n", "special characters are not allowed"),
        ("[" * 2000, "nested too deeply"),
        ("a: " + "{a: " * 900, "nested too deeply|not valid"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{y}: &{y} [{','.join(f'*{x}' for _ in range(9))}]\n"
                for x, y in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "more than 10000 values when its aliases are written out",
        ),
    ],
)
def test_yaml_that_is_not_read_is_one_clear_line(tmp_path, text, said):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=rf"a\.yaml: not valid YAML.*({said})") as caught:
        load(Training, tmp_path / "a.yaml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_alias_may_be_used():
    assert parse_yaml("a: &a [1, 2]\nb: *a\n", "here") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("seed", "10", 10),
        ("seed", "+10", 10),
        ("seed", "1_000", 1000),
        ("seed", "0x10", 16),
        ("seed", "0", 0),
        ("seed", "1e3", 1000),
        ("seed", "1.", 1),
        ("lr", ".5", 0.5),
        ("lr", "5e-1", 0.5),
        ("lr", "+.5", 0.5),
        ("lr", "1", 1.0),
        ("lr", "0.50", 0.5),
        ("anneal", "no", False),
        ("anneal", "Off", False),
        ("anneal", "TRUE", True),
        ("anneal", "on", True),
        ("name", "no", "no"),
        ("name", "010", "010"),
        ("name", "1:30", "1:30"),
        ("name", "2024-01-01", "2024-01-01"),
        ("name", "on", "on"),
        ("name", "0x10", "0x10"),
        ("name", "=", "="),
        ("name", "y", "y"),
        ("limit", "~", None),
        ("limit", "", None),
    ],
)
def test_values_are_what_they_look_like(tmp_path, key, text, value):
    (tmp_path / "a.yaml").write_text(f"{key}: {text}\n")
    for made in (load(Training, tmp_path / "a.yaml"), load(Training, overrides=[f"{key}={text}"])):
        assert getattr(made, key) == value
        assert type(getattr(made, key)) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("seed", "010", "seed: 010 may be meant in base ten or in base eight: write it without the leading 0"),
        ("seed", "-0_7", "without the leading 0"),
        ("lr", "007", "without the leading 0"),
        ("seed", "1:30", "seed: expected a whole number, got '1:30'"),
        ("lr", "1:30.5", "lr: expected a number, got '1:30.5'"),
        ("seed", "2024-01-01", "seed: expected a whole number, got '2024-01-01'"),
        ("seed", "yes", "seed: expected a whole number, got 'yes'"),
        ("seed", "", "seed: expected a whole number, got None"),
        ("lr", ".inf", "lr: expected a finite number, got inf; allowed: 1e-06 to 1.0"),
        ("lr", "-.INF", "lr: expected a finite number, got -inf"),
        ("lr", ".nan", "lr: expected a finite number, got nan"),
        ("anneal", "'no'", "anneal: expected true or false, got 'no'"),
        ("anneal", "y", "anneal: expected true or false, got 'y'"),
        ("anneal", "1", "anneal: expected true or false, got 1"),
        ("name", "5", "name: expected text, got 5"),
        ("name", "true", "name: expected text, got True"),
        ("name", "a: b", "expected text|not valid YAML"),
        ("seed", "9" * 19, "seed: 9999999999999999999 is above 9223372036854775807"),
        ("seed", "9" * 3000, "seed: a very large number is above"),
        ("seed", "9" * 6000, "seed: expected a whole number"),
        ("lr", "9" * 3000, "lr: expected a finite number, got inf"),
        ("lr", "1e999", "lr: expected a finite number, got inf"),
        ("seed", "fast", "seed: expected a whole number, got 'fast' .str.; allowed: 0 or more"),
        ("lr", "x" * 5000, "lr: expected a number, got 'xxx"),
        ("network", "{sizes: [1, 2, 0]}", r"sizes\[2\]: 0 is below 1, the least allowed; allowed: 1 to 1024"),
        ("network", "{activation: rely}", "'rely' is not one of tanh, relu; did you mean 'relu'"),
        ("sed", "1", "unknown key 'sed'; known keys: .*; did you mean 'seed'?"),
    ],
)
def test_a_value_that_is_not_meant_is_refused_with_key_and_range(tmp_path, key, text, said):
    (tmp_path / "a.yaml").write_text(f"{key}: {text}\n")
    for path, overrides in ((tmp_path / "a.yaml", ()), (None, [f"{key}={text}"])):
        with pytest.raises(UserError, match=said) as caught:
            load(Training, path, overrides)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", [[10**5000], [-(10**5000)], "x" * 10**6, {"a": {"b": "\n" * 1000}}, b"x"])
def test_values_of_any_size_are_refused_in_a_short_line(value):
    for name in ("lr", "seed", "anneal", "name", "limit", "network", "unknown"):
        for each in (value, *(value if isinstance(value, list) else ())):
            if name == "name" and isinstance(each, str):
                continue
            with pytest.raises(UserError) as caught:
                build(Training, {name: each})
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 600


def test_text_in_other_encodings(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: café\n", encoding="utf-8-sig")  # as Windows' editors write it
    assert load(Training, path).name == "café"
    for encoding in ("utf-16", "latin-1"):
        path.write_text("name: café\n", encoding=encoding)
        with pytest.raises(UserError, match=r"cannot read configuration .*a\.yaml: it is not UTF-8 text"):
            load(Training, path)


@pytest.mark.parametrize("path", ["/dev/zero", "a\0b"])
def test_what_is_no_file_of_text(path):
    with pytest.raises(UserError, match="cannot read configuration") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_of_overrides_the_last_counts_and_groups_are_laid_over_each_other():
    made = load(Training, None, ["network.sizes=[8]", "seed=1", "network={activation: relu}", "seed=2"])
    assert made == Training(seed=2, network=Network((8,), "relu"))


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
