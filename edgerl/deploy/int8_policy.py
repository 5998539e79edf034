"""The deployed policy as a pytree: the device's integers, callable in JAX wherever a policy is."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import integer
from edgerl.deploy.network import Network
from edgerl.deploy.tables import activation_table
from edgerl.util import files
from edgerl.util.errors import UserError

Argmax = Literal["outputs", "accumulators"]
_ROWS = 100_000  # that `evaluate` holds in memory at once
MAX_LEFT_SHIFT = 13  # so that 4 · 2^shift fits the generated C's uint16 factor


@struct.dataclass
class Int8Dense:
    """One dense layer in integers: clamp(requantise(Σ weights · (input - zero) + bias) + zero), then a table.

    Attributes:
      weights: int8 [in, out].
      bias: int32 [out].
      multiplier, shift: int32 [1] (per tensor) or [out] (per channel); see `integer.requantise`.
      table: int8 [256], the tanh or sigmoid of each int8 -128 … 127; None without one.
      input_zero, output_zero: zero points of what is read and of the dense output, before the table.
      low, high: the clamp; ReLU and ReLU6 are in it.
    """

    weights: chex.Array
    bias: chex.Array
    multiplier: chex.Array
    shift: chex.Array
    table: chex.Array | None
    input_zero: int = struct.field(pytree_node=False)
    output_zero: int = struct.field(pytree_node=False)
    low: int = struct.field(pytree_node=False)
    high: int = struct.field(pytree_node=False)

    def accumulators(self, x: chex.Array) -> chex.Array:
        """int32 [..., out] for int8 x [..., in]."""
        return integer.accumulate(x.astype(jnp.int32) - self.input_zero, self.weights, self.bias)

    def __call__(self, x: chex.Array) -> chex.Array:
        """int8 [..., out] for int8 x [..., in]."""
        scaled = integer.requantise(self.accumulators(x), self.multiplier, self.shift)
        y = jnp.clip(scaled + self.output_zero, self.low, self.high)
        return y.astype(jnp.int8) if self.table is None else self.table[y + 128]


@struct.dataclass
class Int8Policy:
    """The policy that the device runs, equal to TFLM and to the generated C bit for bit.

    Attributes:
      gain, offset: of the quantiser, float32 and int32 [features]; see `integer.quantise`.
      layers: the dense layers in order.
      argmax: what the action is the largest of: the last layer's int8 outputs, as TFLM has them, or its int32
        accumulators, which requantisation does not merge, so that ties are rarer.
    """

    gain: chex.Array
    offset: chex.Array
    layers: tuple[Int8Dense, ...]
    argmax: Argmax = struct.field(pytree_node=False, default="outputs")

    def quantise(self, obs: chex.Array) -> chex.Array:
        """int8 [..., features] for float32 observations [..., features]. NaN counts as 0, ±inf saturates."""
        if jnp.shape(obs)[-1:] != self.gain.shape[-1:]:  # would be broadcast
            read = self.gain.shape[-1]
            raise UserError(f"the policy reads {read} features, but the observation has shape {list(jnp.shape(obs))}")
        return integer.quantise(obs, self.gain, self.offset)

    def outputs(self, x: chex.Array) -> chex.Array:
        """int8 [..., actions] for int8 x [..., features]."""
        return self.layers[-1](self._hidden(x))

    def scores(self, x: chex.Array) -> chex.Array:
        """What the action is the largest of [..., actions] for int8 x [..., features]: int8 outputs or int32 sums."""
        last = self.layers[-1]
        return last(self._hidden(x)) if self.argmax == "outputs" else last.accumulators(self._hidden(x))

    def _hidden(self, x: chex.Array) -> chex.Array:
        for layer in self.layers[:-1]:
            x = layer(x)
        return x

    def __call__(self, key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        """int32 action [...]: the largest score; ties go to the lowest index. The key is not used."""
        del key
        return jnp.argmax(self.scores(self.quantise(obs)), axis=-1).astype(jnp.int32)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(features, hidden …, actions)."""
        return (self.layers[0].weights.shape[0], *(layer.weights.shape[1] for layer in self.layers))


