"""Early exits on a stream, from training to verified C: `edgerl train exit-stream` and the commands after it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy.extras import Extra
from edgerl.envs.deciding import Policy
from edgerl.rl.run import runner
from edgerl.tasks.early_exit.stream import c_files, rules
from edgerl.tasks.early_exit.stream import figures as pictures
from edgerl.tasks.early_exit.stream.config import StreamConfig, environment
from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.play import DAY_S, Played, play
from edgerl.tasks.generic import calibration
from edgerl.tasks.run import Run
from edgerl.tasks.task import Task
from edgerl.util import progress
from edgerl.util.tables import Rows, percent

LANES = 256  # devices that an evaluation plays …
SECONDS, BURN_S = DAY_S, DAY_S / 2  # … for a day each, after half a day that does not count


@dataclasses.dataclass(frozen=True)
class StreamTask(Task):
    """What to compute next, for frames that arrive at a device with a battery; fixed exits to compare with."""

    config: type[Any] = StreamConfig

    def environment(self, config: StreamConfig, folder: Path | None = None) -> ExitStream:
        """On the images that policies learn from; a right answer pays 1, and nothing else."""
        del folder
        return environment(config)

    def train(self, config: StreamConfig, out: str | Path, progress: bool = True) -> dict[str, Any]:
        """Trains by changed rewards (`learning`), or goes on with an unfinished run of the same configuration."""
        env = environment(config, learning=True)
        return runner.train_run(env, config, out, about={"system": self.name}, progress=progress)

    def evaluate(self, run: Run) -> dict[str, Any]:
        """Right answers per 100 frames on the test images: the policy, its int8 form, fixed exits."""
        env = environment(run.config, "test")
        players: dict[str, Policy] = {
            **{f"exit {k + 1}": rules.fixed(k, env.exits) for k in range(env.exits)},
            "policy_float32": run.policy,
            "policy_int8": self._deployed(run),
        }
        played = {
            name: play(env, player, run.key(1001), LANES, SECONDS, BURN_S)
            for name, player in progress.each(players.items(), "days")
        }
        return {
            "system": self.name,
            "environment": env.id,
            "load": run.config.load,
            "capacity_j": run.config.capacity_j,
            **{name: one.summary() for name, one in played.items()},
            "int8_less_float32": _difference(played["policy_int8"], played["policy_float32"]),
        }

    def table(self, found: Mapping[str, Any]) -> Rows:
        """A row a player."""
        head = "right per 100 frames", "± 95 %", "answered", "J a frame", "exits"
        rows: list[list[Any]] = [[f"{found['load']} load, {found['capacity_j']:g} J", *head]]
        for name, one in found.items():
            if isinstance(one, Mapping) and "exits" in one:
                shares = " ".join(str(percent(share)) for share in one["exits"])
                answers = percent(one["answered"], 1)
                right = round(one["right_per_100_frames"], 2), round(one["half_width_95"], 2)
                rows.append([name, *right, answers, round(one["joules_per_frame"], 4), shares])
        return rows

    def figures(self, run: Run, data: str | None = None) -> list[Path]:
        """Learning curve, and a day of the device: battery, queue, who answers, in RUN/figures."""
        return pictures.draw(run, environment(run.config, "test"), data)

    def calibration(self, run: Run) -> np.ndarray:
        """float32 [N, features]: what the policy sees over a day of many devices, every fifth decision at random."""
        return calibration.visited(run.env, run.policy, run.key(1002), run.config.evaluation_steps)

    def extras(self, run: Run) -> dict[str, Extra]:
        """What an export adds: the queue and `NAME_next`, for firmware's main loop."""
        return {} if run.config.draw else {c_files.NAME: c_files.extra_of(environment(run.config))}

    def closed_loop(self, run: Run, player: Policy, episodes: int | None = None) -> dict[str, Any]:
        """Both policies on the test images, over so many devices' days."""
        env, lanes = environment(run.config, "test"), episodes or LANES
        pair = {"int8": player, "float32": run.policy}
        played = {name: play(env, one, run.key(1003), lanes, SECONDS, BURN_S) for name, one in pair.items()}
        return {
            **{name: one.summary() for name, one in played.items()},
            "int8_less_float32": _difference(played["int8"], played["float32"]),
        }


def _difference(one: Played, other: Played) -> dict[str, float]:
    """Of the right answers per 100 frames, with a 95 % interval: lanes are devices with the same starts."""
    difference = one.per_lane - other.per_lane
    half = 1.96 * float(difference.std(ddof=1)) / len(difference) ** 0.5
    mean = one.score - other.score
    return {"mean": mean, "low": mean - half, "high": mean + half}


TASK = StreamTask("exit-stream")
