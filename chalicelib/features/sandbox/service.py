"""Moving a sandbox's clock, and running the tasks that are due under it."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Conflict, Forbidden, Invalid
from chalicelib.features.events import service as events
from chalicelib.features.plans import advance_codes
from chalicelib.features.sandbox import store
from chalicelib.features.sandbox.running import Steps, failed_tasks, next_task, run_in_order, wait_for_events
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef, TestClock
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.log import logger
from chalicelib.platform.timestamps import iso
from chalicelib.platform.unit import Unit

ADVANCE = agenda.kind("advance_clock", rank=0, real_time=True)

_moving_inline = threading.BoundedSemaphore(limits.CLOCK_INLINE_AT_ONCE)
# A lock per organization: concurrent threads would do the same work, all but one of them in vain.
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def show(organization: OrganizationRef) -> dict[str, Any]:
    """The clock as the API shows it; `failed_tasks` only where there are some.

    Raises: Forbidden, without a sandbox.
    """
    _require_sandbox(organization)
    state = clock.read(organization)
    now = state.now or clock.utc_now()
    shown: dict[str, Any] = {"now": iso(now), "status": "advancing" if state.advancing else "ready"}
    failed = failed_tasks(organization, now)
    if failed:
        shown["failed_tasks"] = [
            {"kind": t.kind.name, "subject": t.subject, "due_at": iso(t.due_at), "attempts": t.attempts} for t in failed
        ]
    return shown


def advance(organization: OrganizationRef, to: datetime) -> None:
    """Set the clock (the first time to any instant, later only forward) and run the tasks that are due on the way.

    Returns when it has arrived, or after `limits.CLOCK_INLINE_SECONDS`, when a job goes on.
    Raises: Forbidden, without a sandbox; Invalid, `value_must_be_later`, or for a leap over more than
    `limits.CLOCK_LEAP_MAX`; Conflict, when it moves already.
    """
    state = _movable(organization, to)
    if state.now == to:
        run_due(organization, now=to)
        return
    with _inline() as seconds:
        _set_out(organization, state, to, wait=timedelta(seconds=seconds))
        if seconds:
            run_until_arrived(organization, give_up_at=time.monotonic() + seconds)


def begin_to_advance(organization: OrganizationRef, to: datetime) -> None:
    """Set the clock as `advance` does, but leave what is due on the way to the job. Where nothing is, it has arrived already.

    Raises: as `advance`.
    """
    state = _movable(organization, to)
    if state.now != to or next_task(organization, to) is not None:
        _set_out(organization, state, to, wait=timedelta())
        run_until_arrived(organization, give_up_at=time.monotonic())


def cancel(organization: OrganizationRef) -> None:
    """End a leap at the instant reached: tasks due until then still run, later ones do not. A clock that does not move
    is left as it is.

    Returns when it stands, or after `limits.CLOCK_INLINE_SECONDS`, when the job of the leap goes on.
    Raises: Forbidden, without a sandbox.
    """
    if begin_to_cancel(organization):
        with _inline() as seconds:
            if seconds:
                run_until_arrived(organization, give_up_at=time.monotonic() + seconds)


def begin_to_cancel(organization: OrganizationRef) -> bool:
    """End a leap as `cancel` does, but leave the tasks that are due until then to its job; whether the clock moved.

    Raises: as `cancel`.
    """
    _require_sandbox(organization)
    try:
        store.cancel(organization)
    except ConditionFailed:
        return False
    return True


def run_due(organization: OrganizationRef, *, now: datetime, tasks: Sequence[Task] = ()) -> None:
    """After a commit: push `tasks`. In a sandbox run the due tasks at once, so that the answer shows their effects. Of
    concurrent requests in one process, one runs them and the others wait for it."""
    agenda.push([task for task in tasks if not task.in_clock])
    if organization.sandbox and not clock.read(organization).advancing:
        deadline = time.monotonic() + limits.CLOCK_INLINE_SECONDS
        if next_task(organization, now) is not None:
            wait_for_events(organization, None, deadline)
            turn = _turns[organization.id]
            if turn.acquire(timeout=max(0, deadline - time.monotonic())):
                try:
                    run_in_order(organization, now, Steps(deadline))
                finally:
                    turn.release()


def run_pending_events(organization: OrganizationRef, *, now: datetime) -> None:
    """Before a read of fees or invoices: in a sandbox with charges in advance, wait for events in flight and run the
    tasks that they made due, so that the read shows their fees."""
    if organization.sandbox and advance_codes.current(organization.id, real_now=clock.utc_now()):
        events.wait_for_events(organization)
        run_due(organization, now=now)


def run_until_arrived(organization: OrganizationRef, *, give_up_at: float, tasks_max: int | None = None) -> bool:
    """Run the tasks due up to the clock's target in order, then set the clock; False when the time (monotonic seconds)
    or the number of tasks was used up before.

    Two runners at once keep the order: each takes the first task only, and commits only if it is still there.
    """
    steps = Steps(give_up_at, tasks_max)
    while True:
        state = clock.read(organization)
        if state.target is None:
            return True
        if not wait_for_events(organization, state.set_out, give_up_at):
            return False
        if not run_in_order(organization, state.target, steps, reach=partial(_reach, organization, state)):
            return False
        if _arrive(organization, state):
            return True


@contextlib.contextmanager
def _inline() -> Iterator[float]:
    """For how many seconds a call may move the clock itself: none, where as many calls of this process do so
    already."""
    mine = _moving_inline.acquire(blocking=False)
    try:
        yield limits.CLOCK_INLINE_SECONDS if mine else 0
    finally:
        if mine:
            _moving_inline.release()


def _movable(organization: OrganizationRef, to: datetime) -> TestClock:
    """The state of a clock that may move to an instant: not back, and not over too long a time; but the first call may set
    any instant where nothing is due on the way.

    Raises: as `advance`.
    """
    _require_sandbox(organization)
    state = clock.read(organization)
    if state.advancing:
        raise Conflict(ErrorCode.TEST_CLOCK_ADVANCING)
    if state.now is not None and to < state.now:
        raise Invalid.field("now", ErrorCode.VALUE_MUST_BE_LATER)
    far = to - _begin(state, to) > limits.CLOCK_LEAP_MAX
    if far and (state.now is not None or next_task(organization, to) is not None):
        raise Invalid.field("now", ErrorCode.VALUE_MUST_BE_AT_MOST_3653_DAYS_LATER)
    return state


def _begin(state: TestClock, to: datetime) -> datetime:
    """The instant at which a leap begins. A clock that was never set has shown real time: tasks due from there on are on
    the way."""
    return state.now or min(to, clock.utc_now())


def _set_out(organization: OrganizationRef, state: TestClock, to: datetime, *, wait: timedelta) -> None:
    """Let the clock begin to move. The job goes on after `wait`, in which the caller may move the clock itself; it finds
    nothing to do where the clock has arrived by then."""
    # Every room runs what its changes made due, few requests move a clock: what only these need they import.
    from chalicelib.features.sandbox import ahead

    real_now = clock.utc_now()
    job = agenda.task(ADVANCE, organization, organization.id, real_now + wait)
    invoices = ahead.invoices(organization)
    moves = store.set_out_action(organization, state, _begin(state, to), to, invoices=invoices, real_now=real_now)
    try:
        Unit(moves, agenda.put(job, now=real_now)).commit()
    except Cancelled as error:
        raise Conflict(ErrorCode.TEST_CLOCK_ADVANCING) from error
    agenda.push([job])


def _reach(organization: OrganizationRef, state: TestClock, instant: datetime) -> bool:
    """Bring the clock to an instant on its way; whether it still leads there, or was canceled before."""
    try:
        store.reach(organization, state, instant)
    except ConditionFailed:
        # It is there already, as for a task born with its due time past: the clock never goes back.
        found = clock.read(organization)
        return (found.target, found.set_out) == (state.target, state.set_out)
    return True


def _arrive(organization: OrganizationRef, state: TestClock) -> bool:
    """Set the clock to the target, unless it has another one by now."""
    assert state.target is not None, "it is on its way"
    job = agenda.task(ADVANCE, organization, organization.id, state.target)
    failed = len(failed_tasks(organization, state.target))
    try:
        Unit(store.arrive_action(organization, state, failed=failed), agenda.remove(job)).commit()
    except Cancelled:
        logger.info("another runner arrived first, or the leap was canceled", extra={"organization": organization.id})
        return False
    return True


def _require_sandbox(organization: OrganizationRef) -> None:
    if not organization.sandbox:
        raise Forbidden(ErrorCode.TEST_CLOCK_NOT_ALLOWED)
