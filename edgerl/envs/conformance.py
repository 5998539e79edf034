"""A conformance kit: puts any environment through the contract of `environment.Environment`, rule by rule."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import prng
from edgerl.envs.conformance_case import Case, any_nan, broken, close, form, forms, same
from edgerl.envs.environment import AutoReset, Environment, Params, State
from edgerl.envs.instance import MEMBERS, refuse_others
from edgerl.envs.registry import make
from edgerl.envs.resetting import resets_itself

LANES = 16  # episodes that are played side by side
FEW = 8  # steps where one would do, were it not for chance
SAMPLES = 256  # of each space


@dataclasses.dataclass(frozen=True)
class Checked:
    """What the kit saw. The rules about an episode's end were tested on that many ends."""

    steps: int
    terminated: int
    truncated: int


# What the kit compiles runs once or twice: it need not be fast.
_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def check_environment(
    env: Environment | str, params: Params | None = None, key: chex.PRNGKey | None = None, num_steps: int = 512
) -> Checked:
    """Checks that an environment keeps the contract, with random actions in a few episodes side by side.

    The rules: hashable; traceable by `jit`, `vmap` and `scan`, and traced once; pure; observations and rewards
    float32, flags scalar bools, the state of one form; spaces contain what comes out of the environment and what they
    sample; the same key gives the same episode; no NaN; never terminated and truncated at once; `step` does not reset;
    every number in the parameters can be batched alone.

    Args:
      env: the environment, or its id.
      params: the environment's default parameters unless given.
      key: for everything that is drawn; a fixed one unless given.
      num_steps: steps of each of `LANES` environments: enough for some episodes to end.
    Returns:
      How many steps and how many ends of episodes were seen.
    Raises:
      ConformanceError: the first rule that is broken.
      UserError: it is no environment at all, or another library's.

    Example:
      >>> edgerl.check_environment("CartPole-v1").terminated > 0
      True
    """
    env = make(env) if isinstance(env, str) else env
    if not isinstance(env, AutoReset):  # of which the rules tell more
        refuse_others(env, "check_environment")
    # A key as the simulator's: typed, and not of JAX's usual kind.
    key = prng.derive(jax.random.key(0) if key is None else key)
    missing = [name for name in MEMBERS if not hasattr(env, name)]
    if missing:
        broken(env, "members", f"{', '.join(missing)} missing", f"all of {', '.join(MEMBERS)}")
    params = env.default_params if params is None else params
    case = Case(env, params, key, env.observation_space(params), env.action_space(params))
    for check in (_check_identity, _check_forms, _check_one_trace, _check_results, _check_spaces):
        check(case)
    return _check_episodes(case, num_steps)


def _check_identity(case: Case) -> None:
    name = case.env.id
    case.require("id", isinstance(name, str) and name, f"id is {name!r}", "a name such as 'CartPole-v1'")
    with case.guard("hashable", "hash(env) fails", "a frozen dataclass of hashable fields, or a plain class"):
        hash(case.env)


def _check_forms(case: Case) -> None:
    """Shapes and dtypes of everything that `reset` and `step` return, by tracing each."""
    env, params, key, require = case.env, case.params, case.key, case.require
    with case.guard("jit", "reset cannot be traced", "jax.numpy only, no Python decision on a value"):
        reset = jax.eval_shape(env.reset, key, params)
    require("reset", isinstance(reset, tuple) and len(reset) == 2, "reset returns no pair", "(obs, state)")
    with case.guard("jit", "step cannot be traced", "jax.numpy only, no Python decision on a value"):
        step = jax.eval_shape(env.step, key, reset[1], case.actions.sample(key), params)
    right = "(obs, state, reward, terminated, truncated, info)"
    require("step", isinstance(step, tuple) and len(step) == 6, "step returns something else", right)
    shape = case.observations.shape
    for where, obs in (("reset", reset[0]), ("step", step[0])):
        _require_form(case, "float32", f"{where}'s observation", obs, "float32", tuple(shape))
    _require_form(case, "float32", "the reward", step[2], "float32", ())
    _require_form(case, "flags", "terminated", step[3], "bool", ())
    _require_form(case, "flags", "truncated", step[4], "bool", ())
    require("info", isinstance(step[5], dict), f"info is a {type(step[5]).__name__}", "a dict of arrays, maybe empty")
    before, after = forms(reset[1]), forms(step[1])
    changed = [f"state{k} is {before.get(k)} from reset, {after.get(k)} from step" for k in before | after]
    changed = [text for text, k in zip(changed, before | after, strict=True) if before.get(k) != after.get(k)]
    trees: list[Any] = [jax.tree.structure(state) for state in (reset[1], step[1])]
    what = "; ".join(changed) or "reset's and step's states are two structures"
    require("state", trees[0] == trees[1] and not changed, what, "one form from both")


