"""Holding tasks that read usage while events accepted before their instant may not be metered yet.

A task is held for at most an hour after its due time. Progress is read once per batch of tasks: it stays true for an
instant that has passed, as no event can be accepted before it any more (docs/decisions/0019).
"""

import random
from datetime import datetime

from chalicelib import limits
from chalicelib.features.metering import progress
from chalicelib.features.metering.progress import Progress
from chalicelib.platform import agenda, metrics, queues
from chalicelib.platform.agenda import Task
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.log import logger
from chalicelib.platform.settings import settings

_NOTHING_KNOWN = Progress(works=False, late={}, rest=None)


class Holder:
    """Holds the tasks of one batch that have to wait for events."""

    def __init__(self) -> None:
        self._asked = False
        self._progress: Progress | None = None
        self._held = 0

    def hold(self, task: Task, *, real_now: datetime) -> bool:
        """Put a task off if it has to wait for events; returns whether it has to."""
        if not task.waited_for_usage or not self._is_behind(task, real_now):
            return False
        if real_now >= _until(task, real_now):
            logger.warning("billed though events are behind", extra={"kind": task.kind.name, "subject": task.subject})
            return False
        wait = min(max(limits.USAGE_HELD_WAIT, (real_now - task.due_at) / 4), limits.USAGE_HELD_WAIT_MAX)
        run_at = real_now + wait * (0.5 + random.random() / 2)
        try:
            later = agenda.wait(task, run_at=run_at, held_since=task.held_since or real_now)
        except ConditionFailed:
            return True  # Somebody else had it, and it is gone or was moved.
        self._held += 1
        agenda.push([later])
        return True

    def tell(self) -> None:
        """Emit the number of held tasks as a metric."""
        if self._held:
            metrics.count("BillingHeld", self._held)

    def _is_behind(self, task: Task, real_now: datetime) -> bool:
        if not self._asked:
            self._progress = _asked(real_now)
            self._asked = True
        return self._progress is not None and not self._progress.is_past(task.due_at, task.organization.id)


def _until(task: Task, real_now: datetime) -> datetime:
    """The latest end of holding a task. A task that comes up late, as after an outage, is held from then on: during
    the outage events were not metered either."""
    until = task.due_at + limits.USAGE_HELD_MAX
    since = task.held_since or real_now
    return until if since < until else since + limits.USAGE_HELD_LATE


def _asked(real_now: datetime) -> Progress | None:
    """The progress of metering; None where no message is outstanding. Progress that cannot be read counts as behind."""
    try:
        return progress.read(real_now) if queues.outstanding(settings().events_queue) else None
    except Exception:  # noqa: BLE001  as said above, for an hour
        logger.exception("not known how far metering has come")
        return _NOTHING_KNOWN
