"""The cheapest threshold whose accuracy loss against the last exit is, with a stated probability, at most a promise."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgerl.tasks.early_exit.promise import bound
from edgerl.tasks.early_exit.promise.evidence import THRESHOLDS, Evidence
from edgerl.util.errors import UserError

RULE = "stop at the first exit whose largest probability, the softmax of its raw logits, reaches the threshold"
METHOD = "fixed-sequence testing of thresholds from safe to cheap (arXiv 2110.01052) by a betting bound (2010.09686)"
ASSUMPTION = (
    "the calibration images and those that the device meets are exchangeable: drawn independently from one source, with"
    " the same preparation, by no rule that looks at them; and the network saw none of them in training"
)
LOSS, DELTA = (1e-4, 0.5), (1e-6, 0.5)  # the ranges of a promise
_CLOSE = 1e-6  # numbers of a certificate, computed again on another machine


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What is promised, the rule that keeps it, and what the proof rests on.

    Attributes:
      loss: promised: at most so much accuracy is lost against the last exit, as a share of images.
      delta: the probability, over the drawing of the calibration images, that the promise does not hold.
      threshold: of the largest probability, in whole 65536ths.
      images: that it was calibrated on.
      measured_loss: on these.
      bound: the loss that is not exceeded with probability 1 - delta, of this rule on its own.
      p_value: of the hypothesis that the rule's loss is above what is promised; at most delta.
      cost_share: on these images, mean cost over the last exit's.
      cost: which, "multiply-accumulates" or "latency".
      evidence: sha256 of the integers that it was computed from.
    """

    loss: float
    delta: float
    threshold: int
    images: int
    measured_loss: float
    bound: float
    p_value: float
    cost_share: float
    cost: str
    evidence: str
    rule: str = RULE
    method: str = METHOD
    assumption: str = ASSUMPTION


def check(loss: Any, delta: Any) -> tuple[float, float]:
    """A promise as two numbers.

    Raises:
      UserError: no number, NaN, or out of range.
    """
    for name, value, (low, high), example in (
        ("loss", loss, LOSS, "0.01 is one point of accuracy"),
        ("delta", delta, DELTA, "0.1 promises with probability 0.9"),
    ):
        number = isinstance(value, int | float | np.floating) and not isinstance(value, bool)
        if not number or not low <= value <= high:  # NaN is in no range
            raise UserError(f"{name} is {ascii(value)[:40]}, expected a number from {low:g} to {high:g}; {example}")
    return float(loss), float(delta)


def certify(evidence: Evidence, loss: float, delta: float) -> Certificate:
    """The cheapest threshold that passes.

    Args:
      evidence: of images that neither the network nor anything of the rule was fitted on.
      loss: from 0.0001 to 0.5.
      delta: from 0.000001 to 0.5.
    Raises:
      UserError: a promise out of range, or one that no rule is proven to keep on these images.

    Example:
      >>> from edgerl.tasks.early_exit.promise.evidence import of_table
      >>> from edgerl.tasks.early_exit.table.table import load_table
      >>> certify(of_table(load_table(), "policy"), loss=0.01, delta=0.1).images
      10000
    """
    loss, delta = check(loss, delta)
    in_order, images = evidence.shuffled(), len(evidence.right)
    passed = bound.passing(in_order.blocks(), loss, delta)
    if not passed:
        fewest = bound.fewest_images(loss, delta)
        few = f"it takes {fewest:,} even without a single loss" if images < fewest else "promise a larger loss"
        raise UserError(
            f"no rule is proven to lose at most {loss:g} with probability {1 - delta:g} on {images:,} images: {few}"
        )
    threshold = int(THRESHOLDS[passed - 1])
    losses, outcome = in_order.losses(THRESHOLDS[passed - 1 : passed])[0], evidence.outcome(threshold)
    return Certificate(
        loss=loss,
        delta=delta,
        threshold=threshold,
        images=images,
        measured_loss=outcome["accuracy_loss"],
        bound=bound.upper_bound(losses, delta),
        p_value=float(bound.p_value(bound.count(losses), images, loss, delta)),
        cost_share=outcome["cost_share"],
        cost=evidence.measure,
        evidence=evidence.digest(),
    )


def naive(evidence: Evidence, loss: float) -> int | None:
    """The cheapest threshold that loses at most `loss` on these images themselves; None where there is none.

    What one would choose without a bound. On other images it loses more about every second time.
    """
    means = np.concatenate([block.mean(-1) for block in evidence.blocks()])
    within = np.flatnonzero(means <= loss)
    return int(THRESHOLDS[within[-1]]) if within.size else None


def few_images(evidence: Evidence, certificate: Certificate, threshold: int) -> str | None:
    """A line where the images are so few that the bound is wider than the promise, at the losses of a threshold."""
    losses = evidence.losses(np.array([threshold]))[0]
    wanted = 2 * losses.var() * math.log(1 / certificate.delta) / certificate.loss**2
    if certificate.images >= wanted:
        return None
    return (
        f"calibrated on {certificate.images:,} images: the promise holds, but so few leave it dear; about "
        f"{math.ceil(wanted):,} or more would let images stop sooner"
    )


def read(said: Any, evidence: Evidence) -> Certificate:
    """A certificate as JSON holds it, if it is the one that follows from the evidence.

    Raises:
      UserError: it is none, or not that of this evidence.
    """
    if not isinstance(said, Mapping) or not {"loss", "delta"} <= set(said):
        raise UserError(f"the certificate is {ascii(said)[:60]}, expected what `edgerl certify` writes")
    made = dataclasses.asdict(certify(evidence, said["loss"], said["delta"]))
    wrong = [name for name in {*made, *said} if not _same(made.get(name), said.get(name))]
    if wrong:
        name = sorted(wrong)[0]
        raise UserError(
            f"the certificate does not belong to these integers: its {ascii(name)[:40]} is "
            f"{ascii(said.get(name))[:60]}, but from them follows {ascii(made.get(name))[:60]}"
        )
    return Certificate(**said)


def _same(a: Any, b: Any) -> bool:
    numbers = type(a) is float and type(b) in (float, int)
    return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE) if numbers else type(a) is type(b) and a == b
