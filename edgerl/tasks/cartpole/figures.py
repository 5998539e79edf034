"""Pictures of a CartPole run: learning curve, animations, and int8 decisions against float ones."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl.envs.deciding import Policy
from edgerl.simulator.simulate import simulate
from edgerl.tasks.cartpole.drawing import cart
from edgerl.tasks.cartpole.env import CartPole
from edgerl.util import files
from edgerl.util.plots import axes as axes_of
from edgerl.util.plots import save_figure


def decisions(path: Path, policy: Any, quantised: Any) -> Path:
    """Where the int8 policy decides otherwise than the float one: the plane of angle and angular velocity.

    Args:
      policy, quantised: called as `policy(key, obs)`; `policy.logits(obs)` gives float scores.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Rectangle

    @jax.jit
    def both(obs: jax.Array) -> list[jax.Array]:
        return [jax.vmap(lambda o, p=p: p(None, o))(obs) for p in (policy, quantised)]

    size = 241
    angle, speed = np.meshgrid(np.linspace(-0.21, 0.21, size), np.linspace(-1.5, 1.5, size))
    figure, axes = axes_of(3, (11, 3.8), sharey=True)
    for axis, velocity in zip(axes, (-1.0, 0.0, 1.0), strict=True):
        grid = np.stack([np.zeros_like(angle), np.full_like(angle, velocity), angle, speed], -1).astype(np.float32)
        exact, device = map(np.asarray, both(grid.reshape(-1, 4)))
        kind = np.where(exact == device, exact, 2).reshape(angle.shape)
        degrees = np.degrees(angle[0])
        colours = ListedColormap(["#d1e5f0", "#fddbc7", "#b2182b"])
        axis.pcolormesh(degrees, speed[:, 0], kind, cmap=colours, vmin=0, vmax=2, rasterized=True)
        axis.set(
            xlabel="pole angle (degrees)",
            title=f"cart velocity {velocity:+g} m/s: {np.mean(exact == device):.1%} equal",
        )
    axes[0].set_ylabel("angular velocity (rad/s)")
    handles = [Rectangle((0, 0), 1, 1, color=c) for c in ("#d1e5f0", "#fddbc7", "#b2182b")]
    labels = ["both push left", "both push right", "int8 decides otherwise"]
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return save_figure(figure, path)


def animation(path: Path, env: CartPole, policy: Policy, key: jax.Array, episodes: int = 3, frames: int = 150) -> Path:
    """A GIF of a few episodes played at once, 25 frames a second of simulated 50 (every second step is drawn)."""
    stats = simulate(env, policy, key, num_envs=episodes, num_steps=2 * frames, trajectory=True)
    assert stats.trajectory is not None  # asked for
    seen = np.asarray(stats.trajectory.obs)[::2]
    ended = np.asarray(stats.trajectory.terminated | stats.trajectory.truncated)
    number = np.concatenate([np.zeros((1, episodes), int), np.cumsum(ended, 0)[:-1]])[::2]
    pictures = [_frame(seen[t], number[t]) for t in range(len(seen))]
    drawn = io.BytesIO()
    pictures[0].save(drawn, "GIF", save_all=True, append_images=pictures[1:], duration=40, loop=0, optimize=True)
    files.write_bytes(path, drawn.getvalue())
    return path


def _frame(observations: np.ndarray, numbers: Sequence[int]) -> Any:
    """One picture of several carts, one below the other, in a few colours."""
    from PIL import Image

    rows = [
        cart(float(x), float(angle), f"episode {n + 1}")
        for (x, _, angle, _), n in zip(observations, numbers, strict=True)
    ]
    return Image.fromarray(np.concatenate(rows)).quantize(32, Image.Quantize.FASTOCTREE)
