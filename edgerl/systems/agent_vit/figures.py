"""Pictures of trainings on chosen patches. Each function writes one PNG and returns its path."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = {
    "full": "#222222",
    "random": "#999999",
    "centre": "#b8860b",
    "norm": "#7b3294",
    "attention": "#008837",
    "annealed": "#80cdc1",
    "dqn": "#d6604d",
    "policy": "#2166ac",
}


def accuracy_against_cost(path: Path, curves: Mapping[str, Sequence[Any]], seconds: Mapping[str, float]) -> Path:
    """Test accuracy with all patches and with each method's own, against training's multiply-accumulates and time.

    Args:
      curves: method → seeds → judgements, each with "step", "macs", "all" and "own".
      seconds: of one step of each method, all measured in one run.
    """
    figure, axes = _axes(2, 2, (11, 7.5), sharey=True)
    for row, (kind, told) in enumerate((("all", "all patches"), ("own", "the method's own patches"))):
        for name, seeds in curves.items():
            colour = COLOURS.get(name)
            for seed, curve in enumerate(seeds):
                accuracy = [100 * point[kind]["accuracy"] for point in curve]
                label = name if seed == 0 else None
                style: dict[str, Any] = {"color": colour, "marker": ".", "linewidth": 1.2, "alpha": 0.85}
                axes[row][0].plot([point["macs"] / 1e12 for point in curve], accuracy, label=label, **style)
                axes[row][1].plot([point["step"] * seconds[name] for point in curve], accuracy, **style)
        axes[row][0].set_ylabel(f"test accuracy (%), {told}")
    axes[1][0].set_xlabel("multiply-accumulates of training, the agent's included (10¹²)")
    axes[1][1].set_xlabel("seconds of training")
    axes[0][0].legend(fontsize=8, ncols=2)
    return _save(figure, path)


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
    return _save(figure, path)


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
    return _save(figure, path)


def positions(path: Path, chosen: Mapping[str, np.ndarray]) -> Path:
    """How often each position of the grid is chosen: method → bool [M, N]."""
    figure, axes = _axes(1, len(chosen), (2.6 * len(chosen), 2.9))
    for axis, (name, masks) in zip(axes[0], chosen.items(), strict=True):
        grid = round(masks.shape[1] ** 0.5)
        shown = axis.imshow(100 * masks.mean(axis=0).reshape(grid, grid), vmin=0, vmax=100, cmap="viridis")
        axis.set(title=name, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axes[0].tolist(), label="images in which it is chosen (%)", shrink=0.8)
    return _save(figure, path)


def agent(path: Path, log: Mapping[str, np.ndarray], name: str) -> Path:
    """The agent's reward and exploration by step."""
    figure, axes = _axes(1, 2, (11, 3.6))
    for axis, column in zip(axes[0], ("reward", "exploration"), strict=True):
        axis.plot(np.arange(1, len(log[column]) + 1), log[column], color=COLOURS.get(name), linewidth=0.8)
        axis.set(xlabel="step", ylabel=column)
    return _save(figure, path)


def _enlarged(mask: np.ndarray, side: int) -> np.ndarray:
    """bool [side, side] of bool [N]."""
    grid = round(len(mask) ** 0.5)
    return np.kron(mask.reshape(grid, grid), np.ones((side // grid, side // grid), bool))


def _axes(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)
    for axis in axes.ravel():
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> Path:
    import matplotlib.pyplot as plt

    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
