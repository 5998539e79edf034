import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.tasks.hardware.cost import count_macs, energy_mj, latency_ms
from edgerl.tasks.hardware.profiles import Profile


def conv(x, w, stride=1, groups=1):
    return jax.lax.conv_general_dilated(
        x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups
    )


def test_convolution_counts_output_pixels_times_kernel_times_input_channels():
    # 8 x 8 pixels to 4 x 4 at stride 2, 3 channels to 5, kernel 3 x 3.
    assert count_macs(lambda x, w: conv(x, w, 2), jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 5))) == 4 * 4 * 5 * 27


def test_depthwise_convolution_counts_one_input_channel():
    macs = count_macs(lambda x, w: conv(x, w, groups=6), jnp.ones((1, 8, 8, 6)), jnp.ones((3, 3, 1, 6)))
    assert macs == 8 * 8 * 6 * 9


def test_matrix_products_count_their_contracted_axis():
    assert count_macs(jnp.matmul, jnp.ones((2, 3)), jnp.ones((3, 5))) == 2 * 3 * 5
    assert count_macs(jnp.matmul, jnp.ones((7, 2, 3)), jnp.ones((7, 3, 5))) == 7 * 2 * 3 * 5


def test_sums_and_activations_are_free():
    assert count_macs(lambda x: jax.nn.relu(x + 1).mean(), jnp.ones((4, 4))) == 0


def test_scan_counts_every_pass_and_jit_is_looked_into():
    w = jnp.ones((3, 3))
    scanned = jax.jit(lambda x: jax.lax.scan(lambda c, _: (c @ w, None), x, length=5)[0])
    assert count_macs(scanned, jnp.ones((2, 3))) == 5 * 2 * 3 * 3


def test_branch_counts_as_its_dearest_side():
    w = jnp.ones((3, 3))
    branch = lambda x: jax.lax.cond(x.sum() > 0, lambda x: x @ w @ w, lambda x: x @ w, x)  # noqa: E731
    assert count_macs(branch, jnp.ones((1, 3))) == 18


def test_while_loop_with_products_is_refused():
    w = jnp.ones((3, 3))
    with pytest.raises(ValueError, match="while loop"):
        count_macs(lambda x: jax.lax.while_loop(lambda x: x.sum() < 9, lambda x: x @ w, x), jnp.ones((1, 3)))


def test_latency_and_energy_by_hand():
    profile = Profile(macs_per_second=2e9, power_mw=100.0)
    latency = latency_ms(profile, np.array([10e6, 40e6]))
    np.testing.assert_allclose(latency, [5.0, 20.0])
    np.testing.assert_allclose(energy_mj(profile, latency), [0.5, 2.0])  # 0.1 W for 5 ms and 20 ms
