"""Bayesian optimisation of architectures by Optuna, an optional extra (`pip install edgerl[search]`).

Its sampler is the tree-structured Parzen estimator, which knows genes that are there only for some M: Bergstra et al.,
"Algorithms for Hyper-Parameter Optimization", 2011; Watanabe, "Tree-Structured Parzen Estimator", 2023.
"""

import functools
import importlib.util
import warnings
from typing import Any

import jax
import numpy as np

from edgerl.core.errors import UserError
from edgerl.systems.latent_nas.baselines import score_genes
from edgerl.systems.latent_nas.env import LatentNAS
from edgerl.systems.latent_nas.space import BLOCK, GENES, HIGH, KIND, LOW


def available() -> bool:
    """Whether Optuna is installed."""
    return importlib.util.find_spec("optuna") is not None


def bayesian_search(env: LatentNAS, evaluations: int, runs: int, seed: int = 0) -> np.ndarray:
    """Best score of each run, float64 [runs].

    Raises:
      UserError: Optuna is not installed.
    """
    optuna = _optuna()
    score = functools.partial(_score(env), env.default_params)

    def objective(trial: Any) -> float:
        return float(score(_suggested(trial)))

    best = np.zeros(runs)
    for run in range(runs):
        # Optuna's own number of random trials first, and no more than half of all.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # what `group` still is
            sampler = optuna.samplers.TPESampler(
                multivariate=True, group=True, n_startup_trials=min(10, evaluations // 2), seed=seed + run
            )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, n_trials=evaluations)
        best[run] = study.best_value
    return best


def _suggested(trial: Any) -> np.ndarray:
    """Genes int32 [22] that can be built, by Optuna's choice."""
    genes = np.zeros(len(GENES), np.int32)
    for gene in (1, *(i for i in range(len(GENES)) if i != 1)):  # M before all
        if BLOCK[gene] >= genes[1] > 0:
            continue
        low, high = int(LOW[gene]), int(HIGH[gene])
        if gene in KIND:
            genes[gene] = trial.suggest_categorical(GENES[gene], list(range(low, high + 1)))
        else:
            genes[gene] = trial.suggest_int(GENES[gene], low, high)
    return genes


@functools.cache
def _score(env: LatentNAS) -> Any:
    return jax.jit(lambda params, genes: score_genes(env, params, genes))


def _optuna() -> Any:
    if not available():
        raise UserError("Bayesian optimisation needs Optuna: pip install edgerl[search]")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
