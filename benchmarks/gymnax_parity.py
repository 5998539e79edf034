"""gymnax's environments and wrappers through `from_gymnax` against gymnax's own loop: returns and lengths of episodes.

    python -m benchmarks.gymnax_parity [--json] [--envs 64] [--steps 2600] [--only CartPole-v1 ...]

Random actions in as many environments and as many steps on both sides; gymnax resets inside of its `step`, the
simulator outside. Means may differ by three standard errors. What the adapter refuses is listed with its reason.
StickyActionWrapper remembers an action from one episode to the next if its `reset` is not called: there the loop calls
it, as the simulator does. MNISTBandit, which downloads its images, gets random ones.
"""

import argparse
import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
from gymnax import wrappers
from gymnax.environments.bsuite import mnist

import edgerl


class Contrary(wrappers.LogWrapper):
    """A user's own wrapper, with a state of its own: half the reward, less a fee, and its actions count backwards."""

    @functools.partial(jax.jit, static_argnames=("self",))
    def step(self, key: Any, state: Any, action: Any, params: Any = None) -> Any:
        space = self._env.action_space(params)
        action = space.n - 1 - action if hasattr(space, "n") else -action
        obs, state, reward, terminated, truncated, info = super().step(key, state, action, params)
        return obs, state, 0.5 * reward - 0.1, terminated, truncated, info


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "none": lambda env: env,
    "FlattenObservationWrapper": wrappers.FlattenObservationWrapper,
    "LogWrapper": wrappers.LogWrapper,
    "StickyActionWrapper": lambda env: wrappers.StickyActionWrapper(env, 0.25),
    "Log(Sticky(Flatten))": lambda env: wrappers.LogWrapper(
        wrappers.StickyActionWrapper(wrappers.FlattenObservationWrapper(env), 0.25)
    ),
    "a user's own": Contrary,
    "LegacyStepAPIWrapper": wrappers.LegacyStepAPIWrapper,
    "GymnaxToDmEnvWrapper": wrappers.GymnaxToDmEnvWrapper,
    "GymnaxToGymWrapper": wrappers.GymnaxToGymWrapper,
    "GymnaxToVectorGymWrapper": wrappers.GymnaxToVectorGymWrapper,
}
REMEMBERS = ("StickyActionWrapper", "Log(Sticky(Flatten))")


@dataclasses.dataclass(frozen=True)
class Row:
    """One environment in one wrapper: [ours, gymnax's] each, or why it is refused."""

    env: str
    wrapper: str
    refused: str = ""
    episodes: tuple[int, int] = (0, 0)
    returns: tuple[float, float] = (0.0, 0.0)
    lengths: tuple[float, float] = (0.0, 0.0)
    errors: tuple[float, float] = (0.0, 0.0)  # how many standard errors returns and lengths differ by

    @property
    def equal(self) -> bool:
        return min(self.episodes) > 0 and max(self.errors) <= 3


def make(name: str) -> Any:
    """gymnax's environment; MNISTBandit with random images."""
    loader, images = mnist.load_mnist.load_mnist, np.random.default_rng(0)
    if name == "MNISTBandit-bsuite":
        data = images.random((256, 28, 28), np.float32), images.integers(0, 10, 256)
        mnist.load_mnist.load_mnist = lambda: (data, data)
    try:
        return gymnax.make(name)[0]
    finally:
        mnist.load_mnist.load_mnist = loader


def gymnax_loop(
    env: Any, key: Any, num_envs: int, num_steps: int, resets: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(returns, lengths) of the episodes that finished in the plain loop over `reset` once and `step`.

    With `resets`, the outermost `reset` is called before every episode.
    """
    params = env.default_params

    def one(key: Any) -> Any:
        key, reset_key = jax.random.split(key)
        _, state = env.reset(reset_key, params)

        def step(carry: Any, key: Any) -> Any:
            state, total, length = carry
            action_key, step_key = jax.random.split(key)
            action = env.action_space(params).sample(action_key)
            _, state, reward, terminated, truncated, _ = env.step(step_key, state, action, params)
            done = jnp.logical_or(terminated, truncated)
            total, length = total + jnp.float32(reward), length + 1
            if resets:
                fresh = env.reset(step_key, params)[1]
                state = jax.tree.map(lambda new, old: jnp.where(done, new, old), fresh, state)
            return (state, jnp.where(done, 0.0, total), jnp.where(done, 0, length)), (done, total, length)

        start = jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x)), state), jnp.float32(0), jnp.int32(0)
        return jax.lax.scan(step, start, jax.random.split(key, num_steps))[1]

    done, totals, lengths = map(np.asarray, jax.jit(jax.vmap(one))(jax.random.split(key, num_envs)))
    return totals[done].astype(np.float64), lengths[done].astype(np.float64)


def compare(name: str, wrapper: str, num_envs: int = 64, num_steps: int = 2600, seed: int = 0) -> Row | None:
    """One row of the table; None where gymnax itself cannot put the wrapper around the environment."""
    try:
        raw = WRAPPERS[wrapper](make(name))
    except ValueError:  # StickyActionWrapper takes Discrete actions only
        return None
    try:
        env = edgerl.from_gymnax(raw)
    except edgerl.UserError as error:
        return Row(name, wrapper, str(error))
    first, second = jax.random.split(jax.random.key(seed))
    ours = edgerl.simulate(env, edgerl.random_policy(env), first, num_envs=num_envs, num_steps=num_steps)
    theirs = gymnax_loop(raw, second, num_envs, num_steps, wrapper in REMEMBERS)
    pairs = [(s.mean, s.std, x) for s, x in ((ours.returns, theirs[0]), (ours.lengths, theirs[1]))]
    counts = (ours.episodes, len(theirs[0]))
    means = [(float(mean), float(x.mean())) if len(x) else (0.0, 0.0) for mean, _, x in pairs]
    errors = [_errors(mean, std, x, ours.episodes) if min(counts) else 0.0 for mean, std, x in pairs]
    return Row(name, wrapper, "", counts, means[0], means[1], (errors[0], errors[1]))


def _errors(mean: float, std: float, other: np.ndarray, episodes: int) -> float:
    """Difference of two means in standard errors. Sums in float32 are equal up to their last digits."""
    error = np.sqrt(std**2 / episodes + other.var() / len(other))
    slack = 1e-5 * max(1.0, abs(mean))
    return float(max(0.0, abs(mean - other.mean()) - slack) / max(error, slack))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of environments")
    parser.add_argument("--wrappers", nargs="*", default=list(WRAPPERS), help="of them, as the table names them")
    options = parser.parse_args()
    rows = []
    for name in options.only or gymnax.registered_envs:
        for wrapper in options.wrappers:
            row = compare(name, wrapper, options.envs, options.steps, options.seed)
            if row is not None:
                rows.append(row)
                if not options.json:
                    print(_line(row), flush=True)
    run = [row for row in rows if not row.refused]
    different = [row for row in run if not row.equal]
    counts = {"compared": len(run), "different": len(different), "refused": len(rows) - len(run)}
    print(json.dumps({**counts, "rows": [dataclasses.asdict(row) for row in rows]}) if options.json else counts)


def _line(row: Row) -> str:
    start = f"{row.env:26} {row.wrapper:26} "
    if row.refused:
        return start + row.refused
    columns = zip((row.returns, row.lengths), row.errors, strict=True)
    numbers = " ".join(f"{a:10.4g} {b:10.4g} ({e:.1f})" for (a, b), e in columns)
    return start + f"{row.episodes[0]:7} {row.episodes[1]:7} {numbers}"


if __name__ == "__main__":
    main()
