"""What may be said of a table and of a surrogate fitted to it.

Which table it was, whether the rule that judges holds in it, and whether the surrogate explains anything of rows that
it never saw.
"""

import hashlib
from typing import Any

import numpy as np

from edgerl.tasks.latent_nas.table.data import CITATION, Architectures
from edgerl.tasks.latent_nas.table.space import in_high_group

RULE = "M of 4 or more, or a block that widens 4 times"  # `space.in_high_group`
SEEN = "held out, but of training architectures"  # a number of rows
# Of AnalogNAS's dataset_cifar10_v1.csv, by `_digest`.
PUBLISHED = "e9014c491a135c797b672425581fafb9d1aa8ea4f154c91b54b227bbc217c421"


def describe(table: Architectures, name: str) -> dict[str, Any]:
    """Of a table called `name`: citation, name, digest of its numbers, and whether the rule holds in it."""
    published = _digest(table) == PUBLISHED
    own = f"Trained on {name}, a table of the user's own in the format of AnalogNAS."
    return {
        "citation": CITATION if published else own,
        "table": {"file": name, "rows": len(table), "sha256": _digest(table), "published": published},
        "rule": check_rule(table),
    }


def check_rule(table: Architectures) -> dict[str, Any]:
    """Whether every architecture that the rule takes for good is more accurate than every other one, in a table.

    Returns:
      "holds"; "in_high_group" and "others": how many rows; "least_in_high_group" and "most_of_others": accuracies;
      "pairs_in_order": of pairs of a row of each group, the share in which the rule's is the more accurate. Null where
      a group is empty.
    """
    good, accuracy = in_high_group(table.genes), table.targets[:, 0]
    high, others = np.sort(accuracy[good]), np.sort(accuracy[~good])
    counts = {"rule": RULE, "in_high_group": len(high), "others": len(others)}
    if not len(high) or not len(others):
        return {"holds": False, **counts, "least_in_high_group": None, "most_of_others": None, "pairs_in_order": None}
    below = np.searchsorted(others, high, "left").sum() + np.searchsorted(others, high, "right").sum()
    return {
        "holds": bool(high[0] > others[-1]),
        **counts,
        "least_in_high_group": float(high[0]),
        "most_of_others": float(others[-1]),
        "pairs_in_order": float(below / 2 / (len(high) * len(others))),
    }


def rule_doubt(provenance: dict[str, Any]) -> str | None:
    """Why the rule does not judge networks of these models; None where it does."""
    rule = provenance.get("rule")
    if rule is None:
        return "whether the rule that judges holds in the table was not checked when these models were trained"
    if rule["holds"]:
        return None
    where = f"the rule that judges ({RULE}) does not hold in {_name(provenance)}"
    if rule["pairs_in_order"] is None:
        return f"{where}: it takes {'none' if not rule['in_high_group'] else 'all'} of its rows for good"
    return (
        f"{where}: rows that it takes for good have accuracies from {rule['least_in_high_group']:.3f} up, others to "
        f"{rule['most_of_others']:.3f}; of two, it picks the better one in {rule['pairs_in_order']:.0%}"
    )


def surrogate_doubt(provenance: dict[str, Any]) -> str | None:
    """Why scores of these models mean nothing: R² may be 0 on rows they never saw. None where it is above 0."""
    said = provenance["surrogate"]
    r2 = said["r2"]
    low, high = said.get("r2_95_percent") or (r2, r2)  # models of before the interval was kept
    if low is not None and low > 0:
        return None
    figure = "not defined" if r2 is None else f"{r2:.3f}, 95 % interval {low:.3f} to {high:.3f}"
    return (
        f"the surrogate explains nothing of {_name(provenance)} beyond chance: on {said['rows']} rows that "
        f"it never saw R² is {figure}; the interval must lie above 0"
    )


def notes(provenance: dict[str, Any]) -> list[str]:
    """Lines that a reader of a result needs; none where all is well."""
    rule, surrogate = rule_doubt(provenance), surrogate_doubt(provenance)
    twice = provenance["rows"].get(SEEN, 0)
    lines = []
    if surrogate is not None:
        lines.append(f"{surrogate}. No share of a bound is given")
    if rule is not None:
        lines.append(f"{rule}. No share of networks in the high group is given")
    if twice:
        lines.append(f"{twice} held-out rows are architectures of training rows, too, and are not judged by")
    return lines


def _name(provenance: dict[str, Any]) -> str:
    return str(provenance.get("table", {}).get("file", "its table"))


def _digest(table: Architectures) -> str:
    """SHA-256 of a table's numbers, however its file is written."""
    genes, targets = np.ascontiguousarray(table.genes, "<i4"), np.ascontiguousarray(table.targets, "<f8")
    return hashlib.sha256(genes.tobytes() + targets.tobytes()).hexdigest()
