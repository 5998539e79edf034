"""Pictures of a CartPole run: learning curve, animations, and int8 decisions against float ones."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl.envs.deciding import Policy
from edgerl.simulator.simulate import simulate
from edgerl.tasks.cartpole.drawing import cart
from edgerl.tasks.cartpole.env import CartPole
from edgerl.util.drawing import captioned
from edgerl.util.plots import BLACK, save_animation, save_figure
from edgerl.util.plots import axes as axes_of

_LEFT, _RIGHT = "#cfe8f7", "#fbe3b3"  # pale forms of the sky blue and amber of all figures
_EVERY = 2  # steps; each lasts 20 ms, so that an animation has 25 pictures a second


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
        colours = ListedColormap([_LEFT, _RIGHT, BLACK])
        axis.pcolormesh(degrees, speed[:, 0], kind, cmap=colours, vmin=0, vmax=2, rasterized=True)
        axis.set(
            xlabel="pole angle (degrees)",
            title=f"cart velocity {velocity:g} m/s: {np.mean(exact == device):.1%} equal",
        )
    axes[0].set_ylabel("angular velocity (rad/s)")
    handles = [Rectangle((0, 0), 1, 1, color=c) for c in (_LEFT, _RIGHT, BLACK)]
    labels = ["both push left", "both push right", "int8 decides otherwise"]
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle("What float and int8 decide in the middle of the track", fontsize=11)
    return save_figure(figure, path)


def animation(
    path: Path, env: CartPole, policy: Policy, key: jax.Array, title: str, episodes: int = 3, frames: int = 150
) -> Path:
    """A GIF of a few episodes played at once, as fast as they are: every second step is drawn, 25 pictures a second.

    Args:
      title: above the carts.
    """
    stats = simulate(env, policy, key, num_envs=episodes, num_steps=_EVERY * frames, trajectory=True)
    assert stats.trajectory is not None  # asked for
    seen = np.asarray(stats.trajectory.obs)
    ended = np.asarray(stats.trajectory.terminated | stats.trajectory.truncated)
    number, step = np.zeros((2, *ended.shape), int)
    for t in range(1, len(ended)):
        number[t] = number[t - 1] + ended[t - 1]
        step[t] = np.where(ended[t - 1], 0, step[t - 1] + 1)
    return save_animation([_frame(title, seen[t], number[t], step[t]) for t in range(0, len(seen), _EVERY)], path)


def _frame(title: str, observations: np.ndarray, numbers: Sequence[int], steps: Sequence[int]) -> np.ndarray:
    """One picture of several carts, one below the other: uint8 [height, width, 3]."""
    carts = []
    for (x, _, angle, _), number, step in zip(observations.tolist(), numbers, steps, strict=True):
        state = f"cart at {x:+.2f} m, pole {math.degrees(angle):+.1f} degrees from upright"
        carts.append(cart(x, angle, f"episode {number + 1}, step {step}: {state}"))
    return captioned(np.concatenate(carts), [title])
