"""Choosing patches, the environment around it, and its data."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import edgerl
from edgerl import UserError
from edgerl.tasks.agent_vit import baselines, data, factory, selection
from edgerl.tasks.agent_vit.data import Images
from edgerl.tasks.agent_vit.evaluate import predict, scores
from edgerl.tasks.agent_vit.model import ViTConfig

pytestmark = pytest.mark.usefixtures("quick_compile")

TINY = ViTConfig(patch_size=4, att_dim=4, depth=1, heads=1, dim_head=4, mlp_dim=4)  # 4 patches of 8-pixel images


def tiny(**options):
    images, _ = data.synthetic(16, 8, side=8, informative=2)
    return factory.from_images(
        images.train, images.classes, TINY, **{"n_patch_desired": 2, "batch": 4, "augmented": False, **options}
    )


def test_rules():
    values = jnp.array([[0.1, 0.9, 0.5, 0.7], [4.0, 1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(selection.top(values, 2), [[1, 3], [0, 3]])
    np.testing.assert_array_equal(selection.top(values, 4), [[0, 1, 2, 3]] * 2)
    np.testing.assert_array_equal(selection.above_mean(values)[0], [False, True, False, True])
    assert set(np.argsort(-selection.centre(16))[:4]) == {5, 6, 9, 10}
    assert selection.border(16).reshape(4, 4)[1:3, 1:3].sum() == 0


def test_values_are_placed_where_a_scatter_puts_them():
    rows = selection.top(jax.random.uniform(jax.random.key(0), (3, 16)), 7)
    values = jax.random.normal(jax.random.key(1), (3, 7))
    scattered = jnp.zeros((3, 16)).at[jnp.arange(3)[:, None], rows].set(values)
    np.testing.assert_array_equal(selection.placed(values, rows, 16), scattered)


def test_layouts_are_evenly_spread_and_disjoint():
    board = np.indices((8, 8)).sum(axis=0).ravel() % 2
    black, white = selection.layouts(64, 30)
    assert black.sum() == white.sum() == 30
    assert not black[board == 0].any()
    assert not white[board == 1].any()
    assert black[[7, 56]].sum() == white[[0, 63]].sum() == 0  # the corners are left out
    eighths = selection.layouts(64, 8).reshape(8, 8, 8)
    assert (eighths.sum(axis=(1, 2)) == 8).all()
    assert (eighths.sum(axis=0) == 1).all()
    assert (eighths.sum(axis=2) == 1).all()


def test_the_spread_baseline_draws_a_layout_in_training_and_keeps_to_the_first_afterwards():
    layouts = tuple(tuple(row) for row in selection.layouts(16, 6).tolist())
    agent, obs = baselines.Spread(layouts), jnp.zeros((32, 16))
    drawn = np.asarray(agent.act(jax.random.key(0), (), obs, jnp.int32(0)))
    assert {tuple(row) for row in drawn.tolist()} == set(layouts)
    np.testing.assert_array_equal(agent.greedy(jax.random.key(0), (), obs)[3], layouts[0])


def test_random_patches_are_drawn_for_every_image_in_evaluation_too():
    env = tiny(batch=4, mask="image", rule="top", sees="nothing")
    _, state = jax.jit(env.reset)(jax.random.key(0))
    images = np.zeros((400, 8, 8, 3), np.uint8)
    again = [predict(env, baselines.Random(), (), state.network, images)[1] for _ in range(2)]
    np.testing.assert_array_equal(*again)
    masks, counts = np.unique(again[0], axis=0, return_counts=True)
    assert len(masks) == 6  # every pair of 4 patches
    assert counts == pytest.approx(400 / 6, abs=5 * np.sqrt(400 / 6))
    batches = again[0].reshape(100, -1)
    assert len(np.unique(batches, axis=0)) > 90  # of 1,296; with one key for all batches it was 1


def test_pixel_features_of_flat_and_of_busy_patches():
    patches = jnp.zeros((1, 4, 12)).at[0, 2].set(jnp.tile(jnp.array([1.0, -1.0]), 6))
    features = selection.pixel_features(patches)
    assert features.shape == (1, 4, selection.PIXEL_FEATURES + 4)
    assert features[0, 2, 3] == pytest.approx(np.log(2))  # the spread of +1 and -1
    assert features[0, 0, 3] == 0
    np.testing.assert_array_equal(features[0, :, -4:], np.eye(4))


@pytest.mark.long
def test_the_contract():
    checked = edgerl.check_environment(dataclasses.replace(tiny(), sizes=(2, 4)), num_steps=8)
    assert checked.steps == 128


@pytest.fixture(scope="module")
def played():
    """An environment with one mask for the batch, and four of its steps."""
    env = tiny(rule="mean", params={"max_steps_in_episode": 4})
    actions = jnp.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]])

    @jax.jit
    def play(params):
        def step(state, action):
            _, state, reward, _, truncated, info = env.step(jax.random.key(9), state, action, params)
            return state, {"reward": reward, "truncated": truncated, **info}

        return jax.lax.scan(step, env.reset(jax.random.key(0), params)[1], actions)

    return env, *play(env.default_params)


def test_reward_is_the_published_formula(played):
    _, _, seen = played
    np.testing.assert_array_equal(seen["patches"], [1, 2, 3, 4])
    loss = np.asarray(seen["loss"])
    left_out, ideal = 4 - np.asarray(seen["patches"]), 4 - 2
    np.testing.assert_allclose(seen["reward"], 1.0 * loss[0] / loss + 20 * -np.abs(left_out - ideal) / ideal, rtol=1e-5)


def test_reward_on_recorded_numbers():
    env = tiny()
    recorded = {"first": 2.3, "loss": 1.84, "patches": 3.0}
    reward = env.reward(recorded["first"], recorded["loss"], recorded["patches"], env.default_params)
    assert float(reward) == pytest.approx(1.25 - 20 * 0.5)


def test_an_episode_ends_by_the_clock_and_visits_every_image(played):
    _, state, seen = played
    assert seen["truncated"].tolist() == [False, False, False, True]
    assert int(state.time) == 4
    assert sorted(state.order.tolist()) == list(range(16))


def test_steps_are_compiled_for_few_sizes():
    assert factory.from_images(*_images(), ViTConfig()).sizes == (16, 24, 32, 40, 48, 56, 64)
    assert factory.from_images(*_images(), ViTConfig(), rule="top", full_every=10).sizes == (30, 64)
    assert factory.from_images(*_images(), ViTConfig(), rule="top", phases=(16, 48)).sizes == (16, 48)


def _images():
    splits, _ = data.synthetic(64, 8)
    return splits.train, splits.classes


@pytest.mark.parametrize("count", [0, 65])
def test_a_number_of_patches_that_there_is_not(count):
    with pytest.raises(UserError, match=f"n_patch_desired: {count} patches of 64: expected 1 to 64"):
        factory.from_images(*_images(), ViTConfig(), n_patch_desired=count)


def test_a_batch_larger_than_the_data():
    with pytest.raises(UserError, match="batch_size: 65 is more than the 64 training images"):
        factory.from_images(*_images(), ViTConfig(), batch=65)


def test_synthetic_images_show_their_class_at_the_informative_places_only():
    splits, places = data.synthetic(400, 8, side=8, patch_size=2, informative=3, classes=2)
    labels = splits.train.labels
    patches = splits.train.images.reshape(400, 4, 2, 4, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(400, 16, 12)
    apart = np.abs(patches[labels == 0].mean(0) - patches[labels == 1].mean(0)).mean(1)
    assert set(np.argsort(-apart)[:3]) == set(places.tolist())


def test_a_truncated_file_is_one_clear_line(tmp_path):
    (tmp_path / "data_batch_1.bin").write_bytes(b"\0" * 3000)
    with pytest.raises(UserError, match=r"data_batch_1\.bin has 3000 bytes instead of 30730000"):
        data.load_cifar10(tmp_path)


def test_augmented_images_are_crops_and_flips():
    images = np.random.default_rng(0).integers(1, 256, (64, 16, 16, 3)).astype(np.uint8)
    made = np.asarray(jax.jit(data.augment)(jax.random.key(0), images))
    assert made.shape == images.shape
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    for image, frame in zip(made, padded, strict=True):
        crops = [frame[y : y + 16, x : x + 16] for y in range(9) for x in range(9)]
        assert any((image == crop).all() or (image == crop[:, ::-1]).all() for crop in crops)


def test_precision_recall_and_f1_by_hand():
    made = scores(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2)
    assert made["accuracy"] == 0.75
    assert made["precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert made["recall"] == pytest.approx((0.5 + 1) / 2)
    assert made["f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_the_registered_environment():
    env = edgerl.make("PatchSelection-v0")
    assert env.action_space().shape == (64,)
    assert env == edgerl.make("PatchSelection-v0")
    assert env != factory.from_images(
        Images(np.zeros((8, 16, 16, 3), np.uint8), np.zeros(8, np.int32)), 2, factory.TINY, batch=8
    )
