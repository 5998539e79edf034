"""Configuration of a search through NAS-Bench-201's cells."""

import dataclasses

from edgerl.tasks.latent_nas.cells.agent import SearchConfig
from edgerl.tasks.latent_nas.cells.autoencoder import AutoencoderConfig
from edgerl.tasks.latent_nas.cells.table import DIGITAL, METRICS
from edgerl.util.config import field


@dataclasses.dataclass(frozen=True)
class CellsConfig:
    """What is searched for, at how many looks at the table, and what it is compared with."""

    metric: str = field("analog_accuracy", "column of the table to maximise", choices=(*METRICS, "worst_drift"))
    looks: int = field(300, "cells whose accuracy surrogate and agent may see", low=10, high=15625)
    parameters: float | None = field(None, "parameters that a cell's network may have; none: any", low=73306)
    macs: float | None = field(None, "multiply-accumulate operations it may have; none: any", low=7783040)
    cheap: str | None = field(None, "column known of all cells beforehand; none: nothing is", choices=DIGITAL)
    autoencoder: AutoencoderConfig = dataclasses.field(default_factory=AutoencoderConfig)
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    counts: tuple[int, ...] = field((10, 30, 100, 300), "looks at which searches are compared", low=10, high=15625)
    runs: int = field(20, "searches of each kind to compare", low=1)
    slow_runs: int = field(2, "of Optuna's and scikit-learn's searches, where installed; 0: none", low=0)
