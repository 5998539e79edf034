import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.tasks.early_exit.trunk import data
from edgerl.tasks.early_exit.trunk.data import FIT, MEAN, POLICY, STD, TEST, augment, load_images, normalise


def test_splits_share_no_image_and_have_the_right_sizes(monkeypatch):
    images = np.zeros((60_000, 1, 1, 3), np.uint8)
    labels = np.zeros(60_000, np.int32)
    monkeypatch.setattr(data, "read_cifar", lambda name, folder: (images, labels, 50_000))
    split = load_images("cifar100", "anywhere").split
    assert [int((split == part).sum()) for part in (FIT, POLICY, TEST)] == [40_000, 10_000, 10_000]
    assert (split[50_000:] == TEST).all()  # no training image is judged by
    assert not (split[:50_000] == TEST).any()


def test_part_gives_the_rows_of_a_split(blobs):
    images, labels = blobs.part(POLICY)
    assert images.shape == (24, 32, 32, 3)
    np.testing.assert_array_equal(labels, blobs.labels[96:120])


def test_normalise_by_hand():
    pixel = jnp.array([[255, 0, 51]], jnp.uint8)
    expected = [(1 - MEAN[0]) / STD[0], -MEAN[1] / STD[1], (0.2 - MEAN[2]) / STD[2]]
    np.testing.assert_allclose(normalise(pixel)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("crop", [24, 32])
def test_a_crop_is_a_window_of_the_padded_image_or_of_its_mirror_image(crop):
    side = 32
    image = jnp.arange(1.0, side * side * 3 + 1).reshape(1, side, side, 3)
    padding = max(0, (crop + 8 - side) // 2)
    padded = np.pad(np.asarray(image[0]), ((padding, padding), (padding, padding), (0, 0)))
    windows = {
        (flip, top, left): w[:, ::-1] if flip else w
        for flip in (0, 1)
        for top in range(9)
        for left in range(9)
        for w in [padded[top : top + crop, left : left + crop]]
    }
    seen = set()
    cut = jax.jit(augment, static_argnums=2)
    for seed in range(60):
        out = np.asarray(cut(jax.random.key(seed), image, crop))
        assert out.shape == (1, crop, crop, 3)
        matches = [place for place, window in windows.items() if np.array_equal(window, out[0])]
        assert len(matches) == 1
        seen.update(matches)
    assert {flip for flip, _, _ in seen} == {0, 1}
    assert len(seen) > 40  # of 162 places in 60 draws


def test_images_of_a_batch_are_moved_independently_and_the_key_decides():
    images = jnp.broadcast_to(jnp.arange(32.0)[None, :, None, None], (64, 32, 32, 3))
    first = augment(jax.random.key(0), images, 24)
    assert len(np.unique(np.asarray(first[:, 0, 0, 0]))) == 9
    np.testing.assert_array_equal(first, augment(jax.random.key(0), images, 24))
    assert not np.array_equal(first, augment(jax.random.key(1), images, 24))
