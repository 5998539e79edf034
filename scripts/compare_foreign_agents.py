"""Imported agents of Stable-Baselines3 against a plain NumPy forward pass: scripts/compare_foreign_agents.py FOLDER

FOLDER is a checkout of DLR-RM/rl-trained-agents. Prints one JSON object: for each agent of PPO, A2C and DQN in an
environment that ships here, what wrote it, the actions among 10,000 that differ, and its mean return.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

import edgerl
from edgerl.envs.spaces import Discrete
from edgerl.tasks.generic import calibration, evaluation
from edgerl.tasks.imports import normalisers, reading, torch_zip
from edgerl.util.json_text import to_json

COUNT = 10_000
ALGORITHMS = ("a2c", "dqn", "ppo")
ACTOR = ("mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net")
NAMES = {"a2c": ACTOR, "ppo": ACTOR, "dqn": ("q_net.q_net.0", "q_net.q_net.2", "q_net.q_net.4")}
ACTIVATIONS = {"dqn": lambda x: np.maximum(x, 0), "a2c": np.tanh, "ppo": np.tanh}  # Stable-Baselines3's defaults


def outputs(agent: Path, algorithm: str, statistics: Path | None, obs: np.ndarray) -> np.ndarray:
    """float64 [N, outputs]: what the network computes, the observations scaled and clipped as `VecNormalize` does."""
    tensors = torch_zip.read(reading.Archive(agent.read_bytes(), str(agent)).read("policy.pth"), str(agent))
    x = np.asarray(obs, np.float64)
    scaled = None if statistics is None else normalisers.read(statistics, obs.shape[1])
    if scaled is not None:
        x = np.clip((x - scaled.mean) / scaled.deviation, -scaled.clip, scaled.clip)
    names = NAMES[algorithm]
    for name in names:
        x = x @ tensors[f"{name}.weight"].T.astype(np.float64) + tensors[f"{name}.bias"]
        x = x if name == names[-1] else ACTIVATIONS[algorithm](x)
    return x


def compared(agent: Path, algorithm: str, env_id: str, folder: Path) -> dict[str, Any]:
    """One agent, imported into a new folder."""
    statistics = next(iter(agent.parent.glob("*/vecnormalize.pkl")), None)
    edgerl.import_policy(agent, env_id, folder, normaliser=statistics)
    run = edgerl.open_run(folder)
    obs = calibration.visited(run.env, run.policy, run.key(1002), run.config.evaluation_steps, COUNT)
    actions, wanted = np.asarray(run.policy(None, obs)), outputs(agent, algorithm, statistics, obs)
    space = run.env.action_space()
    if isinstance(space, Discrete):
        found = {"different": int((actions != wanted.argmax(axis=1)).sum()), "kinds": len(np.unique(actions))}
    else:
        found = {"largest_difference": float(np.abs(actions - np.clip(wanted, *space.bounds())).max())}
    played = evaluation.summary(evaluation.episodes(run, run.policy))
    return {"written_by": run.result["imported"]["format"], **found, "mean_return": played["mean"]}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, help="checkout of DLR-RM/rl-trained-agents")
    arguments.add_argument("--out", type=Path, required=True, help="new folder for the runs")
    options = arguments.parse_args()
    found = {}
    for algorithm in ALGORITHMS:
        for env_id in edgerl.registered():
            agent = options.folder / algorithm / f"{env_id}_1" / f"{env_id}.zip"
            if agent.is_file():
                name = f"{algorithm}/{env_id}"
                found[name] = compared(agent, algorithm, env_id, options.out / name)
                print(name, found[name], file=sys.stderr, flush=True)
    print(to_json({"observations": COUNT, "agents": found}, indent=2))


if __name__ == "__main__":
    main()
