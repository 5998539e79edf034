"""A function compiled as one kernel, or several arrays in one loop: the same numbers, compiled so where it can be."""

import dataclasses
import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Walk
from variants import seldom

import edgerl
from edgerl.envs.policy import MLPPolicy
from edgerl.rl.config import PPOConfig
from edgerl.rl.run import seeds
from edgerl.simulator.trigonometry import sincos
from edgerl.simulator.xla import Trick, compiler_options, in_one_loop, one_kernel, plain_xla, tricks_off

OPTIONS = compiler_options(np.array(jax.local_devices()[:1]))
X = jnp.linspace(-1, 1, 4096)


def loop(x: jax.Array) -> jax.Array:
    """A loop over enough numbers to be one kernel."""
    return jax.lax.fori_loop(0, 20, lambda i, y: jnp.sin(y) + i, x)


def scalar_loop(x: jax.Array) -> jax.Array:
    """A loop over one number within a loop over many: XLA ends the process on it if both become small calls."""
    return jax.lax.fori_loop(0, 3, lambda i, y: y + jax.lax.fori_loop(0, i + 1, lambda j, z: z + j, 0), x)


def product(x: jax.Array) -> jax.Array:
    rows = x.reshape(64, 64)
    return jax.lax.fori_loop(0, 3, lambda _, y: jnp.tanh(rows @ y), rows).reshape(-1)


def ordered(x: jax.Array) -> jax.Array:
    return jnp.sort(x) + loop(x)


def compiled(function) -> tuple[jax.Array, str]:
    program = jax.jit(lambda x: one_kernel(function, x), compiler_options=OPTIONS).lower(X).compile()
    return program(X), program.as_text()


@pytest.mark.parametrize(
    ("function", "whole"), [(loop, True), (scalar_loop, False), (product, False), (ordered, False)]
)
def test_the_numbers_are_those_of_the_function(function, whole: bool) -> None:
    result, text = compiled(function)
    np.testing.assert_allclose(result, jax.jit(function)(X), rtol=1e-5, atol=1e-6)
    # XLA's own small calls do not have the first of these.
    assert ('inlineable="false",xla_cpu_small_call="true"' in text) == whole


def test_several_results_and_arguments() -> None:
    def function(x: jax.Array, y: dict) -> tuple[jax.Array, dict]:
        return loop(x), {"sum": x + y["a"], "untouched": y["b"]}

    program = jax.jit(lambda x, y: one_kernel(function, x, y), compiler_options=OPTIONS)
    first, second = program(X, {"a": 2 * X, "b": jnp.int32(3)})
    np.testing.assert_allclose(first, loop(X), rtol=1e-5)
    np.testing.assert_allclose(second["sum"], 3 * X, rtol=1e-6)
    assert second["untouched"] == 3


ODD = {
    "floats": jnp.array([0.0, -0.0, jnp.inf, -jnp.inf, jnp.nan, 1e-45, -1.5, 3e38], jnp.float32),
    "integers": jnp.array([0, -1, 2**31 - 1, -(2**31), 5, 6, 7, 8], jnp.int32),
    "words": jnp.array([0, 2**32 - 1, 1, 2, 3, 4, 5, 6], jnp.uint32),
    "booleans": jnp.array([True, False] * 4),
    "more floats": jnp.arange(8, dtype=jnp.float32),
    "of another shape": jnp.ones((2, 3)),
    "scalar": jnp.float32(-0.0),
}


@pytest.mark.parametrize("reads", [1, 24, 1000])
def test_in_one_loop_changes_no_bit(reads: int) -> None:
    result = jax.jit(lambda tree: in_one_loop(tree, reads))(ODD)
    assert jax.tree.structure(result) == jax.tree.structure(ODD)
    for name, value in ODD.items():
        assert result[name].dtype == value.dtype
        assert np.asarray(result[name]).tobytes() == np.asarray(value).tobytes(), name


