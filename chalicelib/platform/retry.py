"""The one retry of a change: read, decide, write; and again from the reads when another writer was faster.

Every record is written under an optimistic lock (its version), every name under a uniqueness item, and all writes of one
change are one transaction. So a change that lost a race has written nothing, and what it read is stale: only the whole
use case, run again from its reads, can decide rightly. (A mere collision of two transactions in flight, which changes
nothing that was read, is waited out one level below, by `platform/dynamodb.py`.)

What a use case does outside its transaction (messages to queues, memory of the process) belongs after `retrying` returns.
A refusal is no lost race: it passes through at once.
"""

import contextlib
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TypeVar

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed

T = TypeVar("T")

# Where many threads share a processor (the local server), those that lost a race take turns instead of defeating each
# other again. A Lambda process has one request at a time, so there a turn is always free.
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def retrying(
    attempt: Callable[[], T],
    resource: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
    elapsed: Callable[[], float] = time.monotonic,
) -> T:
    """The result of `attempt`, a whole use case from its reads to its transaction, run until it wins its race.

    Full jitter: the wait before the n-th repetition is drawn between 0 and a bound that doubles with n.
    Raises: ChangedMeanwhile, when the races went on for `limits.CHANGE_RETRIED_FOR`; whatever else `attempt` raises.
    """
    end = elapsed() + limits.CHANGE_RETRIED_FOR.total_seconds()
    bound = limits.CHANGE_PAUSE.total_seconds()
    turn: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    while True:
        try:
            with turn:
                return attempt()
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
    """One at a time; but nobody waits longer than the longest pause, whoever does not give way."""
    lock = _turns[resource]
    mine = lock.acquire(timeout=limits.CHANGE_PAUSE_MAX.total_seconds())
    try:
        yield
    finally:
        if mine:
            lock.release()
