"""Pictures of a latent space and of an agent's walks through it."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.env import LatentNAS
from edgerl.tasks.latent_nas.evaluation.baselines import genes_of
from edgerl.tasks.latent_nas.evaluation.evaluate import SMALL, Walks
from edgerl.tasks.latent_nas.models.model import LATENT
from edgerl.tasks.latent_nas.models.search import JUDGED, RANGES
from edgerl.tasks.latent_nas.models.surrogate import predict
from edgerl.util.plots import BLUE, GREY, ORANGE, save_figure
from edgerl.util.plots import axes as axes_of

_POINTS = 6000
_WALKS = 12


def latent_space(path: Path, env: LatentNAS, key: jax.Array) -> Path:
    """Random latents in the plane of `plane`, coloured by predicted accuracy, and the codebook's codes."""
    figure, (axis,) = axes_of(size=(7, 5.5))
    axes, centre = _background(axis, env, key, alpha=0.9)
    codes = (np.asarray(env.default_params.codebook) - centre) @ axes
    axis.plot(*codes.T, "k+", markersize=9, markeredgewidth=1.6, label="codes")
    figure.colorbar(axis.collections[0], ax=axis, label="predicted accuracy")
    axis.legend(loc="upper right")
    axis.set_title("Latent space of architectures")
    return save_figure(figure, path)


def trajectories(path: Path, env: LatentNAS, key: jax.Array, walks: Walks) -> Path:
    """The first walks in the same plane: green dots where they start, red crosses where they end."""
    figure, (axis,) = axes_of(size=(7, 5.5))
    axes, centre = _background(axis, env, key, alpha=0.35)
    for i in range(min(_WALKS, walks.latents.shape[1])):
        points = (walks.latents[: walks.steps[i] + 1, i] - centre) @ axes
        axis.plot(*points.T, linewidth=1.3, alpha=0.9)
    ends = [(walks.latents[t, :_WALKS] - centre) @ axes for t in (0, -1)]
    axis.plot(*ends[0].T, "o", color="green", markersize=7, label="start", linestyle="none")
    axis.plot(*ends[1].T, "x", color="red", markersize=9, markeredgewidth=2.2, label="end", linestyle="none")
    figure.colorbar(axis.collections[0], ax=axis, label="predicted accuracy")
    axis.legend(loc="upper right")
    axis.set_title(f"{_WALKS} walks of the agent")
    return save_figure(figure, path)


def curves(path: Path, steps: np.ndarray, returns: np.ndarray, lengths: np.ndarray) -> Path:
    """Mean episode reward and length in training: [U] steps, [U, S] means."""
    figure, panels = axes_of(2, (10, 3.8))
    for axis, values, label in zip(panels, (returns, lengths), ("episode reward", "episode length"), strict=True):
        axis.plot(steps, values, color=BLUE, alpha=0.8, linewidth=1.2)
        axis.set(xlabel="environment steps", ylabel=label)
        axis.ticklabel_format(axis="x", style="sci", scilimits=(0, 0))
        axis.spines[["top", "right"]].set_visible(False)
    panels[1].set_yscale("log")
    panels[1].yaxis.set_major_formatter("{x:g}")
    panels[1].yaxis.set_minor_formatter("{x:g}")
    return save_figure(figure, path)


def accuracy_and_parameters(
    path: Path, found: list[dict[str, Any]], lost: list[dict[str, Any]], budget: float | None
) -> Path:
    """Predicted accuracy against parameters of the agent's and of random actions' last networks, and the front."""
    figure, (axis,) = axes_of(size=(7, 4.5))
    for one, colour, label in ((lost, GREY, "random actions"), (found, BLUE, "agent")):
        sizes, accuracy = (np.array([x[name] for x in one]) for name in ("parameters", "predicted_accuracy"))
        axis.scatter(sizes, accuracy, s=9, alpha=0.5, color=colour, linewidths=0, label=f"{label}: {len(one)} walks")
    sizes, accuracy = (np.array([x[n] for x in found + lost]) for n in ("parameters", "predicted_accuracy"))
    order = np.argsort(sizes)
    best = np.maximum.accumulate(accuracy[order])
    axis.step(sizes[order], best, where="post", color=ORANGE, linewidth=1.2, label="front")
    axis.axvline(budget or SMALL, color="black", linestyle=":", linewidth=1, label=f"{budget or SMALL:,.0f} parameters")
    axis.set(xscale="log", xlabel="parameters", ylabel="predicted accuracy")
    axis.legend(loc="center right")
    axis.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, path)


def settings(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Reconstruction error against each setting of `search.search`; the best and the default marked."""
    figure, flat = axes_of(3, (10, 5.6), 2, sharey=True)
    panels = flat.reshape(2, 3)
    error = [row[JUDGED[0]] for row in rows]
    default = next(i for i, row in enumerate(rows) if row["setting"] == 0)
    for axis, name in zip(panels.flat, RANGES, strict=True):
        values = [row[name] for row in rows]
        axis.scatter(values, error, s=14, color=GREY, alpha=0.7, linewidths=0, label=f"{len(rows)} settings")
        axis.scatter(values[0], error[0], s=60, color=ORANGE, label="best")
        axis.scatter(values[default], error[default], s=60, marker="s", color=BLUE, label="default")
        axis.set(xscale="log", xlabel=name)
        axis.xaxis.set_minor_formatter("")
        axis.spines[["top", "right"]].set_visible(False)
    for row in panels:
        row[0].set_ylabel("error / column means'")
    panels[0, 0].legend(loc="upper right")
    return save_figure(figure, path)


def _background(axis: Any, env: LatentNAS, key: jax.Array, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Draws random latents; returns the plane: axes [8, 2] and centre [8].

    The first axis is the direction along which the predicted accuracy changes most (least squares), the second that of
    most variance beside it.
    """
    latents = np.asarray(jax.random.normal(key, (_POINTS, LATENT)))
    surrogate = env.default_params.surrogate
    accuracy = predict(surrogate, genes_of(env.default_params, jnp.asarray(latents))).accuracy
    centre = latents.mean(0)
    first = np.linalg.lstsq(latents - centre, accuracy - accuracy.mean(), rcond=None)[0]
    first = first / max(np.linalg.norm(first), 1e-9)
    book = np.asarray(env.default_params.codebook) - centre
    book = book - np.outer(book @ first, first)
    axes = np.stack([first, np.linalg.svd(book)[2][0]], 1)
    points = (latents - centre) @ axes
    axis.scatter(*points.T, c=accuracy, s=7, alpha=alpha, cmap="viridis", linewidths=0, rasterized=True)
    axis.set(xlabel="direction of accuracy", ylabel="direction of the codes' largest variance beside it")
    axis.spines[["top", "right"]].set_visible(False)
    return axes, centre
