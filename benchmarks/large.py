"""PPO with many environments and wide networks: edgerl against rejax, and against its matrix products alone.

    python -m benchmarks.large [--rounds 5] [--updates 2] [--json]

All run in turns, round after round. Medians of steps a second, and edgerl's times those of rejax. The products are
computed by one thread: with them edgerl's processor time a step is compared, on one device.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import report
import rounds
from report import Numbers

SIZES: dict[str, Numbers] = {
    "2048 x 32, 64-64": {"num_envs": 2048, "num_steps": 32, "hidden_sizes": [64, 64]},
    "256 x 64, 256-256": {"num_envs": 256, "num_steps": 64, "hidden_sizes": [256, 256]},
}
PRODUCTS = "products"
OURS = ("edgerl, all devices", "edgerl, one device")


def contestants(sizes: Numbers, updates: int) -> list[rounds.Contestant]:
    """edgerl's seed on all devices and on one, the products, and rejax with as many epochs and minibatches."""
    samples = sizes["num_envs"] * sizes["num_steps"]
    told = {**sizes, "updates": updates}
    config = {key: sizes[key] for key in ("num_envs", "num_steps")}
    config |= {"num_epochs": 4, "num_minibatches": 4, "total_timesteps": updates * samples}
    config |= {"agent_kwargs": {"activation": "tanh", "hidden_layer_sizes": sizes["hidden_sizes"]}}
    return [
        rounds.Contestant(OURS[0], "ppo_large.py", ({**told, "mesh": 0},)),
        rounds.Contestant(OURS[1], "ppo_large.py", ({**told, "mesh": 1},)),
        rounds.Contestant(PRODUCTS, "products.py", (told,), environment={"OPENBLAS_NUM_THREADS": "1"}),
        rounds.Contestant("rejax", "ppo_rejax.py", ({"env": "CartPole-v1", "config": config},), "rejax"),
    ]


def speed(repeat: Numbers) -> float:
    """Steps a second."""
    return repeat["steps"] / repeat["seconds"]


def measure(options: argparse.Namespace) -> Numbers:
    """For each size: each contestant's repeats and median, and the faster one of ours times each of the others."""
    found: Numbers = {"date": report.date(), "machine": report.machine(), "load_before": report.loads()}
    for name, sizes in SIZES.items():
        report.log(name)
        repeats = [{"seed": seed} for seed in range(options.rounds)]
        taken = rounds.measure(
            contestants(sizes, options.updates), lambda _, one: (one.candidates[0], []), repeats, report.log
        )
        for result in taken.values():
            if "repeats" in result:
                result["steps_per_s"] = statistics.median(map(speed, result["repeats"]))
        best = max(OURS, key=lambda one: taken[one].get("steps_per_s", 0))
        times = report.ratio(taken[best], taken["rejax"], speed)
        cost = report.ratio(taken[OURS[1]], taken[PRODUCTS], lambda one: one["cpu_seconds"] / one["steps"])
        found[name] = {"contestants": taken, f"{best} / rejax": times, "processor time / products": cost}
    return {**found, "load_after": report.loads()}


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description="PPO with large networks.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=2, help="of a repeat")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options)
    if options.json:
        print(json.dumps(found))
        return
    for name in SIZES:
        for who, result in found[name]["contestants"].items():
            missing = report.missing(result)
            print(f"{name:20} {who:22}", missing or f"{result['steps_per_s']:12,.0f} steps/s")
        for what, ratio in found[name].items():
            if what == "contestants":
                continue
            shown = (
                f"{ratio['of_medians']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "not measured"
            )
            print(f"{name:20} {what}: {shown}")


if __name__ == "__main__":
    main()
