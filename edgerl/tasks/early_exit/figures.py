"""Pictures of an early-exit run. Each function writes one PNG and returns its path."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.tasks.early_exit.evaluation.baselines import first_stop, upper_hull
from edgerl.tasks.early_exit.evaluation.evaluate import BOUND
from edgerl.util.plots import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, save_figure
from edgerl.util.plots import axes as axes_of

_BINS = 15
_GROUPS = 5  # of images, by difficulty


def _exit_colours(exits: int) -> Any:
    """One colour an exit, the deeper the darker, which also differ in grey."""
    import matplotlib

    return matplotlib.colormaps["viridis_r"](np.linspace(0.1, 0.85, exits))


def accuracy_against_cost(path: Path, front: dict[str, Any], rules: dict[str, Any], exits: int, device: str) -> Path:
    """Test accuracy against mean multiply-accumulates: the front, every rule, the fixed exits' hull.

    Latency is proportional to them, and stands above. The oracle is so far above all others that only its numbers are
    given.

    Args:
      front: what `budgets.evaluate_front` returns.
      rules: of `evaluate.judge`: name → report; the fixed exits, the oracle and the bound of one profile are drawn.
      device: the profile's name.
    """
    fixed = [rules[f"exit {k + 1}"] for k in range(exits)]
    rows, million = front["budgets"], 1e-6
    figure, (axis,) = axes_of(size=(9, 4.8))
    spent = million * np.array([row["policy"]["macs"] for row in rows])
    accuracy = 100 * np.array([[row["policy"]["accuracy"][k] for k in ("mean", "low", "high")] for row in rows])
    axis.fill_between(spent, accuracy[:, 1], accuracy[:, 2], color=BLUE, alpha=0.15, linewidth=0)
    axis.plot(spent, accuracy[:, 0], color=BLUE, linewidth=2, label="policies (shade: 95 % interval)")
    for name, colour, style in (
        ("max probability, a threshold an exit", ORANGE, "-"),
        ("max probability, one threshold", ORANGE, ":"),
        ("entropy, a threshold an exit", GREEN, "-"),
        ("entropy, one threshold", GREEN, ":"),
    ):
        points = np.array([[million * row["rules"][name]["macs"], row["rules"][name]["accuracy"]] for row in rows])
        axis.plot(points[:, 0], 100 * points[:, 1], style, color=colour, linewidth=1.4, label=name)
    cost, exact = (np.array([report[key]["mean"] for report in fixed]) for key in ("macs", "accuracy"))
    hull = upper_hull(cost, exact)
    axis.plot(million * cost[hull], 100 * exact[hull], "--", color=GREY, linewidth=1, label="mixing two fixed exits")
    axis.plot(million * cost, 100 * exact, "s", color=GREY, markersize=6, label="a fixed exit")
    for k, (x, y) in enumerate(zip(million * cost, 100 * exact, strict=True)):
        axis.annotate(str(k + 1), (x, y), (5, -11), textcoords="offset points", color=GREY, fontsize=8)
    for name, marker, colour, label in (
        (BOUND, "D", BLACK, f"{BOUND}, at the profile's prices"),
        ("patience", "v", PURPLE, "patience"),
    ):
        x, y = (rules[name][key]["mean"] for key in ("macs", "accuracy"))
        axis.plot(million * x, 100 * y, marker, color=colour, markersize=8, label=label, linestyle="none")
    x, y = (rules["oracle"][key]["mean"] for key in ("macs", "accuracy"))
    known = f"oracle, outside of this picture:\n{100 * y:.1f} % at {million * x:.1f} million"
    axis.plot([], [], linestyle="none", label=known)
    axis.set(xlabel="mean multiply-accumulates of an image (million)", ylabel="accuracy on test images (%)")
    _add_latency(axis, fixed[-1]["latency_ms"]["mean"] / (million * fixed[-1]["macs"]["mean"]), device)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    figure.suptitle("When to stop: accuracy by what an image costs", fontsize=11)
    return save_figure(figure, path)


def _add_latency(axis: Any, per_million: float, device: str) -> None:
    """A second scale above: milliseconds of so many millions of multiply-accumulates."""
    above = axis.secondary_xaxis("top", functions=(lambda x: x * per_million, lambda x: x / per_million))
    above.set_xlabel(f"mean latency on {device} (ms)")


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
    names = ["easiest\nfifth", "second", "third", "fourth", "hardest\nfifth", "all\nimages"]
    places = np.append(np.arange(_GROUPS), _GROUPS + 0.5)
    bottom = np.zeros(len(places))
    for k, colour in enumerate(_exit_colours(count)):
        height = 100 * np.append(shares[:, k], overall[k])
        axis.bar(places, height, bottom=bottom, color=colour, width=0.85, label=f"exit {k + 1}")
        for place, low, tall in zip(places, bottom, height, strict=True):
            if tall >= 6:
                ink = "white" if colour[:3] @ (0.3, 0.59, 0.11) < 0.5 else BLACK
                axis.text(place, low + tall / 2, f"{tall:.0f}", ha="center", va="center", color=ink, fontsize=8)
        bottom += height
    axis.set_xticks(places, names)
    axis.set(ylabel="share of the group's images (%)", title="Where test images stop")
    axis.set_xlabel("images, by the probability that the last exit gives to the right class")
    axis.grid(visible=False)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center")
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
        axis.hist([stopped, went_on], edges, stacked=True, color=[BLUE, ORANGE], label=["stop", "go on"])
        axis.set(xlim=(0, 1), title=f"exit {k + 1}: {len(stopped):,} of {reached.sum():,} stop")
        axis.set_xlabel("confidence: 1 - entropy / largest entropy")
    axes[0].set_ylabel("test images that reach the exit")
    axes[0].legend()
    return save_figure(figure, path)


def reliability(path: Path, before: np.ndarray, after: np.ndarray, correct: np.ndarray, errors: np.ndarray) -> Path:
    """Accuracy against the probability of the predicted class, at every exit, before and after the temperature.

    Args:
      before, after: float [n, K].
      correct: bool [n, K].
      errors: expected calibration errors [2, K].
    """
    count = correct.shape[1]
    figure, axes = axes_of(count, (3 * count, 3.8), sharey=True)
    for k, axis in enumerate(axes):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        both = ((before, ORANGE, "raw logits"), (after, BLUE, "logits divided by the temperature"))
        for probability, colour, name in both:
            at = np.clip((probability[:, k] * _BINS).astype(int), 0, _BINS - 1)
            images = np.bincount(at, minlength=_BINS)
            seen = images >= 10
            x, y = (np.bincount(at, v, _BINS)[seen] / images[seen] for v in (probability[:, k], correct[:, k]))
            axis.plot(x, y, "o-", color=colour, markersize=3.5, label=name)
        error = " to ".join(f"{value:.1%}" for value in errors[:, k])
        axis.set(title=f"exit {k + 1}: error from {error}", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.set_xlabel("probability of the predicted class")
    axes[0].set_ylabel("share of predictions that are right")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
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
    cost.set(ylabel="mean cost of a test image (% of the last exit's)", title="What it costs")
    kept.set(ylabel="accuracy lost on test images (percentage points)", title="What it loses")
    for axis in (cost, kept):
        axis.set(xlabel="promised loss against the last exit (percentage points)")
        axis.legend()
    return save_figure(figure, path)


def gallery(
    path: Path, images: np.ndarray, exits: np.ndarray, captions: Sequence[str], count: int, columns: int = 10
) -> Path:
    """Some images that stop first, and some that go to the end.

    Args:
      images: uint8 [n, H, W, 3].
      exits: int [n].
      captions: [n], what is said above each.
      count: K.
    """
    figure, flat = axes_of(columns, (1.15 * columns, 5.6), rows=4)
    axes = flat.reshape(4, columns)
    for half, (exit, title) in enumerate(((0, "stop at the first exit"), (count - 1, "reach the last exit"))):
        chosen = np.flatnonzero(exits == exit)[: 2 * columns]
        for i, axis in enumerate(axes[2 * half : 2 * half + 2].flat):
            axis.axis("off")
            if i < len(chosen):
                axis.imshow(images[chosen[i]])
                axis.set_title(captions[chosen[i]], fontsize=6.5, pad=2)
        where = axes[2 * half, 0]
        said = where.text(-0.3, 0, title, rotation=90, va="center", ha="right", transform=where.transAxes)
        said.set_in_layout(False)  # else the first of its two rows would be as high as the text is long
    figure.get_layout_engine().set(rect=(0.04, 0, 0.96, 1))
    figure.suptitle("Test images, each with its class", fontsize=11)
    return save_figure(figure, path)
