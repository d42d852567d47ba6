"""The agenda: the one mechanism for all that happens later.

Whatever must happen at or after an instant is a task, an item of the core table. It is written in the same transaction
as the change that calls for it, and removed or moved on in the same transaction as its effect: never lost, its effect
once. `due_at` is the business instant, the job's now, and no retry changes it; `run_at` says when to try next.

Items
    pk                              sk                                  what it is
    <org>#task#<kind>#<subject>     -                                   a task of the wall clock
    <org>#clock                     task#<due>#<rank>#<kind>#<subject>  a task of a sandbox's test clock, in due order
    index due: DUE#<00..15>         <run_at>                            what the tick finds (sparse)
    index due: PARKED               <run_at>                            what failed too often: alarmed, never pushed

Access patterns
    1 find(key)                 GetItem   consistent; the index only proposes
    2 first_of_clock(org, ...)  Query     consistent: the sandbox's tasks in due order
    3 due(shard, until), due_page(shard, ...)   Query   index due
    4 parked()                  Query     index due
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib import limits
from chalicelib.platform import clock, queues
from chalicelib.platform.busy import is_busy
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import key, shard
from chalicelib.platform.log import logger
from chalicelib.platform.queues import Outgoing
from chalicelib.platform.settings import settings
from chalicelib.platform.table import Action, Item, Key, core
from chalicelib.platform.timestamps import stamp, unstamp
from chalicelib.platform.values import to_attribute

PARKED = "PARKED"
_SINCE = ("busy_since", "held_since")

Position = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of task. `rank` orders tasks of one instant under a test clock; a kind of the wall clock never holds one up."""

    name: str
    rank: int
    wall_clock: bool = False
    reads_usage: bool = False
    queue: str = "jobs"
    attempts_max: int = limits.TASK_ATTEMPTS_MAX


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for `subject` at `due_at`. A subject has at most one task of a kind.

    `busy_since`, `held_since`: when it was first put off without an attempt, as AWS was busy, or events were behind.
    """

    kind: Kind
    organization: OrganizationRef
    subject: str
    due_at: datetime
    run_at: datetime
    attempts: int = 0
    parked: bool = False
    busy_since: datetime | None = None
    held_since: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def waited_for_usage(self) -> bool:
        """Whether it reads usage that an instant ended, for whose last events it has waited."""
        waits = self.kind.reads_usage and not self.organization.sandbox
        return waits and self.run_at >= self.due_at + limits.USAGE_GRACE

    @property
    def in_clock(self) -> bool:
        """Whether it belongs to a test clock, which alone decides when it runs."""
        return self.organization.sandbox and not self.kind.wall_clock

    @property
    def queue_name(self) -> str:
        """The SQS queue that its messages go to."""
        if self.kind.queue == "jobs":
            return jobs_queue(self.organization)
        return str(getattr(settings(), f"{self.kind.queue}_queue"))

    @property
    def key(self) -> Key:
        """Where it stands in the core table."""
        if not self.in_clock:
            return key(self.organization.id, "task", self.kind.name, self.subject), "-"
        order = f"{stamp(self.due_at)}#{self.kind.rank:02d}#{self.kind.name}"
        return clock.clock_key(self.organization.id)[0], f"task#{order}#{key(self.subject)}"


def jobs_queue(organization: OrganizationRef) -> str:
    """The queue of an organization's jobs. Sandboxes have one of their own: nobody's money waits for a test."""
    return settings().sandbox_queue if organization.sandbox else settings().jobs_queue


KINDS: dict[str, Kind] = {}
_declaring: list[Callable[[], object]] = []


def kind(name: str, **how: Any) -> Kind:
    """Declare a kind of task (once, by the feature that owns it)."""
    declared = KINDS[name] = Kind(name, **how)
    return declared


def declared_by(declare: Callable[[], object]) -> None:
    """Say what declares all kinds and their handlers, by importing the features that own them. It is called when a task
    comes up that is not known yet: most requests meet none, and processes start without what only tasks need."""
    _declaring.append(declare)


def declare_all() -> None:
    """Know all kinds and their handlers from now on."""
    for declare in _declaring:
        declare()


def task(
    kind: Kind,
    organization: OrganizationRef,
    subject: str,
    due_at: datetime,
    detail: Mapping[str, Any] | None = None,
    *,
    at_once: bool = False,
) -> Task:
    """A new task, to be run as soon as it is due; one that reads usage waits for events still queued then, unless this
    time it reads none (`at_once`)."""
    waits = kind.reads_usage and not organization.sandbox and not at_once
    run_at = due_at + limits.USAGE_GRACE if waits else due_at
    return Task(kind, organization, subject, due_at, run_at, detail=detail or {})


# Actions for the transaction of the change or of the effect.


def put(new: Task, *, now: datetime) -> Action:
    """Write a task. `now` is the organization's own."""
    return core.put(_item(new, indexed=_indexed(new, now)))


