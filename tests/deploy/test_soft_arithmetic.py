"""The arithmetic that Debian's libgcc for the Xtensa lx106 lacks, against the processor's own."""

import ctypes

import numpy as np
import pytest

from edgerl.deploy import toolchain

EDGES = np.array([0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x3F800000, 0x4B000000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000])


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = tmp_path_factory.mktemp("soft") / "soft.so"
    there = made.with_name("there.c")  # what that libgcc has, and this host's has not
    there.write_text(
        "unsigned long long __udivmoddi4(unsigned long long a, unsigned long long b, unsigned long long *rest)\n"
        "{ if (rest) *rest = a % b; return a / b; }\n"
    )
    sources = [toolchain.harness("soft_arithmetic.c"), str(there)]
    toolchain.run(["gcc", "-O1", "-shared", "-fPIC", *sources, "-o", str(made)])
    return ctypes.CDLL(str(made))


def called(library, name, kinds, arguments, dtype=None):
    function = getattr(library, name)
    function.argtypes, function.restype = kinds[:-1], kinds[-1]
    return np.array([function(*row) for row in zip(*(a.tolist() for a in arguments), strict=True)], dtype)


def pairs():
    """float32 pairs: edges with edges, any bits with any, and numbers of nearly one size, which cancel."""
    rng = np.random.default_rng(0)
    edges = np.concatenate([EDGES, EDGES + 2**31]).astype(np.uint32)
    bits = rng.integers(0, 2**32, (2, 10_000), dtype=np.uint32)
    near = np.stack([bits[0], bits[0] ^ (2**31) ^ rng.integers(0, 2**26, 10_000, dtype=np.uint32)])
    every = np.stack([np.repeat(edges, len(edges)), np.tile(edges, len(edges))])
    return np.concatenate([every, bits, near], 1).view(np.float32)


@pytest.mark.parametrize(
    ("name", "operation"), [("__mulsf3", np.multiply), ("__addsf3", np.add), ("__subsf3", np.subtract)]
)
def test_float_arithmetic_is_ieees(library, name, operation):
    a, b = pairs()
    with np.errstate(all="ignore"):
        expected = operation(a, b)
    made = called(library, name, [ctypes.c_float] * 3, (a, b)).astype(np.float32)
    numbers = ~np.isnan(expected)
    assert np.isnan(made[~numbers]).all()
    np.testing.assert_array_equal(made[numbers].view(np.uint32), expected[numbers].view(np.uint32))


def test_integers_become_floats(library):
    integers = (
        np.random.default_rng(0).integers(0, 2**32, 10_000, dtype=np.uint32) >> np.arange(10_000, dtype=np.uint32) % 32
    )
    unsigned = called(library, "__floatunsisf", [ctypes.c_uint32, ctypes.c_float], (integers,))
    np.testing.assert_array_equal(unsigned, integers.astype(np.float32))
    signed = called(library, "__floatsisf", [ctypes.c_int32, ctypes.c_float], (integers.view(np.int32),))
    np.testing.assert_array_equal(signed, integers.view(np.int32).astype(np.float32))


def test_products_and_quotients_of_integers(library):
    a, b = (
        np.random.default_rng(0).integers(0, 2**32, (2, 2_000), dtype=np.uint32)
        >> np.arange(2_000, dtype=np.uint32) % 31
    )
    b = b | 1
    for name, operation in (("__udivsi3", np.floor_divide), ("__umodsi3", np.remainder)):
        np.testing.assert_array_equal(called(library, name, [ctypes.c_uint32] * 3, (a, b)), operation(a, b))
    wide = called(library, "__umulsidi3", [ctypes.c_uint32] * 2 + [ctypes.c_uint64], (a, b), np.uint64)
    np.testing.assert_array_equal(wide, a.astype(np.uint64) * b)
    a, b = np.random.default_rng(1).integers(-(2**63), 2**63, (2, 2_000))
    np.testing.assert_array_equal(called(library, "__muldi3", [ctypes.c_int64] * 3, (a, b)), a * b)
    a, b = np.random.default_rng(2).integers(1, 2**64, (2, 2_000), dtype=np.uint64)
    for name, operation in (("__udivdi3", np.floor_divide), ("__umoddi3", np.remainder)):
        quotients = called(library, name, [ctypes.c_uint64] * 3, (a, b >> 30), np.uint64)
        np.testing.assert_array_equal(quotients, operation(a, b >> 30))
