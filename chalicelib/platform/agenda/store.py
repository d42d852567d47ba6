"""The items of the agenda.

Items
    pk                              sk                                  what it is
    <org>#task#<kind>#<subject>     -                                   a task in real time
    <org>#clock                     task#<due>#<rank>#<kind>#<subject>  a task of a sandbox's test clock, in due order
    <org>#order#<kind>#<0..3>       <due>#<subject>                     a task of an ordered kind
    index due: DUE#<00..15>         <run_at>                            tasks that the tick finds (sparse)
    index due: PARKED               <run_at>                            tasks that failed too often: alarmed, never pushed

Access patterns
    1 find(key), find_many(keys)    GetItem, BatchGetItem   consistent; the index only proposes
    2 tasks_of_clock(org, ...)  Query     consistent: the sandbox's tasks in due order
    3 due(shard, until), due_page(shard, ...)   Query   index due
    4 parked()                  Query     index due
    5 in_order(kind, org)       Query     consistent, one for each write shard
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute
from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.domain.errors import Overtaken
from chalicelib.platform import clock, declaring, rows
from chalicelib.platform.agenda.tasks import KINDS, Kind, Task, order_pk, task
from chalicelib.platform.attributes import InstantAttribute, ValuesAttribute, WholeAttribute
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, shard
from chalicelib.platform.rows import Position, Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

PARKED = "PARKED"


class TaskRow(Row):
    """A scheduled task. `run_at` is the sort key of the index, in which tasks stand that have a `due_pk`."""

    kind = UnicodeAttribute()
    organization_id = UnicodeAttribute()
    sandbox = BooleanAttribute()
    subject = UnicodeAttribute()
    due_at = InstantAttribute()
    run_at = InstantAttribute()
    attempts = WholeAttribute()
    parked = BooleanAttribute()
    busy_since = InstantAttribute(null=True)
    held_since = InstantAttribute(null=True)
    detail = ValuesAttribute()
    due_pk = UnicodeAttribute(null=True)
    last_error = UnicodeAttribute(null=True)

    @property
    def value(self) -> Task:
        """The task in the row."""
        if self.kind not in KINDS:
            declaring.declare_all()
        return Task(
            kind=KINDS[self.kind],
            organization=OrganizationRef(OrganizationId(self.organization_id), self.sandbox),
            subject=self.subject,
            due_at=self.due_at,
            run_at=self.run_at,
            attempts=self.attempts,
            parked=self.parked,
            busy_since=self.busy_since,
            held_since=self.held_since,
            detail=self.detail,
        )


# Writes for the transaction of the change or of the effect.


def put(new: Task, *, now: datetime) -> Write:
    """Write a task. `now` is the organization's own."""
    return row_of(new, indexed=_indexed(new, now)).put()


def create(new: Task, *, now: datetime) -> Write:
    """Write a task where there is none of its subject yet."""
    return row_of(new, indexed=_indexed(new, now)).create()


def done(old: Task) -> Write:
    """Remove a task together with its effect; the transaction is refused (Overtaken) if it is gone or was moved meanwhile."""
    return replace(_ended(old), refusal=Overtaken(old.kind.name))


def _ended(old: Task) -> Write:
    return TaskRow.remove_key(old.key, TaskRow.due_at == old.due_at)


def remove(old: Task) -> Write:
    """Remove a task, whatever it has become; nothing to do where it is gone."""
    return TaskRow.remove_key(old.key)


def move(old: Task, due_at: datetime, *, now: datetime, at_once: bool = False) -> list[Write]:
    """Give a task another due time, earlier or later; refused if it is gone or was moved meanwhile."""
    new = task(old.kind, old.organization, old.subject, due_at, old.detail, at_once=at_once)
    if new.key != old.key:
        return [_ended(old), put(new, now=now)]
    return [row_of(new, indexed=_indexed(new, now)).put(TaskRow.due_at == old.due_at)]


def reschedule(
    kind: Kind,
    organization: OrganizationRef,
    subject: str,
    *,
    old_due_at: datetime | None,
    new_due_at: datetime | None,
    now: datetime,
    at_once: bool = False,
) -> list[Write]:
    """Bring the task of a subject from one due time to another; None means that there is, or shall be, no task."""
    old = None if old_due_at is None else task(kind, organization, subject, old_due_at)
    if old is not None and new_due_at is not None:
        return [] if old_due_at == new_due_at else move(old, new_due_at, now=now, at_once=at_once)
    if old is not None:
        return [_ended(old)]
    if new_due_at is None:
        return []
    return [put(task(kind, organization, subject, new_due_at, at_once=at_once), now=now)]


# Reading.


def find(task_key: Key) -> Task | None:
    """The task under a key, read consistently."""
    found = TaskRow.find(*task_key)
    return None if found is None else found.value


def find_many(keys: Sequence[Key]) -> list[Task]:
    """The tasks under these keys, those that there are, read consistently."""
    return [row.value for row in TaskRow.find_many(keys).values()]


def any_of(keys: Sequence[Key]) -> bool:
    """Whether there is a task under any of these keys, read consistently."""
    return bool(TaskRow.find_many(keys))


def tasks_of_clock(organization: OrganizationRef, *, until: datetime, at_once: int = 20) -> Iterator[Task]:
    """A sandbox's tasks due up to and including `until`, in the order in which they must run, parked ones too. `at_once`: the
    number that one request reads."""
    within = TaskRow.sk.between("task#", f"task#{stamp(until)}$")
    for row in TaskRow.select(clock.clock_key(organization.id)[0], within=within, limit=at_once):
        yield row.value


