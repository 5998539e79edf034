"""Tokens that get fewer inside the transformer: small examples by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.tasks.agent_vit import data, evaluate, inference, methods, model, reducing
from edgerl.tasks.agent_vit.model import ViTConfig
from edgerl.tasks.agent_vit.reducing import Reduction
from edgerl.tasks.hardware.cost import count_macs

pytestmark = pytest.mark.usefixtures("quick_compile")

merge = jax.jit(reducing.merge, static_argnums=3)
reduced = jax.jit(reducing.reduced, static_argnums=(0, 4))
classify = jax.jit(model.classify, static_argnums=0)
TINY = ViTConfig(patch_size=2, att_dim=8, depth=2, heads=2, dim_head=4, mlp_dim=8)  # 16 patches of 8-pixel images


@pytest.fixture(scope="module")
def transformer():
    network = model.make(TINY, 8, 3)
    params = jax.jit(lambda key: model.initialise(network, key, 12))(jax.random.key(0))
    patches = np.random.default_rng(0).normal(size=(2, 16, 12)).astype(np.float32)
    return network, params, patches, np.broadcast_to(np.arange(16), (2, 16))


def test_merging_by_hand():
    # At even places 0, 2, 4, at odd ones 1, 3, 5; the keys' length does not count.
    keys = np.array([[[1.0, 0], [0, 2], [0, 3], [5, 1], [-1, 0.1], [-1, -1]]])
    # Most alike: 0 with 3 (cosine .98), 2 with 1 (1), 4 with 5 (.63). Two pairs are merged: 0 into 3, 2 into 1.
    x = np.arange(6.0)[None, :, None]
    sizes = np.array([[1.0, 2, 3, 1, 1, 4]])
    tokens, grown = merge(x, sizes, keys, 2)
    np.testing.assert_allclose(tokens[0, :, 0], [4, (1 * 2 + 2 * 3) / 5, (3 * 1 + 0 * 1) / 2, 5], rtol=1e-6)
    np.testing.assert_array_equal(grown[0], [1, 5, 2, 4])


def test_two_tokens_that_are_most_like_the_same_one_all_become_it():
    keys = np.array([[[1.0, 0], [1, 0], [1, 0.1], [-1, 0]]])
    tokens, sizes = merge(np.array([[[3.0], [6], [9], [100]]]), np.ones((1, 4)), keys, 2)
    np.testing.assert_allclose(tokens[0, :, 0], [6, 100], rtol=1e-6)
    np.testing.assert_array_equal(sizes[0], [3, 1])


def test_what_receives_the_least_attention_is_dropped():
    attention = np.broadcast_to(np.array([0.1, 0.4, 0.2, 0.3]), (1, 2, 4, 4))
    kept = jax.jit(reducing.drop, static_argnums=2)(np.arange(4.0)[None, :, None], attention, 2)
    np.testing.assert_array_equal(kept[0, :, 0], [1, 3])


def test_identical_tokens_may_be_merged_without_a_change(transformer):
    # Every even patch has an identical neighbour at an odd place, position included, so that sizes make up for it.
    _, params, patches, rows = transformer
    twins = np.repeat(patches[:, :8], 2, axis=1), np.repeat(rows[:, :8], 2, axis=1)
    # Of one block: what a second one merges are different tokens.
    one = model.make(ViTConfig(**{**vars(TINY), "depth": 1}), 8, 3)
    first = {**params, "blocks": jax.tree.map(lambda p: np.asarray(p)[:1], params["blocks"])}
    np.testing.assert_allclose(
        reduced(one, first, *twins, Reduction("merge", 8)), classify(one, first, *twins), atol=1e-5
    )


def test_without_fewer_tokens_nothing_changes(transformer):
    same = reduced(*transformer, Reduction("merge", 0))
    np.testing.assert_allclose(same, classify(*transformer), atol=1e-5)


@pytest.mark.parametrize(("kind", "left"), [("merge", [11, 6, 3]), ("drop", [11, 6, 1])])
def test_how_many_tokens_are_left(kind, left):
    counts = [16]
    for _ in range(3):
        counts.append(Reduction(kind, 5).left(counts[-1]))
    assert counts[1:] == left


def test_macs_by_hand(transformer):
    network, params, *_ = transformer
    counted = reducing.forward_macs(network, params, 12, 16, Reduction("merge", 4))

    def block(before, after):
        attention = before * 8 * 24 + 2 * before * before * 8 + before * 8 * 8
        matching, summing = (before // 2) ** 2 * 4, (before // 2) ** 2 * 8
        return attention + matching + summing + after * 2 * 8 * 8

    pooled = 8 * 8  # the mean by size is a product, too
    assert counted == 16 * 12 * 8 + block(16, 12) + block(12, 8) + pooled + 8 * 3


def test_merging_that_costs_what_few_patches_cost(transformer):
    network, params, *_ = transformer
    found = reducing.matching(network, params, 12, 14)
    limit = reducing.forward_macs(network, params, 12, 14)
    assert reducing.forward_macs(network, params, 12, 16, found) <= limit
    assert reducing.forward_macs(network, params, 12, 16, Reduction("merge", found.fewer - 1)) > limit


SETTINGS = methods.AgentViTConfig(
    source="synthetic", vit=ViTConfig(8, 8, 2, 1, 8, 8), batch_size=16, n_patch_desired=8, augment=False, epoche=1
)


@pytest.fixture(scope="module")
def splits():
    return data.synthetic(64, 32, patch_size=8)[0]  # 16 patches


@pytest.mark.long
def test_patchdropout_draws_a_number_for_every_step(splits):
    env, _ = methods.make("patchdropout", SETTINGS, splits)
    assert np.mean(env.drawn) == 8
    assert env.sizes == env.drawn == methods.around(8, 16)
    _, state = jax.jit(env.reset)(jax.random.key(0))
    scores = np.random.default_rng(0).uniform(size=(16, 16)).astype(np.float32)
    step = jax.jit(lambda state: env.step(jax.random.key(0), state, scores))
    counts = []
    for _ in range(12):
        _, state, _, _, _, info = step(state)
        counts.append(int(info["patches"]))
    assert set(counts) <= set(env.drawn)
    assert len(set(counts)) > 1


@pytest.mark.long
def test_merging_in_training_is_evaluated_merged_and_whole(splits):
    env, agent = methods.make("tome", SETTINGS, splits)
    assert env.reduction.kind == "merge"
    _, state = jax.jit(env.reset)(jax.random.key(0))
    scores = jnp.zeros((16, 16))
    whole, _ = methods.make("full", SETTINGS, splits)
    merged_macs, whole_macs = (count_macs(lambda s, e=e: e.gradients(s, scores, 16), state) for e in (env, whole))
    assert merged_macs < whole_macs
    moved = jax.jit(env.step)(jax.random.key(0), state, scores)[1]
    assert not np.array_equal(moved.network["head"]["kernel"], state.network["head"]["kernel"])
    images = splits.test.images
    answers, chosen = evaluate.predict(env, agent, (), moved.network, images)
    assert chosen.all()
    patches = jax.jit(lambda images: model.cut(env.network.config, data.normalise(images)))(images)
    rows = np.broadcast_to(np.arange(16), chosen.shape)
    own = np.asarray(reduced(env.network, moved.network, patches, rows, env.reduction))
    np.testing.assert_array_equal(answers[1], own.argmax(-1))


@pytest.mark.parametrize("way", ["chessboard", "attention", "merge"])
def test_accuracy_and_macs_of_inference(way, splits):
    env, _ = methods.make("full", SETTINGS, splits)
    _, state = jax.jit(env.reset)(jax.random.key(0))
    answers = inference.answers(way, 8, SETTINGS, splits, state.network)
    found = inference.judged(env, answers, state.network, splits.test)
    assert found["accuracy"] * len(splits.test.labels) == pytest.approx(
        round(found["accuracy"] * len(splits.test.labels))
    )
    few, every = (reducing.forward_macs(env.network, state.network, 192, count) for count in (8, 16))
    if way == "chessboard":  # which costs nothing to choose
        assert found["macs"] == few
    elif way == "attention":  # the stem and the first block's attention over all patches, before anything is chosen
        assert found["macs"] == few + 16 * 192 * 8 + 16 * 8 * 24 + 2 * 16 * 16 * 8 + 16 * 8 * 8
    else:
        least = reducing.matching(env.network, state.network, 192, 8)
        assert found["macs"] == reducing.forward_macs(env.network, state.network, 192, 16, least) < every
