"""A promise in `exits.h` and `exits.c`: its words, its macros, and the decision by a threshold."""

import textwrap

from edgerl.tasks.early_exit.export.integer_answers import PLAIN_GAIN
from edgerl.tasks.early_exit.promise.certificate import Certificate
from edgerl.tasks.early_exit.promise.evidence import ONE

_WIDTH = 120  # of a line


def comment(certificate: Certificate, p: str) -> str:
    """What the header says of it, as lines of a C comment, in the export called `p`."""
    c = certificate
    paragraphs = (
        f"Promise: with probability {1 - c.delta:g}, at most {c.loss:g} of the accuracy is lost against the last exit.",
        f"Rule: {c.rule}, {c.threshold / ONE:.6f}. The policy, {p}_act, takes no part in it.",
        f"Calibrated on {c.images:,} images: loss {c.measured_loss:.4g}, its upper bound {c.bound:.4g}, p-value "
        f"{c.p_value:.4g}, {100 * c.cost_share:.1f} % of the last exit's {c.cost}.",
        f"Proof: {c.method}. It assumes that {c.assumption}.",
        f"Computed from the integers with sha256 {c.evidence}.",
    )
    lines = [line for text in paragraphs for line in textwrap.wrap(text, _WIDTH - 3, subsequent_indent="  ")]
    return "\n".join(f" * {line}" for line in lines)


def macros(certificate: Certificate, p: str) -> str:
    """Definitions for the header of the export called `p`."""
    c = certificate
    return (
        f"#define {p.upper()}_PROMISED_LOSS {c.loss:g}\n#define {p.upper()}_PROMISED_DELTA {c.delta:g}\n"
        f"#define {p.upper()}_THRESHOLD {c.threshold}u /* of the largest probability, in 65536ths */\n"
    )


def decision(certificate: Certificate | None, p: str) -> dict[str, str]:
    """What `NAME_should_exit` computes, and when it stops: by the policy, or by the threshold of a promise."""
    if certificate is None:
        look = [
            f"float obs[{p.upper()}_FEATURES];",
            "exit = inside(exit);",
            "answer_of(logits, gain[exit], &answer);",
            "observe(exits, &answer, exit, obs);",
        ]
        stops = f"{p}_act(obs) == 1"
    else:
        look = ["exit = inside(exit);", f"answer_of(logits, {PLAIN_GAIN!s}f, &answer); /* at temperature 1 */"]
        stops = f"answer.probability >= {p.upper()}_THRESHOLD"
    return {"look": "\n".join(f"    {line}" for line in look), "stops": stops}
