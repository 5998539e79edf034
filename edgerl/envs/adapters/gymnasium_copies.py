"""How environments of `to_gymnasium` are made again and copied. Importing this file imports Gymnasium."""

import copy
import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.envs.registration import EnvSpec

from edgerl.envs import prng
from edgerl.envs.environment import Environment, Params


@dataclasses.dataclass(frozen=True)
class Maker:
    """The entry point of a `gymnasium.EnvSpec`: makes the same environment again, in another process too."""

    kind: type
    env: Environment
    params: Params | None

    def __call__(self, num_envs: int | None = None, max_episode_steps: int | None = None) -> Any:
        del max_episode_steps  # the environment's own, told to every entry point of vector environments
        return self.kind(self.env, self.params) if num_envs is None else self.kind(self.env, num_envs, self.params)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Maker":
        return self  # as a function


def spec_of(env: Environment, params: Params, entry_points: dict[str, Any]) -> EnvSpec:
    """The environment's name, and its time limit where the parameters have one."""
    name = re.sub(r"[^\w.-]", "-", env.id)
    limit: Any = getattr(params, "max_steps_in_episode", None)
    known = limit is not None and np.ndim(limit) == 0 and 0 < limit < 2**31
    return EnvSpec(f"EdgeRL/{name}", max_episode_steps=int(limit) if known else None, **entry_points)


class Portable:
    """Pickles and copies of an environment in the middle of an episode go on as it would."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_state": jax.tree.map(_packed, self.__dict__["_state"])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        unpacked = jax.tree.map(_unpacked, state["_state"], is_leaf=lambda x: isinstance(x, _Key))
        self.__dict__.update(state, _state=unpacked)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        new = object.__new__(type(self))
        shared = {"_env", "_params", "_state"}  # never changed in place
        own = {name: x if name in shared else copy.deepcopy(x, memo) for name, x in self.__dict__.items()}
        new.__dict__.update(own)
        return new


@dataclasses.dataclass(frozen=True)
class _Key:
    """The words of a random key; `generator` is None for this package's own."""

    words: np.ndarray
    generator: str | None


def _packed(x: Any) -> Any:
    if not jnp.issubdtype(jnp.asarray(x).dtype, jax.dtypes.prng_key):
        return np.asarray(x)
    name = jax.random.key_impl(x)
    return _Key(np.asarray(jax.random.key_data(x)), name if isinstance(name, str) else None)


def _unpacked(x: Any) -> Any:
    if not isinstance(x, _Key):
        return x
    own = jax.random.key_impl(prng.new_key(jnp.uint32(0), jnp.uint32(0)))
    return jax.random.wrap_key_data(jnp.asarray(x.words), impl=x.generator or own)
