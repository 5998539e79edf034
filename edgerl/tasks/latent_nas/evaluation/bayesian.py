"""Bayesian optimisation of latents by Optuna, an optional extra (`pip install edgerl[search]`).

Its sampler is the multivariate tree-structured Parzen estimator: Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", 2011; Watanabe, "Tree-Structured Parzen Estimator", 2023. It chooses among the agent's codes, those of a
coordinate in their order: on the 22 genes it took three times as long, on the latent's real numbers one of three runs
got stuck.
"""

import functools
import importlib.util
import warnings
from typing import Any

import jax
import numpy as np

from edgerl.tasks.latent_nas.env import LatentNAS
from edgerl.tasks.latent_nas.models.model import LATENT
from edgerl.util.content import cache_by_content
from edgerl.util.errors import UserError


def available() -> bool:
    """Whether Optuna is installed."""
    return importlib.util.find_spec("optuna") is not None


def bayesian_search(env: LatentNAS, evaluations: int, runs: int, seed: int = 0) -> np.ndarray:
    """Best score of each run, float64 [runs].

    Raises:
      UserError: Optuna is not installed.
    """
    optuna = imported()
    score = functools.partial(_score(env), env.default_params)

    values = np.sort(np.asarray(env.default_params.codebook), axis=0)

    def objective(trial: Any) -> float:
        codes = [trial.suggest_int(f"z{d}", 0, len(values) - 1) for d in range(LATENT)]
        return float(score(values[codes, np.arange(LATENT)]))

    best = np.zeros(runs)
    for run in range(runs):
        # Optuna's own number of random trials first, and no more than half of all.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # what `multivariate` still is
            sampler = optuna.samplers.TPESampler(
                multivariate=True, n_startup_trials=min(10, evaluations // 2), seed=seed + run
            )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, n_trials=evaluations)
        best[run] = study.best_value
    return best


@cache_by_content()
def _score(env: LatentNAS) -> Any:
    return jax.jit(lambda params, latent: env.score(latent, params))


def imported() -> Any:
    """Optuna, silenced.

    Raises:
      UserError: it is not installed.
    """
    if not available():
        raise UserError("Bayesian optimisation needs Optuna: pip install edgerl[search]")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
