"""Moving a sandbox's clock, and running what is due under it.

Items
    pk              sk              what it is
    <org>#clock     clock           {now, target}: the instant reached; target while it moves
    <org>#clock     task#...        the sandbox's tasks (platform/agenda.py)

Access patterns
    1 read(org)            GetItem   consistent (platform/clock.py)
    2 set_out(org, ...)    Transact  clock and the job that goes on if this process dies
    3 reach(org, ...)      Update    only forward, only while it moves
    4 arrive(org, ...)     Transact  final instant, job gone
"""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile, Conflict, Forbidden, Invalid
from chalicelib.features.events import service as events
from chalicelib.features.plans import advance_codes
from chalicelib.platform import agenda, clock, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.log import logger
from chalicelib.platform.table import Cancelled, ConditionFailed, core, transact
from chalicelib.platform.timestamps import iso, stamp

ADVANCE = agenda.kind("advance_clock", rank=0, wall_clock=True)

# How often a failing task is tried again while the clock stands at its instant, before it is parked.
_TRIES_AT_ONCE = 3
# How often the same task may stand there again after it ran: parallel requests may write it anew, an endless instant always.
_REPEATS_MAX = 100
_POLL_SECONDS = 0.05
# By organization: threads of one process would do the same work, and all but one of them for nothing.
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def show(organization: OrganizationRef) -> dict[str, Any]:
    """The clock as the API shows it; `failed_tasks` only where there are some.

    Raises: Forbidden, without a sandbox.
    """
    _require_sandbox(organization)
    state = clock.read(organization)
    now = state.now or clock.utc_now()
    shown: dict[str, Any] = {"now": iso(now), "status": "advancing" if state.advancing else "ready"}
    failed = [t for t in agenda.tasks_of_clock(organization, until=now) if t.parked]
    if failed:
        shown["failed_tasks"] = [
            {"kind": t.kind.name, "subject": t.subject, "due_at": iso(t.due_at), "attempts": t.attempts} for t in failed
        ]
    return shown


def advance(organization: OrganizationRef, to: datetime) -> None:
    """Set the clock (the first time to any instant, later only forward) and run what is due on the way.

    Returns when it has arrived, or after `limits.CLOCK_INLINE_SECONDS`, when a job goes on.
    Raises: Forbidden, without a sandbox; Invalid, `value_must_be_later`; Conflict, when it moves already.
    """
    _require_sandbox(organization)
    state = clock.read(organization)
    if state.advancing:
        raise Conflict("test_clock_advancing")
    if state.now is not None and to < state.now:
        raise Invalid.field("now", "value_must_be_later")
    if state.now == to:
        settle(organization, now=to)
        return
    _set_out(organization, state.now, to)
    run_until_arrived(organization, give_up_at=time.monotonic() + limits.CLOCK_INLINE_SECONDS)


def settle(organization: OrganizationRef, *, now: datetime, tasks: Sequence[Task] = ()) -> None:
    """After a commit: push `tasks`; in a sandbox run at once what is due by now, so that the answer finds it done. Of
    several requests in one process, one runs it and the others wait for that."""
    agenda.push([task for task in tasks if not task.in_clock])
    if organization.sandbox and not clock.read(organization).advancing:
        deadline = time.monotonic() + limits.CLOCK_INLINE_SECONDS
        if _next_task(organization, now) is not None:
            _wait_for_events(organization, deadline)
            turn = _turns[organization.id]
            if turn.acquire(timeout=max(0, deadline - time.monotonic())):
                try:
                    _run_due(organization, until=now, give_up_at=deadline, reach=False)
                finally:
                    turn.release()


def catch_up(organization: OrganizationRef, *, now: datetime) -> None:
    """Before a read of fees or invoices: in a sandbox whose events are charged at once, wait for those on their way, and
    carry out what they made due, so that the read finds it."""
    if organization.sandbox and advance_codes.current(organization.id, real_now=clock.utc_now()):
        events.wait_for_events(organization)
        settle(organization, now=now)


