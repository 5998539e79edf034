"""Softmax in JAX, bit for bit what TFLM's interpreter computes, and what it stands for."""

import numpy as np
import pytest
from scipy.special import softmax

from edgerl.deploy import integer_softmax, tflm
from edgerl.deploy.flatbuffer_writer import Writer
from edgerl.deploy.network import Quantisation

SOFTMAX = (25, 2)


@pytest.mark.parametrize("scale", [2.0**-14, 0.003, 0.04, 1 / 16, 0.3, 1.7, 40.0])
@pytest.mark.parametrize("classes", [1, 2, 10, 113])
def test_as_tflm_and_as_the_formula(scale, classes):
    rng = np.random.default_rng(classes)
    source = Quantisation(np.float32(scale), int(rng.integers(-128, 128)))
    x = rng.integers(-128, 128, (500, classes)).astype(np.int8)
    x[0], x[1], x[2] = -128, 127, rng.choice([-128, 127], classes)
    made = np.asarray(integer_softmax.softmax(x, *integer_softmax.softmax_tables(scale)))

    writer = Writer()
    first = writer.activation((1, classes), source)
    last = writer.activation((1, classes), integer_softmax.OUTPUT)
    writer.operator(SOFTMAX, [first], last, ("SoftmaxOptions", writer.table("SoftmaxOptions", Beta=1.0)))
    np.testing.assert_array_equal(made, tflm.run(writer.finish(first, last), x)[0].reshape(x.shape))
    exact = np.minimum(256 * softmax(np.float32(scale) * x.astype(np.float64), axis=1) - 128, 127)
    assert np.abs(made - exact).max() < 0.51
