"""Handlers of the kinds of tasks, and the one way to run a task.

A handler takes the task and its now, and commits its effect together with `agenda.done(task)` (or `agenda.move`) in one
transaction. It may run twice, in parallel and late; it may be killed between any two steps.
"""

import random
from collections.abc import Callable
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile, Overtaken
from chalicelib.platform import agenda, clock, declaring, metrics, spans
from chalicelib.platform.agenda import Kind, Task
from chalicelib.platform.busy import is_busy
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.log import logger
from chalicelib.platform.retry import retrying

Handler = Callable[[Task, datetime], None]

_handlers: dict[str, Handler] = {}


def handles(kind: Kind) -> Callable[[Handler], Handler]:
    """Declare a function as the handler of a kind."""

    def declare(handler: Handler) -> Handler:
        _handlers[kind.name] = handler
        return handler

    return declare


def run(task: Task, *, now: datetime) -> Exception | None:
    """Run a task, again on fresh state if it lost a race. Returns the error after which it was put off, or None.

    A task that was deleted or moved meanwhile is not a failure. Neither is a busy AWS, nor, for a day, a race that did
    not end: the task is put off without counting an attempt.

    Raises: what says that AWS is busy, where not even that could be written; the tick will find the task.
    """
    failure = _carry_out(task, now)
    if failure is None:
        return None
    try:
        later = _put_off(task, failure, clock.utc_now())
    except ConditionFailed:
        return None  # Another worker had it too, and was quicker.
    if later.parked:
        metrics.count("ParkedTasks", kind=later.kind.name, subject=later.subject)
    else:
        agenda.push([later])
    return failure


def _carry_out(task: Task, now: datetime) -> Exception | None:
    read_before = [task]

    def attempt() -> None:
        current = read_before.pop() if read_before else agenda.find(task.key)
        if current is not None and current.due_at == task.due_at:
            with spans.span():
                try:
                    _handler(task.kind)(current, now)
                except Overtaken as error:
                    raise ChangedMeanwhile(task.kind.name) from error  # Read again, it says what is left to do.

    try:
        retrying(attempt, task.kind.name)
    except Exception as error:  # noqa: BLE001  one task is isolated from the next, and its failure kept on it
        return error
    return None


def _put_off(task: Task, failure: Exception, real_now: datetime) -> Task:
    about = {"kind": task.kind.name, "subject": task.subject, "attempts": task.attempts}
    busy_since = task.busy_since or real_now
    in_the_way = is_busy(failure) or isinstance(failure, ChangedMeanwhile)
    if in_the_way and real_now - busy_since < limits.BUSY_MAX:
        logger.warning("task waits: AWS is busy, or others are", extra={**about, "error": repr(failure)})
        # As long as it has waited already, at the most: so it waits longer each time, and each task for another while.
        wait = min(max(limits.BUSY_WAIT, real_now - busy_since), limits.BUSY_WAIT_MAX)
        run_at = real_now + wait * (0.5 + random.random() / 2)
        return agenda.wait(task, run_at=run_at, busy_since=busy_since)
    logger.error("task failed", extra=about, exc_info=failure)
    return agenda.postpone(task, repr(failure), real_now=real_now)


def _handler(kind: Kind) -> Handler:
    if kind.name not in _handlers:
        declaring.declare_all()
    return _handlers[kind.name]
