"""Which function carries out which kind of task, and the one way a task is run.

A handler takes the task and its now, and commits its effect together with `agenda.done(task)` (or `agenda.move`) in one
transaction. It may run twice, in parallel and late; it may be killed between any two steps.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Kind, Task
from chalicelib.platform.log import logger
from chalicelib.platform.retry import retrying
from chalicelib.platform.table import ConditionFailed

Handler = Callable[[Task, datetime], None]

_handlers: dict[str, Handler] = {}


def handles(kind: Kind) -> Callable[[Handler], Handler]:
    """Declare a function as the handler of a kind."""

    def declare(handler: Handler) -> Handler:
        _handlers[kind.name] = handler
        return handler

    return declare


def run(task: Task, *, now: datetime) -> Exception | None:
    """Carry out a task, again on what stands now if it lost a race; returns what went wrong, after postponing it, or None.

    A task that has gone or was moved meanwhile is somebody else's doing, and no failure. Races that did not end are none of
    the task's either: it is pushed again, and no attempt is counted.
    """
    read_before = [task]

    def attempt() -> None:
        current = read_before.pop() if read_before else agenda.find(task.key)
        if current is not None and current.due_at == task.due_at:
            _handler(task.kind)(current, now)

    try:
        retrying(attempt, task.kind.name)
        return None
    except ChangedMeanwhile as error:
        logger.warning("task meets others", extra={"kind": task.kind.name, "subject": task.subject}, exc_info=error)
        if not task.in_clock:
            agenda.push([replace(task, run_at=clock.utc_now() + limits.TASK_BACKOFF)])
        return error
    except Exception as error:  # noqa: BLE001  one task is isolated from the next, and its failure kept on it
        failure = error
    logger.error(
        "task failed",
        extra={"kind": task.kind.name, "subject": task.subject, "attempts": task.attempts},
        exc_info=failure,
    )
    try:
        later = agenda.postpone(task, repr(failure), real_now=clock.utc_now())
    except ConditionFailed:
        return None  # Another worker had it too, and was quicker.
    if later.parked:
        _alarm(later)
    else:
        agenda.push([later])
    return failure


def _handler(kind: Kind) -> Handler:
    if kind.name not in _handlers:
        agenda.declare_all()
    return _handlers[kind.name]


def _alarm(parked: Task) -> None:
    """Count a parked task in the metric that raises the alarm (a line of the log that CloudWatch reads)."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name="ParkedTasks", unit=MetricUnit.Count, value=1, namespace="Tollgate") as metric:
        metric.add_metadata("kind", parked.kind.name)
        metric.add_metadata("subject", parked.subject)