def done(old: Task) -> Action:
    """Remove a task together with its effect; the transaction is refused if it is gone or was moved meanwhile."""
    return core.delete(old.key, condition="due_at = :due", values={":due": stamp(old.due_at)})


def move(old: Task, due_at: datetime, *, now: datetime, at_once: bool = False) -> list[Action]:
    """Give a task another due time, earlier or later; refused if it is gone or was moved meanwhile."""
    new = task(old.kind, old.organization, old.subject, due_at, old.detail, at_once=at_once)
    if new.key != old.key:
        return [done(old), put(new, now=now)]
    item = _item(new, indexed=_indexed(new, now))
    return [core.put(item, condition="due_at = :due", values={":due": stamp(old.due_at)})]


def reschedule(
    kind: Kind,
    organization: OrganizationRef,
    subject: str,
    *,
    old_due_at: datetime | None,
    new_due_at: datetime | None,
    now: datetime,
    at_once: bool = False,
) -> list[Action]:
    """Bring the task of a subject from one due time to another; None means that there is, or shall be, no task."""
    old = None if old_due_at is None else task(kind, organization, subject, old_due_at)
    if old is not None and new_due_at is not None:
        return [] if old_due_at == new_due_at else move(old, new_due_at, now=now, at_once=at_once)
    if old is not None:
        return [done(old)]
    if new_due_at is None:
        return []
    return [put(task(kind, organization, subject, new_due_at, at_once=at_once), now=now)]


# After the commit.


def push(tasks: Sequence[Task]) -> None:
    """Send what runs within a quarter-hour to its queue, delayed to the second. Losing or doubling it changes nothing: so
    where SQS is busy it is lost, as what was committed before stands, and the tick finds the tasks."""
    try:
        send(tasks)
    except Exception as error:
        if not is_busy(error):
            raise
        logger.warning("tasks not pushed: SQS is busy", extra={"error": repr(error)})


