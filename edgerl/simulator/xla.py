"""Every trick by which simulator and training make XLA's code for a CPU fast, and the switch that turns them off.

None of them is needed for a correct result: they work around what this compiler does not do by itself, were measured
with one version of it, and may cost time with another. `python -m benchmarks.tricks` measures them again. With the
environment variable EDGERL_PLAIN_XLA=1, or within `plain_xla()`, all are off; within `plain_xla(Trick.SINCOS)`, one is.

Not here, since no switch could take them back: that lanes are the last axis of every array and are stepped in blocks
which fit into a core's cache, and that what is constant, unseen or finite is not computed at every step.
"""

import enum
import math
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.xla_metadata import set_xla_metadata

from edgerl.simulator.reduction import as_results_of_one, is_number


class Trick(enum.StrEnum):
    """A workaround for XLA on a CPU: what happens without it, and the time without it over the time with it.

    Factors: jaxlib 0.10.2, 2 cores that others used too, 4,096 lanes, medians of 9 to 11 ratios of neighbours (PPO: 5)
    by `benchmarks.tricks`. CP is CartPole-v1 and EE EarlyExit-v0, both with random actions; PPO is 4 seeds on
    CartPole-v1. Factors of 0.8 to 1.2 lay within the noise of that machine.
    """

    # Work on small arrays is handed to other threads, although each core is a device and has its own work.
    ONE_THREAD = "one_thread"  # CP 1.04, EE 0.96
    # LLVM uses vectors of 256 bits on processors that have 512.
    WIDE_VECTORS = "wide_vectors"  # CP 0.97, EE 0.98
    # Operations are ordered for threads that run at the same time, and more arrays are alive at once.
    MEMORY_ORDER = "memory_order"  # CP 1.00, EE 1.00
    # Each operation of a loop over steps is a call of XLA's runtime, which takes longer than its work.
    ONE_KERNEL = "one_kernel"  # CP 1.33, EE 1.60
    # Each array of a state is computed in a loop of its own, and what several of them need is computed for each.
    ONE_LOOP = "one_loop"  # CP 1.36, EE 1.44
    # Loops that read many arrays are made to write so many that LLVM gives up to vectorise them.
    FEW_READS = "few_reads"  # CP 0.97, EE 1.06: neither reads many
    # What a step has written is copied to where the next one reads it.
    TWO_STEPS = "two_steps"  # CP 1.06, EE 0.84
    # A conditional copies all that it may change; a loop of at most one turn changes it in place.
    LOOP_AS_IF = "loop_as_if"  # CP 1.71, EE 1.58
    # Whether any lane has ended is asked lane by lane and not by vectors.
    VECTOR_ANY = "vector_any"  # CP 1.15, EE 0.99
    # Sine and cosine call a library number by number, and the loop around them is not vectorised. The polynomials round
    # elsewhere: the one trick that changes a simulated number; a hundred steps of CartPole stay within 1e-5.
    SINCOS = "sincos"  # CP 3.92
    # A network decides for each lane by itself under `vmap`, its matrices read along their columns.
    LANES = "lanes"  # CartPole-v1 with a network of 4-64-64-2: 0.97
    # The gradient of a dense layer goes to a slower product, see `rl.networks`; training rounds otherwise.
    PRODUCT = "product"  # PPO 1.08
    # What follows a network makes XLA lay out its products in another way, and hand them to a slower product.
    APART = "apart"  # PPO 1.22
    # LLVM spends its time on passes from which large programs gain nothing. The gain was not found again: a fresh start
    # takes 0.91 of the processor time without it (PPO, median of three; 0.87 to 0.96).
    QUICK_COMPILE = "quick_compile"  # PPO 1.00


_ALL = frozenset(Trick)
_wanted = os.environ.get("EDGERL_PLAIN_XLA", "0") not in ("", "0")
# JAX keeps what it traces and compiles by the value of such a context, so that no program serves under another value.
_off = jax.make_user_context(default_value=_ALL if _wanted else frozenset())


