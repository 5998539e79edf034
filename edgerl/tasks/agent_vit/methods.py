"""The ways to choose patches that AgentViT's judgement compares, and the configuration of a run."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax

from edgerl.tasks.agent_vit import baselines, factory, model, optimising, reducing, selection
from edgerl.tasks.agent_vit.agents.dqn import DQNConfig, ScoreDQN
from edgerl.tasks.agent_vit.agents.subset_policy import SubsetPolicy, SubsetPolicyConfig
from edgerl.tasks.agent_vit.data import Splits, load_cifar10, synthetic
from edgerl.tasks.agent_vit.env import PatchSelection
from edgerl.tasks.agent_vit.members import Trial
from edgerl.tasks.agent_vit.model import ViTConfig
from edgerl.util import memory
from edgerl.util.config import field
from edgerl.util.errors import UserError

AGENTS = ("policy", "dqn")
METHODS = ("full", "random", "chessboard", "centre", "norm", "attention", "annealed", "patchdropout", "tome", *AGENTS)
BUDGETS = ("equal_epochs", "equal_macs", "equal_time")
_PIXELS = 32 * 32 * 3
_SYNTHETIC = (4096, 1024)  # training and test images of the synthetic set, unless others are asked for


@dataclasses.dataclass(frozen=True)
class AgentViTConfig:
    """A run. The names in AgentViT's table are kept; the defaults are for two CPU cores."""

    agent: str = field("policy", "policy: credit for each patch, masks of images; dqn: AgentViT's", choices=AGENTS)
    seed: int = field(0, "of the first training", low=0, high=2**31 - 1)
    num_seeds: int = field(3, "trainings, each with its own seed, one after another", low=1, high=1000)
    source: str = field("cifar10", "synthetic: 8 known patches carry the label", choices=("cifar10", "synthetic"))
    data: str | None = field(None, "folder of CIFAR-10's binary files; none: through tensorflow-datasets")
    train_images: int = field(25_000, "how many of the training images; 0: all", low=0)
    test_images: int = field(0, "how many of the test images; 0: all", low=0)
    vit: ViTConfig = dataclasses.field(default_factory=lambda: ViTConfig(4, 48, 2, 2, 24, 96))
    epoche: int = field(1, "epochs", low=1)
    batch_size: int = field(32, "images a step", low=1)
    learning_rate: float = field(1e-3, "step size of AdamW for the transformer, at its highest", low=0)
    schedule: str = field("constant", "of learning_rate; cosine: falls to 0 in the end", choices=optimising.SCHEDULES)
    warmup: float = field(0.0, "part of the training in which the rate rises, under cosine", low=0, high=0.9)
    weight_decay: float = field(0.0, "of the transformer's kernels, a step at learning_rate 1", low=0)
    label_smoothing: float = field(0.0, "part of a label that all classes share", low=0, high=0.9)
    average: float = field(0.99, "decay of the running mean of the weights, which is judged; 0: the last ones", low=0)
    augment: bool = field(True, "crop and flip the training images")
    n_patch_desired: int = field(30, "patches that a step should use", low=1)
    full_every: int = field(10, "every so many steps all patches, but for agent dqn; 0: never", low=0)
    loss_weight: float = field(1.0, "of first loss over loss in the reward", low=0)
    time_weight: float = field(20.0, "of the distance from n_patch_desired in the reward", low=0)
    alpha: float | None = field(None, "loss_weight, and 1 - time_weight, as one number; none: both as given", 0, 1)
    state: str = field("attention", "what agent dqn sees; norm: of the embeddings", choices=("attention", "norm"))
    mask: str = field("batch", "of agent dqn: one for the batch, or one an image", choices=("batch", "image"))
    budgets: tuple[str, ...] = field(BUDGETS, "what methods are compared at; see `edgerl evaluate`", choices=BUDGETS)
    curve: tuple[int, ...] = field((), "patches at which the full transformer is judged in inference, too", low=1)
    compared: tuple[str, ...] = field(METHODS, "what `edgerl evaluate` trains and judges", choices=METHODS)
    checkpoint_every: int = field(100, "steps between checkpoints, log lines written to disk, progress", low=1)
    policy: SubsetPolicyConfig = dataclasses.field(default_factory=SubsetPolicyConfig)
    dqn: DQNConfig = dataclasses.field(default_factory=DQNConfig)


def load_splits(settings: AgentViTConfig) -> Splits:
    """The images of a run."""
    if settings.source == "cifar10":
        return load_cifar10(settings.data, settings.train_images, settings.test_images)
    if settings.data is not None:
        raise UserError("data: the synthetic images need none")
    train, test = settings.train_images or _SYNTHETIC[0], settings.test_images or _SYNTHETIC[1]
    what = f"train_images = {train}, test_images = {test}"
    memory.require(what, max(train, test) * _PIXELS * 8, "take fewer")  # drawn in float64
    return synthetic(train, test, patch_size=settings.vit.patch_size)[0]


