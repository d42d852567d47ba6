"""Asking for a document: it is printed before all those that nobody waits for.

Documents are ordered by tasks when their object becomes final, and a night makes thousands at once. One that somebody asks
for goes to a queue and a function of its own as well; whichever comes first prints it. Source: decisions/0028.
"""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from chalicelib.platform import agenda, clock, files
from chalicelib.platform.agenda import Kind
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.settings import settings

# A download waits a moment for the printer, below the official clients' 5 s.
_PRINTER_WAIT_SECONDS = 3.0

# The detail of a task that prints what was lost, or what a void has changed.
AGAIN = "again"


def ready(file_key: str | None) -> bool:
    """Whether a document is in the store."""
    return file_key is not None and files.exists(file_key)


class Printed(Protocol):
    """An object that has a document."""

    @property
    def file_key(self) -> str | None:
        """The name of its file."""


P = TypeVar("P", bound=Printed)


def awaited(asked: P, again: Callable[[], P]) -> P | None:
    """The object once its document is there, or None where that takes too long. `again`: reads it again."""
    end = time.monotonic() + _PRINTER_WAIT_SECONDS
    while not ready(asked.file_key):
        if time.monotonic() >= end:
            return None
        time.sleep(0.1)
        asked = again()
    return asked


def ask(kind: Kind, organization: OrganizationRef, subject: str, *, lost: bool) -> None:
    """Have a document printed at once. `lost`: it was printed, and its file is gone."""
    now = clock.utc_now()
    detail = {AGAIN: True} if lost else None
    order = agenda.task(kind, organization, subject, now, detail)
    task = agenda.find(order.key)
    if task is None:
        agenda.put(order, now=now).alone()
        task = order
    elif task.parked:
        task = agenda.rearm(order.key, real_now=now) or order
    agenda.push([task], queue=settings().asked_queue)
