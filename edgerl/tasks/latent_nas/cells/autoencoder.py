"""The latent space of cells: a vector-quantised autoencoder, supervised by what is counted from the cells.

A cell is encoded as the representative of its class: cells that compute the same share a code. The latent has `LATENT`
coordinates, each quantised by itself to one of `CODES` values, which is what the environment's action (code, dimension)
sets. The decoder answers with logits of five operations for each edge: every latent decodes to a cell that can be
built. A head that sees the latent alone must tell the class's counted features (`space.features`) and its parameters:
so latents of like networks lie close. No measured accuracy is used: training it costs no look at the table.

Reference: van den Oord, Vinyals & Kavukcuoglu, "Neural Discrete Representation Learning", 2017; quantising parts of
the latent apart: Jégou et al., "Product Quantization for Nearest Neighbor Search", 2011.
"""

import dataclasses
import functools
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from edgerl.tasks.latent_nas.cells import space
from edgerl.util.config import field

LATENT, CODES = 6, 6
_EDGES, _OPERATIONS = len(space.EDGES), len(space.OPERATIONS)


@dataclasses.dataclass(frozen=True)
class AutoencoderConfig:
    """How the autoencoder is trained."""

    width: int = field(96, "of the hidden layers of encoder and decoder", low=1)
    steps: int = field(3000, "gradient steps", low=1)
    batch: int = field(512, "classes a step", low=1)
    learning_rate: float = field(3e-3, "Adam's step size at the start; it falls to 0", low=0)
    commitment: float = field(0.1, "weight of the distance of latents to their codes", low=0)
    supervision: float = field(0.3, "weight of the squared error of what is counted", low=0)


@struct.dataclass
class LatentSpace:
    """What the agent walks in."""

    codebook: chex.Array  # float32 [CODES, LATENT]
    decoded: chex.Array  # int32 [CODES ** LATENT]: the cell that each combination of codes decodes to, by its number
    encoded: chex.Array  # int32 [C]: the combination of codes of each class


class _Perceptron(nn.Module):
    width: int
    outputs: int

    @nn.compact
    def __call__(self, x: chex.Array) -> chex.Array:
        for _ in range(2):
            x = nn.relu(nn.Dense(self.width)(x))
        return nn.Dense(self.outputs)(x)