def test_in_one_loop_makes_one_loop() -> None:
    def function(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        y = x * x + 1
        return y * 2, y * 3

    def loops(function) -> list[str]:
        text = jax.jit(function).lower(X).compile().as_text()
        return [line for line in text[text.index("ENTRY") :].splitlines() if " fusion(" in line]

    assert len(loops(lambda x: function(x + 1))) == 2
    assert len(loops(lambda x: in_one_loop(function(x + 1)))) == 1


def test_in_one_loop_leaves_alone_what_is_no_number() -> None:
    keys = jax.random.split(jax.random.key(0), 8)
    tree = {"a": ODD["floats"], "keys": keys, "complex": ODD["floats"] * 1j, "b": ODD["integers"]}
    result = jax.jit(in_one_loop)(tree)
    assert np.array_equal(jax.random.key_data(result["keys"]), jax.random.key_data(keys))
    np.testing.assert_array_equal(result["complex"], tree["complex"])
    np.testing.assert_array_equal(result["b"], tree["b"])


@pytest.mark.parametrize(("reads", "sizes"), [(10, [8, 2]), (17, [6, 4]), (26, [4, 4, 2]), (100, [])])
def test_a_loop_that_reads_much_writes_little(reads: int, sizes: list[int]) -> None:
    """LLVM compares at most 128 pairs of addresses: of each array written with those read and those written."""
    arrays = [X + i for i in range(10)]
    traced = jax.make_jaxpr(lambda xs: in_one_loop(xs, reads))(arrays)
    found = [len(equation.outvars) for equation in traced.eqns if equation.primitive.name == "custom_jvp_call"]
    assert [n for n in found if n > 1] == sizes
    assert all(n * reads + n * (n - 1) // 2 <= 128 for n in sizes)


def test_in_one_loop_can_be_batched_and_differentiated() -> None:
    def function(x: jax.Array) -> jax.Array:
        a, b = in_one_loop((x * x, 3 * x))
        return a + b

    np.testing.assert_allclose(jax.vmap(function)(X), X * X + 3 * X, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(function))(X), 2 * X + 3, rtol=1e-6)


def network(features: int, actions: int) -> MLPPolicy:
    draw = np.random.default_rng(0)
    kernels = tuple(draw.normal(size=shape) for shape in ((features, 16), (16, actions)))
    return MLPPolicy(kernels, (np.zeros(16), np.zeros(actions)), "tanh")


def short(id: str) -> Any:
    """The environment with episodes of 20 steps: longer ones end too seldom, and let roundings grow."""
    env: Any = edgerl.make(id)
    return dataclasses.replace(env, default_params=env.default_params.replace(max_steps_in_episode=20))


def random_play(id: str) -> tuple[Any, Any]:
    return short(id), edgerl.random_policy(id)


CARTPOLE = edgerl.make("CartPole-v1")
PLAYS = {
    "CartPole-v1, random": (CARTPOLE, edgerl.random_policy(CARTPOLE)),
    "CartPole-v1, a network": (CARTPOLE, network(4, 2)),
    "Walk-v0, random": (Walk(), edgerl.random_policy(Walk())),
    "Walk-v0, a network": (Walk(), network(1, 3)),
    "Pendulum-v1, random": random_play("Pendulum-v1"),
    "Pendulum-v1, a function": (short("Pendulum-v1"), lambda key, obs: jnp.clip(-10 * obs[1:2] - obs[2:], -2.0, 2.0)),
    "MountainCarContinuous-v0, random": random_play("MountainCarContinuous-v0"),
    "Acrobot-v1, random": random_play("Acrobot-v1"),
}


def play(env: Any, policy: Any) -> edgerl.SimulationStats:
    return edgerl.simulate(env, policy, jax.random.key(5), num_envs=150, num_steps=100, trajectory=True)


OFTEN = ("Walk-v0, random", "CartPole-v1, a network", "Pendulum-v1, a function")


@pytest.mark.parametrize("name", [*OFTEN, *seldom(*(n for n in PLAYS if n not in OFTEN))])
def test_without_any_trick_the_episodes_are_the_same(name: str) -> None:
    """Decisions among actions, ends and counts are equal. Observations, rewards and torques are so to rounding alone:
    without the tricks, the sine is another one, and other products and sums are fused into one operation, which rounds
    once and not twice."""
    usual = play(*PLAYS[name])
    with plain_xla():
        plain = play(*PLAYS[name])
    assert plain.episodes == usual.episodes > 100
    assert plain.steps == usual.steps
    assert plain.lengths == usual.lengths
    rounded = ["obs", "next_obs", "reward"]
    if np.issubdtype(plain.trajectory.action.dtype, np.floating):
        rounded.append("action")
    for which in {"action", "terminated", "truncated"} - {*rounded}:
        np.testing.assert_array_equal(getattr(plain.trajectory, which), getattr(usual.trajectory, which), which)
    for which in rounded:
        a, b = getattr(plain.trajectory, which), getattr(usual.trajectory, which)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=which)
    for number in dataclasses.fields(usual.returns):
        a, b = getattr(plain.returns, number.name), getattr(usual.returns, number.name)
        assert a == pytest.approx(b, rel=1e-5, abs=1e-5)


def test_the_switch_is_part_of_what_programs_are_kept_by() -> None:
    """In one process, neither the usual programs serve without the tricks, nor the other way round."""
    angle = jnp.linspace(-3, 3, 1000)
    program = jax.jit(sincos)
    usual = np.asarray(program(angle))
    with plain_xla(Trick.ONE_KERNEL):
        assert tricks_off() == {Trick.ONE_KERNEL}
        assert np.asarray(program(angle)).tobytes() == usual.tobytes()
    with plain_xla():
        assert tricks_off() == set(Trick)
        assert compiler_options(np.array(jax.local_devices()[:1])) is None
        plain = np.asarray(program(angle))
        np.testing.assert_array_equal(plain, jax.jit(lambda x: (jnp.sin(x), jnp.cos(x)))(angle))
    assert plain.tobytes() != usual.tobytes()
    assert tricks_off() == frozenset()
    assert np.asarray(program(angle)).tobytes() == usual.tobytes()


@pytest.mark.parametrize(("value", "off"), [("1", True), ("0", False), ("", False)])
def test_an_environment_variable_turns_all_off(value: str, off: bool) -> None:
    code = "from edgerl.simulator.xla import Trick, tricks_off; print(tricks_off() == set(Trick), not tricks_off())"
    environment = {**os.environ, "EDGERL_PLAIN_XLA": value}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(off), str(not off)]


def test_a_training_without_any_trick_learns_the_same() -> None:
    """To rounding, which an update is too short to make anything of."""
    config = PPOConfig(num_updates=1, num_envs=8, num_steps=16, epochs=1, num_minibatches=1, hidden_sizes=(8,))
    keys = jax.random.split(jax.random.key(0), 2)
    usual, _ = seeds.train(CARTPOLE, config, keys)
    with plain_xla():
        plain, _ = seeds.train(CARTPOLE, config, keys)
    for a, b in zip(jax.tree.leaves(plain.params), jax.tree.leaves(usual.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
