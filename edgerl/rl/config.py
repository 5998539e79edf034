"""Configuration of PPO and of a run."""

import dataclasses
from typing import Any, ClassVar

from flax import struct

from edgerl.util.config import field
from edgerl.util.errors import UserError

_MOST = 2**31  # of what compiled programs count


def static(default: Any, help: str, **limits: Any) -> Any:
    """As `edgerl.util.config.field`, for what decides the compiled program: not a leaf of the pytree."""
    made = field(default, help, **limits)
    return dataclasses.field(default=made.default, metadata={**made.metadata, "pytree_node": False})


@struct.dataclass
class PPOConfig:
    """Proximal policy optimisation. A pytree: its leaves are numbers that may be traced and vmapped, for example
    `jax.vmap(lambda rate: train(env, config.replace(learning_rate=rate), key))(rates)`.

    Source of the names and defaults: Schulman et al., "Proximal Policy Optimization Algorithms", 2017. `edgerl config`
    and the reference's page on configuration give each field's meaning and range.

    Example:
      >>> config = edgerl.PPOConfig(num_updates=10, num_envs=32, num_steps=16)
      >>> config.batch_size, config.total_steps
      (512, 5120)
    """

    num_updates: int = static(24, "PPO iterations; each takes num_envs * num_steps environment steps", low=1)
    num_envs: int = static(64, "environments stepped side by side", low=1)
    num_steps: int = static(64, "steps of each environment per iteration", low=1)
    epochs: int = static(4, "passes over each iteration's steps", low=1)
    num_minibatches: int = static(4, "gradient steps per pass; divides num_envs * num_steps", low=1)
    hidden_sizes: tuple[int, ...] = static((64, 64), "width of each hidden layer of policy and value network", low=1)
    gru_size: int = static(0, "units of a gated recurrent unit in front of the hidden layers; 0: no memory", low=0)
    encoder_sizes: tuple[int, ...] = static((), "width of each layer in front of the recurrent unit", low=1)
    activation: str = static("tanh", "between layers", choices=("relu", "relu6", "tanh", "sigmoid"))
    observation_scale: tuple[float, ...] = static((), "what each feature is divided by; empty: 1", low=1e-6)
    schedule: str = static("linear", "how the learning rate falls to 0", choices=("constant", "linear", "cosine"))
    clip_value: bool = static(False, "clip the change of the value, as the policy's")
    normalise_observations: bool = static(False, "by running mean and deviation; at first by observation_scale")
    normalise_returns: bool = static(False, "value_scale follows the returns; as it stands here at first")
    learning_rate: float = field(1e-2, "Adam's step size at the start", low=0)
    discount: float = field(0.99, "gamma: what a reward is worth one step later", low=0, high=1)
    gae_lambda: float = field(0.95, "0: one-step advantages; 1: whole returns", low=0, high=1)
    clip: float = field(0.2, "how far a probability ratio may move from 1 and still be rewarded", low=0)
    entropy_coefficient: float = field(0.005, "weight of the policy's entropy", low=0)
    initial_std: float = field(1.0, "standard deviation of continuous actions at the start; 1: half the box", low=1e-3)
    value_coefficient: float = field(0.5, "weight of the value loss", low=0)
    value_scale: float = field(1.0, "size of the returns; the value network's output is multiplied by it", low=1e-6)
    max_grad_norm: float = field(1.0, "the gradient is scaled down to this norm", low=0)
    adam_b2: float = field(0.95, "Adam's decay of the squared gradient; more for long runs", low=0, high=0.9999999)

    @property
    def batch_size(self) -> int:
        """Environment steps of one iteration."""
        return self.num_envs * self.num_steps

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        return self.num_updates * self.batch_size

    def check(self) -> None:
        """Raises a `UserError` where keys do not fit each other."""
        if self.batch_size % self.num_minibatches:
            raise UserError(
                f"num_envs * num_steps = {self.num_envs} * {self.num_steps} = {self.batch_size} cannot be divided "
                f"into num_minibatches = {self.num_minibatches} equal parts"
            )
        if self.encoder_sizes and not self.gru_size:
            raise UserError("encoder_sizes are in front of a recurrent unit: set gru_size, or use hidden_sizes")
        if self.gru_size and self.num_envs % self.num_minibatches:
            raise UserError(
                f"with memory whole sequences are learnt from: num_envs = {self.num_envs} cannot be divided into "
                f"num_minibatches = {self.num_minibatches} equal parts"
            )
        gradients = self.num_updates * self.epochs * self.num_minibatches
        for what, value in (
            ("num_envs * num_steps", self.batch_size),
            ("num_updates * epochs * num_minibatches", gradients),
        ):
            if value >= _MOST:
                raise UserError(f"{what} = {value}; it must be below {_MOST}, so that a 32-bit number counts it")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A training run: several seeds, of which the best is kept.

    `edgerl config` and the reference's page on configuration give each field's meaning and range.

    Attributes:
      ppo: how each of them learns.

    Example:
      >>> edgerl.RunConfig(num_seeds=2).ppo.learning_rate
      0.01
    """

    GENERIC: ClassVar[bool] = True  # whether a policy may have memory, and be fine-tuned for int8

    environment: str = field("CartPole-v1", "id of the environment")
    seed: int = field(0, "of the run's random key", low=0, high=2**31 - 1)
    num_seeds: int = field(4, "policies trained side by side", low=1)
    mesh: int = field(
        1,
        "devices that share one seed's environments; 0: as many as there are for each. Others than 1 round otherwise",
        low=0,
    )
    checkpoint_every: int = field(8, "iterations between checkpoints, log lines written to disk, progress", low=1)
    evaluation_envs: int = field(500, "episodes to choose the best seed by, and as many to judge it by", low=1)
    evaluation_steps: int = field(500, "of an episode at most", low=1)
    finetune_updates: int = field(
        0,
        "iterations at the end in which the best policy sees observations rounded to int8; 0: none",
        low=0,
        high=10_000,
    )
    ppo: PPOConfig = dataclasses.field(default_factory=PPOConfig)

    def check(self) -> None:
        """Raises a `UserError` where keys do not fit each other, or a number is larger than can be counted."""
        self.ppo.check()
        for key in dataclasses.fields(self):
            value = getattr(self, key.name)
            if isinstance(value, PPOConfig) and value.gru_size and not self.GENERIC:
                raise UserError(f"{key.name}.gru_size = {value.gru_size}, but this task's policies have no memory: 0")
        if self.finetune_updates and not self.GENERIC:
            raise UserError(f"finetune_updates = {self.finetune_updates}, but this task does not fine-tune: 0")
        for name in ("num_seeds", "checkpoint_every", "evaluation_envs", "evaluation_steps"):
            if getattr(self, name) >= _MOST:
                raise UserError(f"{name} = {getattr(self, name)}; it must be below {_MOST}")
