"""The hourly message about events that their metrics cannot use as they are, and one about each of them. Source: rules/usage
1.5."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.aggregation import faults
from chalicelib.features.events import faulty
from chalicelib.features.metering import log, log_reader
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import derived_id
from chalicelib.platform.unit import Unit
from chalicelib.platform.usage_table import usage

# A transaction takes 100 actions; the task, the announcement, the tasks of single events, and these marks.
_MARKS_AT_ONCE = 90


@runner.handles(log.ERRORS)
def tell(task: Task, now: datetime) -> None:
    """Announce the faults of an hour, once: the marks of announced faults go together with the task."""
    marks = log_reader.faulty_marks(task.organization.id, task.subject)
    references = log_reader.marked(task.organization.id, marks)
    found = list(itertools.islice(references, limits.EVENT_ERRORS_MAX))
    actions = [agenda.done(task), *(usage.delete(mark) for mark in marks[:_MARKS_AT_ONCE])]
    announced: list[Task] = []
    if found:
        # A message that came very late marks its hour anew, and that is another announcement.
        subject = f"{task.subject}#{derived_id(*(sk for _, sk in marks))}"
        announced = webhooks.announcement(
            task.organization,
            "events.errors",
            "events_errors",
            lambda: _payload(found),
            subject=f"events.errors#{subject}",
            now=now,
        )
        announced += faulty.tasks_of(task.organization, found, subject, now=now)
    Unit(actions, (agenda.put(each, now=now) for each in announced)).commit()
    agenda.push(announced)
    for mark in marks[_MARKS_AT_ONCE:]:
        usage.write(usage.delete(mark))


@runner.handles(faulty.TELL)
def tell_each(task: Task, now: datetime) -> None:
    """Announce single events with faults."""
    faulty.tell(task, now)


def _payload(references: Iterable[Reference]) -> dict[str, list[str]]:
    """Transaction ids by fault, each once, in order of reception."""
    found: dict[str, dict[str, Any]] = {name: {} for name in faults.NAMES}
    for reference in references:
        for name, bit in faults.NAMES.items():
            if reference.faults & bit:
                found[name][reference.transaction_id] = None
    return {name: list(ids) for name, ids in found.items()}
