import dataclasses
import itertools

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Fixed, FixedParams, Walk, WalkParams, WalkState
from flax import struct

import edgerl
from edgerl.envs import conformance
from edgerl.envs.conformance import check_environment
from edgerl.envs.conformance_case import ConformanceError, same
from edgerl.envs.spaces import Box, Discrete


@pytest.mark.parametrize("id", ["CartPole-v0", "CartPole-v1"])
def test_cartpole_conforms(id):
    checked = edgerl.check_environment(edgerl.make(id))
    assert checked.steps == 16 * 512
    assert checked.terminated > 100


def test_pendulum_conforms():
    assert edgerl.check_environment(edgerl.make("Pendulum-v1")).truncated > 0


def test_the_tests_own_environments_conform():
    checked = check_environment(Walk())
    assert min(checked.terminated, checked.truncated) > 50
    assert check_environment(Fixed(default_params=FixedParams(5)), num_steps=20).terminated == 16 * 4


def test_what_is_traced_to_the_same_program_is_not_run_again(monkeypatch):
    compared = []
    monkeypatch.setattr(conformance, "same", lambda a, b: compared.append(a) or same(a, b))
    check_environment(Walk())
    assert len(compared) == 1  # two plays of one program with the same key


def test_parameters_and_key_may_be_given():
    params = WalkParams(limit=1e9, max_steps=7)
    checked = check_environment(Walk(), params, jax.random.PRNGKey(3), num_steps=70)
    assert (checked.terminated, checked.truncated) == (0, 16 * 10)


class NoStep:
    id = "NoStep-v0"
    default_params = WalkParams()
    reset, observation_space, action_space = Walk.reset, Walk.observation_space, Walk.action_space


class Unhashable(Walk):
    __hash__ = None


class NoId(Walk):
    def __init__(self):
        super().__init__(id="")


class Branches(Walk):
    def step(self, key, state, action, params=None):
        return super().step(key, state, action + 1 if state.x > 0 else action, params)


class BranchesInReset(Walk):
    def reset(self, key, params=None):
        obs, state = super().reset(key, params)
        return (obs, state) if state.x > 0 else (-obs, state)


class ResetsToThree(Walk):
    def reset(self, key, params=None):
        return *super().reset(key, params), {}


class OldGymStep(Walk):
    def step(self, key, state, action, params=None):
        obs, state, reward, terminated, truncated, info = super().step(key, state, action, params)
        return obs, state, reward, terminated | truncated, info


class HalfObservation(Walk):
    def step(self, *arguments):
        obs, *rest = super().step(*arguments)
        return obs.astype(jnp.float16), *rest


class WideObservation(Walk):
    def reset(self, key, params=None):
        obs, state = super().reset(key, params)
        return jnp.concatenate([obs, obs]), state


class IntegerReward(Walk):
    def step(self, *arguments):
        obs, state, _, *rest = super().step(*arguments)
        return obs, state, jnp.int32(1), *rest


class NumberFlag(Walk):
    def step(self, *arguments):
        *first, truncated, info = super().step(*arguments)
        return *first, truncated.astype(jnp.float32), info


class ListInfo(Walk):
    def step(self, *arguments):
        return *super().step(*arguments)[:-1], []


class ChangingState(Walk):
    def step(self, *arguments):
        obs, state, *rest = super().step(*arguments)
        return obs, dataclasses.replace(state, time=state.time.astype(jnp.float32)), *rest


class StateInATuple(Walk):
    def step(self, key, state, action, params=None):
        obs, state, *rest = super().step(key, state[0], action, params)
        return obs, [state], *rest

    def reset(self, key, params=None):
        obs, state = super().reset(key, params)
        return obs, (state,)


@dataclasses.dataclass(frozen=True)
class FromOne(Discrete):
    def sample(self, key):
        return super().sample(key) + 1


class ActionsFromOne(Walk):
    def action_space(self, params=None):
        return FromOne(3)


class SmallSpace(Walk):
    def observation_space(self, params=None):
        return Box(-1.0, 1.0, (1,))


class Impure(Walk):
    def reset(self, key, params=None):
        x = jnp.float32(np.random.uniform())
        return x[None], WalkState(x, jnp.int32(0))


class NeedsParams(Walk):
    def step(self, key, state, action, params):
        return super().step(key, state, action, params.replace(scale=1.0))


class OtherDefault(Walk):
    def step(self, key, state, action, params=None):
        return super().step(key, state, action, WalkParams(scale=2.0) if params is None else params)


class WeakClock(Walk):
    def reset(self, key, params=None):
        obs, state = super().reset(key, params)
        return obs, dataclasses.replace(state, time=0)

    def step(self, key, state, action, params=None):
        return super().step(key, dataclasses.replace(state, time=jnp.int32(state.time)), action, params)


class FloatOfParams(Walk):
    def reset(self, key, params=None):
        p = self.default_params if params is None else params
        obs, state = super().reset(key, params)
        return obs * float(p.scale), state


class CallbackOnParams(Walk):
    def step(self, key, state, action, params=None):
        p = self.default_params if params is None else params
        limit = jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct((), jnp.float32), jnp.float32(p.limit))
        return super().step(key, state, action, p.replace(limit=limit))


