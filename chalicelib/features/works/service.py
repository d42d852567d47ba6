"""Beginning a work, noting what becomes of its objects, and telling how far it is."""

import contextlib
from datetime import datetime

from chalicelib.features.works import store
from chalicelib.features.works.records import Outcome, Progress, Work
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import OrganizationId


def begin(organization_id: OrganizationId, work_id: str, title: str, number: int, *, real_now: datetime) -> Work:
    """Begin a work on so many objects. Again leaves it as it was begun."""
    work = Work(id=work_id, title=title, number=number, begun_at=real_now)
    with contextlib.suppress(ConditionFailed):
        store.create(organization_id, work).alone()
        return work
    found = store.progress(organization_id, work_id)
    return work if found is None else found.work


def note(organization_id: OrganizationId, work: Work, outcome: Outcome) -> None:
    """Note what became of one of its objects. Idempotent."""
    store.note(organization_id, work, outcome).alone()


def find(organization_id: OrganizationId, work_id: str) -> Progress | None:
    """Progress of a work; None where there is none, or none any more."""
    return store.progress(organization_id, work_id)
