"""Tasks that read usage are held while events accepted before their instant may not be metered yet.

They are held up to an hour after their due time. Asked is once per batch of tasks: what is known by then of an instant stays
true, as no event can be accepted before it any more (decisions/0019).
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
        """Put a task off if it has to wait for events; whether it has to."""
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
        """Count what was held."""
        if self._held:
            metrics.count("BillingHeld", self._held)

    def _is_behind(self, task: Task, real_now: datetime) -> bool:
        if not self._asked:
            self._progress = _asked(real_now)
            self._asked = True
        return self._progress is not None and not self._progress.is_past(task.due_at, task.organization.id)


def _until(task: Task, real_now: datetime) -> datetime:
    """Until when a task is held at the longest. One that comes up after its hour, as after an outage, has a time of its own:
    events were not metered meanwhile either."""
    until = task.due_at + limits.USAGE_HELD_MAX
    since = task.held_since or real_now
    return until if since < until else since + limits.USAGE_HELD_LATE


def _asked(real_now: datetime) -> Progress | None:
    """How far metering has come; None where nothing is outstanding. What cannot be asked is not known, and so is behind."""
    try:
        return progress.read(real_now) if queues.outstanding(settings().events_queue) else None
    except Exception:  # noqa: BLE001  as said above, for an hour
        logger.exception("not known how far metering has come")
        return _NOTHING_KNOWN
