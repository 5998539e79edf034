"""Many episodes at once, on every device of a mesh, in one compiled call."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from edgerl.envs import prng
from edgerl.envs.actions import complaint, stays_inside
from edgerl.envs.deciding import Policy
from edgerl.envs.entry import check_key, environment_of, whole_number
from edgerl.envs.environment import Environment, Params
from edgerl.envs.forms import Forms, environment_forms, form_of, with_policy
from edgerl.envs.parameters import Numbers, batched_leaves, spaces_of, usual_numbers, with_constants
from edgerl.envs.spaces import Space
from edgerl.simulator.block import run_block
from edgerl.simulator.lanes import Transition, streams
from edgerl.simulator.needs import require_memory
from edgerl.simulator.shortcuts import Constants, blank_for, constants_of, states_to_tabulate, tabulate
from edgerl.simulator.statistics import Summary, Totals, summarise
from edgerl.simulator.xla import Trick, compiler_options, one_kernel, tricks_off
from edgerl.util.content import cache_by_content
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

AXIS = "env"

# Lanes that are stepped together on one CPU device, so that their arrays stay in its caches.
CPU_BLOCK = 512
CPU_NETWORK_BLOCK = 1024  # with a network that decides or that the environment plays, with many values a lane


@dataclasses.dataclass(frozen=True)
class SimulationStats:
    """What `simulate` saw.

    Attributes:
      episodes: how many episodes finished.
      steps: how many steps were taken, those of unfinished episodes included.
      returns: of the finished episodes' undiscounted sums of rewards.
      lengths: of the finished episodes' numbers of steps.
      trajectory: what happened on every step if it was asked for, arrays [num_steps, num_envs, ...].

    Example:
      >>> policy = edgerl.random_policy("CartPole-v1")
      >>> stats = edgerl.simulate("CartPole-v1", policy, jax.random.key(0), num_envs=64, num_steps=100)
      >>> stats.steps, sorted(stats.as_dict())
      (6400, ['episodes', 'lengths', 'returns', 'steps'])
    """

    episodes: int
    steps: int
    returns: Summary
    lengths: Summary
    trajectory: Transition | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, without the trajectory."""
        return {
            "episodes": self.episodes,
            "steps": self.steps,
            "returns": dataclasses.asdict(self.returns),
            "lengths": dataclasses.asdict(self.lengths),
        }


def default_mesh() -> Mesh:
    """All devices, of other processes too, along one axis, "env"."""
    return Mesh(np.array(jax.devices()), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,))


def random_policy(env: Environment | str, params: Params | None = None) -> Policy:
    """Actions drawn uniformly from the environment's action space. The same object for equal spaces.

    Args:
      env: the environment or its id.
      params: the environment's default parameters unless given.

    Example:
      >>> policy = edgerl.random_policy("CartPole-v1")
      >>> int(policy(jax.random.key(0), jnp.zeros(4))) in (0, 1)
      True
    """
    env = environment_of(env, "random_policy")
    return _sampler(env.action_space(env.default_params if params is None else params))


