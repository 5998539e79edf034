"""`edgerl bench stream`: fixed exits, tuned schedules, value iteration and PPO on ExitStream-v0, in four regimes.

    python benchmarks/stream.py [--json] [--out FILE.json] [--regimes light-300 …] [--players PPO queue …]

Everything is fitted on the images of the policy split and judged on the test images: right answers per 100 frames, over
days of many devices, each of which has run for half a day before it counts. With `--out` the file is written after each
player, and players that it has already are left out, so that the measuring can be interrupted.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

import edgerl
from edgerl.rl import ppo
from edgerl.rl.run import seeds
from edgerl.tasks.early_exit.stream import rules, tuning, value_iteration
from edgerl.tasks.early_exit.stream.config import StreamConfig, environment
from edgerl.tasks.early_exit.stream.play import DAY_S, Played, play
from edgerl.util import files

REGIMES = {f"{load}-{joules}": (load, float(joules)) for load in ("light", "heavy") for joules in (300, 40)}
JUDGED = {"lanes": 256, "seconds": DAY_S, "burn_s": DAY_S / 2}
KEY = 2026


class Regime:
    """One load and battery: what is fitted there, and how it is judged.

    Args:
      name: one of `REGIMES`; options: of the command line.
    """

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        load, capacity = REGIMES[name]
        self.options, self.settings = options, StreamConfig(load=load, capacity_j=capacity)
        self.fit, self.test = (environment(self.settings, split) for split in ("policy", "test"))

    def judged(self, policy: Any, number: int = 0) -> dict[str, Any]:
        """On the test images; the number chooses among independent devices."""
        played: Played = play(self.test, policy, jax.random.fold_in(jax.random.key(KEY), number), **JUDGED)
        return played.summary()

    def players(self) -> Mapping[str, Callable[[], dict[str, Any]]]:
        """Name → what measures it."""
        made: dict[str, Callable[[], dict[str, Any]]] = {"fixed exits": self.fixed}
        for family in rules.FAMILIES:
            made[family] = lambda family=family: self.tuned(family)
        return {**made, "value iteration": self.value_iteration, "PPO": self.ppo}

    def fixed(self) -> dict[str, Any]:
        """Of all exits and both orders, that which is best on the policy split."""
        choices = [(k, newest) for k in range(self.fit.exits) for newest in (False, True)]
        key = jax.random.key(KEY + 1)
        scores = [play(self.fit, rules.fixed(k, self.fit.exits, n), key, **JUDGED).score for k, n in choices]
        exit, newest = choices[int(np.argmax(scores))]
        found = self.judged(rules.fixed(exit, self.fit.exits, newest))
        return {**found, "exit": exit + 1, "newest_first": newest}

    def tuned(self, family: str) -> dict[str, Any]:
        """A family's rule by CMA-ES."""
        found = tuning.tune(self.fit, rules.FAMILIES[family], jax.random.key(KEY + 2), self.options.generations)
        rule = {name: np.asarray(getattr(found.rule, name)).tolist() for name in ("weights", "awake", "reserve")}
        newest = bool(np.asarray(found.rule.newest) > 0.5)
        fitted = {"decisions_of_fitting": found.decisions, "where_fitted": found.score}
        return {**self.judged(found.rule), **fitted, "rule": {**rule, "newest_first": newest}}

    def value_iteration(self) -> dict[str, Any]:
        """Its policy, from transitions counted on the policy split."""
        policy = value_iteration.solve(self.fit, jax.random.key(KEY + 3), self.options.parts)
        return self.judged(policy)

    def ppo(self) -> dict[str, Any]:
        """Seeds side by side."""
        config = self.settings.ppo.replace(num_updates=self.options.updates)
        env = environment(self.settings, learning=True)
        keys = jax.random.split(jax.random.key(KEY + 4), self.options.seeds)
        states, _ = seeds.train(env, config, keys)
        policies = [ppo.greedy_policy(env, config, jax.tree.map(lambda x, i=i: x[i], states)) for i in range(len(keys))]
        if self.options.policies:
            for i, policy in enumerate(policies):
                path = Path(self.options.policies) / f"{self.settings.load}-{self.settings.capacity_j:g}-{i}.npz"
                edgerl.save_policy(path, policy)
        found = [self.judged(policy) for policy in policies]
        scores = [one["right_per_100_frames"] for one in found]
        return {"right_per_100_frames": float(np.mean(scores)), "seeds": found, "steps_of_fitting": config.total_steps}


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """What the module prints."""
    out = None if options.out is None else Path(options.out)
    found = json.loads(out.read_text()) if out is not None and out.is_file() else {"benchmark": "stream", "regimes": {}}
    for name in options.regimes:
        regime, one = Regime(name, options), found["regimes"].setdefault(name, {})
        for player, measure in regime.players().items():
            if player in one or not any(word in player for word in options.players):
                continue
            began = time.perf_counter()
            one[player] = {**measure(), "date": time.strftime("%Y-%m-%d"), "seconds": time.perf_counter() - began}
            print(name, player, round(one[player]["right_per_100_frames"], 2), file=sys.stderr, flush=True)
            if out is not None:
                files.write_json(out, found)
    return found


