"""CartPole from training to verified C: what `edgerl train cartpole` and the commands after it do."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

import edgerl
from edgerl import deploy
from edgerl.envs.deciding import Policy
from edgerl.envs.environment import Environment
from edgerl.rl.config import RunConfig
from edgerl.rl.run import runner
from edgerl.simulator.simulate import SimulationStats, random_policy
from edgerl.tasks.cartpole import baselines
from edgerl.tasks.cartpole import figures as pictures
from edgerl.tasks.cartpole.env import CartPole
from edgerl.tasks.generic.figures import kept_return, learning_curve
from edgerl.tasks.run import Run
from edgerl.tasks.task import Task
from edgerl.util import progress
from edgerl.util.errors import UserError
from edgerl.util.tables import Rows

SOLVED = {"CartPole-v0": 195.0, "CartPole-v1": 475.0}
EPISODES = 10_000  # that every evaluation takes


@dataclasses.dataclass(frozen=True)
class CartPoleTask(Task):
    """The lab: a tuned configuration, a hand-made controller to compare with, animations of carts."""

    def defaults(self) -> Path:
        """The tuned configuration."""
        return Path(__file__).with_name("defaults.yaml")

    def settings(self, config: str | Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
        """Without memory: the lab looks at what single observations decide."""
        found: RunConfig = super().settings(config, overrides)
        if found.ppo.gru_size:
            raise UserError(
                f"ppo.gru_size = {found.ppo.gru_size}, but cartpole's figures are of policies without memory: train "
                "CartPole-v1, or PositionOnlyCartPole-v1, instead"
            )
        return found

    def environment(self, config: RunConfig, folder: Path | None = None) -> CartPole:
        """CartPole-v0 or v1."""
        del folder
        if config.environment not in SOLVED:
            raise UserError(f"environment: '{config.environment}' is not one of {', '.join(SOLVED)}")
        env = edgerl.make(config.environment)
        assert isinstance(env, CartPole)  # by the registry
        return env

    def evaluate(self, run: Run) -> dict[str, Any]:
        """Random play, a hand-made controller, the policy as float32 and int8; the bound."""
        players: dict[str, Policy] = {
            "random": random_policy(run.env),
            "linear_controller": baselines.linear_controller,
            "policy_float32": run.policy,
            "policy_int8": deploy.quantise(run.policy, self.calibration(run)),
        }
        return {
            "system": self.name,
            "environment": run.env.id,
            "solved_at": SOLVED[run.env.id],
            "bound": run.env.default_params.max_steps_in_episode,
            **{name: summary(play(run, player)) for name, player in progress.each(players.items(), "episodes")},
        }

    def table(self, found: Mapping[str, Any]) -> Rows:
        """A row a player."""
        rows: list[list[Any]] = [[found["environment"], "mean return", "deviation", "least", "most"]]
        for name in ("random", "linear_controller", "policy_float32", "policy_int8"):
            rows.append([name, *(found[name][key] for key in ("mean", "std", "min", "max"))])
        return [*rows, ["solved at", found["solved_at"]], ["bound", found["bound"]]]

    def figures(self, run: Run, data: str | None = None) -> list[Path]:
        """Learning curve, early and late animations, int8 decisions against float ones, in RUN/figures."""
        if data is not None:
            raise UserError("--data: the figures of cartpole need no data")
        env, folder = run.env, run.folder / "figures"
        assert isinstance(env, CartPole)
        steps, returns = run.learning_curve()
        training, best = runner.PPO(env, run.config), run.result["best_seed"]
        untrained = jax.tree.map(lambda x: x[best], training.policy(training.init()))
        quantised = deploy.quantise(run.policy, self.calibration(run))
        curve, solved = folder / "learning_curve.png", SOLVED[env.id]
        return [
            learning_curve(curve, steps, returns, f"PPO on {env.id}", {"solved": solved}, kept_return(run)),
            pictures.animation(folder / "early.gif", env, untrained, run.key(1003), f"{env.id} before training"),
            pictures.animation(folder / "late.gif", env, run.policy, run.key(1003), f"{env.id} after training"),
            pictures.decisions(folder / "decisions.png", run.policy, quantised),
        ]

    def played(self, run: Run, player: Policy, episodes: int | None = None) -> dict[str, Any]:
        """Returns over `EPISODES` episodes, or as many as are asked for."""
        return summary(play(run, player, episodes or EPISODES))


def play(run: Run, policy: Policy, episodes: int = EPISODES) -> SimulationStats:
    """At least so many whole episodes, one a lane, from starts that training never saw."""
    env: Environment = run.env
    steps = env.default_params.max_steps_in_episode
    return edgerl.simulate(env, policy, run.key(1001), num_envs=episodes, num_steps=steps)


def summary(stats: SimulationStats) -> dict[str, Any]:
    """Plain numbers of the returns."""
    return {"episodes": stats.episodes, **stats.as_dict()["returns"]}


TASK = CartPoleTask("cartpole")