def _require_form(case: Case, rule: str, what: str, x: Any, dtype: str, shape: tuple[int, ...]) -> None:
    right = f"{dtype}{list(shape)}"
    case.require(rule, form(x) == right, f"{what} is {form(x)}", right)


def _check_one_trace(case: Case) -> None:
    """Further calls of a jitted function do not trace it again."""
    env, params, key, action = case.env, case.params, case.key, case.actions.sample(case.key)
    traced: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            traced.append(name)
            return getattr(env, name)(*arguments)

        return jax.jit(call)

    reset, step = counted("reset"), counted("step")
    for _ in range(2):
        state = jax.eval_shape(reset, key, params)[1]
        for _ in range(3):
            state = jax.eval_shape(step, key, state, action, params)[1]
    for name in ("reset", "step"):
        count, right = traced.count(name), "once; leaves with a dtype of their own, jnp.int32(0) and not 0"
        case.require("one trace", count == 1, f"a jitted {name} was traced {count} times", right)


def _few_steps(case: Case, params: Params, env: Case) -> Any:
    """Everything that a reset and a few steps return, by the `reset` and `step` that `env` has traced, if it has."""

    def step(state: State, key: chex.PRNGKey) -> tuple[State, Any]:
        result = env.step(key, state, case.actions.sample(key), params)
        return result[1], result

    obs, state = env.reset(case.key, params)
    return obs, state, jax.lax.scan(step, state, jax.random.split(case.key, FEW))[1]


def _check_results(case: Case) -> None:
    """The same result when traced again, without parameters if they are the default, and with batched parameters."""
    frozen = getattr(getattr(case.params, "__dataclass_params__", None), "frozen", True)
    case.require("params", frozen, "the parameters can be assigned to", "a frozen dataclass, as flax.struct.dataclass")

    # Another case traces the environment anew.
    once, again = (_jit(lambda params, by=by: _few_steps(case, params, by)) for by in (case, dataclasses.replace(case)))
    with case.guard("default_params", "params=None fails", "default_params where params is None"):
        without = _jit(lambda: _few_steps(case, None, case))()
    default = once(case.env.default_params)
    # A program of the same text gives the same result: it is not compiled again.
    first, second = (traced.lower(case.env.default_params).as_text() for traced in (once, again))
    equal = first == second or same(default, again(case.env.default_params))
    case.require("pure", equal, "traced again, the result differs", "a function of its arguments alone")
    case.require("default_params", close(default, without), "params=None differs from default_params", "the same")
    alone, both = once(case.params), _jit(lambda params: _batched(case, params))(case.params)
    equal = all(close(alone, jax.tree.map(lambda x, lane=lane: x[lane], both)) for lane in range(2))
    case.require("params", equal, "batched parameters give another result", "the same as one by one")


