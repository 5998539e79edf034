"""The configuration of an early-exit run, and the environment, modes and images that it stands for."""

import dataclasses
from typing import Any, ClassVar

from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.tasks.early_exit import factory
from edgerl.tasks.early_exit.env import EXTRAS, EarlyExit
from edgerl.tasks.early_exit.evaluation.evaluate import Images, load_images
from edgerl.tasks.early_exit.goals import KEYS, Goal, goal_for
from edgerl.tasks.early_exit.promise.certificate import DELTA, LOSS
from edgerl.tasks.early_exit.table.table import Table, load_table
from edgerl.util.config import field

# Episodes are a few steps long: no discount, large batches. The entropy term keeps a policy from settling on the first
# exit before it knows what the later ones are worth; it moves no decision to the other side of a tie.
_PPO = PPOConfig(
    num_updates=240,
    num_envs=1024,
    num_steps=4,
    epochs=1,
    num_minibatches=8,
    hidden_sizes=(16, 16),
    activation="relu",
    learning_rate=1e-2,
    discount=1.0,
    gae_lambda=0.8,
    entropy_coefficient=0.03,
    max_grad_norm=10.0,
    adam_b2=0.95,
)


@dataclasses.dataclass(frozen=True)
class PromiseConfig:
    """What accuracy a run promises to keep; see `edgerl certify`."""

    loss: float | None = field(
        None, "accuracy lost against the last exit, at most, 0.01 is one point; none: nothing promised", *LOSS
    )
    delta: float = field(0.1, "probability that a promise is broken, at most", *DELTA)


_FRONT_PPO = dataclasses.replace(_PPO, num_updates=60, epochs=4, entropy_coefficient=0.1)


@dataclasses.dataclass(frozen=True)
class EarlyExitConfig(RunConfig):
    """A run: policies for a profile's weights, of which the best seed is kept, and a front of policies."""

    GENERIC: ClassVar[bool] = False  # an image shows all at once, and it is judged on the device's own decisions

    environment: str = field("EarlyExit-v0", "id of the environment", choices=("EarlyExit-v0",))
    num_seeds: int = field(10, "policies trained side by side", low=1)
    checkpoint_every: int = field(40, "iterations between checkpoints, log lines written to disk, progress", low=1)
    evaluation_envs: int = field(32768, "episodes to choose the best seed by, and as many to evaluate it by", low=1)
    evaluation_steps: int = field(64, "of an episode at most", low=1)
    ppo: PPOConfig = _PPO
    table: str | None = field(None, "logits of another network, by `edgerl logits import`; none: the shipped ones")
    profile: str = field("medium_power", "board: a profile's name or a YAML file")
    max_latency_ms: float | None = field(
        None, "latency budget of one decision; none, here and below: what goes with the profile's name", low=1e-3
    )
    target_accuracy: float | None = field(None, "which an evaluation says whether it is met", low=0.0, high=1.0)
    alpha: float | None = field(None, "weight of a correct answer", low=0.0)
    beta: float | None = field(None, "weight of latency over its budget", low=0.0)
    gamma: float | None = field(None, "weight of compute over its budget", low=0.0)
    extras: tuple[str, ...] = field(EXTRAS, "observed beside the confidence", choices=EXTRAS)
    preference: bool = field(False, "one policy for many weights: they are drawn per episode and observed")
    preference_low: float = field(0.25, "times the cost weights at preference 0", low=1e-6)
    preference_high: float = field(4.0, "times the cost weights at preference 1", low=1e-6)
    front: int = field(256, "policies of the front, each for a price of compute; 0: none", low=0)
    front_ppo: PPOConfig = _FRONT_PPO
    promise: PromiseConfig = PromiseConfig()


def goal(settings: EarlyExitConfig) -> Goal:
    """The board, and what is asked of it."""
    return goal_for(settings.profile, **{key: getattr(settings, key) for key in KEYS})


def environment(settings: EarlyExitConfig, split: str = "policy") -> EarlyExit:
    """The environment on a split of the run's table."""
    profile = goal(settings)
    table = load_table(settings.table) if settings.table else None
    options: dict[str, Any] = {"extras": settings.extras, "draw_preference": settings.preference}
    env = (
        factory.early_exit_v0(split, profile, **options)
        if table is None
        else factory.from_table(table, split, profile, **options)
    )
    params = dataclasses.replace(
        env.default_params, preference_low=settings.preference_low, preference_high=settings.preference_high
    )
    return dataclasses.replace(env, default_params=params)


def modes(settings: EarlyExitConfig) -> dict[str, float | None]:
    """Name → what the policy is told; one mode without preferences."""
    return {"aggressive": 1.0, "balanced": 0.5, "conservative": 0.0} if settings.preference else {"policy": None}


def images(settings: EarlyExitConfig, table: Table, split: str, preference: float | None) -> Images:
    """Every image of a split at every exit, as a policy of these settings sees it, told `preference`."""
    profile, extras = goal(settings), settings.extras
    weights = {"preference_low": settings.preference_low, "preference_high": settings.preference_high}
    return load_images(table, split, profile, extras, preference, **weights)  # type: ignore[arg-type]
