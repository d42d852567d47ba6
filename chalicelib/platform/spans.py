"""What one request, or one run of a task, asks again and again: it is read once, and forgotten at its end.

Only for what may be as old as the request itself. Outside of a request and a run nothing is kept.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

Name = tuple[str, ...]

_known: ContextVar[dict[Name, Any] | None] = ContextVar("span", default=None)


@contextlib.contextmanager
def span() -> Iterator[None]:
    """Keep what `once` reads inside of the block, in this thread. A block within another begins with nothing."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def once(name: Name, read: Callable[[], T]) -> T:
    """What a read gave the first time in this span, under a name that no other read has."""
    known = _known.get()
    if known is None:
        return read()
    if name not in known:
        known[name] = read()
    found: T = known[name]
    return found


def forget(name: Name) -> None:
    """Let the next `once` of this name read: what it says was changed here."""
    known = _known.get()
    if known is not None:
        known.pop(name, None)
