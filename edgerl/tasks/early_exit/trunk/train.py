"""Training the trunk: cross-entropy at every exit, and the last exit teaching the earlier ones.

Zhang et al. (2019), "Be Your Own Teacher: Improve the Performance of Convolutional Neural Networks via Self
Distillation". Then the early exits' heads alone learn on, from the last exit's answers to mixed images. The batch is
sharded over all devices, each with its own batch statistics; gradients are averaged. All draws derive from the seed and
the step, so a run that was killed goes on to the same bits.
"""

import functools
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import chex
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from edgerl.rl.learner import Metrics
from edgerl.rl.run import loop
from edgerl.rl.run.loop import Training
from edgerl.rl.run.run_folder import require_same
from edgerl.tasks.early_exit.trunk.config import TrainConfig, network_of
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, Dataset, augment, normalise
from edgerl.tasks.early_exit.trunk.losses import early_heads, heads_loss, joint_loss, mixed
from edgerl.tasks.early_exit.trunk.model import predict
from edgerl.util.config import as_dict
from edgerl.util.errors import UserError
from edgerl.util.files import read_json, write_json

AXIS = "batch"
CONFIG_FILE = "config.json"  # in a run's folder


@flax.struct.dataclass
class TrainState:
    """All that a later step depends on, besides the configuration."""

    step: chex.Array  # int32 []
    params: Any
    statistics: Any  # batch normalisation's running means and variances
    optimizer: Any


def train(
    config: TrainConfig, data: Dataset, folder: str | Path, report: Callable[[str], None] = print
) -> tuple[TrainState, dict[str, Any]]:
    """Trains on the fit split, from the last checkpoint in `folder` where there is one.

    Args:
      config: is kept as `config.json` in `folder`, and must be the same on every call that resumes.
      data: images of any of the three splits; only FIT ones are trained on, POLICY ones give the progress report.
      folder: is made where it does not exist; log and checkpoint are written after every epoch.
      report: is called with a line after every epoch.
    Returns:
      The final state, and a summary: `policy_accuracy` float [K] on the policy split.
    Raises:
      UserError: the batch does not divide over the devices, or exceeds the fit split, or `folder` holds a run of
        another configuration, or the loss is not finite.
      KeyboardInterrupt: with a message that says how far it is.
    """
    training, folder = TrunkTraining(config, data), Path(folder)
    training.check()
    _keep_config(config, folder / CONFIG_FILE)
    state = loop.train(training, folder, report=report)
    return state, {"policy_accuracy": accuracies(config, state, *data.part(POLICY)).tolist()}


class TrunkTraining(Training[TrainState]):
    """The trunk, epoch by epoch, on all devices."""

    unit, every = "epoch", 1

    def __init__(self, config: TrainConfig, data: Dataset) -> None:
        self.METRICS = ("loss", *(f"accuracy_{k}" for k in range(config.trunk.stages)))
        self.config, self.marks = config, (config.epochs + config.head_epochs,)
        self._data = data
        self._mesh = Mesh(np.array(jax.devices()), (AXIS,))
        self._steps = self.steps_per_update = int((data.split == FIT).sum()) // config.batch
        self._began = time.perf_counter()

    def check(self) -> None:
        """Raises a `UserError` if the batch does not divide over the devices, or exceeds the fit split."""
        batch, devices, images = self.config.batch, self._mesh.size, int((self._data.split == FIT).sum())
        if batch % devices or batch > images:
            raise UserError(f"batch: {batch} must be a multiple of {devices} devices and at most {images}")

    @functools.cached_property
    def _fit(self) -> tuple[np.ndarray, np.ndarray]:
        return self._data.part(FIT)

    def init(self) -> TrainState:
        """Before the first step."""
        return init_state(self.config, self._steps)

    def placed(self, saved: TrainState) -> TrainState:
        """On every device."""
        return jax.device_put(saved, NamedSharding(self._mesh, P()))

    def update(self, state: TrainState, done: int, count: int) -> tuple[TrainState, Metrics]:
        """One epoch: the means of its steps. It consumes `state`."""
        from tqdm import tqdm

        assert count == 1
        self._began = time.perf_counter()
        step = make_update(self.config, self._steps, self._mesh, heads_only=done >= self.config.epochs)
        history: list[tuple[chex.Array, chex.Array]] = []
        images, labels = self._fit
        order = epoch_order(self.config, done, len(images))
        for rows in tqdm(order, f"epoch {done + 1}", leave=False, disable=None):  # shown on a terminal only
            state, metrics = step(state, images[rows], labels[rows], self._crop(done))
            history.append(metrics)
            jax.block_until_ready(history[-2:-1])  # at most two steps under way
        loss, accuracy = (np.mean(jax.device_get([m[i] for m in history]), axis=0) for i in (0, 1))
        return state, {name: value.reshape(1, 1) for name, value in zip(self.METRICS, [loss, *accuracy], strict=True)}

    def policy(self, state: TrainState) -> dict[str, Any]:
        """What `Trunk.apply` takes, on the host."""
        return jax.device_get(variables(state))

    def note(self, state: TrainState, done: int, metrics: Metrics) -> str:
        """Loss and accuracies, now and then those on the policy split too, and seconds."""
        loss, *fit = (float(metrics[name][0, 0]) for name in self.METRICS)
        line = f"epoch {done}/{self.marks[-1]} crop {self._crop(done - 1)} loss {loss:.4f} fit {_percent(fit)}"
        seconds = time.perf_counter() - self._began
        if done % self.config.evaluate_every == 0:
            line += f" policy {_percent(accuracies(self.config, state, *self._data.part(POLICY)))}"
        return f"{line} {seconds:.0f} s"

    def diverged(self, column: int, found: str) -> str:
        """There is one column."""
        return f"the loss of the trunk is {found}: try a smaller learning_rate than {self.config.learning_rate:g}"

    def _crop(self, epoch: int) -> int:
        return self.config.small_crop if epoch < self.config.small_epochs else self._data.images.shape[1]


