"""Beginning a work, choosing its objects, counting what becomes of them, and telling how far it is."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from chalicelib.features.works import store
from chalicelib.features.works.records import Progress, Target, Work
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Cancelled
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Unit, Write

# In real time: a work goes on while nothing happens in a sandbox's own time.
WORK = agenda.kind("work", rank=98, real_time=True)

# Chosen by one transaction, which writes the work itself as well.
CHOSEN_AT_ONCE = 90


def begin(organization: OrganizationRef, work: Work, *, number: int, real_now: datetime) -> list[Task]:
    """Begin a work on so many objects, as far as that is known. Again does nothing. Returns the tasks to push."""
    task = agenda.task(WORK, organization, work.id, real_now)
    try:
        Unit(store.create(organization.id, work, number), agenda.create(task, now=real_now)).commit()
    except Cancelled:
        if store.progress(organization.id, work.id) is None:
            raise
        return []
    return [task]


def find(organization_id: OrganizationId, work_id: str) -> Progress | None:
    """Progress of a work; None where there is none, or none any more."""
    return store.progress(organization_id, work_id)


def choose(
    organization_id: OrganizationId, seen: Progress, targets: Sequence[Target], *, number: int, page: int | None
) -> None:
    """Keep the next objects of a work. `number`: of all, as far as it is known; `page`: the list's next one, None at its end.

    Raises: Cancelled, where another worker was faster.
    """
    Unit(store.chosen(organization_id, seen, targets, number=number, page=page)).commit()


def left(organization_id: OrganizationId, work_id: str) -> Iterator[Target]:
    """What a work has still to do."""
    return store.left(organization_id, work_id)


def is_left(organization_id: OrganizationId, work_id: str, target: Target) -> bool:
    """Whether an object is still to do, read consistently."""
    return store.is_left(organization_id, work_id, target)


def done(organization_id: OrganizationId, work: Work, target: Target, code: str | None = None) -> list[Write]:
    """Count an object as done, or as refused with a code, best in the transaction of the act: it is refused where the
    object was done before."""
    return store.done(organization_id, work, target, code)


def reached(organization_id: OrganizationId, work_id: str, *, done: int, number: int) -> None:
    """Say how many of how many objects a file holds."""
    store.reached(organization_id, work_id, done=done, number=number).alone()


def ended(organization_id: OrganizationId, work_id: str, file: str | None = None) -> Write:
    """Say that all is done. `file`: what the work made."""
    return store.ended(organization_id, work_id, file)
