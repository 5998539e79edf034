"""What policies of dense layers may be made of: a mistake is one line: what is wrong, and what would be right."""

import difflib
import itertools
import math
from collections.abc import Collection, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.spaces import Box
from edgerl.util.errors import UserError

_ORDER = "a kernel is [in, out]: torch.nn.Linear keeps [out, in], so transpose its weights"


def checked(
    kernels: Any, biases: Any, activation: Any, known: Collection[str]
) -> tuple[tuple[chex.Array, ...], tuple[chex.Array, ...]]:
    """Kernels and biases as tuples of float32 arrays; tracers and abstract arrays are left as they are.

    Raises:
      UserError: an unknown activation, shapes that do not fit within a layer, weights that are no finite numbers.
    """
    _check_activation(activation, known)
    for name, value in (("kernels", kernels), ("biases", biases)):
        if not isinstance(value, tuple | list):
            raise UserError(f"{name} is {described(value)}, expected a tuple of arrays, one for each layer")
    if not kernels or len(kernels) != len(biases):
        raise UserError(f"{len(kernels)} kernels and {len(biases)} biases, expected one each for each layer")
    kernels = tuple(_array(f"kernel {i}", kernel) for i, kernel in enumerate(kernels))
    biases = tuple(_array(f"bias {i}", bias) for i, bias in enumerate(biases))
    _check_shapes(kernels, biases)
    return kernels, biases


def check_chain(kernels: Sequence[chex.Array]) -> None:
    """Raises a `UserError` unless each layer reads what the one in front of it gives."""
    for i, (a, b) in enumerate(itertools.pairwise(kernels)):
        if a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
            raise UserError(
                f"kernel {i} has shape {list(a.shape)} and kernel {i + 1} {list(b.shape)}, which do not "
                f"chain: the second's inputs are the first's outputs, and {_ORDER}"
            )


def check_gru(kernels: Sequence[chex.Array], front: Any) -> None:
    """Raises a `UserError` unless behind `front` layers come the three of a recurrent unit, and at least one more."""
    if isinstance(front, bool) or not isinstance(front, int) or front < 0:
        raise UserError(f"front is {front!r}, expected how many layers are in front of the recurrent unit")
    if len(kernels) < front + 4:
        raise UserError(
            f"{len(kernels)} kernels, expected at least {front + 4}: {front} in front, update gate, reset gate, "
            "candidate, and the layers behind"
        )
    before, gates, behind = kernels[:front], kernels[front : front + 3], kernels[front + 3 :]
    read, units = gates[0].shape[-2:]
    inputs = before[-1].shape[-1] if before else read - units
    if inputs < 1 or any(gate.shape != (*behind[0].shape[:-2], inputs + units, units) for gate in gates):
        raise UserError(
            f"update gate, reset gate and candidate have shapes {', '.join(str(list(gate.shape)) for gate in gates)}, "
            f"expected [{inputs if before else 'features'} + {units}, {units}] each: inputs first, then the memory, "
            f"and {_ORDER}"
        )
    if behind[0].shape[-2] != units:
        raise UserError(
            f"kernel {front + 3}, behind the recurrent unit, has shape {list(behind[0].shape)}, expected [{units}, out]"
        )
    check_chain(before)
    check_chain(behind)


def check_space(space: Any, kernels: Sequence[chex.Array]) -> None:
    """Raises a `UserError` unless the space is None, or a bounded box with a number for each output of the network."""
    if space is None:
        return
    if not isinstance(space, Box) or not space.bounded:
        raise UserError(f"space is {space!r}, expected None for discrete actions, or a box with finite bounds")
    outputs = kernels[-1].shape[-1]
    if math.prod(space.shape) != outputs:
        raise UserError(f"the network has {outputs} outputs, but an action of the box has shape {space.shape}")


def check_reads(
    kernels: Sequence[chex.Array],
    given: tuple[int, ...] | None = None,
    shape: tuple[int, ...] = (),
    features: int | None = None,
) -> None:
    """Raises a `UserError` if this is a stack of policies, or reads another number of features than is given.

    Args:
      given: (the number that is given,), of an observation of this `shape`.
      features: what the policy reads; by default as many as its first layer.
    """
    first = kernels[0].shape
    if len(first) != 2:
        raise UserError(
            f"this is a stack of policies, kernel 0 has shape {list(first)}: take one of them with "
            "jax.tree.map(lambda x: x[i], policies), or use jax.vmap"
        )
    reads = first[0] if features is None else features
    if given is not None and given != (reads,):
        raise UserError(f"the policy reads {reads} features, but the observation has shape {list(shape)}")


def described(value: Any) -> str:
    """A value's type in a message, with its shape where it has one."""
    shape = getattr(value, "shape", None)
    return f"of type {type(value).__name__}" + (f" and shape {list(shape)}" if isinstance(shape, tuple) else "")


def _check_activation(activation: Any, known: Collection[str]) -> None:
    if isinstance(activation, str) and activation in known:
        return
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", None)
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    said = f"'{activation}'" if isinstance(activation, str) else described(activation)
    raise UserError(f"the activation is {said}; {guess}Known: {', '.join(known)}")


def _array(name: str, value: Any) -> chex.Array:
    """float32; what has a shape and a type but no numbers yet (a tracer, a `ShapeDtypeStruct`) stays what it is."""
    if isinstance(value, jax.core.Tracer | jax.ShapeDtypeStruct):
        return value  # type: ignore[return-value]
    given = value if isinstance(value, jax.Array) else _as_numpy(name, value)
    if not jnp.issubdtype(given.dtype, jnp.floating) and not jnp.issubdtype(given.dtype, jnp.integer):
        raise UserError(f"{name} holds {given.dtype}, expected float32 numbers")
    with np.errstate(over="ignore"):
        made = given if given.dtype == jnp.float32 else given.astype(jnp.float32)
    if isinstance(made, np.ndarray) or made.is_fully_addressable:
        finite = np.isfinite(np.asarray(made))
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise UserError(f"{name}{list(place)} is {np.asarray(given)[place]}, expected finite float32")
    return made


def _as_numpy(name: str, value: Any) -> np.ndarray:
    """Lists, and arrays of other libraries."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name} is {described(value)} and no array of numbers") from error


def _check_shapes(kernels: Sequence[chex.Array], biases: Sequence[chex.Array]) -> None:
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        said = f"kernel {i} has shape {list(kernel.shape)}"
        if len(kernel.shape) < 2 or 0 in kernel.shape:
            raise UserError(f"{said}, expected [in, out] with both at least 1")
        if bias.shape == (*kernel.shape[:-2], kernel.shape[-1]):
            continue
        turned = bias.shape == (*kernel.shape[:-2], kernel.shape[-2])
        wanted = f"expected a bias of shape {[*kernel.shape[:-2], kernel.shape[-1]]}"
        raise UserError(f"{said} and bias {i} has {list(bias.shape)}: {_ORDER if turned else wanted}")