class WrongBatch(Walk):
    """Right alone; batched, the scale's mean over the batch is used."""

    def step(self, key, state, action, params=None):
        p = self.default_params if params is None else params

        @jax.custom_batching.custom_vmap
        def scale(x):
            return x * 1.0

        @scale.def_vmap
        def _(size, batched, x):
            return x * 2.0, True

        return super().step(key, state, action, p.replace(scale=scale(jnp.float32(p.scale))))


@dataclasses.dataclass(eq=False)
class LooseParams:
    scale: float = 1.0
    limit: float = 3.0
    max_steps: int = 20


jax.tree_util.register_dataclass(LooseParams, ["scale", "limit", "max_steps"], [])


@struct.dataclass
class NamedParams(WalkParams):
    name: str = "slow"


@struct.dataclass
class NoParams:
    scale: float = struct.field(pytree_node=False, default=1.0)
    limit: float = struct.field(pytree_node=False, default=3.0)
    max_steps: int = struct.field(pytree_node=False, default=20)


class NoVmap(Walk):
    """Calls back to Python, without saying how a batch is to be called."""

    def step(self, key, state, action, params=None):
        x = jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct((), jnp.float32), state.x)
        return super().step(key, dataclasses.replace(state, x=x), action, params)


class Counting(Walk):
    """Its noise is a Python counter's, after a while."""

    count = itertools.count()

    def step(self, key, state, action, params=None):
        def drift(x):
            return np.full(np.shape(x), max(next(self.count) - 100, 0), np.float32)

        shape = jax.ShapeDtypeStruct((), jnp.float32)
        noise = jax.pure_callback(drift, shape, state.x, vmap_method="expand_dims")
        return super().step(key, dataclasses.replace(state, x=state.x + noise), action, params)


class Divides(Walk):
    def step(self, *arguments):
        obs, state, reward, *rest = super().step(*arguments)
        return obs, state, reward * jnp.where(state.time > 9, jnp.nan, 1), *rest


class BothFlags(Walk):
    def step(self, *arguments):
        obs, state, reward, terminated, truncated, info = super().step(*arguments)
        return obs, state, reward, terminated, truncated | terminated, info


class QuietReset(Walk):
    """As AutoReset, without telling."""

    def step(self, *arguments):
        return *edgerl.AutoReset(Walk()).step(*arguments)[:-1], {}


BROKEN = [
    (NoStep(), "members", "step missing"),
    (Unhashable(), "hashable", r"hash\(env\) fails"),
    (NoId(), "id", "id is ''"),
    (Branches(), "jit", "step cannot be traced"),
    (BranchesInReset(), "jit", "reset cannot be traced"),
    (ResetsToThree(), "reset", "no pair"),
    (OldGymStep(), "step", "something else"),
    (HalfObservation(), "float32", r"step's observation is float16\[1\]; right would be: float32\[1\]"),
    (WideObservation(), "float32", r"reset's observation is float32\[2\]"),
    (IntegerReward(), "float32", r"the reward is int32\[\]"),
    (NumberFlag(), "flags", r"truncated is float32\[\]; right would be: bool\[\]"),
    (ListInfo(), "info", "info is a list"),
    (ChangingState(), "state", r"state\.time is int32\[\] from reset, float32\[\] from step"),
    (StateInATuple(), "state", "two structures"),
    (ActionsFromOne(), "action space", "a sample is outside"),
    (SmallSpace(), "observation space", r"in lane \d+ at step \d+"),
    (Impure(), "pure", "traced again, the result differs"),
    (NeedsParams(), "default_params", "params=None fails"),
    (OtherDefault(), "default_params", "params=None differs"),
    (WeakClock(), "one trace", "a jitted step was traced 2 times"),
    (FloatOfParams(), "jit", "reset cannot be traced"),
    (CallbackOnParams(), "params", r"params\.limit cannot be batched"),
    (WrongBatch(), "params", "batched parameters give another result"),
    (Walk(default_params=LooseParams()), "params", "can be assigned to"),
    (Walk(default_params=NamedParams()), "jit", "reset cannot be traced"),
    (NoVmap(default_params=NoParams()), "vmap", "cannot be vmapped"),
    (Counting(default_params=NoParams()), "same key", "two different episodes"),
    (Divides(), "no NaN", r"in lane \d+ at step \d+"),
    (BothFlags(), "never both", "terminated and truncated"),
    (edgerl.AutoReset(Walk()), "no reset", "final_observation"),
    (QuietReset(), "no reset", "the state of a fresh one"),
]


@pytest.mark.parametrize(("env", "rule", "what"), BROKEN, ids=[f"{type(e).__name__}-{r}" for e, r, _ in BROKEN])
def test_a_broken_rule_is_named(env, rule, what):
    with pytest.raises(ConformanceError, match=f"rule '{rule}': .*{what}.*") as caught:
        check_environment(env, num_steps=64)
    assert "right would be" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_environment_of_gymnax_fails_only_where_gymnax_does():
    """Its LSTM-like memory task observes more than its space holds."""
    env, _ = gymnax.make("MemoryChain-bsuite")
    with pytest.raises(ConformanceError, match="rule 'observation space'"):
        check_environment(edgerl.from_gymnax(env))
