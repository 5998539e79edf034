"""Progress bars of work that has a few long parts: on a terminal only, gone when the work is done."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")


def each(items: Iterable[Item], what: str) -> Iterator[Item]:
    """The items, one after another, with a bar that says which part of `what` is done."""
    from tqdm import tqdm

    yield from tqdm(list(items), desc=what, disable=None, leave=False)


@contextlib.contextmanager
def stages(count: int, what: str) -> Iterator[Any]:
    """A function to call when each of `count` stages begins, with its name."""
    from tqdm import tqdm

    with tqdm(total=count, desc=what, disable=None, leave=False) as bar:

        def begin(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update(1)

        yield begin


@contextlib.contextmanager
def counted(what: str, unit: str) -> Iterator[Any]:
    """A function to call when one more of an unknown number of parts is done."""
    from tqdm import tqdm

    with tqdm(desc=what, unit=unit, disable=None, leave=False) as bar:
        yield bar.update
