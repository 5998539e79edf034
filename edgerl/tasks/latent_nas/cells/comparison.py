"""The agent and other searches at equal numbers of looks at the table, every look counted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgerl.tasks.latent_nas.cells import baselines, space
from edgerl.tasks.latent_nas.cells.agent import Agent, SearchConfig, search
from edgerl.tasks.latent_nas.cells.autoencoder import LatentSpace
from edgerl.tasks.latent_nas.cells.config import CellsConfig
from edgerl.tasks.latent_nas.cells.looks import Looks, Regret
from edgerl.tasks.latent_nas.cells.table import DRIFT, Cells
from edgerl.util.errors import UserError

AGENT, SURROGATE = "agent", "the agent's surrogate without the agent"
SLOW = ("TPE (Optuna)", "random forest (scikit-learn)", "random forest on the agent's features (scikit-learn)")
Regrets = dict[str, dict[str, dict[str, float]]]


def objective(table: Cells, config: CellsConfig) -> np.ndarray:
    """float64 [15,625]: the metric in percent; NaN where a limit of parameters or operations is broken.

    `worst_drift` is the least of the accuracies after a minute, an hour, a day and a month.
    """
    values = metric(table, config.metric).copy()
    if config.parameters is not None:
        values[space.parameter_count(table.cells) > config.parameters] = np.nan
    if config.macs is not None:
        values[space.mac_count(table.cells) > config.macs] = np.nan
    return values


def metric(table: Cells, name: str) -> np.ndarray:
    """float64 [15,625]: a column, or the worst of the drifts of networks trained for analogue hardware."""
    if name == "worst_drift":
        return np.min([table.metrics[m] for m in DRIFT if m.startswith("analog")], 0)
    return table.metrics[name]


def agents(
    latent: LatentSpace, values: np.ndarray, config: SearchConfig, runs: int, budget: int, seed: int, **options: Any
) -> Looks:
    """The looks of R agents. `options`: `cheap` of `Agent`, `everywhere` of `search`."""
    looks = Looks(values, runs, budget)
    everywhere = options.pop("everywhere", False)
    search(Agent(config, latent, runs, seed, **options), looks, seed, everywhere=everywhere)
    return looks


def compare(
    latent: LatentSpace, values: np.ndarray, config: CellsConfig, seed: int, cheap: np.ndarray | None = None
) -> Regrets:
    """Regret of every search after each of `config.counts` looks: mean, standard error and runs."""
    counts, budget = config.counts, max(config.counts)
    found: Regrets = {}
    for name, everywhere in ((AGENT, False), (SURROGATE, True)):
        looks = agents(latent, values, config.search, config.runs, budget, seed, cheap=cheap, everywhere=everywhere)
        found[name] = regrets(looks, counts)
    for name, one in baselines.SEARCHES.items():
        runs = config.slow_runs if name in SLOW else config.runs
        if runs and baselines.available(name):
            found[name] = regrets(baselines.side_by_side(one, values, runs, budget, seed), counts)
    return found


def regrets(looks: Looks, counts: Sequence[int]) -> dict[str, dict[str, float]]:
    """By number of looks; see `Regret.at`."""
    after = Regret.of(looks)
    return {str(count): after.at(count) for count in counts}


def wins(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, bool]:
    """By number of looks: whether the agent's regret is below that of every baseline by two standard errors of the
    difference; empty where there is no baseline."""
    agent = found[AGENT]
    others = [rows for name, rows in found.items() if name not in (AGENT, SURROGATE)]
    return (
        {}
        if not others
        else {
            count: all(
                rows[count]["mean"] - agent[count]["mean"]
                > 2 * np.hypot(rows[count]["standard_error"], agent[count]["standard_error"])
                for rows in others
            )
            for count in agent
        }
    )


def require_possible(values: np.ndarray, config: CellsConfig) -> None:
    """Raises a `UserError` where fewer cells keep the limits than may be looked at."""
    left, most = int(np.isfinite(values).sum()), max(*config.counts, config.looks)
    if left < most:
        raise UserError(
            f"cells: {left} cells keep the limits of parameters and macs, fewer than the {most} that may be looked at: "
            "raise cells.parameters or cells.macs, or lower cells.looks and cells.counts"
        )