def send(tasks: Sequence[Task]) -> None:
    """The same, where it matters whether it was sent.

    Raises: Busy, or what SQS says of that.
    """
    by_queue: dict[str, list[Outgoing]] = {}
    real_now = clock.utc_now()
    for each in tasks:
        wait = max(timedelta(0), each.run_at - real_now)
        if each.parked or wait >= limits.PUSH_AHEAD:
            continue
        delay = -(-wait // timedelta(seconds=1))  # Rounded up: a message that comes too early is dropped.
        by_queue.setdefault(each.queue_name, []).append(Outgoing(message(each.key), each.organization.id, int(delay)))
    for queue, messages in by_queue.items():
        queues.send_many(queue, messages)


def message(task_key: Key) -> Mapping[str, str]:
    """What is sent: the key only, the item alone says what holds."""
    return {"pk": task_key[0], "sk": task_key[1]}


# Reading.


def find(task_key: Key) -> Task | None:
    """The task under a key, read consistently."""
    item = core.get(*task_key)
    return None if item is None else _task(item)


def tasks_of_clock(organization: OrganizationRef, *, until: datetime) -> Iterator[Task]:
    """A sandbox's tasks due up to and including `until`, in the order in which they must run, parked ones too."""
    low, high = "task#", f"task#{stamp(until)}$"
    for item in core.query(clock.clock_key(organization.id)[0], between=(low, high), limit=20):
        yield _task(item)


def due(shard_number: int, *, until: datetime) -> Iterator[Task]:
    """Tasks of one shard that run up to `until`, the longest waiting first. From an index, so it only proposes."""
    for item in core.query(_due_pk(shard_number), index="due", between=("0", stamp(until))):
        yield _task(item)


def due_page(
    shard_number: int, *, until: datetime, after: Position | None, owner: str | None = None
) -> tuple[list[Task], Position | None]:
    """The next of what `due` gives, after a position (None: from the first on), and where the page after it begins (None: there
    is none). `owner`: of this organization only."""
    page, _ = core.page(
        _due_pk(shard_number),
        index="due",
        between=("0", stamp(until)),
        position=dict(after) if after else None,
        limit=limits.DUE_PAGE,
        where=None if owner is None else "organization_id = :owner",
        values=None if owner is None else {":owner": owner},
    )
    return [_task(item) for item in page.items], page.position


def position_of(due_task: Task) -> Position:
    """Where a task of the index stands: what comes after it begins there, even if it has gone meanwhile."""
    item = _item(due_task, indexed=True)
    return {name: to_attribute(item[name]) for name in ("pk", "sk", "due_pk", "run_at")}


def any_due(shard_number: int, *, until: datetime) -> bool:
    """Whether a shard has anything that runs up to `until`: one query of one item."""
    page, _ = core.page(_due_pk(shard_number), index="due", between=("0", stamp(until)), limit=1)
    return bool(page.items)


def parked() -> Iterator[Task]:
    """Tasks that failed too often."""
    for item in core.query(PARKED, index="due"):
        yield _task(item)


# When a task fails.


def postpone(failed: Task, error: str, *, real_now: datetime) -> Task:
    """Try again later, each time a longer while; after the kind's number of attempts park it."""
    attempts = failed.attempts + 1
    wait = min(limits.TASK_BACKOFF * 2 ** (attempts - 1), limits.TASK_BACKOFF_MAX)
    later = replace(failed, attempts=attempts, run_at=real_now + wait, parked=attempts >= failed.kind.attempts_max)
    _put_off(failed, later, error)
    return later


def wait(hindered: Task, *, run_at: datetime, **since: datetime) -> Task:
    """Try again later and count no attempt: what hinders it is no failure of its own. `since`: `busy_since` or `held_since`,
    when that began."""
    later = replace(hindered, run_at=run_at, **since)  # type: ignore[arg-type]
    _put_off(hindered, later)
    return later


def _put_off(old: Task, later: Task, error: str | None = None) -> None:
    item = _item(later, indexed=True)
    changed = {name: item.get(name) for name in ("attempts", "run_at", "due_pk", "parked", "busy_since", "held_since")}
    if error is not None:
        changed["last_error"] = error[:1000]
    action = core.update(
        old.key,
        "SET " + ", ".join(f"{name} = :{name}" for name in changed),
        condition="due_at = :due AND attempts = :before",
        values={f":{name}": value for name, value in changed.items()}
        | {":due": stamp(old.due_at), ":before": old.attempts},
    )
    core.write(action)


def rearm(task_key: Key, *, real_now: datetime) -> Task | None:
    """Give a parked task its attempts back and let it run now."""
    old = find(task_key)
    if old is None or not old.parked:
        return None
    fresh = replace(old, attempts=0, parked=False, busy_since=None, held_since=None, run_at=real_now)
    core.write(core.put(_item(fresh, indexed=True), condition="parked = :yes", values={":yes": True}))
    return fresh


def unindex(early: Task) -> None:
    """Take a test clock's task that is not due out of the tick's index, where it would be pushed for ever."""
    core.write(core.update(early.key, "REMOVE due_pk", condition="due_at = :due", values={":due": stamp(early.due_at)}))


def _indexed(new: Task, now: datetime) -> bool:
    """Whether the tick shall find a task.

    A test clock runs its own tasks in order. The tick only helps with one that was due when written (its push may get
    lost) and with those of a sandbox whose clock was never set, which lives in real time.
    """
    return not new.in_clock or new.due_at <= now or new.due_at > clock.utc_now()


def _due_pk(number: int) -> str:
    return f"DUE#{number:02d}"


def _item(task: Task, *, indexed: bool) -> Item:
    pk, sk = task.key
    item: Item = {
        "pk": pk,
        "sk": sk,
        "kind": task.kind.name,
        "organization_id": task.organization.id,
        "sandbox": task.organization.sandbox,
        "subject": task.subject,
        "due_at": stamp(task.due_at),
        "run_at": stamp(task.run_at),
        "attempts": task.attempts,
        "parked": task.parked,
        "detail": dict(task.detail),
    }
    item |= {name: stamp(at) for name in _SINCE if (at := getattr(task, name)) is not None}
    if task.parked:
        item["due_pk"] = PARKED
    elif indexed:
        item["due_pk"] = _due_pk(shard(f"{task.organization.id}#{task.subject}", limits.DUE_SHARDS))
    return item


def _task(item: Item) -> Task:
    if item["kind"] not in KINDS:
        declare_all()
    return Task(
        kind=KINDS[item["kind"]],
        organization=OrganizationRef(item["organization_id"], item["sandbox"]),
        subject=item["subject"],
        due_at=unstamp(item["due_at"]),
        run_at=unstamp(item["run_at"]),
        attempts=item["attempts"],
        parked=item["parked"],
        detail=item["detail"],
        **{name: unstamp(item[name]) for name in _SINCE if item.get(name)},
    )