def make(name: str, settings: AgentViTConfig, splits: Splits) -> tuple[PatchSelection, Any]:
    """The environment and the agent of a method.

    * full: all patches. random, chessboard, centre, norm, attention: the `n_patch_desired` patches drawn, evenly spread
      and always the same, nearest to the middle, of the largest embedding, most attended to in the first block.
      annealed: random, their number growing in four steps. patchdropout: random, their number drawn for each step.
    * tome: all patches, merged from block to block until it costs what `n_patch_desired` patches would.
    * dqn, policy: the agents.
    """
    side = splits.train.images.shape[1]
    patches = (side // settings.vit.patch_size) ** 2
    wanted = settings.n_patch_desired
    weights = {"loss_weight": settings.loss_weight, "time_weight": settings.time_weight}
    if settings.alpha is not None:
        weights = {"loss_weight": settings.alpha, "time_weight": 1 - settings.alpha}
    options: dict[str, Any] = {
        "n_patch_desired": wanted,
        "batch": settings.batch_size,
        "augmented": settings.augment,
        "rule": "top",
        "mask": "image",
        "sees": "nothing",
        "full_every": settings.full_every,
        "schedule": settings.schedule,
        "label_smoothing": settings.label_smoothing,
        "params": {n: getattr(settings, n) for n in ("learning_rate", "weight_decay", "warmup", "average")} | weights,
    }
    agent: Any = baselines.Random()
    if name == "full":
        options |= {"n_patch_desired": patches, "full_every": 0}
    elif name == "annealed":
        options |= {"phases": growing(wanted, patches), "full_every": 0}
    elif name == "patchdropout":
        options |= {"drawn": around(wanted, patches), "full_every": 0}
    elif name == "tome":
        options |= {
            "n_patch_desired": patches,
            "full_every": 0,
            "reduction": _merging(settings.vit, side, splits.classes, wanted),
        }
    elif name == "chessboard":
        agent = baselines.Spread(_layouts(patches, wanted))
    elif name == "centre":
        agent = baselines.Centre()
    elif name in ("norm", "attention"):
        agent = baselines.Observed()
        options |= {"sees": {"norm": "norm", "attention": "received"}[name]}
    elif name == "dqn":
        agent = ScoreDQN(settings.dqn)
        options |= {"rule": "mean", "mask": settings.mask, "sees": settings.state, "full_every": 0}
    elif name == "policy":
        agent = SubsetPolicy(settings.policy, wanted, _layouts(patches, wanted))
        options |= {"sees": "pixels", "credited": True}
    return factory.from_images(splits.train, splits.classes, settings.vit, **options), agent


def _layouts(patches: int, wanted: int) -> tuple[tuple[float, ...], ...]:
    """Hashable, as agents are."""
    return tuple(tuple(row) for row in selection.layouts(patches, wanted).tolist())


def seeds(settings: AgentViTConfig) -> range:
    """Of the run's trainings."""
    return range(settings.seed, settings.seed + settings.num_seeds)


def epochs_steps(settings: AgentViTConfig, splits: Splits) -> int:
    """Steps of the configured epochs."""
    steps = settings.epoche * (len(splits.train.labels) // settings.batch_size)
    if steps >= 2**31:  # which a compiled program does not count
        raise UserError(f"epoche = {settings.epoche}: {steps} steps; there must be fewer than {2**31}")
    return steps


def member(
    settings: AgentViTConfig, splits: Splits, name: str, seed: int, marks: tuple[int, ...] | None = None
) -> Trial:
    """A training of one method, by default of the configured epochs."""
    env, agent = make(name, settings, splits)
    steps = epochs_steps(settings, splits)
    return Trial(name, env, agent, seed, marks or (steps,), min(settings.checkpoint_every, steps))


def growing(wanted: int, patches: int) -> tuple[int, ...]:
    """Four numbers of patches whose mean is about `wanted`, the last one all of them where that can be."""
    low = max(1, wanted // 2)
    return (low, low, max(low, min(wanted, patches)), min(patches, max(wanted, 4 * wanted - 3 * low)))


def around(wanted: int, patches: int) -> tuple[int, ...]:
    """Up to four different numbers of patches, evenly spread, whose mean is `wanted`."""
    step = min(wanted - 1, patches - wanted) // 3
    return tuple(sorted({wanted - step - step // 2, wanted - step // 2, wanted + step // 2, wanted + step + step // 2}))


@functools.lru_cache
def _merging(vit: ViTConfig, side: int, classes: int, wanted: int) -> reducing.Reduction:
    """As dear as `wanted` patches."""
    network, width = model.make(vit, side, classes), 3 * vit.window**2
    params = jax.eval_shape(lambda key: model.initialise(network, key, width), jax.random.key(0))
    return reducing.matching(network, params, width, wanted)


def folder_of(run: Path, name: str, seed: int) -> Path:
    """Of one training in a run."""
    return run / "members" / f"{name}-{seed}"
