"""Shapes and dtypes of what an environment and a policy take and give, checked once, before anything is compiled.

What is checked here costs a trace and is kept by content; of an environment that is not EdgeRL's own, a few episodes
more, to see that its `step` does not reset. What else only steps can show (NaN, an observation outside its space) is
`edgerl.check_environment`'s.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from edgerl.envs import prng
from edgerl.envs.deciding import Remembering
from edgerl.envs.environment import Environment, Params
from edgerl.envs.parameters import spaces_of
from edgerl.envs.resetting import resets_itself
from edgerl.envs.spaces import Discrete, Space
from edgerl.util.content import cache_by_content
from edgerl.util.errors import UserError

# What auto-resetting environments put into `info`: their `step` has already begun the next episode.
_AUTO_RESET = ("final_observation", "final_obs", "terminal_observation", "terminal_obs")


@dataclasses.dataclass(frozen=True)
class Forms:
    """`jax.ShapeDtypeStruct`s of one environment without batch."""

    params: Any
    obs: Any
    state: Any
    action: Any


def form_of(tree: Any) -> Any:
    """The tree with a `jax.ShapeDtypeStruct` for each array and number; its other fields stay."""
    return jax.tree.map(_form, tree)


def _form(x: Any) -> jax.ShapeDtypeStruct:
    if isinstance(x, jax.ShapeDtypeStruct):
        return x
    aval = jax.typeof(x)
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=getattr(aval, "weak_type", False))


def environment_forms(where: str, env: Environment, params: Params, generator: str = prng.NAME) -> Forms:
    """Traces `reset` and `step`, with actions as the action space has them.

    Args:
      where: what an error begins with, for example "simulate".
      params: values or forms of one environment's parameters.
      generator: name of the generator whose keys they get.
    Raises:
      UserError: the environment cannot be traced, or returns something else than the contract says, or resets itself.
    """
    try:
        form = form_of(params)
    except TypeError as error:
        raise UserError(f"{where}: {env.id}: its parameters are not a pytree of numbers and arrays: {error}") from error
    forms = _environment_forms(where, env, form, spaces_of(env, params)[1], generator)
    if not type(env).__module__.startswith("edgerl."):  # those the test suite checks
        _refuse_resets(where, env, params)
    return forms


def _refuse_resets(where: str, env: Environment, params: Params) -> None:
    """Raises if `step` resets by itself. Where the parameters have no values yet, with the default ones."""
    abstract = any(isinstance(x, (jax.core.Tracer, jax.ShapeDtypeStruct)) for x in jax.tree.leaves(params))
    with jax.ensure_compile_time_eval():  # `ppo.train` is traced here
        reset = resets_itself(env, env.default_params if abstract else params)
    if reset:
        raise UserError(
            f"{where}: {env.id}: its step resets by itself: after the last step of an episode it returns the first "
            "state of another; expected the state in which the episode ended"
        )


@cache_by_content()
def _environment_forms(where: str, env: Environment, params: Any, space: Space, generator: str) -> Forms:
    name = f"{where}: {getattr(env, 'id', type(env).__name__)}"
    key = _key_form(generator)
    made = _traced(name, "reset", env.reset, key, params)
    _require(isinstance(made, tuple) and len(made) == 2, name, "reset", "(obs, state)", made)
    action = jax.ShapeDtypeStruct(space.shape, np.int32 if isinstance(space, Discrete) else np.float32)
    step = _traced(name, "step", env.step, key, made[1], action, params)
    right = "(obs, state, reward, terminated, truncated, info)"
    _require(isinstance(step, tuple) and len(step) == 6, name, "step", right, step)
    obs, state, reward, *flags, info = step
    _scalar(name, "reward", reward, hasattr(reward, "dtype") and _is_real(reward.dtype), "a float32 scalar")
    for what, flag in zip(("terminated", "truncated"), flags, strict=True):
        _scalar(name, what, flag, getattr(flag, "dtype", None) == np.bool_, "a bool scalar")
    for what, first, later in (("observation", made[0], obs), ("state", made[1], state)):
        _alike(name, what, first, later)
    told = [key for key in _AUTO_RESET if isinstance(info, dict) and key in info]
    if told:
        raise UserError(
            f"{name}: its step resets by itself (info has '{told[0]}'); pass the environment whose step ends an episode"
        )
    return Forms(params, made[0], made[1], action)


def with_policy(where: str, env: Environment, forms: Forms, space: Space, policy: Any, generator: str) -> Forms:
    """The same with the form of what the policy answers, which is checked against the action space.

    Args:
      policy: a function, or a pytree of forms that can be called.
    """
    return dataclasses.replace(forms, action=_policy_form(where, env.id, forms.obs, space, policy, generator))


@cache_by_content()
def _policy_form(where: str, env_id: str, obs: Any, space: Space, policy: Any, generator: str) -> Any:
    if not callable(policy):
        raise UserError(f"{where}: the policy is a {type(policy).__name__}; expected a function (key, obs) -> action")
    outputs = getattr(policy, "sizes", None)
    if isinstance(space, Discrete) and outputs is not None:
        _require_sizes(where, env_id, tuple(outputs), obs, space)
    leaves = jax.tree.leaves(policy)
    data = bool(leaves) and all(isinstance(x, jax.ShapeDtypeStruct) for x in leaves)
    given = ([policy] if data else []) + [_key_form(generator), obs]
    action = _answer(where, policy, data, given)
    right = f"an integer scalar of {space}" if isinstance(space, Discrete) else f"a float32 array of {space}"
    if not hasattr(action, "dtype"):
        raise UserError(f"{where}: the policy answers a {type(action).__name__}; {env_id} takes {right}")
    integer = np.issubdtype(action.dtype, np.integer) or action.dtype == np.bool_
    fits = integer if isinstance(space, Discrete) else _is_real(action.dtype)
    if action.shape != tuple(space.shape) or not fits:
        raise UserError(f"{where}: the policy answers {_text(action)}; {env_id} takes {right}")
    return action


def _answer(where: str, policy: Any, data: bool, given: list[Any]) -> Any:
    """The form of a policy's action; what one with memory remembers keeps its form."""
    if not isinstance(policy, Remembering):
        call = (lambda weights, key, obs: weights(key, obs)) if data else policy
        return _traced(where, "policy(key, obs)", call, *given)
    weights = given[:1] if data else []
    begin = (lambda weights: weights.initial_state()) if data else policy.initial_state
    state = _traced(where, "policy.initial_state()", begin, *weights)
    call = (lambda weights, key, obs, state: weights(key, obs, state)) if data else policy.__call__
    answer = _traced(where, "policy(key, obs, state)", call, *given, state)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise UserError(f"{where}: a policy with memory answers a {type(answer).__name__}; expected (action, state)")
    _alike(where, "the policy's state", state, answer[1], ("initial_state", "a decision"))
    return answer[0]


