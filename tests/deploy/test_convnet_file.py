"""An int8 network in a file: the same back, and what does not fit is refused."""

import numpy as np
import pytest

from edgerl import UserError
from edgerl.deploy import convnet, convnet_file
from edgerl.deploy.convnet import Builder
from edgerl.util import files


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    builder = Builder((8, 8, 3))
    first = builder.conv(0, rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4), 2, relu=True)
    second = builder.conv(first, rng.normal(size=(4, 3, 3, 4)), rng.normal(size=4))
    builder.mean(builder.add(first, second, relu=True))
    return convnet.quantise(builder.network(), np.tile([-1.0, 3.0], (len(builder.tensors), 1)))


def test_it_comes_back(network, tmp_path):
    convnet_file.save(tmp_path / "a.npz", network, (2, 4))
    again, ends = convnet_file.load(tmp_path / "a.npz")
    assert ends == (2, 4)
    assert again.tensors == network.tensors
    convnet_file.save(tmp_path / "b.npz", again, ends)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("shape", 1, 2**31 - 1),
        ("shape", 2, 4),
        ("scales", 0, np.nan),
        ("scales", 1, -1.0),
        ("zero_points", 0, 200),
        ("ends", 0, 9),
        ("ends", 1, 3),
        ("operations", (0, 0), 7),
        ("operations", (2, 1), 9),
        ("operations", (2, 2), 0),
        ("operations", (0, 3), 0),
        ("operations", (0, 4), 2),
        ("bias_0", 0, 2**31 - 1),
        ("weight_scales_1", 0, 0.0),
        ("weights_1", None, np.zeros((4, 3, 3, 5), np.int8)),
        ("bias_1", None, np.zeros(4)),
        ("weights_0", None, None),
    ],
)
def test_what_does_not_fit_is_one_line(network, tmp_path, name, at, value):
    path = tmp_path / "network.npz"
    convnet_file.save(path, network, (2, 4))
    arrays = {key: np.array(array) for key, array in files.read_npz(path).items()}
    if at is not None:
        arrays[name][at] = value
    elif value is not None:
        arrays[name] = value
    else:
        del arrays[name]
    files.write_npz(path, arrays)
    with pytest.raises(UserError, match=r"network\.npz is not an int8 network") as caught:
        convnet_file.load(path)
    assert "\n" not in str(caught.value)