def _batched(case: Case, params: Params) -> Any:
    """Results with two of each parameter; where that fails, the leaf that cannot be batched is named."""
    leaves, tree = jax.tree.flatten(params)

    def play(which: set[int]) -> Any:
        pair = [jnp.stack([leaf, leaf]) if i in which else leaf for i, leaf in enumerate(leaves)]
        axes = jax.tree.unflatten(tree, [0 if i in which else None for i in range(len(leaves))])
        return jax.vmap(lambda p: _few_steps(case, p, case), in_axes=(axes,), axis_size=2)(
            jax.tree.unflatten(tree, pair)
        )

    try:
        return play(set(range(len(leaves))))
    except Exception:
        for i, (path, _) in enumerate(jax.tree_util.tree_leaves_with_path(params)):
            what = f"params{jax.tree_util.keystr(path)} cannot be batched"
            with case.guard("params", what, "use it through jax.numpy, never float() or if"):
                jax.eval_shape(lambda i=i: play({i}))
        raise


def _check_spaces(case: Case) -> None:
    """What the spaces sample, they contain."""

    @_jit
    @jax.vmap
    def inside(key: chex.PRNGKey) -> list[chex.Array]:
        return [space.contains(space.sample(key)) for space in (case.actions, case.observations)]

    with case.guard("spaces", "sample or contains cannot be vmapped", "pure functions of jax.numpy"):
        actions, observations = inside(jax.random.split(case.key, SAMPLES))
    case.require("action space", actions.all(), "a sample is outside", "contains(sample(key)) for every key")
    case.require("observation space", observations.all(), "a sample is outside", "contains(sample(key)) for every key")


def _check_episodes(case: Case, num_steps: int) -> Checked:
    """Plays episodes under `scan` and `vmap`, twice with the same key, and checks every step."""
    with case.guard("vmap", "reset and step cannot be vmapped and scanned", "unbatched functions of jax.numpy"):
        play = _jit(jax.vmap(lambda k: _play(case, k, num_steps)))
        keys = jax.random.split(case.key, LANES)
        seen, again = play(keys), play(keys)
    case.require("same key", same(seen, again), "the same key gave two different episodes", "the same bits")
    case.forbid("no NaN", seen["nan"], "NaN in the observation, the state or the reward", "numbers")
    case.forbid("observation space", seen["outside"], "an observation outside the space", "bounds that hold it")
    terminated, truncated = np.asarray(seen["terminated"]), np.asarray(seen["truncated"])
    case.forbid("never both", terminated & truncated, "terminated and truncated", "truncated & ~terminated")
    _check_no_reset(case, (terminated | truncated) & np.asarray(seen["replaced"]))
    return Checked(terminated.size, int(terminated.sum()), int(truncated.sum()))


def _play(case: Case, key: chex.PRNGKey, num_steps: int) -> dict[str, chex.Array]:
    """One environment for `num_steps` steps, reset where an episode ended: what the rules ask of each step."""
    params = case.params

    def outside(obs: chex.Array) -> chex.Array:
        return ~case.observations.contains(obs)

    def step(state: State, key: chex.PRNGKey) -> tuple[State, dict[str, chex.Array]]:
        action_key, step_key, reset_key = jax.random.split(key, 3)
        action = case.actions.sample(action_key)
        obs, state, reward, terminated, truncated, info = case.step(step_key, state, action, params)
        first, fresh = case.reset(reset_key, params)
        seen = {
            "nan": any_nan((obs, state, reward)) | any_nan(first),
            "outside": outside(obs) | outside(first),
            "terminated": terminated,
            "truncated": truncated,
            "replaced": jnp.any(info.get("final_observation", obs) != obs),
            "told": (reward, jnp.sum(obs)),
        }
        return jax.tree.map(lambda a, b: jnp.where(terminated | truncated, a, b), fresh, state), seen

    first_key, key = jax.random.split(key)
    return jax.lax.scan(step, case.reset(first_key, params)[1], jax.random.split(key, num_steps))[1]


def _check_no_reset(case: Case, replaced: np.ndarray) -> None:
    """After its last step, an episode is where it ended, not where the next one starts."""
    right = "the state that ended the episode; the simulator, or edgerl.AutoReset, resets"
    case.forbid("no reset", replaced, "another observation than info['final_observation']", right)
    reset = resets_itself(case.env, case.params)
    case.require("no reset", not reset, "step ends an episode with the state of a fresh one", right)
