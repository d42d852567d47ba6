"""A lease on an attempt that cannot be taken back: a call to an endpoint, a charge of a card.

The call is part of no transaction. So the record of what is attempted (a message, a payment) is leased before it, and the
write of the result ends the lease: of two workers with the same task one makes the call. A worker that dies in its call
leaves the lease behind; once it has run out the attempt counts as unfinished, so that a call that kills its workers ends too.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.dynamodb import ConditionFailed


class Leasable(Protocol):
    """A frozen record that can be leased. `leased_until`: None while no attempt is under way."""

    @property
    def leased_until(self) -> datetime | None:
        """The end of the lease."""

    def model_copy(self, *, update: dict[str, Any] | None = None) -> Self:
        """The record with other values."""


R = TypeVar("R", bound=Leasable)
V = TypeVar("V")


def attempt(
    task: Task,
    record: R,
    *,
    lasts: timedelta,
    write: Callable[[R, R], R],
    prepare: Callable[[], Callable[[], V]],
    note: Callable[[R, V], None],
    unfinished: V,
) -> None:
    """Make one attempt for a record, under a lease on it; while another worker has the lease, come back at its end.

    `lasts`: longer than a call may take. `write`: writes a record's next state over the one that was read, and returns it as it
    is stored; it raises ConditionFailed where another worker wrote meanwhile. `prepare`: does what may fail before the
    call, which then counts as no attempt, and returns the call. `note`: writes the result, with `leased_until` None.
    `unfinished`: the result of an attempt whose worker died.
    """
    if record.leased_until is not None:
        if record.leased_until > clock.utc_now():
            next_attempt(task, at=record.leased_until)
        else:
            note(record, unfinished)
        return
    call = prepare()
    try:
        leased = write(record, record.model_copy(update={"leased_until": clock.utc_now() + lasts}))
    except ConditionFailed:
        return  # Another worker has it.
    note(leased, call())


def next_attempt(task: Task, *, at: datetime) -> None:
    """Move the task of an attempt to an instant. Its due time is the attempt's own: nothing of the business hangs on it."""
    later = agenda.task(task.kind, task.organization, task.subject, at, task.detail)
    for action in agenda.move(task, at, now=clock.utc_now()):
        action.alone()
    agenda.push([later])