def epoch_order(config: TrainConfig, epoch: int, count: int) -> np.ndarray:
    """Row numbers int [steps, batch] of one epoch: a permutation, without what does not fill a batch."""
    order = np.random.default_rng((config.seed, epoch)).permutation(count)
    return order[: count // config.batch * config.batch].reshape(-1, config.batch)


@functools.partial(jax.jit, static_argnums=(0, 1))
def init_state(config: TrainConfig, steps_per_epoch: int) -> TrainState:
    """The state before the first step."""
    initial = network_of(config).init(jax.random.key(config.seed), jnp.zeros((1, 32, 32, 3)))
    params = initial["params"]
    return TrainState(jnp.int32(0), params, initial["batch_stats"], _optimizer(config, steps_per_epoch).init(params))


@functools.lru_cache  # a run that resumes in the same process compiles nothing again
def make_update(config: TrainConfig, steps_per_epoch: int, mesh: Mesh, heads_only: bool = False) -> Callable:
    """The compiled step `(state, images uint8 [B, S, S, 3], labels int32 [B], crop) -> (state, (loss, accuracy [K]))`.

    It consumes `state`. `crop` is the side of the random crops and static. With `heads_only` the early exits' heads
    learn from the last exit (`heads_loss`), else everything learns (`joint_loss`).
    """
    objective, early = heads_loss if heads_only else joint_loss, early_heads(config.trunk)
    optimizer = _optimizer(config, steps_per_epoch)

    def local(state: TrainState, images: chex.Array, labels: chex.Array, crop: int) -> tuple[TrainState, Any]:
        key = jax.random.fold_in(jax.random.key(config.seed), state.step)
        key = jax.random.fold_in(key, jax.lax.axis_index(AXIS))
        x = augment(key, normalise(images), crop)
        if heads_only:
            x = mixed(jax.random.fold_in(key, 1), x)
        gradient = jax.value_and_grad(functools.partial(objective, config), has_aux=True)
        varying = jax.lax.pcast(state.params, AXIS, to="varying")
        (loss, (statistics, accuracy)), grads = gradient(varying, state.statistics, x, labels)
        grads, statistics, loss, accuracy = jax.lax.pmean((grads, statistics, loss, accuracy), AXIS)
        updates, optimizer_state = optimizer.update(grads, state.optimizer, state.params)
        if heads_only:
            updates = {n: u if n in early else jax.tree.map(jnp.zeros_like, u) for n, u in updates.items()}
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, statistics, optimizer_state), (loss, accuracy)

    @functools.partial(jax.jit, static_argnums=3, donate_argnums=0)
    def update(state: TrainState, images: chex.Array, labels: chex.Array, crop: int) -> tuple[TrainState, Any]:
        sharded = jax.shard_map(
            functools.partial(local, crop=crop), mesh=mesh, in_specs=(P(), P(AXIS), P(AXIS)), out_specs=P()
        )
        return sharded(state, images, labels)

    return update


def accuracies(config: TrainConfig, state: TrainState, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Accuracy of every exit on uint8 images, float [K]."""
    logits = predict(network_of(config), variables(state), images)
    return (logits.argmax(-1) == labels[:, None]).mean(0)


def variables(state: TrainState) -> dict[str, Any]:
    """What `Trunk.apply` takes."""
    return {"params": state.params, "batch_stats": state.statistics}


def _optimizer(config: TrainConfig, steps_per_epoch: int) -> optax.GradientTransformation:
    total = config.epochs * steps_per_epoch
    warmup = min(max(1, round(config.warmup_epochs * steps_per_epoch)), total - 1)
    decay_start = max(warmup, total - config.decay_epochs * steps_per_epoch)
    rise = optax.linear_schedule(0.0, config.learning_rate, warmup)
    fall = optax.cosine_decay_schedule(config.learning_rate, total - decay_start)
    heads = optax.cosine_decay_schedule(config.head_learning_rate, max(1, config.head_epochs * steps_per_epoch))
    schedule = optax.join_schedules([rise, fall, heads], [decay_start, total])
    decay = optax.add_decayed_weights(config.weight_decay, lambda params: jax.tree.map(lambda p: p.ndim > 1, params))
    return optax.chain(decay, optax.sgd(schedule, config.momentum, nesterov=True))


def _keep_config(config: TrainConfig, path: Path) -> None:
    if not path.exists():
        return write_json(path, as_dict(config))
    require_same(f"{path.parent} holds a run", read_json(path), as_dict(config))


def _percent(accuracy: Iterable[float]) -> str:
    return "/".join(f"{100 * a:.1f}" for a in accuracy)
