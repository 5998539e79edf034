"""Regrets on NAS-Bench-201's analogue table: scripts/compare_nasbench201.py --data FILE.csv --out FILE.json [TASK …]

Adds each task to the file as soon as it is done, and draws FILE.png; a task that the file has is not run again.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

import edgerl  # noqa: F401  before jax, so that each core becomes a device
from edgerl.tasks.latent_nas.cells import autoencoder, baselines, comparison, figures, report
from edgerl.tasks.latent_nas.cells.config import CellsConfig
from edgerl.tasks.latent_nas.cells.looks import Looks
from edgerl.tasks.latent_nas.cells.table import Cells, read_csv
from edgerl.util import files
from edgerl.util.plots import axes, save_figure

TASKS = {
    "analogue accuracy": CellsConfig(),
    "analogue accuracy after one day": CellsConfig(metric="analog_drift_86400"),
    "analogue accuracy after one month": CellsConfig(metric="analog_drift_2592000"),
    "worst drift": CellsConfig(metric="worst_drift"),
    "digital accuracy": CellsConfig(metric="baseline_accuracy"),
    "analogue accuracy, 400,000 parameters": CellsConfig(parameters=400_000),
    "analogue accuracy, 60 million MACs": CellsConfig(macs=60e6),
    "analogue accuracy, from digital": CellsConfig(cheap="baseline_accuracy"),
    "analogue accuracy, from PTQ": CellsConfig(cheap="ptq_accuracy"),
}
COUNTS = (10, 30, 100, 300, 1000)
TOGETHER = 20  # agents in one compiled call
SEED = 1


def agents(
    latent: autoencoder.LatentSpace, table: Cells, config: CellsConfig, runs: int, everywhere: bool, most: int
) -> Looks:
    """The looks of all agents, some at a time."""
    values = comparison.objective(table, config)
    cheap = None if config.cheap is None else table.metrics[config.cheap]
    parts = []
    for start in range(0, runs, TOGETHER):
        options = {"cheap": cheap, "everywhere": everywhere}
        parts.append(comparison.agents(latent, values, config.search, TOGETHER, most, SEED + start, **options))
        print(
            f"  {start + TOGETHER} agents",
            {n: round(comparison.regrets(parts[-1], (n,))[str(n)]["mean"], 2) for n in COUNTS if n <= most},
            flush=True,
        )
    return Looks.joined(parts)


def compared(latent: autoencoder.LatentSpace, table: Cells, config: CellsConfig, options: argparse.Namespace) -> dict:
    """Regrets of one task."""
    values, found = comparison.objective(table, config), {}
    counts = [n for n in COUNTS if n <= options.most]
    for name, everywhere in ((comparison.AGENT, False), (comparison.SURROGATE, True)):
        if not everywhere or options.surrogate:
            found[name] = comparison.regrets(
                agents(latent, table, config, options.agents, everywhere, options.most), counts
            )
    for name, search in baselines.SEARCHES.items():
        runs = options.slow_runs if name in comparison.SLOW else options.runs
        if runs and config.cheap is None:
            found[name] = comparison.regrets(baselines.side_by_side(search, values, runs, options.most, SEED), counts)
            print(f"  {name}", {n: round(one["mean"], 2) for n, one in found[name].items()}, flush=True)
    return found


def main() -> None:
    """Runs the tasks that are missing, writes, draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, metavar="FILE.csv")
    parser.add_argument("--out", required=True, metavar="FILE.json", type=Path)
    parser.add_argument("--runs", type=int, default=200, help="of the fast searches")
    parser.add_argument("--agents", type=int, default=200, help="in twenties")
    parser.add_argument("--slow-runs", type=int, default=10, help="of Optuna's and scikit-learn's searches")
    parser.add_argument("--most", type=int, default=1000, help="looks of a search")
    parser.add_argument("--surrogate", action="store_true", help="also its surrogate without the agent")
    parser.add_argument("tasks", nargs="*", default=list(TASKS), metavar="TASK", help="; ".join(TASKS))
    options = parser.parse_args()
    table, latent = read_csv(options.data), autoencoder.fit(autoencoder.AutoencoderConfig(), 0)
    results = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for name in options.tasks:
        if name in results:
            continue
        print(name, flush=True)
        started = time.perf_counter()
        regrets = compared(latent, table, TASKS[name], options)
        results[name] = {"regrets": regrets, "wins": comparison.wins(regrets), "seconds": time.perf_counter() - started}
        files.write_json(options.out, results)
    if "surrogate" not in results:
        values = comparison.objective(table, CellsConfig())
        picks = [np.random.default_rng(seed).permutation(len(values))[:1000] for seed in range(10)]
        results["surrogate"] = [report.judge(CellsConfig().search.surrogate, cells, values) for cells in picks]
        files.write_json(options.out, results)
    drawn = [name for name in TASKS if name in results]
    rows, columns = -(-len(drawn) // 3), min(len(drawn), 3)
    figure, panels = axes(columns, (4.3 * columns if columns > 1 else 7.5, 4.0 * rows), rows)
    for axis, name in zip(panels, drawn, strict=False):
        figures.regrets(axis, results[name]["regrets"])
        axis.set_title(f"Mean regret, {name} (bars: two standard errors)" if len(drawn) == 1 else name)
    panels[0].legend()
    save_figure(figure, options.out.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
