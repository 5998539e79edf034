"""Observations of any form as vectors: what perceptrons, and their C, take."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from environments import Walk

import edgerl
from edgerl.envs.vectors import as_vectors

KEY = jax.random.key(3)


@dataclasses.dataclass(frozen=True)
class Cell(Walk):
    """Observes in which of five cells it is, as a number, or the board with all cells."""

    id: str = "Cell-v0"
    board: bool = False

    def observation_space(self, params=None):
        return edgerl.Box(0.0, 1.0, (2, 5)) if self.board else edgerl.Discrete(5)

    def _seen(self, x):
        cell = jnp.clip(jnp.round(x) + 2, 0, 4).astype(jnp.int32)
        return jnp.zeros((2, 5)).at[1, cell].set(1.0) if self.board else cell

    def reset(self, key, params=None):
        obs, state = super().reset(key, params)
        return self._seen(obs[0]), state

    def step(self, key, state, action, params=None):
        obs, *others = super().step(key, state, action, params)
        return self._seen(obs[0]), *others


def test_vectors_stay():
    env = Walk()
    assert as_vectors(env) is env


def test_a_number_becomes_a_one_in_its_place():
    env = as_vectors(Cell())
    assert env.observation_space().shape == (5,)
    assert (env.id, env.action_space()) == ("Cell-v0", edgerl.Discrete(3))
    obs, state = env.reset(KEY)
    np.testing.assert_array_equal(obs, np.eye(5, dtype=np.float32)[2])
    obs = env.step(KEY, state.replace(x=jnp.float32(0.9)), jnp.int32(2))[0]
    np.testing.assert_array_equal(obs, np.eye(5, dtype=np.float32)[4])
    assert edgerl.check_environment(env, num_steps=64).terminated > 0


def test_several_axes_become_one_row_by_row():
    env = as_vectors(Cell(board=True))
    np.testing.assert_array_equal(env.reset(KEY)[0], np.eye(10, dtype=np.float32)[7])
    low, high = env.observation_space().bounds()
    assert (low.shape, low.max(), high.min()) == ((10,), 0, 1)
    assert edgerl.check_environment(env, num_steps=64).steps == 1024


def test_an_attribute_is_the_environments_own():
    assert as_vectors(Cell(board=True)).board
    assert not hasattr(as_vectors(Cell()), "render")
