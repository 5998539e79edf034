"""The C that turns logits into a decision: equal to NumPy bit for bit, close to the true entropy, without warnings."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from synthetic import synthetic_table

import edgerl
from edgerl.deploy import names
from edgerl.deploy.extras import Firmware
from edgerl.tasks.early_exit.evaluation.evaluate import load_images
from edgerl.tasks.early_exit.export import exits_files as c_extra
from edgerl.tasks.early_exit.export.exits_c import Device, answers, generate
from edgerl.tasks.early_exit.factory import from_table
from edgerl.tasks.early_exit.table.features import exit_features
from edgerl.tasks.early_exit.trunk.data import TEST

WORDS = names.words("policy", "0" * 64)
ALL = ("margin", "agreement", "probability")

# A policy in the generated policy's form: exits where confidence, and margin if it is there, are large.
POLICY_H = """
#ifndef EDGERL_POLICY_H
#define EDGERL_POLICY_H
#include <stdint.h>
#define POLICY_FEATURES {features}
#define POLICY_ACTIONS 2
int policy_act(const float obs[POLICY_FEATURES]);
#endif
"""
POLICY_C = """
#include "policy.h"
int policy_act(const float obs[POLICY_FEATURES]) { return obs[0] + obs[POLICY_FEATURES - 1] > 0.8f; }
"""
DRIVER = """
#include <stdio.h>
#include "policy_exits.h"
int main(void)
{
    static float logits[POLICY_CLASSES];
    struct policy_exits exits;
    float obs[POLICY_FEATURES];
    int exit = 0;
    if (policy_exits_self_test() != 0) return 2;
    policy_exits_init(&exits);
    while (fread(logits, sizeof logits, 1, stdin) == 1) {
        int decision, prediction;
        policy_observe(&exits, logits, POLICY_EXITS + exit, obs); /* neither changes a decision */
        policy_should_exit(&exits, logits, exit);
        decision = policy_should_exit(&exits, logits, exit), prediction = policy_prediction(&exits);
        fwrite(&decision, sizeof decision, 1, stdout);
        fwrite(&prediction, sizeof prediction, 1, stdout);
        exit = (exit + 1) % POLICY_EXITS;
    }
    for (exit = 0; exit < POLICY_EXITS; exit++) {
        policy_observe(&exits, logits, exit, obs);
        policy_should_exit(&exits, logits, exit);
        fwrite(obs, sizeof obs, 1, stdout);
    }
    return 0;
}
"""


def decide(obs):
    return (obs[:, 0] + obs[:, -1] > np.float32(0.8)).astype(int)


def device(extras=(), classes=100, images=400, **options):
    table = synthetic_table(images=images, classes=classes)
    env = from_table(table, "test", "medium_power", extras, **options)
    return Device(env, table.temperatures, classes), table.logits(table.rows(TEST))


def run(device, logits, tmp_path, sanitize=True):
    """Decisions and predictions [n, K] of all images, observations [K, F] of the last logits at every exit."""
    files = generate(device, decide, WORDS)
    files |= {"policy.h": POLICY_H.format(features=len(device.env.names)), "policy.c": POLICY_C, "driver.c": DRIVER}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if sanitize else []
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", *flags]
    sources = ["policy_exits.c", "policy.c", "driver.c"]
    subprocess.run(["cc", *strict, *sources, "-o", "driver"], cwd=tmp_path, check=True, timeout=120)
    data = np.ascontiguousarray(logits, np.float32).tobytes()
    out = subprocess.run([tmp_path / "driver"], input=data, capture_output=True, check=True, timeout=120).stdout
    n, exits, _ = logits.shape
    pairs = np.frombuffer(out[: 8 * n * exits], np.int32).reshape(n, exits, 2)
    return pairs[..., 0], pairs[..., 1], np.frombuffer(out[8 * n * exits :], np.float32).reshape(exits, -1)


def nasty_logits(exits, classes, seed=0):
    """NaN, infinities, huge, tiny, equal and denormal logits."""
    rng = np.random.default_rng(seed)
    special = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, 0.0, -0.0, 1e5, 88.7], np.float32)
    logits = rng.normal(size=(200, exits, classes)).astype(np.float32) * rng.choice([0.01, 1, 30, 1e4], (200, 1, 1))
    hit = rng.random(logits.shape) < rng.choice([0.02, 0.5, 1.0], (200, 1, 1))
    logits[hit] = rng.choice(special, hit.sum())
    logits[0], logits[1], logits[2], logits[3] = 0, np.nan, np.inf, -np.inf
    return logits.astype(np.float32)


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc, a C compiler, is not installed")
@pytest.mark.parametrize(
    ("extras", "classes", "options"), [((), 100, {}), (ALL, 100, {}), (("margin",), 2, {"draw_preference": True})]
)
def test_the_c_is_the_numpy(tmp_path, extras, classes, options):
    chip, logits = device(extras, classes, **options)
    logits = np.concatenate([logits, nasty_logits(chip.env.exits, classes)])
    decisions, predictions, last = run(chip, logits, tmp_path)
    seen = chip.observe(logits)
    expected = decide(seen.reshape(-1, seen.shape[-1])).reshape(decisions.shape)
    expected[:, -1] = 1
    np.testing.assert_array_equal(decisions, expected)
    np.testing.assert_array_equal(predictions, answers(logits, np.broadcast_to(chip.gain, logits.shape[:2])).prediction)
    same_logits = np.broadcast_to(logits[-1:, -1:], (1, *logits.shape[1:]))
    assert last.tobytes() == chip.observe(same_logits)[0].tobytes()


def test_features_are_true_to_the_entropy():
    chip, logits = device(ALL)
    seen = chip.observe(logits)
    true = [np.asarray(x) for x in exit_features(logits / chip.temperatures[:, None])]
    for column, exact in ((0, true[0]), (4, true[2]), (6, true[1])):
        assert np.abs(seen[..., column] - exact).max() < 1e-4
    np.testing.assert_array_equal(seen[:, 1:, 5], true[3][:, 1:] == true[3][:, :-1])


@pytest.mark.parametrize(("lead", "confidence"), [(0.0, 0.0), (1e4, 1.0)])
def test_the_ends_of_confidence(lead, confidence):
    logits = np.zeros((1, 7), np.float32)
    logits[0, 3] = lead
    seen = answers(logits, np.full(1, 4096 * 1.4427, np.float32))
    assert abs(int(seen.confidence[0]) - 65536 * confidence) <= 4
    assert seen.prediction[0] == (3 if lead else 0)
    assert (seen.margin[0] == 65536) == bool(lead)


def test_the_environment_and_the_device_see_the_same():
    """To within the table's bits, so that what was trained on the table meets what it knows."""
    chip, logits = device(ALL)
    table = synthetic_table(images=400)
    environment = load_images(table, "test", "medium_power", ALL).observations
    assert np.abs(chip.observe(logits) - environment).max() < 2.1e-3


