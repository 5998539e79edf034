"""The deployed policy: its quantiser and its int8 network, and the same as a pytree, callable in JAX as a policy is."""

import dataclasses
import functools
from pathlib import Path
from typing import Any, Literal, get_args

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import box_actions, graph_file, integer, names, networks, perceptron
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.graph import Graph, Program
from edgerl.deploy.ops.arrays import array, positive
from edgerl.deploy.ops.dense import IntegerDense
from edgerl.envs.policy_file import stored_space
from edgerl.envs.spaces import Box
from edgerl.util import files
from edgerl.util.errors import UserError

Argmax = Literal["outputs", "accumulators"]
_ROWS = 100_000  # that `evaluate` holds in memory at once


@struct.dataclass
class Int8Policy:
    """The policy that the device runs, equal to TFLM and to the generated C bit for bit.

    Attributes:
      gain, offset: of the quantiser, float32 and int32 [features]; see `integer.quantise`.
      program: the network, int8 [..., features] to int8 [..., actions].
      argmax: what the action is the largest of: the last layer's int8 outputs, as TFLM has them, or its int32
        accumulators, which requantisation does not merge, so that ties are rarer.
      space: the box of continuous actions, which are the outputs themselves; None: the actions are discrete.

    Example:
      >>> run = edgerl.open_run("runs/pole")
      >>> policy = edgerl.quantise(run.policy, run.task.calibration(run))
      >>> str(policy.quantise(jnp.zeros(4)).dtype), policy.sizes
      ('int8', (4, 32, 32, 2))
    """

    gain: chex.Array
    offset: chex.Array
    program: Program
    argmax: Argmax = struct.field(pytree_node=False, default="outputs")
    space: Box | None = struct.field(pytree_node=False, default=None)

    def quantise(self, obs: chex.Array) -> chex.Array:
        """int8 [..., features] for float32 observations [..., features]. NaN counts as 0, ±inf saturates."""
        if jnp.shape(obs)[-1:] != self.gain.shape[-1:]:  # would be broadcast
            read = self.gain.shape[-1]
            raise UserError(f"the policy reads {read} features, but the observation has shape {list(jnp.shape(obs))}")
        return integer.quantise(obs, self.gain, self.offset)

    def inputs(self, rows: chex.Array) -> chex.Array:
        """What the network reads, int8 [..., features + units], of observations and, with memory, states in one row."""
        return self.quantise(rows)

    def outputs(self, x: chex.Array) -> chex.Array:
        """int8 [..., actions] for int8 x [..., features]."""
        return self.program(x)

    def scores(self, x: chex.Array) -> chex.Array:
        """What the action is the largest of [..., actions] for int8 x [..., features]: int8 outputs or int32 sums."""
        last = self.program.steps[-1]
        if self.argmax == "outputs" or not isinstance(last, IntegerDense):
            return self.program(x)
        return last.accumulators(self.program.before(x, len(self.program.steps) - 1))

    def __call__(self, key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        """The action: int32 [...], or float32 [..., *shape] of a box. The key is not used."""
        del key
        return self.decide(self.scores(self.quantise(obs)))

    def decide(self, scores: chex.Array) -> chex.Array:
        """The actions of scores [..., actions].

        int32 [...]: the index of the largest score; ties go to the lowest. Of a box, float32 [..., *shape]: int8
        outputs in its units; see `box_actions`.
        """
        if self.space is None:
            return jnp.argmax(scores, axis=-1).astype(jnp.int32)
        return box_actions.units(self.space)(scores).reshape(*scores.shape[:-1], *self.space.shape)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(features, hidden …, actions)."""
        dense = [step for step in self.program.steps if isinstance(step, IntegerDense)]
        return (self.gain.shape[-1], *(step.weights.shape[1] for step in dense))

    @property
    def units(self) -> int:
        """How many numbers it remembers."""
        return 0


@struct.dataclass
class Int8MemoryPolicy(Int8Policy):
    """The same with memory: `policy(key, obs, state) -> (action, state)`; see `initial_state`.

    Attributes: those of `Int8Policy`; the network reads int8 [..., features + units] and writes [..., actions + units],
      observation and scores first, the memory behind them.
      form: (features, layers in front …, units, layers behind …, actions).
      front: how many layers are in front.
    """

    form: tuple[int, ...] = struct.field(pytree_node=False, default=())
    front: int = struct.field(pytree_node=False, default=0)

    def initial_state(self) -> chex.Array:
        """int8 [units]: what it remembers before an episode, which is nothing."""
        return jnp.zeros(self.units, jnp.int8)

    def __call__(self, key: chex.PRNGKey, obs: chex.Array, state: chex.Array) -> tuple[chex.Array, chex.Array]:  # type: ignore[override]
        """The action and the state after it, int8 [..., units]. The key is not used."""
        del key
        written = self.program(jnp.concatenate([self.quantise(obs), state], axis=-1))
        return self.decide(written), written[..., -self.units :]

    def inputs(self, rows: chex.Array) -> chex.Array:
        """See `Int8Policy.inputs`; states are given in 128ths, as float32."""
        obs, state = jnp.split(rows, [self.gain.shape[-1]], axis=-1)
        gain, offset = jnp.full(self.units, 256, jnp.float32), jnp.zeros(self.units, jnp.int32)
        return jnp.concatenate([self.quantise(obs), integer.quantise(state, gain, offset)], axis=-1)

    def decide(self, scores: chex.Array) -> chex.Array:
        """The actions of what the network writes [..., actions + units]; see `Int8Policy.decide`."""
        return Int8Policy.decide(self, scores[..., : -self.units])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Its form."""
        return self.form

    @property
    def units(self) -> int:
        """How many numbers it remembers."""
        return self.form[self.front + 1]


@dataclasses.dataclass(frozen=True, eq=False)
class Deployed:
    """What all files of an export follow from.

    Attributes:
      graph: the int8 network, a multilayer perceptron or one with memory; see `networks`.
      quantiser: observation to its input.
      argmax, space: see `Int8Policy`.
    Raises:
      UserError: neither, accumulators that could leave the range in which every implementation agrees, or that
        cannot be compared; outputs that are no actions of the box.
    """

    graph: Graph
    quantiser: Quantiser
    argmax: Argmax = "outputs"
    space: Box | None = None

    def __post_init__(self) -> None:
        last = networks.layers(self.graph)[-1].dense
        check_argmax(self.argmax, per_channel=len(last.scales) > 1)
        self.graph.program()
        if self.units and self.argmax != "outputs":
            raise UserError("argmax='accumulators' is for policies without memory")
        if self.space is None:
            return
        if self.argmax != "outputs":
            raise UserError("argmax is for discrete actions: continuous ones are the outputs themselves")
        made = self.graph.made(last)
        if made.q != perceptron.BOX or made.size != len(box_actions.units(self.space).step):
            raise UserError(
                f"the network's outputs are no actions of {self.space}, one for each number, of scale 1/128"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """(features, hidden …, actions)."""
        return networks.sizes(self.graph)

    @functools.cached_property
    def units(self) -> int:
        """How many numbers it remembers."""
        return networks.units(self.graph)

    @functools.cached_property
    def policy(self) -> Int8Policy:
        """Its integers, callable in JAX."""
        quantiser = self.quantiser
        gain, offset = jnp.asarray(quantiser.gain, jnp.float32), jnp.asarray(quantiser.offset, jnp.int32)
        made = gain, offset, self.graph.program(), self.argmax, self.space
        return Int8MemoryPolicy(*made, self.sizes, networks.front(self.graph)) if self.units else Int8Policy(*made)


def evaluate(policy: Int8Policy, obs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(int8 inputs [N, features], scores [N, actions]) for float32 observations [N, features].

    With memory: of observations and states in one row, and what the network writes; see `Int8MemoryPolicy`.
    """
    pairs = [_evaluate(policy, obs[i : i + _ROWS]) for i in range(0, len(obs), _ROWS)]
    inputs, scores = (np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*pairs, strict=True))
    return inputs, scores


def in_sequence(policy: Int8Policy, obs: np.ndarray) -> np.ndarray:
    """The scores, and with memory what the network writes, for float32 observations [N, features] one after another."""
    rows = np.pad(np.asarray(obs, np.float32), ((0, 0), (0, policy.units)))
    return evaluate(policy, carried(policy, rows, np.arange(len(rows)) == 0))[1]


def carried(policy: Int8Policy, rows: np.ndarray, anew: np.ndarray) -> np.ndarray:
    """float32 rows [N, features + units] with the memory that the row before leaves, but their own where `anew`.

    Args:
      rows: observations and, with memory, states in 128ths; without one they are returned as they are.
      anew: bool [N].
    """
    if not policy.units:
        return rows
    memory = np.asarray(_memories(policy, rows, anew), np.float32) / 128
    return np.concatenate([rows[:, : -policy.units], memory], axis=1)


@jax.jit
def _memories(policy: Int8Policy, rows: chex.Array, anew: chex.Array) -> chex.Array:
    """int8 [N, units]: before each row; see `carried`."""

    def step(state: chex.Array, now: tuple[chex.Array, chex.Array]) -> tuple[chex.Array, chex.Array]:
        row, begins = now
        seen, given = row[: -policy.units], row[-policy.units :]
        before = jnp.where(begins, given, state)
        return policy.program(jnp.concatenate([seen, before]))[-policy.units :], before

    return jax.lax.scan(step, jnp.zeros(policy.units, jnp.int8), (policy.inputs(rows), anew))[1]


@jax.jit
def _evaluate(policy: Int8Policy, obs: chex.Array) -> tuple[chex.Array, chex.Array]:
    inputs = policy.inputs(obs)
    return inputs, policy.scores(inputs)


def check_argmax(argmax: str, per_channel: bool) -> None:
    """Refuses what is not known, and to compare accumulators that have a scale each."""
    if argmax not in get_args(Argmax):
        raise UserError(f"argmax is '{argmax}', expected one of {', '.join(get_args(Argmax))}")
    if argmax == "accumulators" and per_channel:
        raise UserError(
            "argmax='accumulators' needs one scale for all outputs of the last layer, but its weights are per "
            "channel: export with per_channel=False, or with argmax='outputs'"
        )


def save(path: str | Path, deployed: Deployed) -> None:
    """Writes `.npz`: the network as `graph_file` has it, `gain`, `offset`, `argmax`; `low` and `high` of a box."""
    quantiser, space = deployed.quantiser, deployed.space
    sides = {} if space is None else dict(zip(("low", "high"), space.bounds(), strict=True))
    graph_file.save(path, deployed.graph, gain=quantiser.gain, offset=quantiser.offset, argmax=deployed.argmax, **sides)


def read(path: str | Path) -> Deployed:
    """Reads what `save` wrote; `path` may also be the folder of an export.

    Raises:
      UserError: missing file, not an int8 policy, shapes that do not chain, numbers out of range.
    """
    path = Path(path)
    path = path / f"{names.of_folder(path)}_int8.npz" if path.is_dir() else path
    graph, arrays = graph_file.load(path)
    argmax: Any = str(arrays.get("argmax", "missing"))
    try:
        gain, offset = array(arrays, "gain", np.float32, 1), array(arrays, "offset", np.int32, 1)
        reads = networks.sizes(graph)[:1]
        if not positive(gain) or not gain.shape == offset.shape == reads:
            raise ValueError("its quantiser does not fit its network")
        return Deployed(graph, Quantiser(gain, offset), argmax, stored_space(path, arrays))
    except (ValueError, UserError) as error:
        raise UserError(f"{path} is not an int8 policy ({files.first_line(error)})") from error


def load(path: str | Path) -> Int8Policy:
    """The deployed policy of a file or of an export's folder, callable in JAX. Errors are those of `read`."""
    return read(path).policy
