"""Draws the animation of the first page: an export's C, on an emulated rv32imc, balances the pole.

PYTHONPATH=scripts python -m documentation.animation runs/pole_c docs/pole.gif
"""

import io
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np

import edgerl
from edgerl.deploy import serial
from edgerl.tasks.cartpole.drawing import cart
from edgerl.util import files

STEPS, EVERY = 240, 2  # a picture every second step: 25 a second, as fast as the pole is


def draw(export: str, path: str) -> None:
    """Writes the GIF.

    Args:
      export: folder of a CartPole export.
      path: of the file.
    """
    from PIL import Image

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
                picture = Image.fromarray(cart(float(state.x), float(state.theta), label))
                pictures.append(picture.quantize(16, Image.Quantize.FASTOCTREE))
            key, used = jax.random.split(key)
            obs, state, _, terminated, _, _ = step(used, state, jnp.int32(action), env.default_params)
            if terminated:
                break
    drawn = io.BytesIO()
    pictures[0].save(drawn, "GIF", save_all=True, append_images=pictures[1:], duration=40, loop=0, optimize=True)
    files.write_bytes(path, drawn.getvalue())


if __name__ == "__main__":
    draw(*sys.argv[1:])