def evaluate(policy: Int8Policy, obs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(int8 inputs [N, features], scores [N, actions]) for float32 observations [N, features]."""
    pairs = [_evaluate(policy, obs[i : i + _ROWS]) for i in range(0, len(obs), _ROWS)]
    inputs, scores = (np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*pairs, strict=True))
    return inputs, scores


@jax.jit
def _evaluate(policy: Int8Policy, obs: chex.Array) -> tuple[chex.Array, chex.Array]:
    inputs = policy.quantise(obs)
    return inputs, policy.scores(inputs)


def from_network(network: Network, gain: np.ndarray, offset: np.ndarray, argmax: Argmax = "outputs") -> Int8Policy:
    """The integers of a TFLite network, with the quantiser in front of it.

    Raises:
      UserError: accumulators could leave the range in which every implementation agrees, or cannot be compared.
    """
    check_argmax(argmax, per_channel=len(network.layers[-1].weight_scales) > 1)
    layers = []
    for i, (layer, source) in enumerate(zip(network.layers, network.inputs, strict=True)):
        multiplier, shift = network.fixed_point(i)
        _check_accumulators(i, layer.weights, layer.bias, source.zero_point, shift)
        has_table = layer.activation in ("tanh", "sigmoid")
        table = activation_table(layer.activation, layer.output.scale, layer.output.zero_point) if has_table else None  # type: ignore[arg-type]
        low, high = layer.clamp
        layers.append(
            Int8Dense(
                weights=jnp.asarray(layer.weights.T),
                bias=jnp.asarray(layer.bias),
                multiplier=jnp.asarray(multiplier),
                shift=jnp.asarray(shift),
                table=None if table is None else jnp.asarray(table),
                input_zero=source.zero_point,
                output_zero=layer.output.zero_point,
                low=low,
                high=high,
            )
        )
    return Int8Policy(jnp.asarray(gain, jnp.float32), jnp.asarray(offset, jnp.int32), tuple(layers), argmax)


def check_argmax(argmax: str, per_channel: bool) -> None:
    """Refuses what is not known, and to compare accumulators that have a scale each."""
    if argmax not in get_args(Argmax):
        raise UserError(f"argmax is '{argmax}', expected one of {', '.join(get_args(Argmax))}")
    if argmax == "accumulators" and per_channel:
        raise UserError(
            "argmax='accumulators' needs one scale for all outputs of the last layer, but its weights are per "
            "channel: export with per_channel=False, or with argmax='outputs'"
        )


def _check_accumulators(index: int, weights: np.ndarray, bias: np.ndarray, zero: int, shift: np.ndarray) -> None:
    left = np.maximum(shift, 0).astype(np.int64)
    bounds = integer.largest_accumulators(weights, bias, zero) << left
    bound, biases = int(bounds.max()), int((np.abs(bias.astype(np.int64)) << left).max())
    if bound >= integer.ACCUMULATOR_LIMIT or int(shift.max()) > MAX_LEFT_SHIFT:
        why = "its weights or biases are too large for the range of its outputs"
        if 2 * biases > bound:
            why = "its biases are too large beside what its weights can add, or for the range of its outputs"
        raise UserError(
            f"layer {index} of the policy can reach an accumulator of {bound}, over the int8 arithmetic's 2^29: {why}"
        )


_ARRAYS = {"weights": (np.int8, 2), "bias": (np.int32, 1), "multiplier": (np.int32, 1), "shift": (np.int32, 1)}
_NUMBERS = ("input_zero", "output_zero", "low", "high")


def save(path: str | Path, policy: Int8Policy) -> None:
    """Writes the policy as `.npz`: `gain`, `offset`, and for each layer `weights_i`, `bias_i`, … `table_i`."""
    arrays: dict[str, Any] = {"gain": np.asarray(policy.gain), "offset": np.asarray(policy.offset)}
    arrays["argmax"] = policy.argmax
    for i, layer in enumerate(policy.layers):
        arrays |= {f"{name}_{i}": np.asarray(getattr(layer, name)) for name in _ARRAYS}
        arrays |= {f"{name}_{i}": np.asarray(getattr(layer, name), np.int32) for name in _NUMBERS}
        if layer.table is not None:
            arrays[f"table_{i}"] = np.asarray(layer.table)
    files.write_npz(path, arrays)


def load(path: str | Path) -> Int8Policy:
    """Reads what `save` wrote; `path` may also be the folder of an export.

    Raises:
      UserError: missing file, not an int8 policy, shapes that do not chain, numbers out of range.
    """
    path = Path(path)
    path = path / "policy_int8.npz" if path.is_dir() else path
    arrays = files.read_npz(path)
    count = sum(f"weights_{i}" in arrays for i in range(len(arrays)))
    try:
        layers = tuple(_layer(arrays, i) for i in range(count))
        gain, offset = _array(arrays, "gain", np.float32, 1), _array(arrays, "offset", np.int32, 1)
        argmax: Any = str(arrays.get("argmax", "missing"))
        check_argmax(argmax, per_channel=bool(layers) and len(layers[-1].multiplier) > 1)
    except (KeyError, UserError) as error:
        raise UserError(f"{path} is not an int8 policy: {error.args[0]}") from error
    widths = [layer.weights.shape for layer in layers]
    chained = all(a[1] == b[0] for a, b in itertools.pairwise(widths))
    if (
        not layers
        or not chained
        or not gain.shape == offset.shape == widths[0][:1]
        or not (np.isfinite(gain) & (gain > 0)).all()
    ):
        raise UserError(f"{path} is not an int8 policy: its layers {widths} do not fit each other or its quantiser")
    return Int8Policy(jnp.asarray(gain), jnp.asarray(offset), layers, argmax)


def _array(arrays: Mapping[str, np.ndarray], name: str, dtype: type, ndim: int) -> np.ndarray:
    if name not in arrays:
        raise KeyError(f"{name} is missing")
    if arrays[name].dtype != dtype or arrays[name].ndim != ndim:
        raise KeyError(
            f"{name} is {arrays[name].dtype} {arrays[name].shape}, expected {np.dtype(dtype)} of rank {ndim}"
        )
    return arrays[name]


def _layer(arrays: Mapping[str, np.ndarray], i: int) -> Int8Dense:
    made = {name: _array(arrays, f"{name}_{i}", dtype, ndim) for name, (dtype, ndim) in _ARRAYS.items()}
    numbers = {name: int(_array(arrays, f"{name}_{i}", np.int32, 0)) for name in _NUMBERS}
    table = _array(arrays, f"table_{i}", np.int8, 1) if f"table_{i}" in arrays else None
    outputs = made["weights"].shape[1]
    fits = (
        min(made["weights"].shape) > 0
        and made["bias"].shape == (outputs,)
        and made["multiplier"].shape == made["shift"].shape
    )
    if not fits or len(made["shift"]) not in (1, outputs) or (table is not None and len(table) != 256):
        raise KeyError(f"the arrays of layer {i} do not fit each other")
    in_range = all(-128 <= value <= 127 for value in numbers.values()) and (made["multiplier"] >= 0).all()
    if not in_range or (np.abs(made["shift"]) > 31).any():
        raise KeyError(f"the numbers of layer {i} are out of range")
    arrays_of_layer: dict[str, Any] = {name: jnp.asarray(value) for name, value in made.items()}
    return Int8Dense(**arrays_of_layer, **numbers, table=None if table is None else jnp.asarray(table))


def same(a: Int8Policy, b: Int8Policy) -> bool:
    """True if two policies hold the same integers."""
    leaves_a, leaves_b = jax.tree.leaves(a), jax.tree.leaves(b)
    return bool(jax.tree.structure(a) == jax.tree.structure(b)) and all(  # type: ignore[operator]
        x.dtype == y.dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in zip(leaves_a, leaves_b, strict=True)
    )
