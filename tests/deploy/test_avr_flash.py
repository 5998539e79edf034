"""What avr-gcc reads from flash: it loses a pointer's address space where it knows too much of the address."""

import pytest
from helpers.perceptrons import policy_of, write

from edgerl.deploy import int8_policy, machines, vectors

(AVR,) = machines.chosen(["ATmega2560"])


@pytest.mark.skipif(AVR.missing() is not None, reason=str(AVR.missing()))
@pytest.mark.parametrize(
    ("sizes", "activation", "argmax", "per_channel"),
    [
        ((7, 16, 16, 2), "relu", "outputs", False),  # two layers of one kernel
        ((5, 8, 8, 8, 2), "relu", "outputs", True),
        ((4, 9, 17, 3), "tanh", "outputs", False),  # three kernels, odd widths
        ((6, 7, 2), "sigmoid", "outputs", True),
        ((4, 33, 3), "relu", "accumulators", False),
    ],
)
def test_decides_the_same(tmp_path, sizes, activation, argmax, per_channel):
    policy = policy_of(sizes, activation, argmax, per_channel)
    observations = write(tmp_path, policy, 30)
    inputs, scores = int8_policy.evaluate(policy.policy, observations)
    expected = vectors.records(policy.policy, inputs, scores)
    found = AVR.records(tmp_path, "policy", observations, expected.form)
    assert not vectors.different(found, expected.records).any()
