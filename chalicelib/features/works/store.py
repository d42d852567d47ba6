"""Storage of works.

Items
    pk                  sk              what it is
    <org>#work#<id>     -               the work; expires
    <org>#work#<id>     outcome#<id>    the outcome of an object; expires

Access patterns
    1 create(org, work)             Put     refused where it exists
    2 note(org, work, outcome)      Put     whatever stood there
    3 progress(org, id)             Query   consistent
"""

from chalicelib import limits
from chalicelib.features.works.records import Outcome, Progress, Work
from chalicelib.platform import rows
from chalicelib.platform.attributes import RecordAttribute, WholeAttribute
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class WorkRow(Row):
    """A work."""

    record = RecordAttribute(Work)
    expires_at = WholeAttribute()


class OutcomeRow(Row):
    """The outcome of an object."""

    record = RecordAttribute(Outcome)
    expires_at = WholeAttribute()


def create(organization_id: OrganizationId, work: Work) -> Write:
    """Store a new work. Refused where it exists."""
    return WorkRow(pk=_pk(organization_id, work.id), sk="-", record=work, expires_at=_expiry(work)).create()


def note(organization_id: OrganizationId, work: Work, outcome: Outcome) -> Write:
    """Store an object's outcome."""
    pk = _pk(organization_id, work.id)
    return OutcomeRow(pk=pk, sk=f"outcome#{key(outcome.id)}", record=outcome, expires_at=_expiry(work)).put()


def progress(organization_id: OrganizationId, work_id: str) -> Progress | None:
    """A work with what became of its objects so far."""
    work: Work | None = None
    outcomes: list[Outcome] = []
    for item in rows.walk(_pk(organization_id, work_id)):
        if item["sk"]["S"] == "-":
            work = WorkRow.read(item).record
        else:
            outcomes.append(OutcomeRow.read(item).record)
    if work is None:
        return None
    return Progress(work, len(outcomes), [each for each in outcomes if each.code is not None])


def _pk(organization_id: OrganizationId, work_id: str) -> str:
    return key(organization_id, "work", work_id)


def _expiry(work: Work) -> int:
    return int((work.begun_at + limits.WORKS_KEPT).timestamp())