def plain_xla(*tricks: Trick) -> AbstractContextManager[None]:
    """Within it, in this thread, programs are compiled without these tricks, or without any where none is named."""
    return _off(frozenset(tricks) or _ALL)


def tricks_off() -> frozenset[Trick]:
    """Those that are off: what a compiled program that is kept by hand must be told apart by."""
    return _off.value


def uses(trick: Trick) -> bool:
    """Whether a program that is traced now is to use it."""
    return trick not in _off.value


# How a program is compiled in which each device, a core, works by itself: many small kernels one after another.
_CPU: dict[Trick, dict[str, Any]] = {
    Trick.ONE_THREAD: {"xla_cpu_multi_thread_eigen": False},
    Trick.WIDE_VECTORS: {"xla_cpu_prefer_vector_width": 512},
    Trick.MEMORY_ORDER: {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"},
}
_QUICK = {"xla_llvm_disable_expensive_passes": True}
_ONCE = {**_QUICK, "xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}


def compiler_options(devices: np.ndarray) -> dict[str, Any] | None:
    """For `jax.jit` of a program in which each of the devices, an array of `jax.Device`, works by itself."""
    first: jax.Device = devices.flat[0]
    return _joined(_CPU) if first.platform == "cpu" else None


def quick_options() -> dict[str, Any] | None:
    """For `jax.jit` of a large program that takes longer to compile than it gains by LLVM's expensive passes."""
    return _QUICK if uses(Trick.QUICK_COMPILE) else None


def once_options() -> dict[str, Any] | None:
    """For `jax.jit` of a program that runs once."""
    return _ONCE if uses(Trick.QUICK_COMPILE) else None


def _joined(options: dict[Trick, dict[str, Any]]) -> dict[str, Any] | None:
    return {name: value for trick, one in options.items() if uses(trick) for name, value in one.items()} or None


def steps_a_turn() -> int:
    """How many steps a turn of a loop over steps takes: by two, what is read and what is written change places."""
    return 2 if uses(Trick.TWO_STEPS) else 1


def once_if(condition: Callable[[Any], jax.Array], function: Callable[[Any], Any], carry: Any) -> Any:
    """`function(carry)` where the condition holds, else `carry`; of the function's result it must not hold."""
    if uses(Trick.LOOP_AS_IF):
        return jax.lax.while_loop(condition, function, carry)
    return jax.lax.cond(condition(carry), function, lambda x: x, carry)


def any_lane(x: jax.Array) -> jax.Array:
    """Scalar bool: any of bool [B]."""
    if not uses(Trick.VECTOR_ANY):
        return jnp.any(x)
    # In two steps, of which the compiler vectorises the first: by 16, a vector, and by more where it would take too
    # many rows to write them all out.
    columns = 16
    while x.size > 32 * columns:
        columns *= 2
    rows = x.astype(jnp.int32).reshape(-1, math.gcd(x.size, columns))
    return jnp.max(jax.lax.optimization_barrier(jnp.max(rows, axis=0))) > 0


def turned(kernel: jax.Array) -> jax.Array:
    """The matrix turned round in memory, not read the other way."""
    return jax.lax.optimization_barrier(kernel.T)


def apart(x: Any) -> jax.Array:
    """The same array; what follows does not make the compiler choose another layout for what is before it."""
    return jax.lax.optimization_barrier(x) if uses(Trick.APART) else x


# What a kernel of its own may hold: element by element, and what moves elements. Products of matrices are better left
# to their library, and XLA cannot compile every one of them inside such a kernel.
# fmt: off
_SIMPLE = frozenset((
    "abs", "add", "and", "argmax", "argmin", "bitcast_convert_type", "broadcast_in_dim", "ceil", "clamp", "closed_call",
    "concatenate", "convert_element_type", "copy", "cos", "custom_jvp_call", "custom_vjp_call", "div", "dynamic_slice",
    "dynamic_update_slice", "eq", "erf", "erf_inv", "exp", "exp2", "expm1", "floor", "gather", "ge", "gt",
    "integer_pow", "iota", "is_finite", "jit", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg",
    "not", "optimization_barrier", "or", "population_count", "pow", "random_bits", "random_fold_in", "random_split",
    "random_unwrap", "random_wrap", "reduce", "reduce_and", "reduce_max", "reduce_min", "reduce_or", "reduce_sum",
    "rem", "reshape", "rev", "round", "rsqrt", "select_n", "shift_left", "shift_right_arithmetic",
    "shift_right_logical", "sign", "sin", "slice", "sqrt", "square", "squeeze", "stack", "stop_gradient", "sub", "tan",
    "tanh", "threefry2x32", "transpose", "xor",
))
# fmt: on
_SMALL_LOOP_BYTES = 4096  # with a margin: XLA (jaxlib 0.10) makes small calls of loops over 0.5 kB, not over 1 kB


def one_kernel(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`, for the CPU as one kernel where it can be: its loops then cost no calls at each turn.

    XLA hands every operation of a loop to its runtime, turn by turn; with short vectors these calls take longer
    than the work. A computation marked as a small call is compiled as one function instead. The mark is XLA's own,
    which it puts on loops over very few bytes; where a version does not know it, the result is the same, only slower.
    """
    if not uses(Trick.ONE_KERNEL):
        return function(*arguments)
    compiled = jax.jit(function)
    if not all(map(_is_simple, _equations(jax.make_jaxpr(compiled)(*arguments).jaxpr))):
        return function(*arguments)
    return set_xla_metadata(compiled(*arguments), inlineable="false", xla_cpu_small_call="true")


def _is_simple(equation: Any) -> bool:
    name = equation.primitive.name
    if name in ("scan", "while"):
        # A loop over few bytes is made a small call by XLA itself, and it cannot compile one within another.
        return sum(x.aval.size * x.aval.dtype.itemsize for x in equation.outvars) >= _SMALL_LOOP_BYTES
    return name in _SIMPLE


def _equations(jaxpr: Any) -> Iterator[Any]:
    """All equations, those of inner functions included."""
    for equation in jaxpr.eqns:
        yield equation
        for parameter in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns")):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from _equations(inner)


# LLVM compares the addresses of all arrays that a loop writes with each other and with those that it reads, up to so
# many pairs. A loop with more is not vectorised, which is worse than several loops.
_MOST_PAIRS = 128
STEP_READS = 8  # what the loop of a step reads beside states, starts and parameters: random words, the action …


def in_one_loop(tree: Any, reads: int = 24) -> Any:
    """The same arrays, which a CPU then computes in one loop where they have one shape, or in few. Of any type.

    XLA on a CPU computes each array in a loop of its own, in which all that several of them need is computed again or
    read from memory, unless one operation has several results. A reduction has: it is made to be one, over the arrays
    and zeros.

    Args:
      reads: how many arrays and numbers the loop may read at most.
    """
    if jax.default_backend() != "cpu" or not uses(Trick.ONE_LOOP):
        return tree
    reads = reads if uses(Trick.FEW_READS) else 1
    most = max([1, *(n for n in range(2, 9) if n * reads + n * (n - 1) // 2 <= _MOST_PAIRS)])
    leaves, structure = jax.tree.flatten(tree)
    shapes = {i: x.shape for i, x in enumerate(leaves) if is_number(x)}
    for shape in dict.fromkeys(shapes.values()):
        alike = [i for i, other in shapes.items() if other == shape]
        for group in (alike[k : k + most] for k in range(0, len(alike), most)):
            for i, leaf in zip(group, as_results_of_one([leaves[i] for i in group]), strict=True):
                leaves[i] = leaf
    return jax.tree.unflatten(structure, leaves)
