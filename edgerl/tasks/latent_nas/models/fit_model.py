"""Training the autoencoder: on free random architectures, on the table's, and on what the surrogate says of both."""

import dataclasses
import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax.flatten_util import ravel_pytree

from edgerl.tasks.latent_nas.models.model import (
    CODES,
    LATENT,
    OTHERS,
    OUTPUTS,
    Autoencoder,
    Layer,
    ModelConfig,
    Network,
    encoder_features,
    nearest,
    nearest_code,
)
from edgerl.tasks.latent_nas.models.surrogate import Surrogate, predict
from edgerl.tasks.latent_nas.table.data import Architectures
from edgerl.tasks.latent_nas.table.space import BLOCKS, HIGH, LOW, WIDEN, active, buildable, from_uniform
from edgerl.util.config import field

_REFERENCE = 16384  # random architectures over which a latent has mean 0 and variance 1


@struct.dataclass
class Weights:
    """Of the loss: a pytree of numbers, so that many settings can be trained side by side."""

    learning_rate: chex.Numeric = 2e-3
    commitment: chex.Numeric = 0.02  # latents to their codes
    divergence: chex.Numeric = 0.0  # latents from the other codes; `label` only
    depth: chex.Numeric = 0.3  # cross-entropy of M
    supervision: chex.Numeric = 1.0  # squared error of what the latent tells of the accuracy
    widening: chex.Numeric = 1.3  # of errors of the widenings: what the accuracy hangs on
    quantised: chex.Numeric = 0.2  # share of latents that are decoded after quantisation


# As the origin published them.
LABEL_WEIGHTS = Weights(6.938e-4, commitment=0.25, divergence=0.25)


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How the autoencoder is trained."""

    steps: int = field(4000, "gradient steps", low=1)
    batch: int = field(512, "architectures a step, three quarters of them random, without labels", low=4)


@struct.dataclass
class Variables:
    """What is trained."""

    encoder: Any
    decoder: Any
    judge: Any  # latent -> accuracy, standardised: only for supervision
    codebook: chex.Array  # float32 [CODES, LATENT]


@struct.dataclass
class Labelled:
    """The table's rows, as the loss sees them."""

    genes: chex.Array  # int32 [N, 22]
    accuracy: chex.Array  # float32 [N], of mean 0 and variance 1
    bin: chex.Array  # int32 [N] in [0, CODES): of equal accuracy ranges


def fit(table: Architectures, config: FitConfig, model: ModelConfig, weights: Weights, seed: int) -> Autoencoder:
    """The autoencoder of a table's search space. The table supervises; most architectures seen are random ones."""
    labelled = label(table)
    return _fit(config, model, weights, labelled, jax.random.key(seed))


def fit_many(
    table: Architectures, config: FitConfig, model: ModelConfig, weights: Weights, key: chex.PRNGKey
) -> Autoencoder:
    """As `fit`, for weights [S], all from the same random numbers: autoencoders [S] by one vmapped training."""
    return _fit_many(config, model, weights, label(table), key)


def label(table: Architectures) -> Labelled:
    """Accuracies standardised, and in `CODES` bins of equal width."""
    accuracy = table.targets[:, 0]
    low, high = accuracy.min(), accuracy.max()
    bins = np.minimum((accuracy - low) / max(high - low, 1e-9) * CODES, CODES - 1).astype(np.int32)
    scaled = (accuracy - accuracy.mean()) / max(accuracy.std(), 1e-9)
    return Labelled(jnp.asarray(table.genes), jnp.asarray(scaled, jnp.float32), jnp.asarray(bins))