@dataclasses.dataclass(frozen=True)
class _Networks:
    width: int

    def parts(self, outputs: int) -> dict[str, _Perceptron]:
        return {
            "encoder": _Perceptron(self.width, LATENT),
            "decoder": _Perceptron(self.width, _EDGES * _OPERATIONS),
            "head": _Perceptron(self.width // 2, outputs),
        }


def fit(config: AutoencoderConfig, seed: int) -> LatentSpace:
    """Trains on all classes, each once an epoch on average; the same for the same configuration and seed."""
    _, representatives = space.classes()
    cells = space.all_cells()[representatives]
    counted = _standardised(np.column_stack([space.features(cells), space.parameter_count(cells)]))
    shown = np.concatenate([np.eye(_OPERATIONS)[cells].reshape(len(cells), -1), counted], 1).astype(np.float32)
    book, encoded, decoded = _fit(
        config, jnp.asarray(shown), jnp.asarray(cells), jnp.asarray(counted), jax.random.key(seed)
    )
    return LatentSpace(np.asarray(book), np.asarray(decoded), np.asarray(encoded))


def report(latent: LatentSpace) -> dict[str, Any]:
    """How much of the search space the latent space reaches.

    Returns:
      "classes"; "recovered": the share that decodes to a cell of the same class as was encoded; "reachable": the share
      that some combination of codes decodes to; "codes_used": of the values of all coordinates.
    """
    of_cell, _ = space.classes()
    count = of_cell.max() + 1
    digits = np.stack([latent.encoded // CODES**d % CODES for d in range(LATENT)], 1)
    used = sum(len(np.unique(column)) for column in digits.T)
    return {
        "classes": int(count),
        "recovered": float((of_cell[latent.decoded[latent.encoded]] == np.arange(count)).mean()),
        "reachable": len(np.unique(of_cell[latent.decoded])) / int(count),
        "codes_used": used / (CODES * LATENT),
    }


def nearest(codebook: chex.Array, latent: chex.Array) -> chex.Array:
    """int32 [..., LATENT]: for each coordinate of latents [..., LATENT] the code with the nearest value."""
    # By comparing: an argmin over so few does not vectorise.
    least, found = jnp.abs(latent - codebook[0]), jnp.zeros(latent.shape, jnp.int32)
    for code in range(1, CODES):
        away = jnp.abs(latent - codebook[code])
        least, found = jnp.minimum(least, away), jnp.where(away < least, code, found)
    return found


def place_of(codes: chex.Array) -> chex.Array:
    """int32 [...]: the number of combinations of codes [..., LATENT]."""
    return sum(codes[..., d] * CODES**d for d in range(LATENT))  # type: ignore[return-value]


def places(codebook: chex.Array, latent: chex.Array) -> chex.Array:
    """int32 [...]: the number of the combination of codes nearest to latents [..., LATENT]."""
    return place_of(nearest(codebook, latent))


def _standardised(x: np.ndarray) -> np.ndarray:
    return ((x - x.mean(0)) / np.maximum(x.std(0), 1e-9)).astype(np.float32)


@functools.partial(jax.jit, static_argnames="config")
def _fit(
    config: AutoencoderConfig, shown: chex.Array, cells: chex.Array, counted: chex.Array, key: chex.PRNGKey
) -> tuple[chex.Array, chex.Array, chex.Array]:
    start_key, step_key = jax.random.split(key)
    networks = _Networks(config.width).parts(counted.shape[1])
    sizes = {"encoder": shown.shape[1], "decoder": LATENT, "head": LATENT}
    keys = jax.random.split(start_key, len(networks))
    start: dict[str, Any] = {
        name: networks[name].init(k, jnp.zeros(sizes[name])) for name, k in zip(networks, keys, strict=True)
    }
    start["codebook"] = jnp.tile(jnp.linspace(-1.5, 1.5, CODES)[:, None], (1, LATENT))
    optimise = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    )

    def encode(p: dict[str, Any], x: chex.Array) -> chex.Array:
        return 2 * jnp.tanh(jnp.asarray(networks["encoder"].apply(p["encoder"], x)))

    def quantise(p: dict[str, Any], z: chex.Array) -> chex.Array:
        index = jnp.argmin(jnp.abs(z[..., None, :] - p["codebook"]), axis=-2)
        return jnp.take_along_axis(p["codebook"], index, axis=0)

    def loss(p: dict[str, Any], rows: chex.Array, key: chex.PRNGKey) -> chex.Array:
        z = encode(p, shown[rows])
        q = quantise(p, z)
        through = z + jax.lax.stop_gradient(q - z)
        logits = jnp.asarray(networks["decoder"].apply(p["decoder"], through)).reshape(-1, _EDGES, _OPERATIONS)
        said = optax.softmax_cross_entropy_with_integer_labels(logits, cells[rows]).sum(-1).mean()
        told = jnp.mean((networks["head"].apply(p["head"], through) - counted[rows]) ** 2)
        codes = jnp.mean((q - jax.lax.stop_gradient(z)) ** 2)
        return (
            said + config.supervision * told + config.commitment * jnp.mean((z - jax.lax.stop_gradient(q)) ** 2) + codes
        )

    def step(carry: tuple[Any, Any], i: chex.Array) -> tuple[tuple[Any, Any], None]:
        p, state = carry
        row_key, key = jax.random.split(jax.random.fold_in(step_key, i))
        rows = jax.random.randint(row_key, (config.batch,), 0, len(shown))
        change, state = optimise.update(jax.grad(loss)(p, rows, key), state)
        return (optax.apply_updates(p, change), state), None

    (p, _), _ = jax.lax.scan(step, (start, optimise.init(start)), jnp.arange(config.steps))
    book = p["codebook"]
    encoded = places(book, encode(p, shown))
    digits = jnp.stack([jnp.arange(CODES**LATENT) // CODES**d % CODES for d in range(LATENT)], 1)
    logits = jnp.asarray(networks["decoder"].apply(p["decoder"], jnp.take_along_axis(book, digits, axis=0)))
    made = jnp.argmax(logits.reshape(-1, _EDGES, _OPERATIONS), -1)
    return book, encoded, jnp.sum(made * _OPERATIONS ** np.arange(_EDGES)[::-1], -1).astype(jnp.int32)
