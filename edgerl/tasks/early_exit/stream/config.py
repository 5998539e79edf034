"""The configuration of an exit-stream run, and the environments that it stands for."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.tasks.early_exit.stream import factory
from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import Learning
from edgerl.tasks.early_exit.table.table import SHIPPED, load_table
from edgerl.util.config import field

# A day has some 20,000 decisions, and what a joule is worth shows after hours: long discounts, whose returns are of
# another size in each condition and are therefore normalised.
_PPO = PPOConfig(
    num_updates=300,
    num_envs=256,
    num_steps=128,
    epochs=2,
    num_minibatches=8,
    hidden_sizes=(32, 32),
    activation="relu",
    learning_rate=3e-3,
    gae_lambda=0.95,
    entropy_coefficient=0.003,
    adam_b2=0.99,
    value_scale=30.0,
    normalise_returns=True,
)


@dataclasses.dataclass(frozen=True)
class LearningConfig:
    """How rewards are changed for learning."""

    toll: float = field(0.5, "taken off for each frame that arrives: about what one pays in the mean", low=0.0)
    joule: float = field(1.5, "right answers that a joule in the battery is worth: rewards are shaped by it", low=0.0)
    discount_s: float | None = field(
        None, "seconds until a reward is worth 1 / e; none: those in which mean days charge the battery twice", low=1.0
    )


@dataclasses.dataclass(frozen=True)
class StreamConfig(RunConfig):
    """A run: policies for one device and source, or for a range of them, of which the best seed is kept."""

    GENERIC: ClassVar[bool] = False  # nobody has tried memory or fine-tuning here

    environment: str = field("ExitStream-v0", "id of the environment", choices=("ExitStream-v0",))
    num_seeds: int = field(2, "policies trained side by side", low=1)
    checkpoint_every: int = field(50, "iterations between checkpoints, log lines written to disk, progress", low=1)
    evaluation_envs: int = field(64, "episodes to choose the best seed by, and as many to evaluate it by", low=1)
    evaluation_steps: int = field(20_000, "of an episode at most", low=1)
    ppo: PPOConfig = _PPO
    table: str | None = field(None, "logits of another network, by `edgerl logits import`; none: the shipped ones")
    profile: str = field("esp32_c3", "board: a profile's name or a YAML file")
    load: str = field("light", "rates at which frames come", choices=tuple(factory.LOADS))
    capacity_j: float = field(300.0, "of the battery, in joules", low=1e-3)
    draw: bool = field(False, "one policy for many conditions: load, capacity and sun are drawn per episode, observed")
    learning: LearningConfig = LearningConfig()


def environment(settings: StreamConfig, split: str = "policy", learning: bool = False) -> ExitStream:
    """The environment on a split of the run's table; with the rewards that it learns from."""
    options: dict[str, Any] = {name: getattr(settings, name) for name in ("profile", "load", "capacity_j", "draw")}
    env = factory.from_table(load_table(settings.table or SHIPPED), split, **options)
    if not learning:
        return env
    given = settings.learning
    seconds = _twice_charged_s(env) if given.discount_s is None else given.discount_s
    return dataclasses.replace(env, learning=Learning(given.toll, given.joule, seconds))


def _twice_charged_s(env: ExitStream) -> float:
    """Seconds in which the mean harvest charges the battery twice: what a joule is worth is known after about that."""
    supply = env.default_params.supply
    watts = supply.panel_w * float(np.mean(supply.harvest)) * (1 + supply.sky_low) / 2
    return 2 * supply.capacity_j / watts
