"""Pictures of an early-exit run. Each function writes one PNG and returns its path."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.tasks.early_exit.evaluation.baselines import first_stop, upper_hull
from edgerl.tasks.early_exit.evaluation.evaluate import BOUND
from edgerl.util.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, save_figure
from edgerl.util.plots import axes as axes_of

_BINS = 15
_GROUPS = 5  # of images, by difficulty


def _exit_colours(exits: int) -> Any:
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0.15, 0.9, exits))


def accuracy_against_cost(path: Path, front: dict[str, Any], rules: dict[str, Any], exits: int, device: str) -> Path:
    """Test accuracy against mean multiply-accumulates and mean latency: the front, every rule, the fixed exits' hull.

    Args:
      front: what `budgets.evaluate_front` returns.
      rules: of `evaluate.judge`: name → report; the fixed exits, the oracle and the bound of one profile are drawn.
      device: the profile's name.
    """
    fixed = [rules[f"exit {k + 1}"] for k in range(exits)]
    per_mac = fixed[-1]["latency_ms"]["mean"] / fixed[-1]["macs"]["mean"]
    figure, axes = axes_of(2, (12, 4.8), sharey=True)
    rows = front["budgets"]
    for axis, unit, label in zip(
        axes,
        (1e-6, per_mac),
        ("mean multiply-accumulates (million)", f"mean latency on {device} (ms)"),
        strict=True,
    ):
        spent = unit * np.array([row["policy"]["macs"] for row in rows])
        accuracy = np.array([[row["policy"]["accuracy"][k] for k in ("mean", "low", "high")] for row in rows])
        axis.fill_between(spent, 100 * accuracy[:, 1], 100 * accuracy[:, 2], color=BLUE, alpha=0.15, linewidth=0)
        axis.plot(spent, 100 * accuracy[:, 0], color=BLUE, linewidth=2, label="policies (95 % interval)")
        for name, colour, style in (
            ("max probability, a threshold an exit", ORANGE, "-"),
            ("max probability, one threshold", ORANGE, ":"),
            ("entropy, a threshold an exit", GREEN, "-"),
            ("entropy, one threshold", GREEN, ":"),
        ):
            points = np.array([[unit * row["rules"][name]["macs"], row["rules"][name]["accuracy"]] for row in rows])
            axis.plot(points[:, 0], 100 * points[:, 1], style, color=colour, linewidth=1.2, label=name)
        cost, exact = (np.array([report[key]["mean"] for report in fixed]) for key in ("macs", "accuracy"))
        hull = upper_hull(cost, exact)
        axis.plot(unit * cost[hull], 100 * exact[hull], "--", color=GREY, linewidth=1, label="fixed exits, hull")
        axis.plot(unit * cost, 100 * exact, "s", color=GREY, markersize=6)
        for name, marker, colour in (("oracle", "*", PURPLE), (BOUND, "D", "black"), ("patience", "v", GREEN)):
            point = rules[name]
            label_of = f"{name}, at the profile's weights" if name == BOUND else name
            axis.plot(
                unit * point["macs"]["mean"],
                100 * point["accuracy"]["mean"],
                marker,
                color=colour,
                markersize=8,
                label=label_of,
                linestyle="none",
            )
        axis.set(xlabel=label)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("test accuracy (%)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8.5)
    return save_figure(figure, path)


def exits_by_difficulty(path: Path, exits: np.ndarray, true_probability: np.ndarray, count: int) -> Path:
    """Where images stop, in groups from easy to hard.

    Args:
      exits: int [n].
      true_probability: float [n], that the last exit gives to the right class: low for hard images.
      count: K.
    """
    groups = np.array_split(np.argsort(-true_probability, kind="stable"), _GROUPS)
    shares = np.array([np.bincount(exits[group], minlength=count) / len(group) for group in groups])
    overall = np.bincount(exits, minlength=count) / len(exits)
    figure, (axis,) = axes_of(size=(7, 4))
    names = ["easiest\nfifth", *[""] * (_GROUPS - 2), "hardest\nfifth", "all"]
    places = np.append(np.arange(_GROUPS), _GROUPS + 0.5)
    bottom = np.zeros(len(places))
    for k, colour in enumerate(_exit_colours(count)):
        height = 100 * np.append(shares[:, k], overall[k])
        axis.bar(places, height, bottom=bottom, color=colour, width=0.85, label=f"exit {k + 1}")
        for place, low, tall in zip(places, bottom, height, strict=True):
            if tall >= 6:
                axis.text(place, low + tall / 2, f"{tall:.0f}", ha="center", va="center", color="white", fontsize=8)
        bottom += height
    axis.set_xticks(places, names)
    axis.set(ylabel="share of images (%)", title="Where test images stop, by the last exit's trust in the right class")
    axis.title.set_fontsize(10)
    figure.legend(loc="outside right center", frameon=False)
    return save_figure(figure, path)


def decisions_by_confidence(path: Path, confidence: np.ndarray, stop: np.ndarray) -> Path:
    """Of the images that reach an exit, how many stop there, against its confidence.

    Args:
      confidence: float [n, K].
      stop: bool [n, K], the policy's wish at each exit.
    """
    exits = first_stop(stop)
    count = confidence.shape[1] - 1
    figure, axes = axes_of(count, (3.4 * count + 0.8, 3.4), sharey=True)
    edges = np.linspace(0, 1, 41)
    for k, axis in enumerate(axes):
        reached = exits >= k
        stopped = confidence[reached & (exits == k), k]
        went_on = confidence[reached & (exits > k), k]
        axis.hist([stopped, went_on], edges, stacked=True, color=[BLUE, ORANGE], label=["EXIT", "CONTINUE"])
        axis.set(xlabel="confidence, 1 - H / log C", title=f"exit {k + 1}: {len(stopped)} of {reached.sum()} stop")
        axis.title.set_fontsize(10)
    axes[0].set_ylabel("test images")
    axes[0].legend(frameon=False, fontsize=9)
    return save_figure(figure, path)


def reward_curve(path: Path, steps: np.ndarray, returns: np.ndarray, bound: float | None) -> Path:
    """Mean reward of training episodes against environment steps.

    Args:
      steps: [U].
      returns: [U, S], of each seed.
      bound: what optimal stopping earns on the images that are learnt from; None where weights are drawn.
    """
    figure, (axis,) = axes_of(size=(6.5, 4))
    axis.plot(steps, returns, color=BLUE, alpha=0.3, linewidth=0.8)
    axis.plot(steps, np.median(returns, axis=1), color=BLUE, linewidth=2, label=f"median of {returns.shape[1]} seeds")
    if bound is not None:
        axis.axhline(bound, color="black", linestyle="--", linewidth=1, label=f"optimal stopping: {bound:.4f}")
    axis.set(xlabel="environment steps", ylabel="reward of episodes in training", title="PPO on EarlyExit-v0")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axis.legend(loc="lower right", frameon=False)
    return save_figure(figure, path)


def reliability(path: Path, before: np.ndarray, after: np.ndarray, correct: np.ndarray, errors: np.ndarray) -> Path:
    """Accuracy against the probability of the predicted class, at every exit, before and after the temperature.

    Args:
      before, after: float [n, K].
      correct: bool [n, K].
      errors: expected calibration errors [2, K].
    """
    count = correct.shape[1]
    figure, axes = axes_of(count, (3 * count, 3.3), sharey=True)
    for k, axis in enumerate(axes):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        for probability, colour, name, error in ((before, ORANGE, "raw", 0), (after, BLUE, "tempered", 1)):
            at = np.clip((probability[:, k] * _BINS).astype(int), 0, _BINS - 1)
            images = np.bincount(at, minlength=_BINS)
            seen = images >= 10
            x, y = (np.bincount(at, v, _BINS)[seen] / images[seen] for v in (probability[:, k], correct[:, k]))
            axis.plot(x, y, "o-", color=colour, markersize=3.5, label=f"{name}, error {errors[error, k]:.1%}")
        axis.set(xlabel="probability", title=f"exit {k + 1}", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.legend(frameon=False, fontsize=8, loc="lower right")
    axes[0].set_ylabel("accuracy")
    return save_figure(figure, path)


def promised_loss(path: Path, rows: Sequence[Mapping[str, Any]], delta: float) -> Path:
    """Against the promised loss: what the certified rule and the one without a bound cost and lose on test images.

    Args:
      rows: of `promise.kept.sweep`.
      delta: of all promises.
    """
    figure, (cost, kept) = axes_of(2, (10.5, 4))
    loss = np.array([100 * row["loss"] for row in rows])
    for name, colour, label in (
        ("certified", BLUE, f"certified, probability {1 - delta:g}"),
        ("naive", ORANGE, "chosen without a bound"),
    ):
        for axis, key in ((cost, "cost_share"), (kept, "accuracy_loss")):
            axis.plot(loss, [100 * row[name][key] for row in rows], "o-", color=colour, markersize=4, label=label)
    kept.plot(loss, loss, "--", color=GREY, linewidth=1, label="promised")
    cost.set(ylabel="mean cost on test images, % of the last exit's")
    kept.set(ylabel="accuracy lost on test images (points)")
    for axis in (cost, kept):
        axis.set(xlabel="promised loss against the last exit (points)")
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, fontsize=9)
    return save_figure(figure, path)


def gallery(
    path: Path, images: np.ndarray, exits: np.ndarray, captions: Sequence[str], count: int, columns: int = 10
) -> Path:
    """Some images that stop first, and some that go to the end.

    Args:
      images: uint8 [n, H, W, 3].
      exits: int [n].
      captions: [n], what is said below each.
      count: K.
    """
    figure, flat = axes_of(columns, (1.15 * columns, 5.6), rows=4)
    axes = flat.reshape(4, columns)
    for half, (exit, title) in enumerate(((0, "stop at the first exit"), (count - 1, "go to the last exit"))):
        chosen = np.flatnonzero(exits == exit)[: 2 * columns]
        for i, axis in enumerate(axes[2 * half : 2 * half + 2].flat):
            axis.axis("off")
            if i < len(chosen):
                axis.imshow(images[chosen[i]])
                axis.set_title(captions[chosen[i]], fontsize=6.5, pad=2)
        axes[2 * half, 0].text(-0.25, 0, title, rotation=90, va="center", transform=axes[2 * half, 0].transAxes)
    return save_figure(figure, path)
