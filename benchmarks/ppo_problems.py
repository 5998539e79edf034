"""What `ppo` trains on: each environment, when it counts as solved, who takes part, and what should be shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import ppo_settings as given
import rounds
from report import Numbers

SHORTER = "edgerl, fewer updates"


@dataclass(frozen=True)
class Problem:
    """One environment.

    Attributes:
      env: its id, with everybody.
      train: what `edgerl train` is told for it.
      solved: the least mean return of 100 episodes, with the greedy policy.
      peers: who takes part, besides edgerl.
      shorter: numbers of updates of which edgerl may choose, as peers may of their budgets, when it runs once more.
      most_steps: of the environment, within which edgerl should solve it; None: no matter.
      most_seconds: that edgerl should take, after compiling.
      most_times: of a peer's time that edgerl should take, by the peer's name.
      many_times: of one seed's time that many, side by side, should take at most; None: that is not measured.
    """

    env: str
    train: str
    solved: float
    peers: tuple[rounds.Contestant, ...]
    most_steps: int | None
    most_seconds: float
    most_times: Mapping[str, float]
    many_times: float | None
    shorter: tuple[int, ...] = ()

    @property
    def ours(self) -> Numbers:
        """Settings of edgerl's contestant."""
        return {"train": self.train}

    def contestants(self, figure: bool) -> list[rounds.Contestant]:
        """edgerl with what `edgerl train` starts from, and the peers; for a figure with learning curves."""
        entrants = [rounds.Contestant("edgerl", "ppo_edgerl.py", (self.ours,)), *self.peers]
        if self.shorter:
            candidates = tuple({**self.ours, "num_updates": updates} for updates in self.shorter)
            entrants.insert(1, rounds.Contestant(SHORTER, "ppo_edgerl.py", candidates))
        told = {"env": self.env, "curve": figure}
        return [replace(one, candidates=tuple({**told, **settings} for settings in one.candidates)) for one in entrants]


def _entrant(name: str, script: str, configs: tuple[Numbers, ...], peer: str) -> rounds.Contestant:
    return rounds.Contestant(name, script, tuple({"config": config} for config in configs), peer)


CARTPOLE = Problem(
    "CartPole-v1",
    train="cartpole",
    solved=475.0,
    peers=(
        _entrant("rejax recommended", "ppo_rejax.py", given.RECOMMENDED, "rejax"),
        _entrant("rejax tuned here", "ppo_rejax.py", given.TUNED, "rejax"),
        # Three rounds, since each of its trainings takes half a minute.
        rounds.Contestant("sbx", "ppo_sbx.py", ({"config": given.ZOO},), "sbx", install=False, most_rounds=3),
    ),
    most_steps=50_000,
    most_seconds=0.15,
    most_times={"rejax recommended": 0.1, "rejax tuned here": 0.1, "sbx": 0.1},
    many_times=25,
)
PENDULUM = Problem(
    "Pendulum-v1",
    train="Pendulum-v1",
    solved=-200.0,
    peers=(
        rounds.Contestant("rltools", "ppo_rltools.py", (given.RLTOOLS_PUBLISHED,), "rltools"),
        rounds.Contestant("rltools, fewer updates", "ppo_rltools.py", given.RLTOOLS_SHORTER, "rltools"),
        replace(_entrant("rejax recommended", "ppo_rejax.py", (given.PUBLISHED_PENDULUM,), "rejax"), most_rounds=3),
    ),
    most_steps=None,
    most_seconds=0.3,
    most_times={"rltools": 0.25},
    many_times=None,
    shorter=(12, 16),
)
PROBLEMS = (CARTPOLE, PENDULUM)
