"""The hourly message about events that their metrics cannot use as they are. Source: rules/usage 1.5."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.aggregation import faults
from chalicelib.features.metering import log, log_reader
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import derived_id
from chalicelib.platform.unit import Unit
from chalicelib.platform.usage_table import usage

# A transaction takes 100 actions; the task, the announcement and these marks.
_MARKS_AT_ONCE = 90


@runner.handles(log.ERRORS)
def tell(task: Task, now: datetime) -> None:
    """Announce the faults of an hour, once: the marks of announced faults go together with the task."""
    marks = log_reader.faulty_marks(task.organization.id, task.subject)
    payload = _payload(log_reader.marked(task.organization.id, marks))
    actions = [agenda.done(task), *(usage.delete(mark) for mark in marks[:_MARKS_AT_ONCE])]
    announced: list[Task] = []
    if any(payload.values()):
        # A message that came very late marks its hour anew, and that is another announcement.
        subject = f"events.errors#{task.subject}#{derived_id(*(sk for _, sk in marks))}"
        announced = webhooks.announcement(
            task.organization, "events.errors", "events_errors", payload, subject=subject, now=now
        )
    Unit(actions, (agenda.put(each, now=now) for each in announced)).commit()
    agenda.push(announced)
    for mark in marks[_MARKS_AT_ONCE:]:
        usage.write(usage.delete(mark))


def _payload(references: Iterable[Reference]) -> dict[str, list[str]]:
    """Transaction ids by fault, each once, in order of reception."""
    found: dict[str, dict[str, Any]] = {name: {} for name in faults.NAMES}
    for reference in itertools.islice(references, limits.EVENT_ERRORS_MAX):
        for name, bit in faults.NAMES.items():
            if reference.faults & bit:
                found[name][reference.transaction_id] = None
    return {name: list(ids) for name, ids in found.items()}
