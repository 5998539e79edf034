"""Fitting the surrogate to a table."""

import dataclasses
import functools
import math
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from edgerl.tasks.latent_nas.models.surrogate import (
    BLOCK_FEATURES,
    FEATURES,
    OUTPUTS,
    Member,
    Surrogate,
    features,
    side_by_side,
)
from edgerl.tasks.latent_nas.table.data import TARGETS, Architectures
from edgerl.tasks.latent_nas.table.space import split
from edgerl.util.config import field
from edgerl.util.errors import UserError

COVERAGE = 0.9
CALIBRATION = 5  # parts of the rows, for the intervals
LEAST_ROWS = 50
MOST_ROWS = 2048  # a step looks at; of larger tables at as many random ones


@dataclasses.dataclass(frozen=True)
class SurrogateConfig:
    """How the ensemble is fitted."""

    members: int = field(5, "networks, each fitted without a part of the rows of its own", low=2)
    block_units: int = field(6, "units that look at each main block", low=1)
    units: int = field(8, "units of the second layer", low=1)
    learning_rate: float = field(1e-2, "Adam's step size at the start", low=0)
    selecting: int = field(1000, "steps with penalties, which choose what matters", low=1)
    refining: int = field(400, "steps without penalties, for what was chosen", low=0)
    sparsity: float = field(1.5, "penalty of each weight of the first two layers", low=0)
    group_sparsity: float = field(0.5, "penalty of all of a feature's weights together", low=0)


@struct.dataclass
class Settings:
    """The numbers of a `SurrogateConfig`: a pytree, so that many are fitted side by side."""

    learning_rate: chex.Numeric
    sparsity: chex.Numeric
    group_sparsity: chex.Numeric


def fit(table: Architectures, config: SurrogateConfig, seed: int) -> Surrogate:
    """An ensemble fitted to all rows of a table, its intervals calibrated on the rows that each member did not see.

    Raises:
      UserError: too few rows, or a target that never changes.
    """
    if len(table) < LEAST_ROWS:
        raise UserError(f"the table has {len(table)} rows to learn from: a surrogate needs {LEAST_ROWS} at least")
    for name, values in zip(TARGETS, table.targets.T, strict=True):
        if not np.ptp(values) > 0:
            raise UserError(f"{name} is {values[0]:g} in all rows: there is nothing to learn")
    fold = folds(len(table), config.members, seed)
    # For the calibration, ensembles of which each sees nothing of one of `CALIBRATION` parts; the last sees all.
    outer = folds(len(table), CALIBRATION, seed + 1)
    sees = np.concatenate([outer != np.arange(CALIBRATION)[:, None], np.ones((1, len(table)), bool)])
    inside = sees[:, None] & (fold != np.arange(config.members)[:, None])
    members = fit_members(table, config, settings_of(config), inside, seed)
    judges, ensemble = (jax.tree.map(lambda x, i=i: x[i], members) for i in (slice(CALIBRATION), CALIBRATION))
    return side_by_side(ensemble, _quantile(judges, table, outer))


def settings_of(config: SurrogateConfig) -> Settings:
    """The numbers of a configuration."""
    return Settings(config.learning_rate, config.sparsity, config.group_sparsity)


def folds(rows: int, count: int, seed: int) -> np.ndarray:
    """int [rows] from 0 to count - 1: the part that each row belongs to; sizes differ by one at most."""
    return np.random.default_rng(seed).permutation(rows) % count


def fit_members(
    table: Architectures, config: SurrogateConfig, settings: Settings, inside: np.ndarray, seed: int
) -> Member:
    """Members [..., K], each fitted to the rows that bool `inside` [..., K, N] says, side by side.

    `settings`, not the configuration, says how; the configuration how large and how long.
    """
    mean, deviation = table.targets.mean(0), table.targets.std(0)
    scaled = ((table.targets - mean) / deviation).astype(np.float32)
    weights = inside.reshape(-1, *inside.shape[-2:]).astype(np.float32)
    form = dataclasses.replace(config, learning_rate=0.0, sparsity=0.0, group_sparsity=0.0)  # one program for all
    members = _fit(form, settings, jax.random.key(seed), jnp.asarray(table.genes), scaled, weights)
    members = jax.tree.map(lambda x: np.asarray(x).reshape(*inside.shape[:-1], *x.shape[2:]), members)
    return _unscaled(members, mean, deviation)


