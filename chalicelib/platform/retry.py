"""The retry of every change: read, decide, write; from the reads again when another writer was faster.

Every record is written under an optimistic lock (its version), every name under a uniqueness item, and all writes of
one change are one transaction. So a change that lost a race has written nothing, and its reads are stale: the whole use
case has to run again from its reads. (Two transactions that collide in flight leave the reads valid:
`platform/table.py` retries those.)

Effects outside of the transaction (messages to queues, memory of the process) belong after `retrying` returns.
A refusal is no lost race: it is raised at once.
"""

import contextlib
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TypeVar

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile, Overtaken
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed

T = TypeVar("T")

# In a process of many threads (the local server), attempts that lost a race take turns, so that they do not collide
# again. A Lambda process has one request at a time, so there a turn is always free.
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def retrying(
    attempt: Callable[[], T],
    resource: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
    elapsed: Callable[[], float] = time.monotonic,
) -> T:
    """Run `attempt`, a whole use case from its reads to its transaction, until it wins its race; returns its result.

    Full jitter: the wait before the n-th repetition is drawn between 0 and a bound that doubles with n.
    Raises: ChangedMeanwhile, when it still lost after `limits.CHANGE_RETRIED_FOR`; Overtaken, at once, where the task of the
    change is gone, which its caller has to read again; any other error of `attempt`.
    """
    end = elapsed() + limits.CHANGE_RETRIED_FOR.total_seconds()
    bound = limits.CHANGE_PAUSE.total_seconds()
    turn: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    while True:
        try:
            with turn:
                return attempt()
        except Overtaken:
            raise
        except (Cancelled, ConditionFailed, ChangedMeanwhile) as error:
            if isinstance(error, Cancelled) and not error.is_race:
                raise
            left = end - elapsed()
            if left <= 0:
                raise ChangedMeanwhile(resource) from error
        bound = min(2 * bound, limits.CHANGE_PAUSE_MAX.total_seconds())
        sleep(min(draw() * bound, left))
        turn = _turn(resource)


@contextlib.contextmanager
def _turn(resource: str) -> Iterator[None]:
    """A turn: one attempt per resource at a time. A wait for it ends after the longest pause, with or without the
    turn."""
    lock = _turns[resource]
    mine = lock.acquire(timeout=limits.CHANGE_PAUSE_MAX.total_seconds())
    try:
        yield
    finally:
        if mine:
            lock.release()
