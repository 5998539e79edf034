"""How the trunk is trained."""

import dataclasses

import jax.numpy as jnp

from edgerl.tasks.early_exit.trunk.model import Trunk, TrunkConfig
from edgerl.util.config import field


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How the trunk is trained. SGD with Nesterov momentum; warm-up, a plateau, a cosine to zero; then the heads."""

    trunk: TrunkConfig = dataclasses.field(default_factory=TrunkConfig)
    epochs: int = field(26, "passes over the fit split in which everything learns", low=1)
    small_epochs: int = field(15, "first epochs on smaller crops, which cost half", low=0)
    small_crop: int = field(24, "side of those crops", low=8, high=32)
    batch: int = field(128, "images a step, over all devices", low=1)
    learning_rate: float = field(0.1, "highest learning rate", low=0.0)
    decay_epochs: int = field(14, "last epochs, in which the learning rate falls to zero as a cosine", low=1)
    head_epochs: int = field(12, "passes after those in which only the early exits' heads learn", low=0)
    head_learning_rate: float = field(0.04, "at the start of those; falls to zero as a cosine", low=0.0)
    head_temperature: float = field(2.0, "temperature of the last exit's answers in those", low=0.1)
    warmup_epochs: float = field(1.0, "epochs of linear rise from zero", low=0.0)
    momentum: float = field(0.9, "Nesterov momentum", low=0.0, high=1.0)
    weight_decay: float = field(5e-4, "on convolution and dense kernels only", low=0.0)
    first_weight: float = field(0.5, "weight of the first exit's loss; rises linearly to 1 at the last", low=0.0)
    distillation: float = field(0.4, "share of the early exits' loss that is distillation", low=0.0, high=1.0)
    temperature: float = field(3.0, "temperature of the distillation", low=0.1)
    bfloat16: bool = field(False, "compute in bfloat16; parameters stay float32. For GPUs")
    evaluate_every: int = field(5, "epochs between two evaluations on the policy split", low=1)
    seed: int = field(0, "seed of everything that is drawn", low=0)


def network_of(config: TrainConfig) -> Trunk:
    """The network that is trained."""
    return Trunk(config.trunk, jnp.bfloat16 if config.bfloat16 else jnp.float32)
