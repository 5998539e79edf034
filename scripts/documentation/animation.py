"""Draws the animation of the first page: an export's C, on an emulated rv32imc, balances the pole.

PYTHONPATH=scripts python -m documentation.animation runs/pole_c docs/pole.gif
"""

import math
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import edgerl
from edgerl.deploy import serial
from edgerl.tasks.cartpole.drawing import cart
from edgerl.util.drawing import captioned
from edgerl.util.plots import save_animation

STEPS, EVERY = 240, 2  # a picture every second step: 25 a second, as fast as the pole is
TITLE = "CartPole-v1: C on an emulated rv32imc processor decides every push"


def draw(export: str, path: str) -> None:
    """Writes the GIF.

    Args:
      export: folder of a CartPole export.
      path: of the file.
    """
    env = edgerl.make("CartPole-v1")
    step = jax.jit(env.step)
    key = jax.random.key(3)
    obs, state = env.reset(key, env.default_params)
    pictures = []
    with serial.emulated_chip(export) as chip:
        for number in range(STEPS):
            action = int(chip.act(np.asarray(obs)[None])[0])
            if number % EVERY == 0:
                pushed = "right" if action else "left "
                label = f"step {number:3d}   angle {math.degrees(float(state.theta)):+5.1f} degrees   push {pushed}"
                pictures.append(captioned(cart(float(state.x), float(state.theta), label), [TITLE]))
            key, used = jax.random.split(key)
            obs, state, _, terminated, _, _ = step(used, state, jnp.int32(action), env.default_params)
            if terminated:
                break
    save_animation(pictures, Path(path), colours=16)


if __name__ == "__main__":
    draw(*sys.argv[1:])
