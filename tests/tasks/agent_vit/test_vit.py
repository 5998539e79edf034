"""The transformer: its size against the published one's, and subsets of its tokens."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.agent_vit import model, selection
from edgerl.tasks.agent_vit.methods import AgentViTConfig
from edgerl.tasks.agent_vit.model import ViTConfig
from edgerl.tasks.hardware.cost import count_macs
from edgerl.util import config as configuration

pytestmark = pytest.mark.usefixtures("quick_compile")

EXAMPLE = Path(__file__).parents[3] / "examples" / "agent_vit_seed.yaml"
SEED = configuration.load(AgentViTConfig, EXAMPLE).vit
SMALL = ViTConfig(patch_size=2, att_dim=8, depth=2, heads=2, dim_head=4, mlp_dim=16)


@pytest.fixture(scope="module")
def small():
    """The logits of a network for images of 8 pixels as a function, and three images' patches [3, 16, 12]."""
    network = model.make(SMALL, 8, 10)
    params = jax.jit(lambda key: model.initialise(network, key, 12))(jax.random.key(0))

    @jax.jit
    def logits(patches, rows, weights):
        return network.apply({"params": params}, selection.gather(patches, rows), rows, weights)

    return logits, jax.random.normal(jax.random.key(1), (3, 16, 12))


def _shapes(config):
    network = model.make(config, 32, 10)
    return network, jax.eval_shape(lambda key: model.initialise(network, key, 48), jax.random.key(0))


def test_the_published_size():
    network, params = _shapes(SEED)
    assert sum(x.size for x in jax.tree.leaves(params)) == pytest.approx(3.95e6, rel=0.01)
    for tokens, macs in ((64, 302e6), (40, 177e6), (30, 129e6)):
        patches, rows = jnp.zeros((1, tokens, 48)), jnp.zeros((1, tokens), jnp.int32)
        counted = count_macs(lambda p, x, r: network.apply({"params": p}, x, r), params, patches, rows)
        assert counted == pytest.approx(macs, rel=0.01)


def test_multiply_accumulates_by_hand():
    network, params = _shapes(SEED)
    patches, rows = jnp.zeros((1, 30, 48)), jnp.zeros((1, 30), jnp.int32)
    counted = count_macs(lambda p, x, r: network.apply({"params": p}, x, r), params, patches, rows)
    a_token = 128 * 3 * 1024 + 1024 * 128 + 2 * 128 * 512 + 2 * 30 * 1024  # projections, perceptron, attention
    assert counted == 30 * (48 * 128 + 6 * a_token) + 128 * 10


def test_weight_0_is_as_if_the_token_were_not_there(small):
    logits, patches = small
    rows, everywhere = jnp.array([[0, 3, 5, 12]] * 3), jnp.broadcast_to(jnp.arange(16), (3, 16))
    masked = logits(patches, everywhere, jnp.zeros((3, 16)).at[:, rows[0]].set(1))
    np.testing.assert_allclose(logits(patches, rows, jnp.ones((3, 4))), masked, atol=1e-5)


def test_weight_2_is_as_if_the_token_were_there_twice(small):
    logits, patches = small
    rows = jnp.array([[1, 2, 7, 7]] * 3)
    double, heavy = (logits(patches, rows, jnp.array([w] * 3, jnp.float32)) for w in ([1, 1, 1, 1], [1, 1, 2, 0]))
    np.testing.assert_allclose(heavy, double, atol=1e-5)


def test_positions_belong_to_tokens_and_not_to_places_in_the_sequence(small):
    logits, patches = small
    rows, ones = jnp.array([[0, 3, 5, 12]] * 3), jnp.ones((3, 4))
    one, other = (logits(patches, r, ones) for r in (rows, rows[:, ::-1]))
    np.testing.assert_allclose(one, other, atol=1e-5)
    shifted = jnp.roll(patches, 1, axis=1)  # the same patches stand at the next positions
    assert np.abs(one - logits(shifted, rows + 1, ones)).max() > 1e-3


def test_patches_are_cut_row_by_row():
    images = jnp.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    patches = model.patchify(images, 2)
    assert patches.shape == (2, 4, 12)
    np.testing.assert_array_equal(patches[1, 2].reshape(2, 2, 3), images[1, 2:4, 0:2])


CONV = ViTConfig(patch_size=4, att_dim=8, depth=1, heads=2, dim_head=4, mlp_dim=8, stem="conv", stem_width=6)


def test_the_convolutional_stem_is_two_convolutions_over_the_whole_image():
    network = model.make(CONV, 16, 10)
    params = jax.jit(lambda key: model.initialise(network, key, 3 * 8 * 8))(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    mine = network.apply({"params": params}, model.cut(CONV, images), method="project")
    stem = params["conv_stem"]

    def convolution(x, kernel, side):
        kernel = kernel.reshape(side, side, x.shape[-1], -1)
        return jax.lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    hidden = convolution(jnp.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0))), stem["first"]["kernel"], 4)  # 9 x 9
    hidden = jax.nn.gelu((hidden - hidden.mean(-1, keepdims=True)) / jnp.sqrt(hidden.var(-1, keepdims=True) + 1e-6))
    whole = convolution(hidden, stem["second"]["kernel"], 3)  # 4 x 4
    np.testing.assert_allclose(mine.reshape(whole.shape), whole, atol=1e-4)


def test_the_convolutional_stem_costs_as_many_tokens_as_are_taken():
    network = model.make(CONV, 16, 10)
    params = jax.eval_shape(lambda key: model.initialise(network, key, 192), jax.random.key(0))
    seen = [jnp.zeros((1, count, 192)) for count in (16, 4)]
    all_of_them, few = (
        count_macs(lambda p, x: network.apply({"params": p}, x, method="project"), params, x) for x in seen
    )
    assert few * 4 == all_of_them == 16 * (9 * 48 * 6 + 54 * 8)


def test_the_pixels_of_a_patch_are_found_in_its_window():
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    np.testing.assert_array_equal(model.core(CONV, model.cut(CONV, images)), model.patchify(images, 4))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ViTConfig(patch_size=1, stem="conv"), "vit.patch_size: 1 is odd"),
        (ViTConfig(patch_size=5), "do not tile an image of 32"),
        (ViTConfig(att_dim=6), "not a multiple of 4"),
    ],
)
def test_a_shape_that_cannot_be(config, message):
    with pytest.raises(UserError, match=message):
        model.make(config, 32, 10)
