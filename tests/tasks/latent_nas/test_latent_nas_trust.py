"""What is said of a table and of a surrogate: the table's own name, the rule checked on it, nothing explained."""

import dataclasses
import json

import numpy as np
import pytest
from tables import lines, table, write

from edgerl import UserError
from edgerl.tasks.latent_nas import factory
from edgerl.tasks.latent_nas.evaluation.evaluate import Doubts, summary
from edgerl.tasks.latent_nas.models.build import BuildConfig, build, build_from
from edgerl.tasks.latent_nas.models.fit_model import FitConfig
from edgerl.tasks.latent_nas.models.fit_surrogate import SurrogateConfig
from edgerl.tasks.latent_nas.models.model import ModelConfig
from edgerl.tasks.latent_nas.models.scores import of_predictions
from edgerl.tasks.latent_nas.table import data, trust
from edgerl.tasks.latent_nas.table.space import in_high_group

# As in test_latent_nas_models.py: what was compiled there need not be again.
SMALL = BuildConfig(
    autoencoder=ModelConfig(encoder=(64,), decoder=(32,)),
    fit=FitConfig(steps=300, batch=64),
    surrogate=SurrogateConfig(members=2, selecting=200, refining=50),
)


def shuffled(rows, seed=0):
    """The same genes with targets that have nothing to do with them."""
    made = table(rows)
    return dataclasses.replace(made, targets=np.random.default_rng(seed).permutation(made.targets))


