"""The simulator carries what a policy remembers, and begins anew with each episode."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

import edgerl
from edgerl import UserError, simulate
from tests.envs.test_gru import random_policy
from tests.helpers.recall import Recall


@dataclasses.dataclass(frozen=True)
class Count:
    """Acts by how many observations it has seen: 0 at the first, 1 at the second, 0 at the third …"""

    def initial_state(self):
        return jnp.int32(0)

    def __call__(self, key, obs, state):
        return state % 2, state + 1


@dataclasses.dataclass(frozen=True)
class Recalls:
    """The right answer of `Recall`."""

    def initial_state(self):
        return {"sign": jnp.float32(0)}

    def __call__(self, key, obs, state):
        sign = jnp.where(obs[0] != 0, obs[0], state["sign"])
        return (sign > 0).astype(jnp.int32), {"sign": sign}


@pytest.mark.parametrize("num_envs", [3, 200])
def test_the_state_is_carried_and_begins_anew(num_envs):
    stats = simulate(Recall(), Recalls(), jax.random.key(0), num_envs=num_envs, num_steps=41)
    assert stats.episodes == 10 * num_envs
    assert stats.returns.mean == stats.returns.min == 1.0
    three = Recall(wait=2)  # steps of an episode: an odd number, so that going on to count would be seen
    played = simulate(three, Count(), jax.random.key(0), num_envs=num_envs, num_steps=9, trajectory=True)
    expected = np.array([0, 1, 0, 0, 1, 0, 0, 1, 0])
    np.testing.assert_array_equal(np.asarray(played.trajectory.action), np.tile(expected[:, None], (1, num_envs)))


def test_a_policy_of_arrays_plays_as_a_function_does():
    """Lanes together and one by one; not to the last bit, which decides nothing here but where outputs are equal."""
    policy = random_policy(features=2)

    @dataclasses.dataclass(frozen=True)
    class Alone:
        def initial_state(self):
            return policy.initial_state()

        def __call__(self, key, obs, state):
            return policy(key, obs, state)

    one, other = (
        simulate("PositionOnlyCartPole-v1", player, jax.random.key(1), num_envs=64, num_steps=100).as_dict()
        for player in (policy, Alone())
    )
    assert one == other


def test_devices_make_no_difference():
    policy = random_policy(features=2)
    found = [
        simulate(
            "PositionOnlyCartPole-v1",
            policy,
            jax.random.key(1),
            num_envs=64,
            num_steps=100,
            mesh=Mesh(np.array(jax.devices()[:count]), ("env",)),
        ).as_dict()
        for count in range(1, len(jax.devices()) + 1)
    ]
    assert all(one == found[0] for one in found)


@dataclasses.dataclass(frozen=True)
class Grows(Count):
    def __call__(self, key, obs, state):
        return jnp.int32(0), jnp.zeros(2)


@dataclasses.dataclass(frozen=True)
class Forgets(Count):
    def __call__(self, key, obs, state):
        return jnp.int32(0)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Grows(), r"the policy's state is int32\[\] from initial_state and float32\[2\] from a decision"),
        (Forgets(), r"a policy with memory answers a .*; expected \(action, state\)"),
        (random_policy(), "the policy takes 3 features; PositionOnlyCartPole-v1 observes"),
    ],
)
def test_a_state_that_changes_its_form_is_one_line(policy, message):
    with pytest.raises(UserError, match=message):
        edgerl.simulate("PositionOnlyCartPole-v1", policy, jax.random.key(0), num_envs=2, num_steps=2)
