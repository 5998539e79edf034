"""A fast counter-based random generator behind the `jax.random` API.

JAX's default, threefry2x32, spends 20 rounds on each 64 bits: in a simulator that takes a nanosecond a step, that is
nearly all of the time. Here a key is two 32-bit words, and a draw is one pass of a 32-bit finaliser over a counter,
keyed by both words. It is made for simulation, not for secrets.

Every function below is a few multiplications, shifts and exclusive-ors, which the compiler vectorises across lanes.
Source of the constants of `_mix`: the low-bias 32-bit hash search of C. Wellons ("hash-prospector", lowbias32); of the
increment: the golden ratio, as in SplitMix (Steele, Lea & Flood, 2014). Statistics: `tests/core/test_generator.py`.
"""

import functools
import math
import sys
from typing import Any

import chex
import jax
import jax.extend.random
import jax.numpy as jnp
import numpy as np

NAME = "edgerl"
THREEFRY = "threefry2x32"
GENERATORS = (NAME, THREEFRY)

_GOLDEN = np.uint32(0x9E3779B9)
_M1 = np.uint32(0x7FEB352D)
_M2 = np.uint32(0x846CA68B)
_SPLIT = np.uint32(0xD1B54A33)
_WEYL = np.uint32(0xC2B2AE3D)


def new_key(a: chex.Array, b: chex.Array, generator: str = NAME) -> chex.PRNGKey:
    """A typed key of the named generator from two uint32 scalars, for any use of `jax.random`."""
    return jax.random.wrap_key_data(_words(a, b), impl=_IMPLEMENTATION if generator == NAME else generator)


def derive(key: chex.PRNGKey, generator: str = NAME) -> chex.PRNGKey:
    """A key of the named generator, drawn with a key of any kind; the key is consumed."""
    a, b = jax.random.bits(key, (2,), jnp.uint32)
    return new_key(a, b, generator)


def nth_key(a: chex.Array, b: chex.Array, n: chex.Array, generator: str = NAME) -> chex.PRNGKey:
    """Key number `n` (uint32 scalar) of the stream of keys that two uint32 scalars stand for.

    A simulator makes one on every step, so that of this generator it costs a third of a `fold_in`: one round of
    `_mix`, to which the draws from the key add two. The second word counts too, without which no draw would repeat.
    """
    if generator != NAME:
        return jax.random.fold_in(new_key(a, b, generator), n)
    x = a + n * _SPLIT
    return new_key((x ^ (x >> 16)) * _M1 + b, b + n * _WEYL)


def _mix(x: chex.Array) -> chex.Array:
    """A bijection of uint32 in which every input bit flips every output bit with probability close to 1/2."""
    x = (x ^ (x >> 16)) * _M1
    x = (x ^ (x >> 15)) * _M2
    return x ^ (x >> 16)


def _seed(seed: chex.Array) -> chex.Array:
    """Key words uint32 [2] from an integer scalar of 32 or 64 bits."""
    seed = jnp.asarray(seed)
    low = seed.astype(jnp.uint32)
    high = (seed >> 32).astype(jnp.uint32) if seed.dtype.itemsize == 8 else jnp.uint32(0)
    # Not from zeros: they are a fixed point of `_fold_in` with 0.
    return _fold_in(_fold_in(jnp.asarray([_SPLIT, _GOLDEN]), low), high)


def _pair(words: chex.Array) -> tuple[chex.Array, chex.Array]:
    """The two words as scalars, by static slices: the compiler then sees through a `stack` of them."""
    return jax.lax.index_in_dim(words, 0, 0, False), jax.lax.index_in_dim(words, 1, 0, False)


def _words(a: chex.Array, b: chex.Array) -> chex.Array:
    """uint32 [2]. By `reshape`, which `vmap` keeps in batch-first order: the compiler then sees through the pair."""
    return jax.lax.concatenate([jax.lax.reshape(a, (1,)), jax.lax.reshape(b, (1,))], 0)


def _fold_in(words: chex.Array, data: chex.Array) -> chex.Array:
    """Key words uint32 [2] for (key, integer). For a fixed integer this is a bijection of the 64-bit key.

    Every bit of the key and of the integer flips every bit of the result with probability close to 1/2.
    """
    a, b = _pair(words)
    a = _mix(a + b + jnp.asarray(data).astype(jnp.uint32) * _GOLDEN)
    b = (b ^ a) * _M1
    return _words(a, b ^ (b >> 15))


