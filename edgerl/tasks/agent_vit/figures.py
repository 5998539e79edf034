"""Pictures of trainings on chosen patches. Each function writes one PNG and returns its path."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.util.plots import AMBER, BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, save_figure, smoothed
from edgerl.util.plots import axes as axes_of

STYLES = {  # method → colour and line
    "full": (BLACK, "-"),
    "random": (GREY, "-"),
    "chessboard": (AMBER, "-"),
    "centre": (GREY, "--"),
    "norm": (PURPLE, "-"),
    "attention": (GREEN, "-"),
    "annealed": (SKY, "-"),
    "patchdropout": (SKY, "--"),
    "tome": (PURPLE, "--"),
    "dqn": (ORANGE, "-"),
    "policy": (BLUE, "-"),
}


def _style(method: str) -> tuple[str, str]:
    return STYLES.get(method, (BLACK, ":"))


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
                colour, line = _style(name)
                axis.plot(cost, accuracy.mean(axis=0), line, marker=".", linewidth=1.2, color=colour, label=name)
                low, high = accuracy.min(axis=0), accuracy.max(axis=0)
                axis.fill_between(cost, low, high, color=colour, alpha=0.12, linewidth=0)
        axes[row][0].set_ylabel(f"test accuracy (%), {told}")
    axes[1][0].set_xlabel("multiply-accumulates of training, the agent's included (10¹²)")
    axes[1][1].set_xlabel("training time (s)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title="trained on")
    figure.suptitle("Accuracy by what training costs (shade: from the worst seed to the best)", fontsize=11)
    return save_figure(figure, path, dpi=110)


def losses(path: Path, logs: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """Training loss of each method's first seed, smoothed, and how many patches its steps used.

    Args:
      logs: method → column → values by step; the columns "loss" and "patches" are drawn.
    """
    figure, axes = _axes(1, 2, (11, 4))
    for name, log in logs.items():
        for axis, column in zip(axes[0], ("loss", "patches"), strict=True):
            colour, line = _style(name)
            places, means = smoothed(log[column])
            axis.plot(places + 1, means, line, color=colour, label=name, linewidth=1.2)
    axes[0][0].set(xlabel="training step", ylabel="cross-entropy (nats)", title="Loss in training, running mean")
    axes[0][1].set(xlabel="training step", ylabel="patches of an image", ylim=(0, None))
    axes[0][1].set_title("Patches that are trained on, running mean")
    axes[0][0].legend(ncols=2)
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
    figure.suptitle("What each method chooses of the same test images (the rest is dark)", fontsize=11)
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return save_figure(figure, path, dpi=110)


def positions(path: Path, chosen: Mapping[str, np.ndarray]) -> Path:
    """How often each position of the grid is chosen: method → bool [M, N]."""
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, axes = _axes(rows, columns, (2.4 * columns + 1.4, 2.6 * rows + 0.4))
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, (name, masks) in zip(axes.ravel(), chosen.items(), strict=False):
        grid = round(masks.shape[1] ** 0.5)
        shown = axis.imshow(100 * masks.mean(axis=0).reshape(grid, grid), vmin=0, vmax=100, cmap="viridis")
        axis.set_title(name)
    figure.colorbar(shown, ax=axes.ravel().tolist(), label="test images in which\nthe place is chosen (%)", shrink=0.8)
    figure.suptitle("Where patches are chosen", fontsize=11)
    return save_figure(figure, path, dpi=110)


def agent(path: Path, log: Mapping[str, np.ndarray], name: str, patches: int) -> Path:
    """By step: the agent's reward where fewer than all `patches` were taken, its running mean, and the exploration."""
    figure, axes = _axes(1, 2, (11, 3.6))
    steps = np.flatnonzero(log["patches"] < max(patches, log["patches"].min() + 1))
    rewards, colour = log["reward"][steps], _style(name)[0]
    places, means = smoothed(rewards)
    label = f"mean of {len(rewards) - len(means) + 1} steps"
    axes[0][0].plot(steps + 1, rewards, ".", markersize=2, alpha=0.4, color=GREY, label="one step")
    axes[0][0].plot(steps[places] + 1, means, linewidth=1.5, color=colour, label=label)
    axes[0][0].set(xlabel="training step", ylabel="reward (no unit)", title=f"Reward of the agent '{name}'")
    axes[0][0].legend()
    axes[0][1].plot(np.arange(1, len(log["exploration"]) + 1), log["exploration"], linewidth=1.2, color=colour)
    measure = "epsilon: share of random choices" if name == "dqn" else "scale of the noise on its scores"
    axes[0][1].set(xlabel="training step", ylabel=measure, title="How much it explores")
    axes[0][1].set_ylim(0, 1.1 * max(log["exploration"].max(), 1e-3))
    return save_figure(figure, path, dpi=110)


def _enlarged(mask: np.ndarray, side: int) -> np.ndarray:
    """bool [side, side] of bool [N]."""
    grid = round(len(mask) ** 0.5)
    return np.kron(mask.reshape(grid, grid), np.ones((side // grid, side // grid), bool))


def _axes(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    """A figure and its axes [rows, columns]."""
    figure, flat = axes_of(columns, size, rows, **options)
    return figure, flat.reshape(rows, columns)
