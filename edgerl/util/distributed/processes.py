"""Several processes that work as one, by `jax.distributed`: how they join, exchange arrays, and learn of a loss.

Every process runs the same program. What they exchange, they exchange through collectives on the devices: on CPUs by
Gloo, which JAX chooses by itself.
"""

import contextlib
import functools
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from edgerl.util.distributed.endings import LOST, end, loss, native_output_apart
from edgerl.util.errors import UserError

Tree = TypeVar("Tree")

# How launchers tell that a process is alone: it then needs no partners, and two such may share a host.
_COUNTS = ("SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE")

_CONNECTION = re.compile("Gloo|coordination|UNAVAILABLE|DEADLINE_EXCEEDED")


@contextlib.contextmanager
def joined(name: str, coordinator: str | None, count: int | None, index: int | None) -> Iterator[None]:
    """Joins the other processes, if there are any, for the block: to be entered before JAX is used.

    A partner that ends during the block ends this process as well, with one line and the status `LOST`.

    Args:
      name: what is run, to begin the line with that is printed when a partner is gone.
      coordinator: "HOST:PORT" of the first process; None: what a launcher (Slurm, Open MPI, a cloud's) has set, if any.
      count: how many processes; 1: this one alone, whatever a launcher says.
      index: of this process, from 0.

    Raises:
      UserError: the arguments do not fit, or the others did not come.
    """
    if not _join(name, coordinator, count, index):
        yield
        return
    import jax

    with native_output_apart(name):
        try:
            # Gloo gives the first exchange 30 s until all are there: now, while nobody is compiling yet.
            share(0)
            yield
            jax.distributed.shutdown()
        except (UserError, KeyboardInterrupt):
            raise  # for the caller to tell; then `leave`
        except BaseException as error:
            # What a broken connection raises depends on where it is met: by a computation or between two.
            if isinstance(error, jax.errors.JaxRuntimeError) or _CONNECTION.search(str(error)):
                end(LOST, f"{name}: {loss(str(error))}")
            if isinstance(error, OSError | MemoryError):
                raise  # likewise: a full disk
            traceback.print_exc()
            end(1)


def leave(status: int) -> int:
    """Returns the status; but a process that has failed and has partners ends here, without waiting for them."""
    if status and "jax" in sys.modules:
        import jax

        if jax.distributed.is_initialized():
            end(status)
    return status


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    import jax

    return jax.process_index() == 0


def require_one(what: str) -> None:
    """Raises a `UserError` if there are several processes, for what cannot be shared out."""
    if _several():
        raise UserError(f"{what} trains in one process only: leave --coordinator away, or give --processes 1")


def place(tree: Tree, mesh: Any, spec: Any) -> Tree:
    """Arrays that every process has, on the devices of a mesh over several processes; on another mesh as they are."""
    import jax
    import numpy as np

    if not _spans_processes(mesh):
        return tree
    sharding = jax.sharding.NamedSharding(mesh, spec)

    def put(x: Any) -> Any:
        if is_key(x):
            return jax.random.wrap_key_data(put(jax.random.key_data(x)), impl=jax.random.key_impl(x))
        x = np.asarray(x, jax.dtypes.canonicalize_dtype(np.asarray(x).dtype))
        return jax.make_array_from_callback(x.shape, sharding, lambda part: x[part])

    return jax.tree.map(put, tree)


def gathered(tree: Tree, mesh: Any) -> Tree:
    """Arrays on a mesh, with every process's part on each: of a mesh over several processes, on one local device."""
    import jax

    if not _spans_processes(mesh):
        return tree
    return jax.tree.map(lambda x: x.addressable_data(0), _gather(mesh)(tree))


def whole(tree: Any, mesh: Any) -> Any:
    """As `gathered`, but as NumPy arrays. Typed keys become their words."""
    import jax
    import numpy as np

    plain = jax.tree.map(lambda x: jax.random.key_data(x) if is_key(x) else x, tree)
    return jax.tree.map(np.asarray, gathered(plain, mesh))


def share(tree: Tree) -> Tree:
    """The first process's arrays, on all; the others pass arrays of the same shapes. Equal bit for bit."""
    import jax
    import numpy as np

    if not _several():
        return tree
    from jax.experimental import multihost_utils

    plain = jax.tree.map(lambda x: np.asarray(jax.random.key_data(x) if is_key(x) else x, order="C"), tree)
    leaves, structure = jax.tree.flatten(plain)
    # As bytes: the exchange is a sum, in which a negative zero would become a positive one.
    flat = np.concatenate([x.reshape(-1).view(np.uint8) for x in leaves])
    flat = np.asarray(multihost_utils.broadcast_one_to_all(flat))
    ends = np.cumsum([x.nbytes for x in leaves])
    parts = (flat[end - x.nbytes : end].view(x.dtype).reshape(x.shape) for x, end in zip(leaves, ends, strict=True))
    return jax.tree.map(
        lambda old, new: jax.random.wrap_key_data(new, impl=jax.random.key_impl(old)) if is_key(old) else new,
        tree,
        jax.tree.unflatten(structure, parts),
    )


def _several() -> bool:
    import jax

    return jax.process_count() > 1


def is_key(x: Any) -> bool:
    """Whether it is an array of typed PRNG keys."""
    import jax

    return isinstance(x, jax.Array) and jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def _spans_processes(mesh: Any) -> bool:
    return any(device.process_index != mesh.devices.flat[0].process_index for device in mesh.devices.flat)


@functools.cache
def _gather(mesh: Any) -> Callable[[Any], Any]:
    import jax

    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.jit(lambda tree: tree, out_shardings=whole)


def _join(name: str, coordinator: str | None, count: int | None, index: int | None) -> bool:
    """Whether there are partners, which then have joined."""
    given = [value is not None for value in (coordinator, count, index)]
    if count is not None and count < 1:
        raise UserError(f"--processes is {count}; it must be at least 1")
    if count is not None and index is not None and not 0 <= index < count:
        raise UserError(f"--process-id is {index}; with --processes {count} it must be from 0 to {count - 1}")
    if count == 1 or (not any(given) and any(os.environ.get(variable) == "1" for variable in _COUNTS)):
        return False
    if any(given) and not all(given):
        raise UserError("--coordinator, --processes and --process-id belong together: give all three or none")
    from edgerl.util.distributed import meeting

    if coordinator is not None:
        meeting.check(coordinator, is_first=index == 0)
    import jax

    from edgerl.util.files import first_line

    method = "deactivate" if all(given) else None

    def initialize() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a launcher was not recognised
            jax.distributed.initialize(
                coordinator,
                count,
                index,
                cluster_detection_method=method,
                initialization_timeout=meeting.SECONDS,
                heartbeat_timeout_seconds=meeting.SILENT,
            )

    try:
        if all(given) or any(variable in os.environ for variable in _COUNTS):
            meeting.wait(name, initialize)
        else:
            initialize()  # which finds a cloud's partners, or at once that there are none
    except ValueError as error:
        if not any(given):
            return False  # no launcher: this process is alone
        raise UserError(f"cannot join the other processes: {first_line(error)}") from error
    except RuntimeError as error:
        if not any(given) and "must be called before" in str(error):
            return False  # a program that has used JAX already, and by itself
        raise UserError(f"cannot join the other processes: {first_line(error)}") from error
    return True