def _split(words: chex.Array, shape: tuple[int, ...]) -> chex.Array:
    """Key words uint32 [*shape, 2]; none equals a `fold_in` of the same key except by chance."""
    a, b = _pair(words)
    parent = _words(a, b ^ _SPLIT)
    children = jnp.arange(math.prod(shape), dtype=jnp.uint32)
    return jax.vmap(lambda child: _fold_in(parent, child))(children).reshape(*shape, 2)


def _random_bits(words: chex.Array, bit_width: int, shape: tuple[int, ...]) -> chex.Array:
    """Uniform unsigned integers of `bit_width` bits and of `shape`."""
    if bit_width == 64:
        high, low = (_random_bits(w, 32, shape).astype(jnp.uint64) for w in (words, _fold_in(words, np.uint32(1))))
        return (high << 32) | low
    size = math.prod(shape)
    return _narrowed(_draw(words, jnp.arange(size, dtype=jnp.uint32)), bit_width, shape)


def _narrowed(bits: chex.Array, bit_width: int, shape: tuple[int, ...]) -> chex.Array:
    return (bits.reshape(shape) >> (32 - bit_width)).astype(jnp.dtype(f"uint{bit_width}"))


def _draw(words: chex.Array, counter: chex.Array) -> chex.Array:
    """uint32 of `counter`'s shape: `_mix` of the first word's sequence with the second word added half way.

    The counter is added once more at the end, without which one key's draws would never repeat a value.
    """
    a, b = _pair(words)
    x = a + counter * _GOLDEN
    x = (x ^ (x >> 16)) * _M1 + b
    x = (x ^ (x >> 15)) * _M2
    return (x ^ (x >> 16)) + counter * _WEYL


def part_of(key: chex.PRNGKey, index: chex.Array) -> chex.PRNGKey:
    """A key of this generator for drawing one of several equal parts of an array: part `index` along its first axis
    that is longer than 1, of what `key` draws for the whole array. It cannot be split.

    Args:
      key: of this generator; it is consumed, with all parts together.
      index: integer scalar from 0.
    """
    words = jnp.concatenate([jax.random.key_data(key), jnp.asarray(index, jnp.uint32)[None]])
    return jax.random.wrap_key_data(words, impl=_PART)


def _part_bits(words: chex.Array, bit_width: int, shape: tuple[int, ...]) -> chex.Array:
    """As `_random_bits`, of the part that the third word says."""
    if bit_width == 64:
        raise NotImplementedError("a part of 64-bit numbers")
    size = math.prod(shape)
    counter = jnp.arange(size, dtype=jnp.uint32) + words[2] * jnp.uint32(size)
    return _narrowed(_draw(words[:2], counter), bit_width, shape)


def _not_of_a_part(*_: Any) -> chex.Array:
    raise NotImplementedError("a key of a part is for one draw")


_IMPLEMENTATION = jax.extend.random.define_prng_impl(
    key_shape=(2,), seed=_seed, split=_split, random_bits=_random_bits, fold_in=_fold_in, name=NAME, tag="edge"
)
_PART = jax.extend.random.define_prng_impl(
    key_shape=(3,),
    seed=_not_of_a_part,
    split=_not_of_a_part,
    random_bits=_part_bits,
    fold_in=_not_of_a_part,
    name=f"{NAME}_part",
    tag="edgp",
)


def _take_part_in_poisson() -> None:
    """Lets `jax.random.poisson` take keys of this generator, as every other sampler does.

    It refuses whatever is not threefry2x32 (JAX 0.4 to 0.10, a note in its source says "generalize"), though all it
    does with a key is to split it and to draw uniform numbers. Its check of the key, a function of its module that is
    asked by the sampler's name, gets the same two words as a threefry key: its draws cost threefry's time. Without
    this, an environment with Poisson demand ends in NotImplementedError.
    """
    module = sys.modules[jax.random.poisson.__module__]
    check = getattr(module, "_check_prng_key", None)
    ours = jax.eval_shape(lambda: new_key(np.uint32(0), np.uint32(0))).dtype
    if check is None or getattr(check, "takes_edgerl", False):
        return

    @functools.wraps(check)
    def with_ours(name: str, key: Any, *arguments: Any, **named: Any) -> Any:
        if name == "poisson" and getattr(key, "dtype", None) == ours:
            key = jax.random.wrap_key_data(jax.random.key_data(key), impl=THREEFRY)
        return check(name, key, *arguments, **named)

    with_ours.takes_edgerl = True  # type: ignore[attr-defined]
    setattr(module, "_check_prng_key", with_ours)  # noqa: B010 (a name that JAX does not export)


_take_part_in_poisson()
