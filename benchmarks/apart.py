"""Whether environments that differ in one number are kept apart: in one process and in fresh ones, the same results.

    python -m benchmarks.apart --json        # every environment, every number or array among its parameters

For each leaf of an environment's default parameters there is a second environment in which one number of that leaf is
another. One process simulates, trains, evaluates and exports on the first and on all the others, in turns; each of them
also has a process of its own. A program, a constant or a table that one environment left to another shows as a
difference. It takes minutes an environment; a line is printed for each pair.
"""

import argparse
import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

import edgerl  # before jax
from edgerl import deploy
from edgerl.envs import prng
from edgerl.envs.policy import MLPPolicy
from edgerl.envs.spaces import Discrete
from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig
from edgerl.rl.evaluation import play_episodes
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.baselines import Random
from edgerl.util.content import jit_by_content

IDS = ("CartPole-v0", "CartPole-v1", "EarlyExit-v0", "LatentNAS-v0", "PatchSelection-v0")
KEY = jax.random.key(0)


def variant(id: str, number: int | None) -> Any:
    """The environment, or that with one number of its parameters' leaf `number` changed."""
    env = edgerl.make(id)
    if number is None:
        return env
    leaves, tree = jax.tree.flatten(env.default_params)
    leaves[number] = _changed(leaves[number])
    return dataclasses.replace(env, default_params=jax.tree.unflatten(tree, leaves))  # type: ignore[type-var]


def _changed(leaf: Any) -> Any:
    array = np.array(leaf)
    first = array.reshape(-1)[:1]
    first[...] = first * 1.25 + 0.25 if array.dtype.kind == "f" else first + 1
    return type(leaf)(array.item()) if isinstance(leaf, (int, float)) else array


def names(id: str) -> list[str]:
    """Of the parameters' leaves."""
    leaves = jax.tree_util.tree_leaves_with_path(edgerl.make(id).default_params)
    return [jax.tree_util.keystr(path) for path, _ in leaves]


def results(env: Any) -> dict[str, str]:
    """Digests of what a simulation, a training, an evaluation and an export on the environment give."""
    if not isinstance(env.action_space(), Discrete):
        return {"training": _digest(_trained(env))}
    random, policy, small = edgerl.random_policy(env), _network(env), {"num_envs": 64, "num_steps": 40}
    config = PPOConfig(num_updates=2, num_envs=16, num_steps=16, epochs=1, num_minibatches=2, hidden_sizes=(8,))
    state, metrics = ppo.train(env, config, KEY)
    seen = edgerl.simulate(env, policy, KEY, **small, trajectory=True).trajectory
    assert seen is not None
    obs = np.asarray(seen.obs).reshape(-1, seen.obs.shape[-1])
    return {
        "simulate": _digest(edgerl.simulate(env, random, KEY, **small).as_dict()),
        "simulate, network": _digest(edgerl.simulate(env, policy, KEY, num_envs=1024, num_steps=100).as_dict()),
        "trajectory": _digest(seen),
        "ppo.train": _digest((state.params, metrics)),
        "evaluate": _digest(_evaluated(env, policy)),
        "export": _exported(env, policy, obs),
    }


@jit_by_content("env")
def _evaluated(env: Any, policy: MLPPolicy) -> Any:
    return play_episodes(env, policy, KEY, env.default_params, 16, 40)


def _exported(env: Any, policy: MLPPolicy, obs: np.ndarray) -> str:
    """A digest of every file of an export, with the returns of the int8 policy in its report."""

    def closed_loop(player: Any) -> dict[str, Any]:
        return edgerl.simulate(env, player, KEY, num_envs=64, num_steps=40).as_dict()

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "export"
        deploy.export(policy, obs, folder, env=env, closed_loop=closed_loop)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        data = b"".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in files)
    return hashlib.sha256(data).hexdigest()[:16]


def _trained(env: Any) -> Any:
    """Three steps of a transformer under random choices of patches."""
    agent = Random()
    running = online.start(env, agent, prng.new_key(np.uint32(0), np.uint32(0)), env.default_params)
    running, metrics = online.update(env, agent, running, env.default_params, np.int32(3), 3)
    return running.env.network, metrics


def _network(env: Any) -> MLPPolicy:
    sizes = (env.observation_space().shape[0], 8, env.action_space().n)
    random = np.random.default_rng(0)
    kernels = tuple(random.normal(size=s).astype(np.float32) for s in itertools.pairwise(sizes))
    return MLPPolicy(kernels, tuple(np.zeros(n, np.float32) for n in sizes[1:]))


def _digest(tree: Any) -> str:
    data = b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(tree))
    return hashlib.sha256(data).hexdigest()[:16]


def _fresh(job: tuple[str, int | None]) -> dict[str, str]:
    return results(variant(*job))


def compare(id: str, fresh: concurrent.futures.Executor) -> dict[str, Any]:
    """All pairs of one environment: how many, and which results differ from those of a fresh process."""
    jobs: list[tuple[str, int | None]] = [(id, None), *((id, i) for i in range(len(names(id))))]
    expected = fresh.map(_fresh, jobs)
    differ, together = [], []
    for (_, number), alone in zip(jobs, expected, strict=True):
        together.append(results(variant(id, number)))
        changed = results(variant(id, None)) != together[0]  # by what came after it
        where = "default" if number is None else names(id)[number]
        found = [f"{where}: {name}" for name, digest in together[-1].items() if digest != alone[name]]
        differ += found + ([f"default after {where}"] if changed else [])
        print(f"{id} {where}: {found or 'as in a fresh process'}", file=sys.stderr, flush=True)
    seen = {json.dumps(result) for result in together}
    return {"environment": id, "pairs": len(jobs) - 1, "distinct_results": len(seen), "shared": differ}


def main() -> None:
    """Prints what every environment shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", nargs="+", default=IDS, metavar="ID", help=f"default: {' '.join(IDS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    # A process a job: what it computes, nothing before it has left traces of.
    with concurrent.futures.ProcessPoolExecutor(1, context, max_tasks_per_child=1) as fresh:
        rows = [compare(id, fresh) for id in options.envs]
    if options.json:
        print(json.dumps({"environments": rows}))
    else:
        for row in rows:
            print(f"{row['environment']:18} {row['pairs']:3} pairs, {len(row['shared'])} shared {row['shared'][:3]}")


if __name__ == "__main__":
    main()
