"""Whoever waits in a test for events or tasks on their way lets them be worked off meanwhile: in a process of one thread nobody
else would, and each wait would take all the time that it may."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from chalicelib import wiring
from chalicelib.api import fees
from chalicelib.features.events import service as events
from chalicelib.features.sandbox import running
from chalicelib.platform.settings import settings

_at_it = threading.Lock()


@contextmanager
def waiting_works() -> Iterator[None]:
    """Waits for queues are turns of their workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.wait_for_events, "__defaults__", (_metered,))
        patch.setattr(events, "time", SimpleNamespace(monotonic=time.monotonic, sleep=_metered))
        patch.setattr(fees, "time", SimpleNamespace(monotonic=time.monotonic, sleep=_worked))
        yield


def _metered(seconds: float) -> None:
    own = settings()
    if not _taken_turn([own.events_queue], wiring.meter):
        time.sleep(seconds)


def _worked(seconds: float) -> None:
    own = settings()
    if not _taken_turn([own.jobs_queue, own.sandbox_queue, own.providers_queue], wiring.work):
        time.sleep(seconds)


def _taken_turn(names: list[str], worker: object) -> bool:
    """Whether something was there to be done, and was done now."""
    from tests.support.story import received

    if not _at_it.acquire(blocking=False):
        return False
    try:
        records = [record for name in names for record in received(name)]
        if records:
            worker(records)  # type: ignore[operator]
        return bool(records)
    finally:
        _at_it.release()