def _fit(
    config: SurrogateConfig,
    settings: Settings,
    key: chex.PRNGKey,
    genes: chex.Array,
    targets: chex.Array,
    inside: chex.Array,
) -> Member:
    """Members [E, K] for weights of the rows `inside` [E, K, N]; all E ensembles start from the same K."""
    rows = jax.jit(jax.vmap(inputs))(genes), targets
    members = _starts(config, key, len(inside))
    members = _descend(settings, members, rows, inside, config.selecting, True)
    return _descend(settings, members, rows, inside, config.refining, False)


@functools.partial(jax.jit, static_argnames=("config", "ensembles"))
def _starts(config: SurrogateConfig, key: chex.PRNGKey, ensembles: int) -> Member:
    starts = jax.vmap(lambda k: _start(config, k))(jax.random.split(key, config.members))
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (ensembles, *x.shape)), starts)


def inputs(genes: chex.Array) -> tuple[chex.Array, chex.Array]:
    """What a member sees of genes [22]: see `surrogate.features`."""
    blocks, whole = features(split(genes))
    return jnp.stack(blocks), jnp.stack(whole)


def _start(config: SurrogateConfig, key: chex.PRNGKey) -> Member:
    keys = jax.random.split(key, 3)
    shapes = (
        (config.block_units, BLOCK_FEATURES),
        (config.units, config.block_units + FEATURES),
        (OUTPUTS, config.units),
    )
    kernels = [jax.random.normal(k, shape) * 0.4 for k, shape in zip(keys, shapes, strict=True)]
    return Member(*(x for kernel in kernels for x in (kernel, jnp.zeros(len(kernel)))))


@jax.jit
def _descend(
    settings: Settings, members: Member, rows: Any, inside: chex.Array, steps: chex.Array, penalised: chex.Array
) -> Member:
    """Adam from members [E, K] on rows (what they see, targets), weighted by `inside`, for `steps` steps.

    With penalties: proximal steps, after which weights are exactly 0. Without: zeros stay zero.
    A sparse group lasso that chooses, then a fit of what it chose without its bias: Simon et al., "A Sparse-Group
    Lasso", 2013; Meinshausen, "Relaxed Lasso", 2007. One program for both.
    """
    start_rate = settings.learning_rate * jnp.where(penalised, 1.0, 0.3)

    def rate(i: chex.Array) -> chex.Array:
        return start_rate * 0.5 * (1 + jnp.cos(np.pi * i / jnp.maximum(steps, 1)))

    optimise = optax.adam(rate)

    def one(member: Member, weights: chex.Array) -> Member:
        kept = jax.tree.map(lambda x: (x != 0).astype(x.dtype), member)

        def loss(member: Member, i: chex.Array) -> chex.Array:
            (seen, targets), inside = _some((rows, weights), jax.random.fold_in(jax.random.key(0), i))
            out = jax.vmap(member)(*seen)
            return jnp.sum(inside * _row_loss(out, targets)) / jnp.maximum(jnp.sum(inside), 1)

        def step(i: chex.Array, carry: tuple[Member, Any]) -> tuple[Member, Any]:
            member, state = carry
            change, state = optimise.update(jax.grad(loss)(member, i), state)
            member = optax.apply_updates(member, change)
            # Penalties grow over the first half, so that what matters is found before anything is ruled out.
            shrunk = _shrunk(settings, member, rate(i) * jnp.minimum(1, 2 * i / steps))
            # Without them, zeros stay; but biases start from zero and are free.
            masked = jax.tree.map(lambda x, k: x * k if x.ndim > 1 else x, member, kept)
            return jax.tree.map(lambda a, b: jnp.where(penalised, a, b), shrunk, masked), state

        return jax.lax.fori_loop(0, steps, step, (member, optimise.init(member)))[0]

    return jax.vmap(jax.vmap(one))(members, inside)