@cache_by_content()
def _sampler(space: Any) -> Policy:
    def policy(key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        del obs
        return space.sample(key)

    policy.draws_from = space  # type: ignore[attr-defined]
    return policy


def simulate(
    env: Environment | str,
    policy: Policy,
    key: chex.PRNGKey,
    *,
    num_envs: int,
    num_steps: int,
    params: Params | None = None,
    mesh: Mesh | None = None,
    generator: str = prng.NAME,
    trajectory: bool = False,
) -> SimulationStats:
    """Runs `policy` in `num_envs` environments for `num_steps` steps each; an ended episode is followed by a new one.

    The episodes depend on the key, the environment, the policy and the number of the lane: not on the mesh. Counts,
    minima and maxima are equal on any number of devices, and so are means and standard deviations.

    Args:
      env: the environment, or its id.
      policy: `policy(key, obs) -> action`, unbatched and pure; or, with memory, `policy(key, obs, state) -> (action,
        state)` and `initial_state()`, with which each episode begins. A pytree of arrays that can be called
        (`MLPPolicy`) is passed as data: new weights do not compile again. Any other function is compiled once per
        object. One that does not use its key is decided once a state and then looked up, where the environment can
        count its states (`FiniteStates`) and they are fewer than the steps.
      key: any kind of JAX key; it is consumed.
      num_envs: number of environments, at least 1.
      num_steps: steps of each, at least 1.
      params: environment parameters. A leaf with a leading axis of `num_envs` gives each environment its own value. The
        default numbers are compiled as constants, all others are data: new ones do not compile again.
      mesh: devices, one axis named "env"; by default all, of other processes too (`jax.distributed`): then each process
        makes the same call and gets the same result.
      generator: "edgerl" (fast) or "threefry2x32" (JAX's own) for the lanes' keys.
      trajectory: also return every transition, arrays [num_steps, num_envs, ...]: mind the memory.

    Raises:
      UserError: a number below 1, an unknown generator, a mesh without the axis "env", an environment that cannot be
        traced or does not return what the contract says, a policy whose answer has not the action space's shape or
        dtype, or lay outside of it on any step.

    Example:
      >>> push_right = lambda key, obs: jnp.int32(1)
      >>> stats = edgerl.simulate("CartPole-v1", push_right, jax.random.key(0), num_envs=64, num_steps=100)
      >>> stats.episodes > 500, 8 <= stats.lengths.mean <= 10
      (True, True)
    """
    env = environment_of(env, "simulate")
    num_envs, num_steps = (
        whole_number("simulate", n, x) for n, x in (("num_envs", num_envs), ("num_steps", num_steps))
    )
    if generator not in prng.GENERATORS:
        raise UserError(f"simulate: unknown generator '{generator}'; known: {', '.join(prng.GENERATORS)}")
    mesh = default_mesh() if mesh is None else mesh
    if tuple(mesh.axis_names) != (AXIS,):
        raise UserError(f"simulate: the mesh has axes {tuple(mesh.axis_names)}; it must have one, named '{AXIS}'")
    check_key("simulate", key)
    params = env.default_params if params is None else params
    batched = batched_leaves(params, env.default_params, num_envs)
    one = jax.tree.map(lambda x, b: x[0] if b else x, params, batched)  # of one environment
    space = spaces_of(env, one)[1]
    static, dynamic = (policy, None) if not _is_data(policy) else (None, policy)
    forms = environment_forms("simulate", env, one, generator)
    forms = with_policy("simulate", env, forms, space, form_of(policy) if static is None else policy, generator)
    require_memory(forms, num_envs, num_steps, trajectory, mesh)
    alike = not any(jax.tree.leaves(batched))
    states = states_to_tabulate(env, policy, params, num_envs * num_steps) if alike else None
    devices, blocks, block = _layout(num_envs, mesh, _most_lanes(env, policy, states))
    lanes = np.minimum(np.arange(devices * blocks * block, dtype=np.uint32), num_envs - 1)
    lanes = lanes.reshape(devices * blocks, block)
    params = jax.tree.map(lambda x, b: jnp.asarray(x)[lanes] if b else x, params, batched)
    given = tuple(jax.tree.leaves(batched)), usual_numbers(params, env.default_params)
    checked = not stays_inside(space, policy)
    plan = Plan(mesh, num_steps, generator, trajectory, *given, states, checked, lanes.shape, tricks_off())
    program, known = _program(env, static, forms, space, plan)
    split, shared = PartitionSpec(AXIS), PartitionSpec()
    params = jax.tree.map(lambda x, b: processes.place(x, mesh, split if b else shared), params, batched)
    base, dynamic = processes.place((prng.derive(key, generator), dynamic), mesh, shared)
    totals, record, outside = program(base, processes.place(lanes, mesh, split), params, dynamic)
    totals, outside = processes.whole((totals, outside), mesh)
    wrong = None if outside is None else complaint(space, outside.reshape(-1)[:num_envs])
    if wrong:
        raise UserError(f"simulate: {wrong}")
    episodes, returns, lengths = summarise(jax.tree.map(lambda x: _lanes(x, num_envs), totals), known.reward)
    unblocked = _unblock(processes.gathered(record, mesh), num_envs) if record is not None else None
    return SimulationStats(episodes, num_envs * num_steps, returns, lengths, unblocked)


def _is_data(policy: Policy) -> bool:
    leaves = jax.tree.leaves(policy)
    return bool(leaves) and all(isinstance(leaf, (jax.Array, np.ndarray)) for leaf in leaves)


def _most_lanes(env: Environment, policy: Policy, states: int | None) -> int:
    """Lanes of a block on a CPU. An environment in which a network plays says so by `has_network`."""
    decides = _is_data(policy) and states is None
    return CPU_NETWORK_BLOCK if decides or getattr(env, "has_network", False) else CPU_BLOCK


def _layout(num_envs: int, mesh: Mesh, most: int) -> tuple[int, int, int]:
    """(devices, blocks a device, lanes a block), for at least `num_envs` lanes; on CPUs `most` a block."""
    share = math.ceil(num_envs / mesh.size)
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    blocks = math.ceil(share / most) if on_cpu else 1
    block = math.ceil(share / blocks)
    rounded = 128 * math.ceil(block / 128) if block > 128 else block
    return mesh.size, blocks, rounded


@dataclasses.dataclass(frozen=True)
class Plan:
    """What decides about a compiled simulation beside the environment and the policy.

    Attributes:
      batched: for each leaf of the parameters, whether it holds a value an environment.
      usual: the parameters' numbers if they are the default ones.
      states: how many states of the environment to tabulate the policy in first, or None.
      checked: whether to watch that actions stay inside their space.
      layout: (blocks of all devices, lanes a block), so that a program is traced once, when it is made.
      plain: the compiler tricks that it does without.
    """

    mesh: Mesh
    num_steps: int
    generator: str
    trajectory: bool
    batched: tuple[bool, ...]
    usual: Numbers | None
    states: int | None
    checked: bool
    layout: tuple[int, int]
    plain: frozenset[Trick]


@cache_by_content()
def _program(
    env: Environment, policy: Policy | None, forms: Forms, space: Space, plan: Plan
) -> tuple[Callable[..., tuple[Totals, Transition | None, chex.Array | None]], Constants]:
    """The compiled simulation: blocks of lanes one after another on each device. And what it takes for constant."""
    mesh, generator, batched, states = plan.mesh, plan.generator, plan.batched, plan.states
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    separate = on_cpu and policy is None and states is None
    blank = blank_for(forms.obs, policy, states) if not plan.trajectory else None
    known = constants_of(env, forms)

    def on_device(base: chex.PRNGKey, lanes: chex.Array, params: Params, data: Any) -> tuple[Totals, Any, Any]:
        leaves, tree = jax.tree.flatten(params)
        leaves = with_constants(leaves, plan.usual) if plan.usual else leaves
        axes = jax.tree.unflatten(tree, [-1 if b else None for b in batched])
        chosen: Any = policy if data is None else data
        if states is not None:
            chosen = tabulate(env, chosen, params, states)

        def one_block(inputs: tuple[chex.Array, list[Any]]) -> tuple[Totals, Any, Any]:
            numbers, own = inputs
            values = iter(own)
            mixed = jax.tree.unflatten(tree, [next(values) if b else x for x, b in zip(leaves, batched, strict=True)])
            stream = jax.vmap(lambda lane: streams(base, lane))(numbers)

            def run(stream: Any) -> tuple[Totals, Any, Any]:
                how = plan.num_steps, generator, plan.trajectory, separate, blank, known, space, plan.checked
                return run_block(env, chosen, mixed, axes, stream, *how)

            return one_kernel(run, stream) if on_cpu and not separate else run(stream)

        own = [jnp.moveaxis(x, 1, -1) for x, b in zip(leaves, batched, strict=True) if b]
        return jax.lax.map(one_block, (lanes, own))

    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def program(base: chex.PRNGKey, lanes: chex.Array, params: Params, data: Any) -> tuple[Totals, Any, Any]:
        axes = jax.tree.unflatten(jax.tree.structure(params), [split if b else whole for b in batched])
        mapped = jax.shard_map(
            on_device, mesh=mesh, in_specs=(whole, split, axes, whole), out_specs=split, check_vma=False
        )
        return mapped(base, lanes, params, data)

    return jax.jit(program, compiler_options=compiler_options(mesh.devices)), known


def _lanes(x: np.ndarray, num_envs: int) -> np.ndarray:
    """[blocks, chunks, block] as [num_envs, chunks], an order that does not depend on the blocks."""
    return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])[:num_envs]


@functools.partial(jax.jit, static_argnames="num_envs")  # as single operations it would be two dozen compilations
def _unblock(record: Transition, num_envs: int) -> Transition:
    """Arrays [blocks, num_steps, ..., block] as [num_steps, num_envs, ...]."""

    def move(x: chex.Array) -> chex.Array:
        x = jnp.moveaxis(jnp.moveaxis(x, -1, 1), 2, 0)
        return x.reshape(x.shape[0], -1, *x.shape[3:])[:, :num_envs]

    return jax.tree.map(move, record)
