"""How near the int8 policy is to the float one: agreement, ties, and whether the one was rounded from the other."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.deploy import int8_policy, networks, recurrent
from edgerl.deploy.graph import Graph
from edgerl.deploy.int8_policy import Deployed, Int8Policy
from edgerl.envs.gru import GATES, GRUPolicy
from edgerl.envs.policy import same_space
from edgerl.envs.policy_file import FloatPolicy
from edgerl.util.errors import UserError

TINY = 0.1  # margins below this share of the mean margin are decisions that hardly matter
_SAME_SCALE = 1e-5  # relative


def agreement(policy: FloatPolicy, deployed: Int8Policy, observations: np.ndarray) -> dict[str, Any]:
    """Compares the two policies' actions on float32 observations [N, features].

    Of policies with memory, both decide from the same remembered numbers, which follow the observations in a row.

    Returns:
      observations: N. agreement: share with the same action. margin: how far the float policy's best logit must lie
      above its second best for a decision not to be tiny, TINY times the mean. agreement_beyond_margin: the share with
      the same action among those, or None without any. share_beyond_margin. ties: share in which the largest
      score is not alone. Of continuous actions other things; see `_errors`.
    """
    logits = np.asarray(jax.jit(_logits)(policy, observations), np.float64)
    scores = int8_policy.evaluate(deployed, observations)[1][:, : policy.sizes[-1]]
    if policy.space is not None:
        return _errors(logits, scores)
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


def _logits(policy: FloatPolicy, rows: chex.Array) -> chex.Array:
    if isinstance(policy, GRUPolicy):
        return policy.outputs(*jnp.split(rows, [policy.sizes[0]], axis=-1))[0]
    return policy.logits(rows)


def _errors(outputs: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """How far int8 actions are from float ones, in percent of each number's range.

    Returns:
      observations: N. error: its mean, 99 % quantile and maximum over all numbers of all actions, in `mean`,
      `quantile_99` and `max`; half an int8 step is 0.2 %. saturated: the share of int8 numbers at an end of it.
    """
    error = 50 * np.abs(np.clip(outputs, -1, 1) - scores / 128)
    return {
        "observations": len(outputs),
        "error": {
            "mean": float(error.mean()),
            "quantile_99": float(np.quantile(error, 0.99)),
            "max": float(error.max()),
        },
        "saturated": float(((scores == -128) | (scores == 127)).mean()),
    }


def silent_layers(policy: FloatPolicy, observations: np.ndarray) -> list[str]:
    """A line for each hidden layer whose ReLUs are 0 for all observations [N, features]: what follows is constant."""
    if policy.activation not in ("relu", "relu6"):
        return []
    x, lines = observations[:, : policy.sizes[0]], []
    unit = range(policy.front, policy.front + GATES) if isinstance(policy, GRUPolicy) else range(0)
    for i, (kernel, bias) in enumerate(zip(policy.kernels[:-1], policy.biases[:-1], strict=True)):
        if i in unit:  # whose functions always fire
            x = np.asarray(policy(None, *np.split(observations, [policy.sizes[0]], axis=1))[1])  # type: ignore[call-arg]
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            x = np.maximum(x @ np.asarray(kernel) + np.asarray(bias), 0)
        if not x.any():
            lines.append(f"layer {i} never fires on the observations, so that the policy always answers the same")
    return lines


def foreign(policy: FloatPolicy, deployed: Deployed, inputs: np.ndarray) -> str | None:
    """None if a float policy, calibrated on int8 inputs [N, features], becomes these integers, else what does not.

    Sums of floats may be rounded otherwise on another machine, so the last bits of scales may differ, and with them a
    bias or a zero point by one.
    """
    if len(deployed.quantiser.gain) != policy.sizes[0]:
        return f"it reads {policy.sizes[0]} features"
    if not same_space(policy.space, deployed.space):
        return f"its actions are {policy.space or 'discrete'}"
    if policy.units != deployed.units:
        return f"it remembers {policy.units} numbers"
    per_channel = any(len(layer.dense.scales) > 1 for layer in networks.layers(deployed.graph))
    try:
        return difference(networks.quantised(policy, deployed.quantiser, inputs, per_channel), deployed.graph)
    except UserError as error:
        return str(error)


def difference(made: Graph, graph: Graph, output: bool = True) -> str | None:
    """None if two int8 networks of policies were made of the same float one on the same inputs, else where they differ.

    Args:
      output: whether the scale of what the last layer writes is compared too.
    """
    if networks.sizes(made) != networks.sizes(graph):
        return f"it has {networks.sizes(made)} neurons"
    for i, (a, b) in enumerate(zip(networks.layers(made), networks.layers(graph), strict=True)):
        if a.activation != b.activation:
            return f"the activation of layer {i} is {a.activation}"
        if not np.array_equal(a.dense.weights, b.dense.weights):
            return f"the weights of layer {i} differ"
        if np.abs(a.dense.bias.astype(np.int64) - b.dense.bias).max() > 1:
            return f"the biases of layer {i} differ"
        read, written = made.made(a.dense).q, graph.made(b.dense).q
        if not output and b.dense is graph.operations[-1]:
            read = written
        if abs(read.zero_point - written.zero_point) > 1 or len(a.dense.scales) != len(b.dense.scales):
            return f"the zero point or the number of scales of layer {i} differs"
        one, other = (np.append(d.scales, q.scale) for d, q in ((a.dense, read), (b.dense, written)))
        if not np.allclose(one, other, rtol=_SAME_SCALE, atol=0):
            return f"the scales of layer {i} differ"
    if recurrent.is_recurrent(graph):
        scales = [np.array([tensor.q.scale for tensor in network.tensors]) for network in (made, graph)]
        if not np.allclose(scales[0], scales[1], rtol=_SAME_SCALE, atol=0):
            return "the scales of products and differences differ"
    return None
