"""Observations to compare implementations on: on- and off-policy, at the edges, and what no sensor should send."""

from dataclasses import dataclass

import numpy as np

from edgerl.deploy import box_actions, int8_policy
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.int8_policy import Int8Policy
from edgerl.deploy.toolchain import Form

_SEQUENCE = 500  # rows; so many that each have a memory of their own are followed by as many in one sequence

_LARGEST, _SMALLEST = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, _LARGEST, -_LARGEST, 1e30, -1e30, 1e9, -1e9, _SMALLEST, -_SMALLEST, 0.0, -0.0], np.float32
)


def for_policy(policy: Int8Policy, quantiser: Quantiser, observations: np.ndarray, num: int) -> np.ndarray:
    """What `make` has; of a policy with memory every second 500 rows are a sequence, in which it is carried along."""
    rows = make(quantiser, observations, num, units=policy.units)
    return int8_policy.carried(policy, rows, np.arange(num) // _SEQUENCE % 2 == 0)


def make(quantiser: Quantiser, observations: np.ndarray, num: int, seed: int = 0, units: int = 0) -> np.ndarray:
    """float32 [num, features], the same for the same arguments; with memory [num, features + units].

    What is remembered is whole 128ths: a half of the rows have that of the given ones, a half any.

    A quarter are the given observations with a little noise (on-policy), a quarter uniform over twice the quantiser's
    range, a quarter normal with tails far outside, a quarter on the boundary between two int8 steps, where halves are
    rounded. In every eighth row some features hold NaN, ±inf, huge, subnormal or zero values.
    """
    rng = np.random.default_rng(seed)
    features = len(quantiser.gain)
    observations, remembered = observations[:, :features], observations[:, features:]
    centre, half = (quantiser.high + quantiser.low) / 2, (quantiser.high - quantiser.low) / 2
    kind = np.arange(num) % 4
    on_policy = observations[rng.integers(len(observations), size=num)] + 0.02 * half * rng.normal(size=(num, features))
    uniform = centre + 2 * half * rng.uniform(-1, 1, (num, features))
    normal = centre + half * rng.normal(size=(num, features)) * np.exp(rng.normal(size=(num, 1)))
    steps = rng.integers(-140, 140, (num, features)) - quantiser.offset + 0.5
    boundary = steps * quantiser.step
    rows = np.select([kind[:, None] == k for k in range(4)], [on_policy, uniform, normal, boundary]).astype(np.float32)
    odd = (rng.integers(8, size=(num, 1)) == 0) & (rng.random((num, features)) < 0.5)
    rows = np.where(odd, rng.choice(SPECIAL, (num, features)), rows)
    if not units:
        return rows
    visited = np.round(128 * remembered[rng.integers(len(remembered), size=num)])
    any_number = rng.integers(-128, 128, (num, units))
    memory = np.clip(np.where(rng.random((num, 1)) < 0.5, visited, any_number), -128, 127) / 128
    return np.concatenate([rows, memory.astype(np.float32)], axis=1)


@dataclass(frozen=True)
class Expected:
    """What a machine's records should be: of this form, structured [N]."""

    form: Form
    records: np.ndarray


def records(policy: Int8Policy, inputs: np.ndarray, scores: np.ndarray) -> Expected:
    """What the JAX arithmetic has for int8 inputs [N, features] and their scores [N, actions]."""
    form = Form(inputs.shape[1], scores.shape[1], scores.dtype, policy.space is not None, policy.units)
    made = np.zeros(len(inputs), form.record())
    made["input"], made["scores"] = inputs, scores
    actions = np.asarray(policy.decide(scores))
    for field in ("action", "act"):
        if policy.space is None:
            made[field]["number"] = actions
        else:
            own = scores[:, : scores.shape[1] - policy.units]
            made[field]["value"], made[field]["q15"] = actions.reshape(own.shape), box_actions.q15(own)
    return Expected(form, made)


def different(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """bool [N]: whether two machines' records [N] differ in any bit of any field."""
    wrong = np.zeros(len(found), bool)
    for field in expected.dtype.names or ():
        if expected.dtype[field].names:
            wrong |= different(found[field], expected[field])
        else:
            ours, theirs = (np.ascontiguousarray(x[field]).view(np.uint8) for x in (expected, found))
            wrong |= (ours != theirs).reshape(len(found), -1).any(axis=1)
    return wrong
