"""EdgeRL's contestant in `large`: updates of PPO on CartPole-v1, of one seed on one device or on all."""

from importlib.metadata import version

# ruff: noqa: I001
import edgerl  # before JAX, so that JAX shows one device a core
import jax
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run.runner import PPO

from worker import Numbers, Prepared, compiled, serve


def prepare(settings: Numbers) -> Prepared:
    """Settings: `num_envs`, `num_steps`, `hidden_sizes`, `updates` of a repeat, and `mesh`."""
    sizes = {key: settings[key] for key in ("num_envs", "num_steps")}
    ppo = PPOConfig(num_updates=10_000, hidden_sizes=tuple(settings["hidden_sizes"]), **sizes)
    updates, mesh = settings["updates"], settings["mesh"]
    training = PPO(edgerl.make("CartPole-v1"), RunConfig(num_seeds=1, mesh=mesh, checkpoint_every=updates, ppo=ppo))
    state = training.placed(training.init())

    def run(seed: int = 0) -> Numbers:
        nonlocal state
        state, _ = training.update(state, 0, updates)
        jax.block_until_ready(state)
        return {"steps": updates * ppo.batch_size}

    return compiled(run, devices=training.mesh.size, **{name: version(name) for name in ("edgerl", "jax")})


if __name__ == "__main__":
    serve(prepare)
