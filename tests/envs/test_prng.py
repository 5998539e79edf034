"""Statistics of the fast generator. Seeds are fixed, so that a test at the 0.1 % level passes always or never."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from randomness import independence, max_of_normals, passes, problems
from scipy import stats

from edgerl.envs import prng
from edgerl.envs.prng import derive, new_key

N = 2**19


def _key(seed=0):
    """An ordinary key, as the simulator gets it."""
    return derive(jax.random.key(seed))


def _bits(keys):
    return jax.vmap(lambda k: jax.random.bits(k, (), jnp.uint32))(keys)


def _fold(key, numbers):
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(numbers)


def _child(keys, number):
    return jax.vmap(lambda k: jax.random.fold_in(k, number))(keys)


def _nth(key, numbers):
    """The keys of one lane's steps, as the simulator makes them."""
    return jax.vmap(lambda i: prng.nth_key(*jax.random.key_data(key), i.astype(jnp.uint32)))(numbers)


def _step_of(keys, number):
    """The keys of many lanes at one step."""
    return jax.vmap(lambda k: prng.nth_key(*jax.random.key_data(k), jnp.uint32(number)))(keys)


def _chain(key, advance):
    """Draws along a sequence of keys; `advance(key) -> (next key, key to draw with)`."""

    def step(key, _):
        key, now = advance(key)
        return key, jax.random.bits(now, (), jnp.uint32)

    return jax.lax.scan(step, key, None, N)[1]


def _split_chain(key):
    return _chain(key, lambda key: tuple(jax.random.split(key)))


def _fold_chain(key):
    return _chain(key, lambda key: (jax.random.fold_in(key, 0), key))


