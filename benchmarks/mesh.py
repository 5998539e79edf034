"""One seed of PPO on one core, on several devices of one process, and over processes of one core each.

    python -m benchmarks.mesh [--width 256] [--envs 4096] [--rounds 5] [--json]

All teams are started and compiled first; then each makes one update in turn, round after round, so that a noisy
neighbour meets all of them. Every process may use its own cores only. Medians, and times the one core's speed.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from dataclasses import dataclass

ONE = "one core"


@dataclass(frozen=True)
class Team:
    """Processes that train one seed together.

    Attributes:
      cores: of each process.
      mesh: how many devices share the seed.
    """

    name: str
    cores: tuple[tuple[int, ...], ...]
    mesh: int


def teams(cores: list[int]) -> list[Team]:
    """Those that these cores allow: one, two and four of them."""
    found = [Team(ONE, ((cores[0],),), 1)]
    for count in (n for n in (2, 4) if n <= len(cores)):
        some = tuple(cores[:count])
        found.append(Team(f"one device, {count} cores", (some,), 1))
        found.append(Team(f"{count} devices of one process", (some,), count))
        found.append(Team(f"{count} processes", tuple((core,) for core in some), count))
    return found


class Running:
    """A team's processes, compiled."""

    def __init__(self, team: Team, options: argparse.Namespace) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_NUM", "XLA_"))}
        self._processes = []
        for number, cores in enumerate(team.cores):
            given = {"cores": cores, "mesh": team.mesh, "width": options.width, "envs": options.envs}
            given |= {"address": address, "count": len(team.cores), "number": number}
            command = [sys.executable, "-m", "benchmarks.mesh", "--worker", json.dumps(given)]
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=kept)
            )
        self.update()

    def update(self) -> dict[str, float]:
        """One update: the slowest process's seconds, and all processes' processor time."""
        for process in self._processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for process in self._processes]
        return {
            "seconds": max(one["seconds"] for one in answers),
            "cpu_seconds": sum(one["cpu_seconds"] for one in answers),
            "loss": answers[0]["loss"],
        }

    def stop(self) -> None:
        """Ends the processes."""
        for process in self._processes:
            process.stdin.close()
        for process in self._processes:
            process.wait(timeout=60)


def worker(given: dict) -> None:
    """Answers each line of standard input by an update."""
    os.sched_setaffinity(0, given["cores"])
    import time

    import edgerl  # before jax, so that each core becomes a device
    from edgerl.rl.config import PPOConfig, RunConfig
    from edgerl.rl.run.runner import PPO
    from edgerl.util.distributed import processes

    count = given["count"]
    partners = (given["address"], count, given["number"]) if count > 1 else (None, 1, None)
    with processes.joined("benchmarks.mesh", *partners):
        sizes = {"num_envs": given["envs"], "num_steps": 32, "hidden_sizes": (given["width"],) * 2}
        ppo = PPOConfig(num_updates=1000, epochs=4, num_minibatches=4, **sizes)
        config = RunConfig(num_seeds=1, mesh=given["mesh"], checkpoint_every=1, ppo=ppo)
        training = PPO(edgerl.make("CartPole-v1"), config)
        state = training.placed(training.init())
        for done, _ in enumerate(sys.stdin):
            cpu, began = time.process_time(), time.perf_counter()
            state, metrics = training.update(state, done, 1)
            found = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
            print(json.dumps({**found, "loss": float(metrics["loss"][0, 0])}), flush=True)


def measure(options: argparse.Namespace) -> dict:
    """Each team's updates, their median, and its speed in times the one core's."""
    chosen = teams(sorted(os.sched_getaffinity(0)))
    running = {team.name: Running(team, options) for team in chosen}
    rounds: dict[str, list] = {name: [] for name in running}
    for _ in range(options.rounds):
        for name, team in running.items():
            rounds[name].append(team.update())
    for team in running.values():
        team.stop()
    medians = {name: statistics.median(one["seconds"] for one in found) for name, found in rounds.items()}
    return {
        name: {
            "seconds": medians[name],
            "times one core": medians[ONE] / medians[name],
            "of each round": [a["seconds"] / b["seconds"] for a, b in zip(rounds[ONE], found, strict=True)],
            "steps_per_s": options.envs * 32 / medians[name],
            "rounds": found,
        }
        for name, found in rounds.items()
    }


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mesh", description="One seed on several cores.")
    parser.add_argument("--width", type=int, default=256, help="of the two hidden layers")
    parser.add_argument("--envs", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(json.loads(options.worker))
    found = measure(options)
    if options.json:
        print(json.dumps({**vars(options), "teams": found}))
        return
    for name, one in found.items():
        times = sorted(one["of each round"])
        spread = f"({times[0]:.2f} to {times[-1]:.2f})"
        speed = f"{one['times one core']:5.2f} x {spread}  {one['steps_per_s']:,.0f} steps/s"
        print(f"{name:28} {one['seconds']:8.2f} s  {speed}")


if __name__ == "__main__":
    main()
