"""An int8 network in a file: the same back, and what does not fit is refused."""

import numpy as np
import pytest

from edgerl import UserError
from edgerl.deploy import graph as networks
from edgerl.deploy import graph_file
from edgerl.deploy.graph import Builder
from edgerl.deploy.ops import Add, Conv, Mean
from edgerl.util import files


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    builder = Builder((8, 8, 3))
    fields = {"stride": 2, "activation": "relu"}
    first = builder.add(Conv, 0, weights=rng.normal(size=(4, 3, 3, 3)), bias=rng.normal(size=4), **fields)
    second = builder.add(Conv, first, weights=rng.normal(size=(4, 3, 3, 4)), bias=rng.normal(size=4))
    builder.add(Mean, builder.add(Add, first, second, activation="relu"))
    return networks.quantise(builder.graph(), np.tile([-1.0, 3.0], (len(builder.tensors), 1)))


def test_it_comes_back(network, tmp_path):
    graph_file.save(tmp_path / "a.npz", network, ends=np.array([2, 4]))
    again, arrays = graph_file.load(tmp_path / "a.npz")
    assert arrays["ends"].tolist() == [2, 4]
    assert again.tensors == network.tensors
    graph_file.save(tmp_path / "b.npz", again, ends=arrays["ends"])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("shape", 1, 2**31 - 1),
        ("shape", 2, 4),
        ("scales", 0, np.nan),
        ("scales", 1, -1.0),
        ("zero_points", 0, 200),
        ("operations", (0, 0), 7),
        ("operations", (2, 1), 9),
        ("operations", (2, 2), 0),
        ("operations", (0, 4), 0),
        ("operations", (0, 3), 3),
        ("operations", (3, 2), 1),
        ("bias_0", 0, 2**31 - 1),
        ("weight_scales_1", 0, 0.0),
        ("weights_1", None, np.zeros((4, 3, 3, 5), np.int8)),
        ("bias_1", None, np.zeros(4)),
        ("weights_0", None, None),
    ],
)
def test_what_does_not_fit_is_one_line(network, tmp_path, name, at, value):
    path = tmp_path / "network.npz"
    graph_file.save(path, network)
    arrays = {key: np.array(array) for key, array in files.read_npz(path).items()}
    if at is not None:
        arrays[name][at] = value
    elif value is not None:
        arrays[name] = value
    else:
        del arrays[name]
    files.write_npz(path, arrays)
    with pytest.raises(UserError, match=r"network\.npz is not an int8 network") as caught:
        graph_file.load(path)
    assert "\n" not in str(caught.value)
