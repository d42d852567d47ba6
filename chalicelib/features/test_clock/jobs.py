"""The job that moves a clock on when the call that started it had no more time."""

import time
from datetime import datetime

from chalicelib.features.test_clock import service
from chalicelib.platform import agenda, clock, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.table import ConditionFailed, core

# One run stays well below the worker's 15 minutes; then the job is put back and goes on.
_RUN_SECONDS = 600


@jobs.handles(service.ADVANCE)
def advance(task: Task, now: datetime) -> None:
    """Go on until the clock has arrived; arriving removes the task."""
    if service.run_until_arrived(task.organization, give_up_at=time.monotonic() + _RUN_SECONDS):
        try:
            core.write(agenda.done(task))
        except ConditionFailed:
            return  # Arriving removed it.
    else:
        moved = agenda.task(service.ADVANCE, task.organization, task.subject, clock.utc_now())
        for action in agenda.move(task, moved.due_at, now=now):
            core.write(action)
        agenda.push([moved])
