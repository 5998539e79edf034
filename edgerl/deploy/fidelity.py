"""How near the int8 policy is to the float one: agreement, ties, and whether the one was rounded from the other."""

from typing import Any

import jax
import numpy as np

from edgerl.deploy import calibration, int8_policy
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.int8_policy import Int8Policy
from edgerl.deploy.network import Network
from edgerl.envs.policy import MLPPolicy
from edgerl.util.errors import UserError

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


def silent_layers(policy: MLPPolicy, observations: np.ndarray) -> list[str]:
    """A line for each hidden layer whose ReLUs are 0 for all observations [N, features]: what follows is constant."""
    if policy.activation not in ("relu", "relu6"):
        return []
    x, lines = observations, []
    for i, (kernel, bias) in enumerate(zip(policy.kernels[:-1], policy.biases[:-1], strict=True)):
        with np.errstate(over="ignore", invalid="ignore"):
            x = np.maximum(x @ np.asarray(kernel) + np.asarray(bias), 0)
        if not x.any():
            lines.append(f"layer {i} never fires on the observations, so that the policy always answers the same")
    return lines


def foreign_weights(policy: MLPPolicy, quantiser: Quantiser, network: Network) -> str | None:
    """None if every number of the float policy lies within half an int8 step of the network's, else which does not.

    Rounding in float32, as the converter does it, is allowed for.
    """
    sizes = (network.layers[0].weights.shape[1], *(len(layer.bias) for layer in network.layers))
    if policy.sizes != sizes or len(quantiser.gain) != sizes[0]:
        return f"it has {policy.sizes} neurons"
    hidden = {layer.activation for layer in network.layers[:-1]}
    if hidden - {policy.activation}:
        return f"its activation is {policy.activation}"
    try:
        folded = calibration.fold(policy, quantiser)
    except UserError as error:
        return str(error)
    pairs = zip(folded.kernels, folded.biases, network.layers, network.inputs, strict=True)
    for i, (kernel, bias, layer, read) in enumerate(pairs):
        scales = layer.weight_scales.astype(np.float64)
        steps = np.asarray(kernel, np.float64).T / scales[:, None]
        bias_steps = np.asarray(bias, np.float64) / (scales * np.float64(read.scale))
        for name, exact, rounded in (("kernel", steps, layer.weights), ("bias", bias_steps, layer.bias)):
            if not (np.isfinite(exact) & (np.abs(exact - rounded) <= 0.501 + 1e-6 * np.abs(exact))).all():
                return f"its {name} {i} is not what the int8 network was rounded from"
    return None