def run_until_arrived(organization: OrganizationRef, *, give_up_at: float) -> bool:
    """Run what is due up to the clock's target in order, then set it; False when the time was up before (monotonic s).

    Two runners at once keep the order: each takes the first task only, and commits only if it is still there.
    """
    target = clock.read(organization).target
    if target is None:
        return True
    _wait_for_events(organization, give_up_at)
    if not _run_due(organization, until=target, give_up_at=give_up_at, reach=True):
        return False
    _arrive(organization, target)
    return True


def _run_due(organization: OrganizationRef, *, until: datetime, give_up_at: float, reach: bool) -> bool:
    previous: Task | None = None
    repeats = 0
    while True:
        task = _next_task(organization, until)
        if task is None:
            return True
        if time.monotonic() > give_up_at:
            return False
        repeats = repeats + 1 if task == previous else 0
        if repeats > _REPEATS_MAX:
            raise AssertionError(f"task {task.kind.name} of {task.subject} did not finish")
        if reach:
            _reach(organization, task.due_at)
        failure = jobs.run(task, now=task.due_at)
        if isinstance(failure, ChangedMeanwhile):
            return False  # Parallel requests are in its way: who comes next goes on.
        if failure is None:
            previous = task
        elif task.attempts + 1 >= _TRIES_AT_ONCE:
            _park(task)


def _next_task(organization: OrganizationRef, until: datetime) -> Task | None:
    return next((t for t in agenda.tasks_of_clock(organization, until=until) if not t.parked), None)


def _park(task: Task) -> None:
    current = agenda.find(task.key)
    while current is not None and not current.parked:
        with contextlib.suppress(ConditionFailed):  # A parallel request does the same.
            agenda.postpone(current, "did not succeed under the test clock", real_now=clock.utc_now())
        current = agenda.find(task.key)


def _wait_for_events(
    organization: OrganizationRef, give_up_at: float, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Events accepted before the clock moves belong before it: wait until they are metered, a minute at the most."""
    end = min(time.monotonic() + limits.CLOCK_EVENTS_WAIT_SECONDS, give_up_at)
    while events.in_flight(organization) and time.monotonic() < end:
        sleep(_POLL_SECONDS)


def _set_out(organization: OrganizationRef, now: datetime | None, to: datetime) -> None:
    pk, sk = clock.clock_key(organization.id)
    real_now = clock.utc_now()
    # The job comes after the call that moves the clock has had its time; it finds nothing to do when that arrived.
    job = agenda.task(ADVANCE, organization, organization.id, real_now + timedelta(seconds=limits.CLOCK_INLINE_SECONDS))
    item = {"pk": pk, "sk": sk, "now": stamp(now or to), "target": stamp(to)}
    unmoved = "attribute_not_exists(pk)" if now is None else "#now = :now AND target = :none"
    values = None if now is None else {":now": stamp(now), ":none": None}
    names = None if now is None else {"#now": "now"}
    try:
        transact([core.put(item, condition=unmoved, values=values, names=names), agenda.put(job, now=real_now)])
    except Cancelled as error:
        raise Conflict("test_clock_advancing") from error
    agenda.push([job])


def _reach(organization: OrganizationRef, instant: datetime) -> None:
    # Refused where it is there already, or for a task born with its due time past: the clock never goes back.
    with contextlib.suppress(ConditionFailed):
        core.write(
            core.update(
                clock.clock_key(organization.id),
                "SET #now = :now",
                names={"#now": "now"},
                values={":now": stamp(instant), ":none": None},
                condition="#now < :now AND target <> :none",
            )
        )


def _arrive(organization: OrganizationRef, target: datetime) -> None:
    job = agenda.task(ADVANCE, organization, organization.id, target)
    arrived = core.update(
        clock.clock_key(organization.id),
        "SET #now = :target, target = :none",
        names={"#now": "now"},
        values={":target": stamp(target), ":none": None},
        condition="target = :target",
    )
    try:
        transact([arrived, core.delete(job.key)])
    except Cancelled:
        logger.info("another runner arrived first", extra={"organization": organization.id})


def _require_sandbox(organization: OrganizationRef) -> None:
    if not organization.sandbox:
        raise Forbidden("test_clock_not_allowed")