def test_the_shipped_models_name_their_table():
    said = factory.load_models().provenance
    assert said["table"]["file"] == "dataset_cifar10_v1.csv"
    assert said["table"]["published"]
    assert said["table"]["sha256"] == trust.PUBLISHED
    assert "dataset_cifar10_v1.csv of IBM AnalogNAS" in said["citation"]
    assert said["rule"]["holds"]
    assert (said["rule"]["in_high_group"], said["rule"]["others"]) == (789, 411)
    low, high = said["surrogate"]["r2_95_percent"]
    assert 0.6 < low < said["surrogate"]["r2"] < high < 0.85
    assert trust.notes(said) == []


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Models of a table in which nothing can be learnt, and its path."""
    path = tmp_path_factory.mktemp("noise") / "mine.csv"
    return build(write(path, lines(shuffled(300))), SMALL)


def test_the_tables_own_name_is_kept(noise, tmp_path):
    assert noise.provenance["table"]["file"] == "mine.csv"
    assert noise.provenance["citation"].startswith("Trained on mine.csv")
    assert "dataset_cifar10_v1" not in json.dumps(noise.provenance)
    factory.save_models(tmp_path / "models.npz", noise)
    assert factory.load_models(tmp_path / "models.npz").provenance == noise.provenance


def test_what_explains_nothing_is_told(noise):
    said = noise.provenance
    assert said["surrogate"]["r2_95_percent"][0] <= 0
    surrogate, rule = trust.notes(said)
    assert surrogate.startswith("the surrogate explains nothing of mine.csv beyond chance: on 60 rows")
    assert "95 % interval" in surrogate
    assert "does not hold in mine.csv" in rule
    assert "it picks the better one in " in rule
    assert not any("\n" in line for line in (surrogate, rule))
    json.dumps(said, allow_nan=False)


def test_what_holds_is_told_by_nothing():
    learnt = build_from(table(300), SMALL, "good.csv").provenance
    assert learnt["surrogate"]["r2_95_percent"][0] > 0
    assert learnt["rule"]["holds"]
    assert learnt["rule"]["pairs_in_order"] == 1
    assert trust.notes(learnt) == []


def test_the_rule_by_hand():
    made = table(200)
    good = in_high_group(made.genes)
    said = trust.check_rule(made)
    assert said["holds"]
    assert said["in_high_group"] == good.sum()
    for rows, text in ((good, "all of its rows"), (~good, "none of its rows")):
        one = {"rule": trust.check_rule(made[np.flatnonzero(rows)]), "table": {"file": "t.csv"}}
        assert not one["rule"]["holds"]
        assert text in trust.rule_doubt(one)
    targets = made.targets.copy()
    targets[np.flatnonzero(good)[0], 0] = 0.5  # one row is enough
    said = trust.check_rule(dataclasses.replace(made, targets=targets))
    assert not said["holds"]
    assert 0.98 < said["pairs_in_order"] < 1
    turned = dataclasses.replace(made, targets=1 - made.targets)
    assert trust.check_rule(turned)["pairs_in_order"] == 0


def test_models_of_before_say_that_the_rule_was_not_checked():
    old = {"rows": {"training": 1, "held out": 1}, "surrogate": {"rows": 240, "r2": 0.7}}
    assert "was not checked" in trust.rule_doubt(old)
    assert trust.surrogate_doubt(old) is None
    assert trust.surrogate_doubt(old | {"surrogate": {"rows": 240, "r2": -0.009}}).endswith("must lie above 0")
    assert "not defined" in trust.surrogate_doubt(old | {"surrogate": {"rows": 2, "r2": None}})


def found(score):
    one = {"buildable": True, "high_group": True, "parameters": 100, "score": score, "predicted_accuracy": score}
    return [{**one, "steps": 1, "stopped": True}]


def test_no_share_of_what_means_nothing():
    assert "reasons" not in summary(found(0.5), 1.0)
    assert summary(found(0.5), 1.0)["share_of_bound"] == 0.5
    said = summary(found(0.5), 1.0, Doubts("no rule", "no surrogate"))
    for name in ("share_of_bound", "buildable_and_high_group", "and_within_250000_parameters", "least_parameters"):
        assert said[name] is None
        assert said["reasons"][name] == ("no surrogate" if name == "share_of_bound" else "no rule")
    below = summary(found(-2.0), -1.0)
    assert below["share_of_bound"] is None
    assert "the bound is -1" in below["reasons"]["share_of_bound"]


def test_architectures_that_are_there_twice_judge_nothing():
    once = table(150)
    twice = once[np.tile(np.arange(150), 2)]
    said = build_from(twice, SMALL, "twice.csv").provenance
    left = said["rows"]["held out"]
    assert 10 <= left < 30
    assert said["rows"][trust.SEEN] == 60 - left
    assert any(f"{60 - left} held-out rows are architectures of training rows" in note for note in trust.notes(said))
    assert said["surrogate"]["rows"] == left
    with pytest.raises(UserError, match=r"many.csv: 0 of the 60 held-out rows"):
        build_from(once[np.arange(300) % 3], SMALL, "many.csv")


def test_what_is_the_same_everywhere_has_no_r2():
    assert np.isnan(of_predictions(np.array([0.1, 0.2]), np.array([0.3, 0.3]))["r2"])
    flat = dataclasses.replace(table(300), targets=np.full((300, 3), 0.9))
    with pytest.raises(UserError, match=r"1_day_accuracy is 0\.9 in all rows"):
        build_from(flat, SMALL)


def test_weights_that_ran_away_are_refused():
    wild = dataclasses.replace(SMALL, surrogate=dataclasses.replace(SMALL.surrogate, learning_rate=1e30))
    with pytest.raises(UserError, match=r"t\.csv: the weights of the surrogate are not finite .*learning_rate"):
        build_from(table(300), wild, "t.csv")


def test_the_digest_is_of_the_numbers_not_of_the_file(tmp_path):
    rows = lines(table(40))
    one = data.read_csv(write(tmp_path / "a.csv", rows))
    other = data.read_csv(write(tmp_path / "b.csv", [[*reversed(row)] for row in rows]))
    assert trust.describe(one, "a")["table"]["sha256"] == trust.describe(other, "b")["table"]["sha256"]
    changed = dataclasses.replace(other, targets=other.targets + 1e-9)
    assert trust.describe(changed, "b")["table"]["sha256"] != trust.describe(one, "a")["table"]["sha256"]
