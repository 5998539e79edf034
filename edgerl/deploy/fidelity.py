"""How near the int8 policy is to the float one: agreement, agreement where it matters, ties."""

from typing import Any

import jax
import numpy as np

from edgerl.core.policy import MLPPolicy
from edgerl.deploy import int8_policy
from edgerl.deploy.int8_policy import Int8Policy

TINY = 0.1  # margins below this share of the mean margin are decisions that hardly matter


def agreement(policy: MLPPolicy, deployed: Int8Policy, observations: np.ndarray) -> dict[str, Any]:
    """Compares the two policies' actions on float32 observations [N, features].

    Returns:
      observations: N. agreement: share with the same action. margin: how far the float policy's best logit must lie
      above its second best for a decision not to be tiny, TINY times the mean. agreement_beyond_margin: the share with
      the same action among those, or None without any. share_beyond_margin. ties: share in which the largest
      score is not alone.
    """
    logits = np.asarray(jax.jit(policy.logits)(observations), np.float64)
    _, scores = int8_policy.evaluate(deployed, observations)
    same = logits.argmax(axis=1) == scores.argmax(axis=1)
    ordered = np.sort(logits, axis=1)
    margins = ordered[:, -1] - ordered[:, -2] if logits.shape[1] > 1 else np.ones(len(logits))
    margin = TINY * margins.mean()
    beyond = margins > margin
    return {
        "observations": len(logits),
        "agreement": float(same.mean()),
        "margin": float(margin),
        "share_beyond_margin": float(beyond.mean()),
        "agreement_beyond_margin": float(same[beyond].mean()) if beyond.any() else None,
        "ties": float(((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean()),
    }
