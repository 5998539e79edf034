import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh

from edgerl import UserError
from edgerl.tasks.early_exit.table.build import build_table
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.trunk import train as train_trunk
from edgerl.tasks.early_exit.trunk.config import TrainConfig
from edgerl.tasks.early_exit.trunk.data import FIT, TEST, Dataset
from edgerl.tasks.early_exit.trunk.losses import early_heads, heads_loss, loss_and_accuracy, mixed
from edgerl.tasks.early_exit.trunk.model import Trunk, predict
from edgerl.tasks.early_exit.trunk.train import accuracies, epoch_order, init_state, make_update, train
from edgerl.tasks.early_exit.trunk.weights import load_weights
from edgerl.util.checkpoint import open_checkpoints
from edgerl.util.config import build

pytestmark = [pytest.mark.usefixtures("quick_compile"), pytest.mark.long]

TINY = {
    "trunk": {"width": 4, "classes": 3},
    "epochs": 5,
    "head_epochs": 1,
    "small_epochs": 1,
    "batch": 16,
    "evaluate_every": 1,
    "warmup_epochs": 0.5,
}

EARLY = early_heads(build(TrainConfig, TINY).trunk)


def assert_same_bits(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def moved(a, b):
    return any(jax.tree.leaves(jax.tree.map(lambda x, y: not np.array_equal(x, y), a, b)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, blobs):
    """A finished run's folder and its state."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    state, _ = train(build(TrainConfig, TINY), blobs, folder, report=lambda line: None)
    return folder, state


def test_a_run_that_was_killed_goes_on_to_the_same_bits(tmp_path, blobs, finished):
    lines = []

    def killed(line):
        lines.append(line)
        if len(lines) == 2:
            raise KeyboardInterrupt

    config = build(TrainConfig, TINY)
    with pytest.raises(KeyboardInterrupt):
        train(config, blobs, tmp_path / "killed", report=killed)
    state, _ = train(config, blobs, tmp_path / "killed", report=lines.append)
    assert "resumed after epoch 2" in lines[2]
    assert len(lines) == 7
    assert int(state.step) == 36
    assert_same_bits(state, finished[1])


def test_a_finished_run_is_not_trained_again(blobs, finished):
    folder, state = finished
    lines = []
    again, _ = train(build(TrainConfig, TINY), blobs, folder, report=lines.append)
    assert lines == ["resumed after epoch 6 of 6"]
    assert_same_bits(again, state)


def test_another_configuration_does_not_resume(blobs, finished):
    with pytest.raises(UserError, match=r"holds a run with learning_rate = 0.1, not 0.2: name a new folder"):
        train(build(TrainConfig, TINY | {"learning_rate": 0.2}), blobs, finished[0])


def test_only_the_fit_split_is_trained_on(tmp_path, blobs, finished):
    others = Dataset(np.where((blobs.split == FIT)[:, None, None, None], blobs.images, 0), blobs.labels, blobs.split)
    state, _ = train(build(TrainConfig, TINY), others, tmp_path / "other", report=lambda line: None)
    assert_same_bits(state, finished[1])


def test_it_learns(blobs, finished):
    _, state = finished
    images, labels = blobs.part(TEST)
    assert accuracies(build(TrainConfig, TINY), state, images, labels)[-1] >= 0.75  # chance is 1/3


def test_at_the_end_only_the_early_heads_learn(tmp_path, blobs, finished):
    def after_joint(line):
        if line.startswith("epoch 5"):
            raise KeyboardInterrupt

    config = build(TrainConfig, TINY)
    with pytest.raises(KeyboardInterrupt):
        train(config, blobs, tmp_path / "run", report=after_joint)
    with open_checkpoints(tmp_path / "run" / "checkpoints") as checkpoints:
        before = checkpoints.restore(5, init_state(config, 6))
    after = finished[1]
    for part in ("params", "statistics"):
        old, new = getattr(before, part), getattr(after, part)
        assert set(EARLY) < set(old)
        for name in old:
            assert moved(old[name], new[name]) == (name in EARLY)


def test_what_the_heads_learn_by_hand():
    """The divergence from the last exit at head_temperature 2; the accuracy of the second image, which is not mixed."""
    config = build(TrainConfig, TINY | {"head_temperature": 2.0})
    state = init_state(config, 3)
    x, labels = jax.random.normal(jax.random.key(1), (2, 32, 32, 3)), jnp.array([0, 2])
    loss, (statistics, accuracy) = heads_loss(config, state.params, state.statistics, x, labels)
    network, both = train_trunk.network_of(config), train_trunk.variables(state)
    expected, right, features = 0.0, [], x
    last = network.apply(both, x)[:, -1]
    for i, name in enumerate(EARLY):
        features = network.apply(both, i, features, method="stage")
        answer, _ = network.apply(both, i, features, True, method="head", mutable=["batch_stats"])
        student, teacher = (jax.nn.softmax(z / 2) for z in (answer, last))
        expected += 4 * (teacher * jnp.log(teacher / student)).sum(-1).mean()
        right.append(answer[1].argmax() == 2)
        assert moved(statistics[name], state.statistics[name])
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)
    np.testing.assert_array_equal(accuracy, [*right, last[1].argmax() == 2])


def test_every_other_image_is_mixed_with_the_one_before():
    images = jax.random.uniform(jax.random.key(0), (4, 2, 2, 3))
    made = mixed(jax.random.key(1), images)
    np.testing.assert_array_equal(made[1::2], images[1::2])
    for i in (0, 2):
        own, other = images[i] - images[i - 1], made[i] - images[i - 1]
        share = (other * own).sum() / (own * own).sum()
        assert 0 <= share < 1
        np.testing.assert_allclose(other, share * own, atol=1e-6)


def test_batches_that_do_not_fit(tmp_path, blobs):
    with pytest.raises(UserError, match="batch: 128 must be"):
        train(build(TrainConfig, TINY | {"batch": 128}), blobs, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_epoch_visits_every_image_once():
    config = build(TrainConfig, TINY)
    order = epoch_order(config, 0, 96)
    np.testing.assert_array_equal(np.sort(order.ravel()), np.arange(96))
    assert not np.array_equal(order, epoch_order(config, 1, 96))
    assert epoch_order(config, 0, 100).shape == (6, 16)  # 4 images do not fill a batch


def test_loss_by_hand():
    config = build(TrainConfig, {"first_weight": 0.5, "distillation": 0.4, "temperature": 2.0})
    logits = jnp.array([[[2.0, 0.0], [0.0, 4.0]]])  # one image, two exits; the label is class 1
    loss, accuracy = loss_and_accuracy(config, logits, jnp.array([1]))
    hard = [np.log1p(np.exp(2.0)), np.log1p(np.exp(-4.0))]
    student, teacher = np.exp([1.0, 0.0]) / np.exp([1.0, 0.0]).sum(), np.exp([0.0, 2.0]) / np.exp([0.0, 2.0]).sum()
    divergence = 2.0**2 * (teacher * np.log(teacher / student)).sum()
    assert float(loss) == pytest.approx(0.5 * (0.6 * hard[0] + 0.4 * divergence) + 1.0 * hard[1], rel=1e-5)
    np.testing.assert_array_equal(accuracy, [0.0, 1.0])


def test_distillation_does_not_move_the_last_exit():
    config = build(TrainConfig, {})
    logits = jax.random.normal(jax.random.key(0), (4, 3, 5))
    labels = jnp.array([0, 1, 2, 3])
    gradient = jax.grad(lambda z: loss_and_accuracy(config, z, labels)[0])(logits)
    alone = jax.grad(lambda z: optax.softmax_cross_entropy_with_integer_labels(z, labels).mean())(logits[:, -1])
    np.testing.assert_allclose(gradient[:, -1], alone, rtol=1e-5)


def test_weight_decay_is_on_kernels_only():
    config = build(TrainConfig, TINY)
    state = init_state(config, 3)
    zeros = jax.tree.map(jnp.zeros_like, state.params)
    optimizer = train_trunk._optimizer(config, 3)
    _, warm = optimizer.update(zeros, state.optimizer, state.params)  # the learning rate of the first step is 0
    updates, _ = optimizer.update(zeros, warm, state.params)
    moved = {x.ndim > 1 for x, u in zip(*map(jax.tree.leaves, (state.params, updates)), strict=True) if u.any()}
    assert moved == {True}


@pytest.mark.skipif(len(jax.devices()) < 2, reason="JAX shows fewer than two devices here")
def test_two_devices_with_the_same_images_do_what_one_does(blobs, monkeypatch):
    monkeypatch.setattr(train_trunk, "augment", lambda key, images, crop: images)
    config = build(TrainConfig, TINY | {"seed": 1, "warmup_epochs": 0.0})  # a seed of its own: nothing cached before
    images, labels = blobs.images[:4], blobs.labels[:4]

    def updated(devices):
        update = make_update(config, 3, Mesh(np.array(jax.devices()[:devices]), ("batch",)))
        state, metrics = update(
            init_state(config, 3), np.tile(images, (devices, 1, 1, 1)), np.tile(labels, devices), 32
        )
        return state.params, state.statistics, metrics

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), updated(1), updated(2))


def test_the_table_holds_what_the_stored_weights_answer(tmp_path, blobs, finished):
    table = build_table(finished[0], blobs, tmp_path / "table.npz", tmp_path / "weights.npz", "the command")
    config, weights = load_weights(tmp_path / "weights.npz")
    logits = predict(Trunk(config), weights, blobs.images)
    rows = np.arange(len(blobs.labels))
    step = np.abs(logits).max(-1, keepdims=True) / 127
    assert (np.abs(table.logits(rows) - logits) <= 0.501 * step).all()
    np.testing.assert_array_equal(table.labels, blobs.labels)
    np.testing.assert_array_equal(table.split, blobs.split)
    assert (np.diff(table.macs) > 0).all()
    report = table.provenance
    assert report["command"] == "the command"
    test = features(table, table.rows(TEST))
    np.testing.assert_allclose(report["quantisation"]["test_accuracy"], test.correct.mean(0))
    # Half a step in each logit moves 1 - H / log C by less than a step, since sum p |log p + H| is at most 2 H.
    assert np.max(report["quantisation"]["confidence_largest_difference"]) < step.max()


def test_no_table_of_an_unfinished_run(tmp_path, blobs):
    def killed(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(build(TrainConfig, TINY), blobs, tmp_path / "run", report=killed)
    with pytest.raises(UserError, match="1 of 6 epochs"):
        build_table(tmp_path / "run", blobs, tmp_path / "t.npz", tmp_path / "w.npz", "")
    assert not (tmp_path / "t.npz").exists()
