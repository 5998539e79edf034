"""Pictures of trainings on chosen patches. Each function writes one PNG and returns its path."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.util.plots import axes as axes_of
from edgerl.util.plots import save_figure

COLOURS = {
    "full": "#222222",
    "random": "#999999",
    "chessboard": "#e7298a",
    "centre": "#b8860b",
    "norm": "#7b3294",
    "attention": "#008837",
    "annealed": "#80cdc1",
    "dqn": "#d6604d",
    "policy": "#2166ac",
}


def accuracy_against_cost(path: Path, curves: Mapping[str, Sequence[Any]], seconds: Mapping[str, float]) -> Path:
    """Test accuracy with all patches and with each method's own, against training's multiply-accumulates and time.

    Lines are means over the seeds, shades reach from the worst seed to the best.

    Args:
      curves: method → seeds → judgements at the same steps, each with "step", "macs", "all" and "own".
      seconds: of one step of each method, all measured in one run.
    """
    figure, axes = _axes(2, 2, (11, 7.5), sharey=True)
    for row, (kind, told) in enumerate((("all", "all patches"), ("own", "the method's own patches"))):
        for name, seeds in curves.items():
            accuracy = 100 * np.array([[point[kind]["accuracy"] for point in curve] for curve in seeds])
            macs = np.mean([[point["macs"] / 1e12 for point in curve] for curve in seeds], axis=0)
            for axis, cost in zip(
                axes[row], (macs, [point["step"] * seconds[name] for point in seeds[0]]), strict=True
            ):
                axis.plot(cost, accuracy.mean(axis=0), marker=".", linewidth=1.2, color=COLOURS.get(name), label=name)
                axis.fill_between(cost, accuracy.min(axis=0), accuracy.max(axis=0), color=COLOURS.get(name), alpha=0.12)
        axes[row][0].set_ylabel(f"test accuracy (%), {told}")
    axes[1][0].set_xlabel("multiply-accumulates of training, the agent's included (10¹²)")
    axes[1][1].set_xlabel("seconds of training")
    axes[0][0].legend(fontsize=8, ncols=2)
    return save_figure(figure, path, dpi=110)


def losses(path: Path, logs: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """Training loss of each method's first seed, smoothed, and how many patches its steps used.

    Args:
      logs: method → column → values by step; the columns "loss" and "patches" are drawn.
    """
    figure, axes = _axes(1, 2, (11, 4))
    for name, log in logs.items():
        for axis, column in zip(axes[0], ("loss", "patches"), strict=True):
            values = log[column]
            window = max(1, len(values) // 40)
            steps = np.arange(len(values) - window + 1) + window
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            axis.plot(steps, smooth, color=COLOURS.get(name), label=name, linewidth=1.2)
    axes[0][0].set(xlabel="step", ylabel="training loss")
    axes[0][1].set(xlabel="step", ylabel="patches a step", ylim=(0, None))
    axes[0][0].legend(fontsize=8, ncols=2)
    return save_figure(figure, path, dpi=110)


def chosen_patches(path: Path, images: np.ndarray, chosen: Mapping[str, np.ndarray]) -> Path:
    """Images, and below them what each method chooses of them; what it leaves out is dark.

    Args:
      images: uint8 [M, S, S, 3].
      chosen: method → bool [M, N].
    """
    figure, axes = _axes(1 + len(chosen), len(images), (1.15 * len(images), 1.25 * (1 + len(chosen))))
    for column, image in enumerate(images):
        axes[0][column].imshow(image)
        for row, (name, masks) in enumerate(chosen.items(), start=1):
            mask = _enlarged(masks[column], len(image))
            axes[row][column].imshow((image * np.where(mask, 1.0, 0.15)[..., None]).astype(np.uint8))
            axes[row][0].set_ylabel(name)
    axes[0][0].set_ylabel("image")
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return save_figure(figure, path, dpi=110)


def positions(path: Path, chosen: Mapping[str, np.ndarray]) -> Path:
    """How often each position of the grid is chosen: method → bool [M, N]."""
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, axes = _axes(rows, columns, (2.4 * columns + 1, 2.6 * rows))
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, (name, masks) in zip(axes.ravel(), chosen.items(), strict=False):
        grid = round(masks.shape[1] ** 0.5)
        shown = axis.imshow(100 * masks.mean(axis=0).reshape(grid, grid), vmin=0, vmax=100, cmap="viridis")
        axis.set_title(name)
    figure.colorbar(shown, ax=axes.ravel().tolist(), label="images in which it is chosen (%)", shrink=0.8)
    return save_figure(figure, path, dpi=110)


def agent(path: Path, log: Mapping[str, np.ndarray], name: str, patches: int) -> Path:
    """By step: the agent's reward where fewer than all `patches` were taken, its running mean, and the exploration."""
    figure, axes = _axes(1, 2, (11, 3.6))
    steps = np.flatnonzero(log["patches"] < max(patches, log["patches"].min() + 1))
    rewards = log["reward"][steps]
    window = max(1, len(steps) // 40)
    smooth = np.convolve(rewards, np.ones(window) / window, "valid")
    colour = COLOURS.get(name)
    axes[0][0].plot(steps + 1, rewards, ".", markersize=2, alpha=0.4, color=colour, label="one step")
    axes[0][0].plot(steps[window - 1 :] + 1, smooth, linewidth=1.5, color=colour, label=f"mean of {window} steps")
    axes[0][0].set(xlabel="step", ylabel="reward")
    axes[0][0].legend(fontsize=8)
    axes[0][1].plot(np.arange(1, len(log["exploration"]) + 1), log["exploration"], linewidth=1.2, color=colour)
    axes[0][1].set(xlabel="step", ylabel="exploration", ylim=(0, 1.1 * max(log["exploration"].max(), 1e-3)))
    return save_figure(figure, path, dpi=110)


def _enlarged(mask: np.ndarray, side: int) -> np.ndarray:
    """bool [side, side] of bool [N]."""
    grid = round(len(mask) ** 0.5)
    return np.kron(mask.reshape(grid, grid), np.ones((side // grid, side // grid), bool))


def _axes(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    """A figure and its axes [rows, columns]."""
    figure, flat = axes_of(columns, size, rows, **options)
    return figure, flat.reshape(rows, columns)