def test_too_many_classes_are_refused():
    chip, _ = device(classes=10, images=40)
    with pytest.raises(edgerl.UserError, match="at most 65536 classes"):
        generate(Device(chip.env, chip.temperatures, 100_000), decide, WORDS)


class FourFeatures:
    """Stands for a deployed policy."""

    sizes = (4, 8, 2)

    def __call__(self, key, obs):
        return (obs[0] > 0.5).astype(int)


def test_the_files_follow_from_what_the_report_keeps(tmp_path):
    chip, _ = device(classes=10)
    said = json.loads(json.dumps(c_extra.said_of(chip.exits)))
    c_extra.write(tmp_path, tmp_path, said, Firmware(FourFeatures(), WORDS))
    expected = generate(chip, lambda obs: (obs[:, 0] > 0.5).astype(int), WORDS)
    assert {name: (tmp_path / name).read_text() for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["evil"]}, "does not describe exits"),
        ({"names": None}, "incomplete"),
        ({"classes": 10**9}, "does not describe exits"),
        ({"classes": True}, "does not describe exits"),
        ({"temperatures": [1.0]}, "does not describe exits"),
        ({"temperatures": "warm"}, "incomplete"),
        ({"known": [[0.0]]}, "does not describe exits"),
        ({"preference": 0.5}, "not as export wrote it"),
        ({"more": 1}, "not as export wrote it"),
    ],
)
def test_what_does_not_describe_exits_is_one_line(tmp_path, change, message):
    said = c_extra.said_of(device(classes=10)[0].exits) | change
    with pytest.raises(edgerl.UserError, match=message) as caught:
        c_extra.write(tmp_path, tmp_path, said, Firmware(FourFeatures(), WORDS))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_numbers_beyond_float32_are_not_as_export_wrote_them(tmp_path):
    said = c_extra.said_of(device(classes=10)[0].exits)
    said["temperatures"][0] *= 1 + 1e-12
    with pytest.raises(edgerl.UserError, match="not as export wrote it"):
        c_extra.write(tmp_path, tmp_path, said, Firmware(FourFeatures(), WORDS))