def _some(rows: Any, key: chex.PRNGKey) -> Any:
    """`MOST_ROWS` of the rows at most, all of a small table."""
    count = len(jax.tree.leaves(rows)[0])
    if count <= MOST_ROWS:
        return rows
    chosen = jax.random.randint(key, (MOST_ROWS,), 0, count)
    return jax.tree.map(lambda x: x[chosen], rows)


def _row_loss(out: chex.Array, targets: chex.Array) -> chex.Array:
    """[N]: Gaussian likelihood of the accuracy, squared errors of spread and AVM.

    The likelihood is weighted by the standard deviation, so that exact rows do not drown the noisy ones: beta = 1/2 of
    Seitzer et al. (2022), "On the Pitfalls of Heteroscedastic Uncertainty Estimation".
    """
    log_deviation = out[:, 3]
    squared = (targets - out[:, :3]) ** 2
    likelihood = 0.5 * squared[:, 0] * jnp.exp(-2 * log_deviation) + log_deviation
    return jax.lax.stop_gradient(jnp.exp(log_deviation)) * likelihood + 0.5 * (squared[:, 1] + squared[:, 2])


def _shrunk(settings: Settings, member: Member, rate: chex.Array) -> Member:
    """The proximal step of both penalties; a feature is a column of a kernel."""

    def shrink(kernel: chex.Array) -> chex.Array:
        size = jnp.linalg.norm(kernel, axis=0)
        kernel = kernel * jnp.maximum(1 - rate * settings.group_sparsity / (size + 1e-9), 0)
        return jnp.sign(kernel) * jnp.maximum(jnp.abs(kernel) - rate * settings.sparsity, 0)

    return dataclasses.replace(member, block_kernel=shrink(member.block_kernel), kernel=shrink(member.kernel))


def _unscaled(members: Member, mean: np.ndarray, deviation: np.ndarray) -> Member:
    """The same members, answering in the targets' own units, of which `mean` and `deviation` [3] were taken off."""
    scale = np.array([*deviation, 1.0], np.float32)
    shift = np.array([*mean, math.log(deviation[0])], np.float32)
    kernel = members.out_kernel * scale[:, None]
    return dataclasses.replace(members, out_kernel=kernel, out_bias=members.out_bias * scale + shift)


def _quantile(judges: Member, table: Architectures, fold: np.ndarray) -> float:
    """Of |measured - predicted| / uncertainty, each row predicted by the ensemble, of [E, K], that saw nothing of it.

    Lei et al., "Distribution-Free Predictive Inference for Regression", 2018; with folds: Barber et al., "Predictive
    Inference with the Jackknife+", 2021.
    """
    out = np.asarray(_answers(judges, jnp.asarray(table.genes), fold))
    uncertainty = np.sqrt(out[..., 0].var(1) + np.exp(2 * out[..., 3]).mean(1))
    scores = np.abs(table.targets[:, 0] - out[..., 0].mean(1)) / uncertainty
    rank = min(math.ceil((len(table) + 1) * COVERAGE), len(table))
    return float(np.sort(scores)[rank - 1])


@jax.jit
def _answers(judges: Member, genes: chex.Array, fold: chex.Array) -> chex.Array:
    """What the members of ensembles [E, K] say of genes [N, 22], each row by its own ensemble: [N, K, OUTPUTS]."""

    def one(row: tuple[chex.Array, chex.Array]) -> chex.Array:
        seen = inputs(row[0])
        return jax.vmap(jax.vmap(lambda member: member(*seen)))(judges)[row[1]]

    return jax.lax.map(one, (genes, fold), batch_size=MOST_ROWS)
