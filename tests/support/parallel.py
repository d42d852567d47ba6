"""Several requests at the same instant, each in a thread of its own, through the app as the local server has it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app import app
from infra.local.gateway import threaded
from tests.support.story import Answer

Call = tuple[str, str, Any]


def at_once(call: Callable[..., Answer], calls: Sequence[Call]) -> list[Answer]:
    """The answers to all calls (method, path, body), in their order. No call begins before all threads are there."""
    threaded(app)
    gate = threading.Barrier(len(calls))

    def one(wanted: Call) -> Answer:
        gate.wait(60)
        return call(*wanted)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def statuses(answers: Iterable[Answer]) -> dict[int, int]:
    """Number of answers by status."""
    return dict(Counter(answer.status for answer in answers))