STREAMS = {
    "one key's draws": lambda key: jax.random.bits(key, (N,), jnp.uint32),
    "a lane's steps": lambda key: _bits(_nth(key, jnp.arange(N))),
    "the lanes at one step": lambda key: _bits(_step_of(_fold(key, jnp.arange(N)), 12345)),
    "few lanes, few steps": lambda key: jax.vmap(lambda lane: _bits(_nth(lane, jnp.arange(512))))(
        _fold(key, jnp.arange(N // 512))
    ).reshape(-1),
    "a key's children": lambda key: _bits(_fold(key, jnp.arange(N))),
    "the same child of many": lambda key: _bits(_child(_fold(key, jnp.arange(N)), 12345)),
    "few children of few": lambda key: jax.vmap(lambda lane: _bits(_fold(lane, jnp.arange(512))))(
        _fold(key, jnp.arange(N // 512))
    ).reshape(-1),
    "split's children": lambda key: _bits(jax.random.split(key, N)),
    "split again and again": _split_chain,
    "fold_in again and again": _fold_chain,
    "seeds": lambda key: _bits(jax.vmap(lambda s: jax.random.key(s, impl=prng._IMPLEMENTATION))(jnp.arange(N))),
    "four draws a step": lambda key: jax.vmap(lambda k: jax.random.bits(k, (4,), jnp.uint32))(
        _nth(key, jnp.arange(N // 4))
    ).reshape(-1),
    "four draws a child": lambda key: jax.vmap(lambda k: jax.random.bits(k, (4,), jnp.uint32))(
        _fold(key, jnp.arange(N // 4))
    ).reshape(-1),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_uniform_and_without_memory(name):
    words = np.asarray(jax.jit(STREAMS[name])(_key()))
    assert problems(words) == {}


PAIRS = {
    "a step and the next, across lanes": lambda key: [
        _bits(_step_of(_fold(key, jnp.arange(N)), time)) for time in (7, 8)
    ],
    "a lane and the next, at the same step": lambda key: [
        _bits(_nth(jax.random.fold_in(key, lane), jnp.arange(N))) for lane in (3, 4)
    ],
    "a lane and the next, a step later": lambda key: [
        _bits(_nth(jax.random.fold_in(key, 3 + i), jnp.arange(N) + i)) for i in range(2)
    ],
    "two lanes, one some steps ahead of the other": lambda key: _ahead(key, 1),
    "two lanes, one ahead, their second words far apart": lambda key: _ahead(key, 0x8F1BBCDC),
    "a lane's step and the step's child": lambda key: [
        _bits(_nth(key, jnp.arange(N))), _bits(_child(_nth(key, jnp.arange(N)), 0))
    ],
    "one child and the next, of many": lambda key: [
        _bits(_child(_fold(key, jnp.arange(N)), time)) for time in (7, 8)
    ],
    "the same children of a key and the next": lambda key: [
        _bits(_fold(jax.random.fold_in(key, lane), jnp.arange(N))) for lane in (3, 4)
    ],
    "a key and its child": lambda key: [
        _bits(_fold(key, jnp.arange(N))), _bits(_child(_fold(key, jnp.arange(N)), 0))
    ],
    "a split's two children": lambda key: list(
        jax.vmap(lambda k: jax.vmap(lambda c: jax.random.bits(c, (), jnp.uint32))(jax.random.split(k)))(
            _fold(key, jnp.arange(N))
        ).T
    ),
    "a child by split and by fold_in": lambda key: [_bits(jax.random.split(key, N)), _bits(_fold(key, jnp.arange(N)))],
    "a key's draws and its children's": lambda key: [
        jax.random.bits(key, (N,), jnp.uint32), _bits(_fold(key, jnp.arange(N)))
    ],
    "a key's first and second draw": lambda key: list(
        jax.vmap(lambda k: jax.random.bits(k, (2,), jnp.uint32))(_fold(key, jnp.arange(N))).T
    ),
    "two lanes that walk the same way": lambda key: _same_way(key),
}  # fmt: skip


def _ahead(key, difference):
    """The first words of two lanes' steps follow one another: only the second word tells the lanes apart."""
    a, b = jax.random.key_data(key)
    steps = 1000
    other = new_key(a - jnp.uint32(steps) * prng._SPLIT, b + jnp.uint32(difference))
    return [_bits(_nth(key, jnp.arange(N))), _bits(_nth(other, jnp.arange(N) + steps))]


def _same_way(key):
    """`fold_in` makes the same first word from both at each step: only the second tells them apart."""
    a, b = jax.random.key_data(key)
    other = jnp.uint32(0x51CD0422)
    return [_bits(_fold(k, jnp.arange(N))) for k in (key, new_key(a - other, b + other))]


@pytest.mark.parametrize("name", PAIRS)
def test_neighbours_are_independent(name):
    a, b = map(np.asarray, jax.jit(PAIRS[name])(_key(1)))
    assert problems(a, b) == {}


@pytest.mark.parametrize("lag", [2, 3, 4, 8, 128, 8192])
def test_steps_far_apart_are_independent(lag):
    words = np.asarray(jax.jit(STREAMS["a lane's steps"])(_key(2)))
    assert passes(independence(words[:-lag], words[lag:])["correlation"])


def _unxorshift(x, shift):
    result = x
    for _ in range(32 // shift):
        result = x ^ (result >> shift)
    return result


def _unmix(x):
    x = _unxorshift(x, 16) * np.uint32(pow(int(prng._M2), -1, 2**32))
    x = _unxorshift(x, 15) * np.uint32(pow(int(prng._M1), -1, 2**32))
    return _unxorshift(x, 16)


def _fold_words(words, data):
    return np.asarray(_many_folds(jnp.asarray(words), jnp.asarray(data, jnp.uint32)))


@jax.jit
def _many_folds(words, data):
    return jax.vmap(prng._fold_in)(words, data)


def test_fold_in_is_a_bijection_of_the_key():
    """It has an inverse, written here from its definition."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, (100_000, 2), dtype=np.uint32)
    data = rng.integers(0, 2**32, 100_000, dtype=np.uint32)
    folded = _fold_words(words, data)
    a, b = folded.T
    inverse = np.uint32(pow(int(prng._M1), -1, 2**32))
    second = (_unxorshift(b, 15) * inverse) ^ a
    first = _unmix(a) - second - data * prng._GOLDEN
    np.testing.assert_array_equal(np.stack([first, second], axis=1), words)


def _avalanche():
    """p-value of: flipping any of 96 bits of key and integer flips each of the result's 64 half of the time."""
    rng = np.random.default_rng(1)
    count = 2**13
    inputs = rng.integers(0, 2**32, (count, 3), dtype=np.uint32)
    result = _fold_words(inputs[:, :2], inputs[:, 2])
    worst = 0.0
    for word, bit in itertools.product(range(3), range(32)):
        flipped = inputs.copy()
        flipped[:, word] ^= np.uint32(1 << bit)
        changed = result ^ _fold_words(flipped[:, :2], flipped[:, 2])
        ones = np.unpackbits(changed.view(np.uint8), axis=1).sum(axis=0, dtype=np.int64)
        worst = max(worst, np.abs(2 * ones - count).max() / np.sqrt(count))
    return max_of_normals(worst, 96 * 64)


def test_fold_in_spreads_every_bit():
    assert passes(_avalanche())


def _distinct(keys):
    """How many of the keys uint32 [N, 2] are different."""
    return 1 + (np.diff(np.sort(np.ascontiguousarray(keys).view(np.uint64).reshape(-1))) != 0).sum()


def test_no_short_cycles():
    """A million keys along `fold_in` and along `split` are all different, from several starts, 0 among them."""
    for advance in (lambda k: jax.random.fold_in(k, 0), lambda k: jax.random.split(k)[0]):
        walk = jax.jit(
            lambda k, f=advance: jax.lax.scan(lambda k, _: (f(k), jax.random.key_data(k)), k, None, 2**17)[1]
        )
        starts = [_key(seed) for seed in range(6)] + [
            jax.random.key(seed, impl=prng._IMPLEMENTATION) for seed in (0, 1)
        ]
        keys = np.concatenate([np.asarray(walk(key)) for key in starts])
        assert _distinct(keys) == 2**20


def test_a_million_keys_of_lanes_and_steps_differ():
    lanes = _fold(_key(), jnp.arange(1024))
    keys = jax.jit(jax.vmap(lambda lane: jax.random.key_data(_fold(lane, jnp.arange(1024)))))(lanes)
    assert _distinct(np.asarray(keys).reshape(-1, 2)) == 2**20


@pytest.mark.parametrize(
    "broken",
    [
        {"_M2": np.uint32(1)},  # one multiplication less
        {"_M1": np.uint32(1)},
        {"_GOLDEN": np.uint32(0)},  # steps and draws do not count
        {"_WEYL": np.uint32(0)},  # one key's draws are a permutation
        {"_mix": lambda x: x},
        {"_draw": lambda words, counter: words[0] + counter * np.uint32(0x9E3779B9)},
    ],
    ids=["M2", "M1", "golden", "weyl", "mix", "draw"],
)
@pytest.mark.long
def test_these_tests_notice_a_broken_generator(broken, monkeypatch):
    for name, value in broken.items():
        monkeypatch.setattr(prng, name, value)
    jax.clear_caches()
    try:
        streams = ("one key's draws", "a lane's steps")
        found = [problems(np.asarray(jax.jit(STREAMS[name])(_key()))) for name in streams]
        assert any(found) or not passes(_avalanche())
    finally:
        monkeypatch.undo()
        jax.clear_caches()


def test_seeds_give_ordinary_keys():
    impl = prng._IMPLEMENTATION
    words = [
        tuple(np.asarray(jax.random.key_data(jax.random.key(seed, impl=impl)))) for seed in (0, 1, 2, -1, 2**31 - 1)
    ]
    assert len(set(words)) == 5
    assert all(word > 2**16 for pair in words for word in pair)
    with jax.enable_x64(True):
        high, low = (jax.random.key_data(jax.random.key(seed, impl=impl)) for seed in (2**40 + 5, 5))
        assert (high != low).all()


@pytest.mark.parametrize("kind", ["typed", "raw", "rbg"])
def test_any_kind_of_key_can_be_derived_from(kind):
    key = {"typed": jax.random.key(3), "raw": jax.random.PRNGKey(3), "rbg": jax.random.key(3, impl="rbg")}[kind]
    derived = derive(key)
    assert jax.random.key_impl(derived) == prng._IMPLEMENTATION or "edgerl" in str(jax.random.key_impl(derived))
    assert (jax.random.key_data(derived) == jax.random.key_data(derive(key))).all()
    assert str(jax.random.key_impl(derive(key, "threefry2x32"))) == "threefry2x32"


def test_bits_of_every_width():
    key = _key(5)
    wide = jax.random.bits(key, (1000,), jnp.uint32)
    for width in (8, 16):
        bits = jax.random.bits(key, (1000,), f"uint{width}")
        assert bits.dtype == f"uint{width}"
        np.testing.assert_array_equal(bits, wide >> (32 - width))
    with jax.enable_x64(True):
        bits = np.asarray(jax.random.bits(key, (N,), jnp.uint64))
    assert bits.dtype == np.uint64
    halves = [(bits >> np.uint64(shift)).astype(np.uint32) for shift in (0, 32)]
    assert problems(halves[0]) == problems(halves[1]) == problems(*halves) == {}


def test_shapes_and_vmap():
    key = _key(6)
    assert jax.random.split(key).shape == (2,)
    assert jax.random.split(key, (2, 3)).shape == (2, 3)
    np.testing.assert_array_equal(
        jax.random.key_data(jax.random.split(key, (2, 3)).reshape(-1)), jax.random.key_data(jax.random.split(key, 6))
    )
    assert jax.random.bits(key, (0, 4)).shape == (0, 4)
    keys = jax.random.split(key, 5)
    batched = jax.vmap(lambda k: jax.random.normal(k, (2, 3)))(keys)
    np.testing.assert_array_equal(batched, jnp.stack([jax.random.normal(k, (2, 3)) for k in keys]))
    grid = jax.random.bits(key, (7, 11))
    np.testing.assert_array_equal(grid.reshape(-1), jax.random.bits(key, (77,)))


def test_distributions_of_jax_random():
    keys = jax.random.split(_key(7), 8)
    n = 100_000
    assert passes(stats.kstest(np.asarray(jax.random.uniform(keys[0], (n,))), "uniform").pvalue)
    assert passes(stats.kstest(np.asarray(jax.random.normal(keys[1], (n,))), "norm").pvalue)
    assert passes(stats.kstest(np.asarray(jax.random.exponential(keys[2], (n,))), "expon").pvalue)
    assert passes(stats.binomtest(int(jax.random.bernoulli(keys[3], 0.3, (n,)).sum()), n, 0.3).pvalue / 2)
    whole = np.bincount(jax.random.randint(keys[4], (n,), -3, 7) + 3)
    assert len(whole) == 10
    assert passes(stats.chisquare(whole).pvalue)
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    chosen = np.bincount(jax.random.categorical(keys[5], jnp.log(weights), shape=(n,)))
    assert passes(stats.chisquare(chosen, n * weights).pvalue)
    orders = jax.vmap(lambda k: jax.random.permutation(k, 4))(jax.random.split(keys[6], 24_000))
    _, counts = np.unique(orders @ jnp.array([64, 16, 4, 1]), return_counts=True)
    assert len(counts) == 24
    assert passes(stats.chisquare(counts).pvalue)
    assert sorted(jax.random.permutation(keys[7], 1000).tolist()) == list(range(1000))


@pytest.mark.parametrize("draw", [jax.random.uniform, jax.random.normal])
def test_one_draw_a_key_has_the_right_moments(draw):
    """As the simulator draws: a new key for each number."""
    values = np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(_key(8), N)), np.float64)
    mean, deviation = (0.5, 12**-0.5) if draw is jax.random.uniform else (0.0, 1.0)
    kurtosis = 1.8 if draw is jax.random.uniform else 3.0
    scaled = (values - mean) / deviation
    assert passes(stats.norm.sf(scaled.sum() / np.sqrt(N)))
    assert passes(stats.norm.sf(((scaled**2).mean() - 1) * np.sqrt(N / (kurtosis - 1))))