def report(model: Autoencoder, surrogate: Surrogate, table: Architectures, quantiser: str) -> dict[str, float]:
    """Reconstruction of architectures that were not trained on."""
    latent = _encoded(model, table.genes)
    if quantiser == "coordinate":
        codes = np.asarray(nearest(model.codebook, latent))
        quantised, used = np.take_along_axis(np.asarray(model.codebook), codes, 0), codes * LATENT + np.arange(LATENT)
        available = CODES * LATENT
    else:
        used, available = np.asarray(nearest_code(model.codebook, latent)), CODES
        quantised = np.asarray(model.codebook)[used]
    exact = np.asarray(_decoded(model, quantised))
    made = np.asarray(_decoded(model, latent)) if quantiser == "coordinate" else exact
    accuracy, again = (predict(surrogate, genes).accuracy for genes in (table.genes, made))
    return {
        "rows": len(table),
        "depth_exact": float((made[:, 1] == table.genes[:, 1]).mean()),
        "error_over_column_means": relative_error(made, table.genes),
        "error_over_column_means_quantised": relative_error(exact, table.genes),
        "prediction_survives": float((np.abs(accuracy - again) < 0.01).mean()),
        "codes_used": len(np.unique(used)) / available,
        "buildable": float(buildable(made).mean()),
    }


@jax.jit
def _encoded(model: Autoencoder, genes: chex.Array) -> chex.Array:
    return jax.vmap(model.encode)(genes)


@jax.jit
def _decoded(model: Autoencoder, latents: chex.Array) -> chex.Array:
    return jax.vmap(model.decode)(latents)


def relative_error(made: np.ndarray, genes: np.ndarray) -> float:
    """Squared error of the genes [N, 22], each over its range from 0 (or its least) up, over that of column means."""
    span = np.where(np.arange(22) < 2, HIGH - LOW, HIGH).astype(np.float64)
    of_means = (((genes - genes.mean(0)) / span) ** 2).sum()
    return float((((made - genes) / span) ** 2).sum() / max(of_means, 1e-9))  # of one architecture alone: large


@functools.partial(jax.jit, static_argnames=("config", "model"))
def _fit(config: FitConfig, model: ModelConfig, weights: Weights, labelled: Labelled, key: chex.PRNGKey) -> Autoencoder:
    start_key, step_key, reference_key = jax.random.split(key, 3)
    networks = _Networks(model)
    # The optimiser sees the parameters as one vector: quicker to compile than an update for each.
    start, restore = ravel_pytree(networks.start(start_key))
    optimise = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(optax.cosine_decay_schedule(weights.learning_rate, config.steps)),
    )

    def loss(vector: chex.Array, key: chex.PRNGKey) -> chex.Array:
        return networks.loss(restore(vector), config, weights, labelled, key)

    def step(carry: tuple[chex.Array, Any], i: chex.Array) -> tuple[tuple[chex.Array, Any], None]:
        vector, state = carry
        change, state = optimise.update(jax.grad(loss)(vector, jax.random.fold_in(step_key, i)), state)
        return (optax.apply_updates(vector, change), state), None

    (vector, _), _ = jax.lax.scan(step, (start, optimise.init(start)), jnp.arange(config.steps))
    return networks.finish(restore(vector), reference_key)


@functools.partial(jax.jit, static_argnames=("config", "model"))
def _fit_many(
    config: FitConfig, model: ModelConfig, weights: Weights, labelled: Labelled, key: chex.PRNGKey
) -> Autoencoder:
    return jax.vmap(lambda w: _fit(config, model, w, labelled, key))(weights)