def table(found: Mapping[str, Any]) -> str:
    """Lines: a player a row, a regime a column."""
    regimes = found["regimes"]
    players = list(dict.fromkeys(player for one in regimes.values() for player in one))
    lines = ["right answers per 100 frames   " + "  ".join(f"{name:>9}" for name in regimes)]
    for player in players:
        cells = [regimes[name].get(player, {}).get("right_per_100_frames") for name in regimes]
        lines.append(f"{player:31}" + "  ".join(" " * 9 if x is None else f"{x:9.2f}" for x in cells))
    return "\n".join(lines)


def results(found: Mapping[str, Any], machine: str) -> dict[str, Any]:
    """The same for the documentation: what `docs/results/stream.json` holds."""
    regimes = found["regimes"]
    players = list(dict.fromkeys(player for one in regimes.values() for player in one))
    days = [one["date"] for regime in regimes.values() for one in regime.values()]
    return {
        "title": "Early exits on a stream",
        "note": "Right answers per 100 frames of the test images, with a 95 % interval over 256 devices, a day each; "
        "of PPO the mean of all seeds, with the least and the most. Everything is fitted on the policy split.",
        "columns": ["who", *(name.replace("-", " load, ") + " J" for name in regimes)],
        "rows": [[player, *(_figure(regimes[name].get(player)) for name in regimes)] for player in players],
        "command": "edgerl bench stream",
        "date": " and ".join(dict.fromkeys([min(days), max(days)])),
        "machine": machine,
    }


def _figure(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "not measured"
    score = f"{one['right_per_100_frames']:.1f}"
    if "seeds" not in one:
        return f"{score} ± {one['half_width_95']:.1f}"
    each = [seed["right_per_100_frames"] for seed in one["seeds"]]
    return f"{score} ({min(each):.1f} to {max(each):.1f})"


def main() -> None:
    """Parses, measures, prints."""
    example = "example: python benchmarks/stream.py --out stream.json --regimes light-300"
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], epilog=example)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--out", help="file to keep the results in, and to go on with")
    parser.add_argument("--results", help="write docs/results/stream.json, too: its machine's name in words")
    parser.add_argument("--policies", help="folder to keep PPO's policies in")
    parser.add_argument("--regimes", nargs="+", default=list(REGIMES), choices=list(REGIMES))
    parser.add_argument("--players", nargs="+", default=[""], help="words of the names of those to measure")
    parser.add_argument("--generations", type=int, default=30, help="of CMA-ES")
    parser.add_argument("--parts", type=int, default=24, help="of the steps that value iteration counts, 262,144 each")
    parser.add_argument("--updates", type=int, default=StreamConfig().ppo.num_updates, help="of PPO")
    parser.add_argument("--seeds", type=int, default=3, help="of PPO")
    options = parser.parse_args()
    found = measured(options)
    if options.results is not None:
        folder = Path(__file__).parents[1] / "docs" / "results"
        files.write_json(folder / "stream.json", results(found, options.results))
    print(json.dumps(found, indent=2) if "--json" in sys.argv else table(found))


if __name__ == "__main__":
    main()
