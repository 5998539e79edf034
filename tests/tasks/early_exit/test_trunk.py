import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.early_exit.trunk.model import Trunk, TrunkConfig, exit_macs, head_channels, predict
from edgerl.tasks.early_exit.trunk.weights import int8_bytes, load_weights, save_weights, stored
from edgerl.util.config import build
from edgerl.util.files import read_npz, write_npz

pytestmark = pytest.mark.usefixtures("quick_compile")

TINY = TrunkConfig(width=2, classes=5)


@functools.cache
def tiny():
    network = Trunk(TINY)
    return network, jax.jit(network.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))


def parameters(config):
    variables = jax.eval_shape(Trunk(config).init, jax.random.key(0), jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
    return sum(x.size for x in jax.tree.leaves(variables["params"]))


def trunk_macs_by_hand(width):
    """Stem and stages alone: pixels times 9 times input times output channels, 4 convolutions a stage."""
    total, per_stage = 32 * 32 * 9 * 3 * width, []
    channels, side = width, 32
    for stage in range(4):
        if stage:
            side //= 2
            entry = side**2 * (9 * channels * 2 * channels + channels * 2 * channels)  # and the 1x1 shortcut
            channels *= 2
            total += entry + 3 * side**2 * 9 * channels**2
        else:
            total += 4 * side**2 * 9 * channels**2
        per_stage.append(total)
    return np.array(per_stage)


def head_macs_by_hand(config):
    """Every evaluated head: strided convolutions, then the classifier; cumulative."""
    costs = []
    for i in range(4):
        channels, side, cost = config.width * 2**i, 32 // 2**i, 0
        for out in head_channels(config, i):
            side //= 2
            cost += side**2 * 9 * channels * out
            channels = out
        costs.append(cost + channels * config.classes)
    return np.cumsum(costs)


@pytest.mark.parametrize("width", [16, 64])
def test_macs_equal_the_formula(width):
    config = TrunkConfig(width=width)
    np.testing.assert_array_equal(exit_macs(config), trunk_macs_by_hand(width) + head_macs_by_hand(config))


def test_macs_of_the_published_backbone():
    # ResNet-18 in its CIFAR form: 555.4 M multiply-accumulates up to the pooling.
    assert trunk_macs_by_hand(64)[-1] == pytest.approx(555.4e6, rel=1e-3)


def test_every_early_head_ends_at_the_last_stages_resolution_and_the_same_width():
    assert [head_channels(TrunkConfig(width=16), i) for i in range(4)] == [(32, 64, 96), (64, 96), (96,), ()]


def test_the_slim_trunk_fits_a_megabyte_in_int8():
    variables = jax.eval_shape(Trunk(TrunkConfig()).init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    assert int8_bytes(variables) < 1_000_000


def test_parameters_of_the_published_backbone():
    # 11.17 M with a classifier of 10 classes; ours has four classifiers and the heads' convolutions besides.
    config = TrunkConfig(width=64, classes=10)
    heads = sum(
        9 * i * o + 2 * o
        for k in range(4)
        for i, o in zip((64 * 2**k, *head_channels(config, k)), head_channels(config, k), strict=False)
    )
    classifiers = 3 * (384 * 10 + 10)
    assert parameters(config) - heads - classifiers == 11_173_962


def test_stage_by_stage_equals_all_at_once():
    network, variables = tiny()

    @functools.partial(jax.jit, static_argnums=(1, 2))
    def run(x, index, method):
        return network.apply(variables, index, x, method=method)

    x = jax.random.normal(jax.random.key(1), (2, 32, 32, 3))
    together = jax.jit(network.apply)(variables, x)
    assert together.shape == (2, 4, 5)
    for i in range(4):
        x = run(x, i, Trunk.stage)
        assert x.shape == (2, 32 // 2**i, 32 // 2**i, 2 * 2**i)
        np.testing.assert_allclose(run(x, i, Trunk.head), together[:, i], rtol=1e-4, atol=1e-5)


def test_predict_does_not_depend_on_the_batch():
    network, variables = tiny()
    images = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    whole = predict(network, variables, images)
    assert whole.shape == (7, 4, 5)
    np.testing.assert_allclose(predict(network, variables, images, batch=3), whole, rtol=1e-4, atol=1e-5)


def test_weights_survive_the_file(tmp_path):
    _, variables = tiny()
    path = tmp_path / "weights.npz"
    save_weights(path, TINY, variables)
    config, loaded = load_weights(path)
    assert config == TINY
    jax.tree.map(np.testing.assert_array_equal, loaded, stored(variables))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6), loaded, variables)


def test_weights_that_do_not_fit_are_one_clear_line(tmp_path):
    path = tmp_path / "weights.npz"
    write_npz(path, {"a": np.ones(3)})
    with pytest.raises(UserError, match="no array 'config'"):
        load_weights(path)
    save_weights(path, TINY, tiny()[1])
    arrays = read_npz(path)
    name = next(name for name in arrays if name.endswith("kernel"))
    write_npz(path, arrays | {name: np.ones((1, 1))})
    with pytest.raises(UserError, match=r"has shape \(1, 1\)"):
        load_weights(path)


def test_configuration_out_of_range():
    with pytest.raises(UserError, match="width: 0 is below 1"):
        build(TrunkConfig, {"width": 0})