class _Networks:
    """The three networks of a configuration, their loss, and what is kept of them."""

    def __init__(self, model: ModelConfig) -> None:
        self._by_label = model.quantiser == "label"
        self._encoder, self._decoder = Network(model.encoder, LATENT), Network(model.decoder, OUTPUTS)
        self._judge = Network((32,), 1)

    def start(self, key: chex.PRNGKey) -> Variables:
        keys = jax.random.split(key, 4)
        genes, latent = jnp.asarray(LOW), jnp.zeros(LATENT)
        # Even shares of a standard normal: every code has its latents from the first step on.
        levels = jax.scipy.stats.norm.ppf((jnp.arange(CODES) + 0.5) / CODES)
        order = jax.vmap(lambda k: jax.random.permutation(k, CODES))(jax.random.split(keys[3], LATENT))
        return Variables(
            self._encoder.init(keys[0], encoder_features(genes)),
            self._decoder.init(keys[1], latent),
            self._judge.init(keys[2], latent),
            levels[order].T,
        )

    def loss(
        self, variables: Variables, config: FitConfig, weights: Weights, labelled: Labelled, key: chex.PRNGKey
    ) -> chex.Array:
        """Reconstruction, supervision and quantisation of a fresh batch."""
        draws = jax.random.uniform(key, (config.batch, 22 + 2))  # all at once: random numbers are slow to compile
        count = len(labelled.genes)
        rows = jnp.minimum((draws[: config.batch // 4, 22] * count).astype(jnp.int32), count - 1)
        genes = jnp.concatenate([labelled.genes[rows], from_uniform(draws[len(rows) :, :22])])
        latent = jnp.asarray(self._encoder.apply(variables.encoder, encoder_features(genes)))
        latent = (latent - latent.mean(0)) / (latent.std(0) + 1e-5)
        quantised, apart = self._quantise(variables.codebook, latent, labelled.bin[rows])
        codes = jnp.mean((jax.lax.stop_gradient(latent) - quantised) ** 2)
        commitment = jnp.mean((latent - jax.lax.stop_gradient(quantised)) ** 2)
        share = 1.0 if self._by_label else weights.quantised
        mixed = draws[:, 23:] < share
        # The straight-through estimator: the decoder sees the code, the encoder its gradient.
        seen = latent + jax.lax.stop_gradient((quantised - latent) * mixed)
        told = jnp.asarray(self._judge.apply(variables.judge, seen[: len(rows)]))[:, 0]
        return (
            _reconstruction(self._decoder.apply(variables.decoder, seen), genes, weights)
            + weights.supervision * 0.1 * jnp.mean((told - labelled.accuracy[rows]) ** 2)
            + codes
            + weights.commitment * commitment
            + weights.divergence * apart
        )

    def _quantise(self, codebook: chex.Array, latent: chex.Array, bins: chex.Array) -> tuple[chex.Array, chex.Array]:
        """(the latents' codes, how near the labelled ones are to codes that are not theirs)."""
        if not self._by_label:
            return jnp.take_along_axis(codebook, nearest(codebook, latent), 0), jnp.float32(0)
        code = nearest_code(codebook, latent).at[: len(bins)].set(bins)
        distance = jnp.mean((latent[: len(bins), None] - jax.lax.stop_gradient(codebook)) ** 2, axis=-1)
        wrong = jnp.arange(CODES) != bins[:, None]
        return codebook[code], jnp.mean(jnp.sum(wrong * jnp.exp(-distance), axis=1)) / CODES

    def finish(self, variables: Variables, key: chex.PRNGKey) -> Autoencoder:
        """The networks as layers, with the latent's mean and variance over random architectures in the last one."""
        genes = from_uniform(jax.random.uniform(key, (_REFERENCE, 22)))
        latent = jnp.asarray(self._encoder.apply(variables.encoder, encoder_features(genes)))
        mean, deviation = latent.mean(0), latent.std(0) + 1e-5
        *first, last = _layers(variables.encoder)
        last = Layer(last.kernel / deviation[:, None], (last.bias - mean) / deviation)
        return Autoencoder((*first, last), _layers(variables.decoder), variables.codebook)


def _reconstruction(out: chex.Array, genes: chex.Array, weights: Weights) -> chex.Array:
    """Cross-entropy of M, and squared errors of the genes that the networks have."""
    depth = optax.softmax_cross_entropy_with_integer_labels(out[:, :BLOCKS], genes[:, 1] - 1).mean()
    wanted = ((genes - LOW) / (HIGH - LOW))[:, OTHERS]
    counts = active(genes)[:, OTHERS] * jnp.where(np.isin(OTHERS, WIDEN), weights.widening, 1.0)
    return weights.depth * depth + jnp.mean(jnp.sum(counts * (out[:, BLOCKS:] - wanted) ** 2, axis=1))


def _layers(variables: Any) -> tuple[Layer, ...]:
    params = variables["params"]
    return tuple(Layer(params[f"Dense_{i}"]["kernel"].T, params[f"Dense_{i}"]["bias"]) for i in range(len(params)))