def in_order(kind: Kind, organization_id: OrganizationId, *, at_most: int) -> list[Task]:
    """An organization's tasks of an ordered kind, the earliest due first; parked ones stand aside."""
    found: list[Task] = []
    for part in range(limits.ORDERED_SHARDS):
        page = rows.page(order_pk(kind, organization_id, part), limit=at_most)
        found += [task for item in page.items if not (task := TaskRow.read(item).value).parked]
    return sorted(found, key=lambda task: (task.due_at, task.subject))[:at_most]


def due(shard_number: int, *, until: datetime) -> Iterator[Task]:
    """Tasks of one shard that run up to `until`, the longest waiting first. From an index, so it only proposes."""
    for row in TaskRow.select(_due_pk(shard_number), index="due", within=_runs_until(until)):
        yield row.value


def due_page(
    shard_number: int, *, until: datetime, after: Position | None, owner: str | None = None
) -> tuple[list[Task], Position | None]:
    """Next page of `due` after a position (None: the first page), and the position of the page after it (None: the last
    page). `owner`: of this organization only."""
    page = rows.page(
        _due_pk(shard_number),
        index="due",
        within=_runs_until(until),
        position=after,
        limit=limits.DUE_PAGE,
        where=None if owner is None else TaskRow.organization_id == owner,
    )
    return [TaskRow.read(item).value for item in page.items], page.position


def position_of(due_task: Task) -> Position:
    """Position of a task in the index: the following tasks begin there, even if the task has gone meanwhile."""
    item = row_of(due_task, indexed=True).serialize()
    return {name: item[name] for name in ("pk", "sk", "due_pk", "run_at")}


def any_due(shard_number: int, *, until: datetime) -> bool:
    """Whether a shard has anything that runs up to `until`: one query of one item."""
    return bool(rows.page(_due_pk(shard_number), index="due", within=_runs_until(until), limit=1).items)


def parked() -> Iterator[Task]:
    """Tasks that failed too often."""
    for row in TaskRow.select(PARKED, index="due"):
        yield row.value


# When a task fails.


def postpone(failed: Task, error: str, *, real_now: datetime) -> Task:
    """Try again later, each time a longer while; after the kind's number of attempts park it."""
    attempts = failed.attempts + 1
    wait = min(limits.TASK_BACKOFF * 2 ** (attempts - 1), limits.TASK_BACKOFF_MAX)
    later = replace(failed, attempts=attempts, run_at=real_now + wait, parked=attempts >= failed.kind.attempts_max)
    _put_off(failed, later, error)
    return later


def wait(hindered: Task, *, run_at: datetime, **since: datetime) -> Task:
    """Postpone a hindered task without counting an attempt, as the hindrance is no failure of its own. `since`: `busy_since`
    or `held_since`, the begin of the hindrance."""
    later = replace(hindered, run_at=run_at, **since)  # type: ignore[arg-type]
    _put_off(hindered, later)
    return later


def _put_off(old: Task, later: Task, error: str | None = None) -> None:
    row = row_of(later, indexed=True)
    since = [
        attribute.set(at)
        for attribute, at in ((TaskRow.busy_since, later.busy_since), (TaskRow.held_since, later.held_since))
        if at is not None
    ]
    TaskRow.change(
        old.key,
        TaskRow.attempts.set(later.attempts),
        TaskRow.run_at.set(later.run_at),
        TaskRow.parked.set(later.parked),
        TaskRow.due_pk.set(row.due_pk),
        *since,
        *([] if error is None else [TaskRow.last_error.set(error[:1000])]),
        condition=(TaskRow.due_at == old.due_at) & (TaskRow.attempts == old.attempts),
    ).alone()


def rearm(task_key: Key, *, real_now: datetime) -> Task | None:
    """Give a parked task its attempts back and let it run now."""
    old = find(task_key)
    if old is None or not old.parked:
        return None
    fresh = replace(old, attempts=0, parked=False, busy_since=None, held_since=None, run_at=real_now)
    row_of(fresh, indexed=True).put(TaskRow.parked == True).alone()  # noqa: E712  a condition, not a comparison
    return fresh


def unindex(early: Task) -> None:
    """Take a test clock's task that is not due out of the tick's index, where it would be pushed for ever."""
    TaskRow.change(early.key, TaskRow.due_pk.remove(), condition=TaskRow.due_at == early.due_at).alone()


def row_of(task: Task, *, indexed: bool) -> TaskRow:
    """The row of a task. `indexed`: whether the tick shall find it; a parked one stands among the parked."""
    pk, sk = task.key
    row = TaskRow(
        pk=pk,
        sk=sk,
        kind=task.kind.name,
        organization_id=task.organization.id,
        sandbox=task.organization.sandbox,
        subject=task.subject,
        due_at=task.due_at,
        run_at=task.run_at,
        attempts=task.attempts,
        parked=task.parked,
        busy_since=task.busy_since,
        held_since=task.held_since,
        detail=dict(task.detail),
    )
    if task.parked:
        row.due_pk = PARKED
    elif indexed:
        row.due_pk = _due_pk(shard(f"{task.organization.id}#{task.subject}", limits.DUE_SHARDS))
    return row


def _indexed(new: Task, now: datetime) -> bool:
    """Whether the tick shall find a task.

    A test clock runs its own tasks in order. The tick only helps with one that was due when written (its push may get
    lost) and with those of a sandbox whose clock was never set, which lives in real time.
    """
    return not new.in_clock or new.due_at <= now or new.due_at > clock.utc_now()


def _due_pk(number: int) -> str:
    return f"DUE#{number:02d}"


def _runs_until(until: datetime) -> Any:
    return Path(["run_at"]).between("0", stamp(until))
