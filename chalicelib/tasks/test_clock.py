"""The job that moves a clock on when the call that started it had no more time."""

import time
from datetime import datetime

from chalicelib import limits
from chalicelib.features.sandbox import service
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.dynamodb import ConditionFailed


@runner.handles(service.ADVANCE)
def advance(task: Task, now: datetime) -> None:
    """Go on for a slice; then the job is put back behind those of others. Arriving removes the task."""
    end = time.monotonic() + limits.CLOCK_SLICE_SECONDS
    if service.run_until_arrived(task.organization, give_up_at=end, tasks_max=limits.CLOCK_SLICE_TASKS):
        try:
            agenda.done(task).alone()
        except ConditionFailed:
            return  # Arriving removed it.
    else:
        moved = agenda.task(service.ADVANCE, task.organization, task.subject, clock.utc_now())
        for action in agenda.move(task, moved.due_at, now=now):
            action.alone()
        agenda.push([moved])
