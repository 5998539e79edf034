"""What scaled observations in training, folded into the network."""

import pickle

import foreign
import gymnasium
import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.imports import normalisers
from edgerl.tasks.imports.networks import Layer

DRAW = np.random.default_rng(0)
MEAN, VARIANCE = DRAW.normal(size=3), DRAW.uniform(0.1, 9, 3)


def read(tmp_path, data, features=3):
    path = tmp_path / "normaliser"
    path.write_bytes(data)
    return normalisers.read(path, features)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_folded_layer_reads_what_is_not_scaled(tmp_path, protocol):
    found = read(tmp_path, foreign.normaliser_file(MEAN, VARIANCE, epsilon=0.5, protocol=protocol))
    layer = Layer("a", DRAW.normal(size=(3, 5)), DRAW.normal(size=5))
    obs = DRAW.normal(size=(100, 3)) * 3
    scaled = (obs - MEAN) / np.sqrt(VARIANCE + 0.5)
    folded = found.folded(layer)
    np.testing.assert_allclose(obs @ folded.kernel + folded.bias, scaled @ layer.kernel + layer.bias, rtol=1e-12)


def test_whether_an_observation_could_be_clipped(tmp_path):
    found = read(tmp_path, foreign.normaliser_file([0.0, 1.0, 0.0], [1.0, 4.0, 0.01], epsilon=0.0, clip=5.0))
    assert not found.reached(np.array([-5.0, -9.0, -0.5]), np.array([5.0, 11.0, 0.5]))
    assert found.reached(np.array([-5.0, -9.0, -0.5]), np.array([5.0, 11.5, 0.5]))
    assert found.reached(np.array([-np.inf, -9.0, -0.5]), np.array([5.0, 11.0, 0.5]))


@pytest.mark.parametrize("file", [foreign.npz_file, foreign.safetensors_file])
def test_arrays_do_as_well(tmp_path, file):
    found = read(tmp_path, file({"mean": MEAN, "var": VARIANCE, "count": np.array(9.0)}))
    np.testing.assert_array_equal(found.mean, MEAN)
    np.testing.assert_allclose(found.deviation, np.sqrt(VARIANCE), rtol=1e-6)
    assert not found.reached(np.full(3, -1e30), np.full(3, 1e30))


def test_observations_that_were_not_scaled(tmp_path):
    assert read(tmp_path, foreign.normaliser_file(MEAN, VARIANCE, norm_obs=False)) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (foreign.normaliser_file(MEAN[:2], VARIANCE[:2]), r"of shapes \[2\] and \[2\], not \[3\]"),
        (foreign.normaliser_file(MEAN, VARIANCE[:2]), r"of shapes \[3\] and \[2\], not \[3\]"),
        (foreign.normaliser_file(MEAN * np.nan, VARIANCE), "must be finite"),
        (foreign.normaliser_file(MEAN, -VARIANCE), "var not below 0"),
        (foreign.normaliser_file(MEAN, VARIANCE * 0, epsilon=0.0), "var not below 0"),
        (foreign.normaliser_file(MEAN, VARIANCE, epsilon=-1.0), "epsilon is -1.0"),
        (foreign.normaliser_file(MEAN, VARIANCE, epsilon=float("nan")), "epsilon is no finite number"),
        (foreign.normaliser_file(MEAN, VARIANCE, clip="far"), "clip_obs is no array of numbers"),
        (foreign.normaliser_file(MEAN, VARIANCE, norm_obs_keys=["a"]), "parts of a dictionary of observations"),
        (foreign.normaliser_file(MEAN, VARIANCE, obs_rms={"a": 1}), "it has no RunningMeanStd"),
        (foreign.normaliser_file(MEAN, VARIANCE)[:-9], "truncated"),
        (pickle.dumps(gymnasium.spaces.Discrete(3)), "it has no VecNormalize"),
        (pickle.dumps(pickle.Pickler), r"it names _pickle\.Pickler, which is not read"),
        (b"text", "expected Stable-Baselines3's vecnormalize.pkl"),
        (foreign.npz_file({"mean": MEAN}), "has mean; expected the arrays mean and var"),
        (foreign.npz_file({"mean": MEAN, "var": VARIANCE, "std": VARIANCE}), "has mean, std, var; expected the arrays"),
        (foreign.npz_file({"mean": MEAN > 0, "var": VARIANCE}), "hold bool and float64, expected numbers"),
        (
            foreign.zipped({"data": b"", "policy.pth": b""}),
            "is no normaliser: expected Stable-Baselines3's vecnormalize.pkl",
        ),
    ],
)
def test_another_file_is_refused(tmp_path, data, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, data)
