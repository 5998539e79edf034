"""Programs are kept by what an environment consists of: no two that a program could tell apart share one."""

import dataclasses
import enum
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import FixedParams, Walk, WalkParams

import edgerl
from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig
from edgerl.util.content import Keyed, cache_by_content, jit_by_content

IDS = [id for id in edgerl.registered() if not id.startswith(("Walk", "Mine"))]


def _changed(leaf):
    """The leaf with one number changed, by as little as can be."""
    array = np.array(leaf)
    flat = array.reshape(-1)
    flat[-1] = np.nextafter(flat[-1], np.float32(-1e9)) if flat.dtype.kind == "f" else flat[-1] ^ 1
    return type(leaf)(array.item()) if isinstance(leaf, (int, float)) else array


def _with(env, params):
    """The environment with these parameters, or one around it that has none of its own."""
    if any(field.name == "default_params" for field in dataclasses.fields(env)):
        return dataclasses.replace(env, default_params=params)
    return dataclasses.replace(env, env=_with(env.env, params))


@pytest.mark.parametrize("id", IDS)
def test_environments_that_differ_in_one_number_are_not_equal(id):
    env = edgerl.make(id)
    assert env == edgerl.make(id)
    assert hash(env) == hash(edgerl.make(id))
    leaves, tree = jax.tree.flatten(env.default_params)
    for i, leaf in enumerate(leaves):
        params = jax.tree.unflatten(tree, [*leaves[:i], _changed(leaf), *leaves[i + 1 :]])
        other = _with(env, params)
        assert other != env
        assert Keyed(other) != Keyed(env)


@dataclasses.dataclass(frozen=True)
class Silent(Walk):
    """What two of these differ in, `==` does not tell."""

    default_params: Any = dataclasses.field(default_factory=WalkParams, compare=False)
    bonus: Any = dataclasses.field(default=0.0, compare=False)

    def step(self, key, state, action, params=None):
        obs, state, reward, *rest = super().step(key, state, action, params)
        return obs, state, 0 * reward + self.bonus + self.default_params.scale, *rest


def _mean(env, **options):
    policy = edgerl.random_policy(env)
    return edgerl.simulate(env, policy, jax.random.key(0), num_envs=4, num_steps=40, **options).returns.mean


def test_what_equality_leaves_out_counts():
    low, high = Silent(bonus=1.0), Silent(bonus=2.0)
    assert low == high
    assert _mean(high) == pytest.approx(_mean(low) * 3 / 2)
    config = PPOConfig(num_updates=1, num_envs=4, num_steps=40, num_minibatches=1, hidden_sizes=(4,))
    trained = [ppo.train(env, config, jax.random.key(0))[1] for env in (low, high)]
    returns = [float(m["episode_return"][0] / m["episode_length"][0]) for m in trained]
    assert returns == pytest.approx([2, 3], rel=1e-5)


def test_a_default_parameter_that_is_read_though_others_are_given():
    given = WalkParams(limit=1e9)
    ratio = _mean(Silent(default_params=WalkParams(scale=2.0)), params=given) / _mean(Silent(), params=given)
    assert ratio == pytest.approx(2)


class Mutable(Walk):
    """A plain object whose numbers are assigned to."""

    shift = 1.0

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "bonus", 1.0)

    def step(self, key, state, action, params=None):
        obs, state, reward, *rest = super().step(key, state, action, params)
        return obs, state, 0 * reward + self.bonus + self.shift, *rest


def test_an_attribute_that_is_assigned_to_counts():
    env = Mutable()
    first = _mean(env)
    object.__setattr__(env, "bonus", 3.0)
    assert _mean(env) == pytest.approx(first * 2)


def test_an_attribute_of_the_class_counts(monkeypatch):
    env = Mutable()
    first = _mean(env)
    monkeypatch.setattr(Mutable, "shift", 3.0)
    assert _mean(env) == pytest.approx(first * 2)


def test_what_a_function_has_caught_counts():
    caught = {"always": 0}

    def policy(key, obs):
        return jnp.int32(caught["always"])

    def ends(env):
        stats = edgerl.simulate(env, policy, jax.random.key(0), num_envs=4, num_steps=40)
        return stats.returns.mean

    down = ends(Walk())
    caught["always"] = 2
    up = ends(Walk())
    assert down < 0 < up


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        (np.float32(1), np.float64(1)),
        (np.array([1, 2]), np.array([[1, 2]])),
        (np.zeros(100), np.r_[np.zeros(99), 1e-300]),
        (jnp.zeros(3), np.zeros(3, np.float32)),
        ((1, 2), [1, 2]),
        ({"a": 1}, {"a": 2}),
        (functools.partial(max, 1), functools.partial(max, 2)),
        (nn.Dense(3), nn.Dense(4)),
        (WalkParams(scale=1), WalkParams(scale=1.0)),
        (WalkParams(), FixedParams()),
        (jax.random.key(0), jax.random.key(1)),
        (Walk().step, Walk(id="other").step),
        (jax.ShapeDtypeStruct((2,), np.float32), jax.ShapeDtypeStruct((2,), np.int32)),
    ],
)
def test_contents_differ(a, b):
    assert Keyed(a) != Keyed(b)


@pytest.mark.parametrize(
    "make",
    [
        lambda: 1.5,
        lambda: np.arange(1000),
        lambda: jnp.arange(3),
        lambda: {"a": (1, [2.0, None])},
        lambda: nn.Dense(3),
        lambda: Walk(),
        lambda: jax.ShapeDtypeStruct((2,), np.float32),
        lambda: edgerl.make("CartPole-v1"),
        lambda: float("nan"),
    ],
)
def test_contents_are_equal(make):
    assert Keyed(make()) == Keyed(make())
    assert hash(Keyed(make())) == hash(Keyed(make()))


def test_an_object_that_holds_itself():
    a, b = [[1], [1]]
    a.append(a)
    b.append(b)
    assert Keyed(a) == Keyed(b)


def test_arrays_that_change_in_place_are_seen():
    array = np.zeros(1000)
    before = Keyed(array)
    array[7] = 1
    assert Keyed(array) != before


def test_a_jitted_function_is_traced_once_for_equal_contents():
    traced = []

    @jit_by_content("env")
    def scale(env, x):
        traced.append(env)
        return env.default_params.scale * x

    for env in (Walk(), Walk(), Silent(), Silent(bonus=np.zeros(3)), Silent(bonus=np.zeros(3))):
        assert scale(env, 2.0) == 2.0
    assert len(traced) == 3
    assert scale(x=jnp.float32(1), env=Walk(default_params=WalkParams(scale=5.0))) == 5.0


def test_a_cache_takes_what_cannot_be_hashed():
    made = []

    @cache_by_content()
    def total(array):
        made.append(array)
        return array.sum()

    assert [total(np.ones(n)) for n in (3, 3, 4)] == [3, 3, 4]
    assert len(made) == 2


def test_members_of_an_enumeration_are_themselves():
    """Each of them holds all the others, and those it again: looked into, a dozen would take minutes."""
    kind = enum.Enum("kind", [f"of{i}" for i in range(40)])
    assert Keyed({"kind": kind.of1}) == Keyed({"kind": kind.of1}) != Keyed({"kind": kind.of2})
