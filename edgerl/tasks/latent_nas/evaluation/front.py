"""One policy, many weights of the objectives: the front of accuracy against parameters."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.env import LatentNAS
from edgerl.tasks.latent_nas.evaluation.baselines import ascent
from edgerl.tasks.latent_nas.evaluation.evaluate import NO_DOUBTS, Doubts, architectures, walk

POINTS, STARTS, ASCENTS = 11, 100, 64


def front(env: LatentNAS, policy: Any, key: chex.PRNGKey, doubts: Doubts = NO_DOUBTS) -> list[dict[str, Any]]:
    """For `POINTS` weights from parameters alone to accuracy alone: means over `STARTS` fresh starts.

    `bound` is the best score that coordinate ascent finds with these weights, from `ASCENTS` starts. `high_group` is
    None where `doubts` say why.
    """
    walk_key, bound_key = jax.random.split(key)
    share = np.linspace(0, 1, POINTS, dtype=np.float32)
    weights = np.stack([share, 1 - share, np.zeros_like(share)], 1)
    walks = walk(env, policy, walk_key, POINTS * STARTS, np.repeat(weights, STARTS, 0))
    found = architectures(env, walks, doubts)
    bounds = jax.vmap(lambda w: ascent(env, env.default_params, bound_key, ASCENTS, w)[0])(jnp.asarray(weights)).max(1)
    rows = []
    for i, bound in enumerate(bounds):
        here = found[i * STARTS : (i + 1) * STARTS]
        means = {name: float(np.mean([one[name] for one in here])) for name in ("score", "steps")}
        rows.append(
            {
                "weights": {"accuracy": float(weights[i, 0]), "parameters": float(weights[i, 1]), "AVM": 0.0},
                **means,
                "high_group": float(np.mean([one["high_group"] for one in here])) if doubts.rule is None else None,
                "bound": float(bound),
                "predicted_accuracy": float(np.mean([one["predicted_accuracy"] for one in here])),
                "median_parameters": float(np.median([one["parameters"] for one in here])),
            }
        )
    return rows
