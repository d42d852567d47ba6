"""Storage of works.

Items
    pk                  sk              what it is
    <org>#work#<id>     -               the work and its counts; expires
    <org>#work#<id>     failed#<id>     an object on which it was refused; expires
    <org>#work#<id>     todo#<id>       an object that it has still to do; expires

Access patterns
    1 create(org, work, number)     Put     refused where it exists
    2 progress(org, id)             Query   consistent: the work and its first failures
    3 chosen(org, seen, targets)    Put     its next objects; refused where another worker chose them
    4 left(org, id)                 Query   consistent: what it has still to do
    5 is_left(org, id, target)      Get     consistent
    6 done(org, work, target)       Delete  part of the transaction of the act; refused where it was done before
    7 reached(org, id, ...)         Update  how far a file is
    8 ended(org, id, file)          Update  all is done
"""

from collections.abc import Iterator, Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib import limits
from chalicelib.features.works.records import Failure, Progress, Target, Work
from chalicelib.platform import rows
from chalicelib.platform.attributes import RecordAttribute, WholeAttribute
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write

_CHOSEN = 0  # Instead of a page: all objects are known.


class WorkRow(Row):
    """A work. `page`: see Progress."""

    record = RecordAttribute(Work)
    number = WholeAttribute()
    done = WholeAttribute()
    failed = WholeAttribute()
    page = WholeAttribute()
    ended = WholeAttribute()
    file = UnicodeAttribute(null=True)
    expires_at = WholeAttribute()


class FailureRow(Row):
    """A refusal."""

    record = RecordAttribute(Failure)
    expires_at = WholeAttribute()


class TargetRow(Row):
    """Something to do."""

    record = RecordAttribute(Target)
    expires_at = WholeAttribute()


def create(organization_id: OrganizationId, work: Work, number: int) -> Write:
    """Store a new work. Refused where it exists."""
    row = WorkRow(
        pk=_pk(organization_id, work.id), sk="-", record=work, number=number, done=0, failed=0, page=1, ended=0
    )
    row.expires_at = _expiry(work)
    return row.create()


def progress(organization_id: OrganizationId, work_id: str) -> Progress | None:
    """How far a work is, with its first failures."""
    within = Row.sk.between("-", "failed$")
    found = rows.page(_pk(organization_id, work_id), within=within, limit=limits.WORK_FAILURES_SHOWN + 1).items
    if not found or found[0]["sk"]["S"] != "-":
        return None
    row = WorkRow.read(found[0])
    page = None if row.page == _CHOSEN else row.page
    failures = [FailureRow.read(item).record for item in found[1:]]
    return Progress(row.record, row.number, row.done, row.failed, page, bool(row.ended), row.file, failures)


def chosen(
    organization_id: OrganizationId, seen: Progress, targets: Sequence[Target], *, number: int, page: int | None
) -> list[Write]:
    """Store the objects of a page, and which one comes next. `number`: of all, as far as it is known by now."""
    pk, expires_at = _pk(organization_id, seen.work.id), _expiry(seen.work)
    news = [TargetRow(pk=pk, sk=_todo(each), record=each, expires_at=expires_at).put() for each in targets]
    changes = (WorkRow.page.set(_CHOSEN if page is None else page), WorkRow.number.set(number))
    return [WorkRow.change((pk, "-"), *changes, condition=WorkRow.page == seen.page), *news]


def left(organization_id: OrganizationId, work_id: str) -> Iterator[Target]:
    """What a work has still to do."""
    for row in TargetRow.select(_pk(organization_id, work_id), within=Row.sk.startswith("todo#")):
        yield row.record


def is_left(organization_id: OrganizationId, work_id: str, target: Target) -> bool:
    """Whether an object is still to do."""
    return TargetRow.find(_pk(organization_id, work_id), _todo(target)) is not None


def done(organization_id: OrganizationId, work: Work, target: Target, code: str | None = None) -> list[Write]:
    """Count an object as done, or as refused with a code."""
    pk = _pk(organization_id, work.id)
    changes = [WorkRow.done.set(WorkRow.done + 1)]
    writes = [TargetRow.remove_key((pk, _todo(target)), TargetRow.pk.exists())]
    if code is not None:
        changes.append(WorkRow.failed.set(WorkRow.failed + 1))
        failure = Failure(target=target, code=code)
        row = FailureRow(pk=pk, sk=f"failed#{key(target.id)}", record=failure, expires_at=_expiry(work))
        writes.append(row.put())
    return [*writes, WorkRow.change((pk, "-"), *changes)]


def reached(organization_id: OrganizationId, work_id: str, *, done: int, number: int) -> Write:
    """Say how many of how many objects a file holds."""
    changes = (WorkRow.done.set(done), WorkRow.number.set(number))
    return WorkRow.change((_pk(organization_id, work_id), "-"), *changes, condition=WorkRow.ended == 0)


def ended(organization_id: OrganizationId, work_id: str, file: str | None) -> Write:
    """Say that all is done."""
    changes = [
        WorkRow.ended.set(1),
        WorkRow.number.set(WorkRow.done),
        *([] if file is None else [WorkRow.file.set(file)]),
    ]
    return WorkRow.change((_pk(organization_id, work_id), "-"), *changes)


def _pk(organization_id: OrganizationId, work_id: str) -> str:
    return key(organization_id, "work", work_id)


def _todo(target: Target) -> str:
    return f"todo#{key(target.id)}"


def _expiry(work: Work) -> int:
    return int((work.begun_at + limits.WORKS_KEPT).timestamp())