def _require_sizes(where: str, env_id: str, sizes: tuple[int, ...], obs: Any, space: Discrete) -> None:
    shape = getattr(obs, "shape", None)
    if shape != sizes[:1]:
        raise UserError(f"{where}: the policy takes {sizes[0]} features; {env_id} observes {shape}")
    if sizes[-1] > space.n:
        raise UserError(f"{where}: the policy decides among {sizes[-1]} actions; {env_id} has {space.n}")


def _key_form(generator: str) -> Any:
    zero = np.uint32(0)
    return jax.eval_shape(lambda: prng.new_key(zero, zero, generator))


def _traced(name: str, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return jax.eval_shape(function, *arguments)
    except UserError:
        raise
    except Exception as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        hint = _HINT if any(sign in str(error) for sign in _OF_KEYS) else ""
        raise UserError(f"{name}: {what} cannot be traced ({type(error).__name__}: {reason}){hint}") from error


_OF_KEYS = ("key<", "prng_key", "array is 0-dimensional")  # what JAX says of `key[0]` and of arithmetic with a key
_HINT = "; if it is about a random key: keys are typed, as jax.random.key's; jax.random.key_data(key) has the words"


def _require(kept: bool, name: str, what: str, right: str, got: Any) -> None:
    if not kept:
        says = f"{len(got)} values" if isinstance(got, tuple) else f"a {type(got).__name__}"
        raise UserError(f"{name}: {what} returns {says}; expected {right}")


def _scalar(name: str, what: str, x: Any, fits: bool, right: str) -> None:
    if getattr(x, "shape", None) != () or not fits:
        raise UserError(f"{name}: {what} is {_text(x)}; expected {right}")


def _alike(name: str, what: str, first: Any, later: Any, by: tuple[str, str] = ("reset", "step")) -> None:
    pairs = [dict(_leaves(tree)) for tree in (first, later)]
    for path in dict.fromkeys([*pairs[0], *pairs[1]]):
        texts = [p.get(path, "missing") for p in pairs]
        if texts[0] != texts[1]:
            raise UserError(
                f"{name}: {what}{path} is {texts[0]} from {by[0]} and {texts[1]} from {by[1]}; expected one form"
            )
    trees: list[Any] = [jax.tree.structure(x) for x in (first, later)]
    if trees[0] != trees[1]:
        raise UserError(f"{name}: {what} has another structure from {by[0]} than from {by[1]}; expected one form")


def _leaves(tree: Any) -> list[tuple[str, str]]:
    return [(jax.tree_util.keystr(path), _text(x)) for path, x in jax.tree_util.tree_leaves_with_path(tree)]


def _text(x: Any) -> str:
    """For example "float32[4]"; of anything but an array, its type."""
    return f"{x.dtype}{list(x.shape)}" if hasattr(x, "dtype") and hasattr(x, "shape") else f"a {type(x).__name__}"


def _is_real(dtype: Any) -> bool:
    return any(jax.numpy.issubdtype(dtype, kind) for kind in (jax.numpy.floating, jax.numpy.integer, jax.numpy.bool_))
