"""The hourly message about events that their metrics cannot use as they are. Source: usage.md section 1.5."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.aggregation import faults
from chalicelib.features.metering import log
from chalicelib.features.metering.log import Entry
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import derived_id
from chalicelib.platform.table import transact, usage

# A transaction takes 100 actions; the task, the announcement and these marks.
_MARKS_AT_ONCE = 90
_READ_AT_ONCE = 100


@jobs.handles(log.ERRORS)
def tell(task: Task, now: datetime) -> None:
    """Announce the faults of an hour, once: the marks of what is told go together with the task."""
    marks = log.faulty_marks(task.organization.id, task.subject)
    payload = _payload(task.organization.id, log.marked(task.organization.id, marks))
    actions = [agenda.done(task), *(usage.delete(mark) for mark in marks[:_MARKS_AT_ONCE])]
    announced: list[Task] = []
    if any(payload.values()):
        # A message that came very late marks its hour anew, and that is another announcement.
        subject = f"events.errors#{task.subject}#{derived_id(*(sk for _, sk in marks))}"
        announced.append(
            webhooks.announcement(
                task.organization, "events.errors", "events_errors", payload, subject=subject, now=now
            )
        )
    transact([*actions, *(agenda.put(each, now=now) for each in announced)])
    agenda.push(announced)
    for mark in marks[_MARKS_AT_ONCE:]:
        usage.write(usage.delete(mark))


def _payload(organization_id: str, entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Transaction ids by what is wrong with them, each once, in order of reception; of stored events only."""
    found: dict[str, dict[str, Any]] = {name: {} for name in faults.NAMES}
    left = iter(entries)
    total = 0
    while total < limits.EVENT_ERRORS_MAX and (some := list(itertools.islice(left, _READ_AT_ONCE))):
        for entry, _ in log.confirmed(organization_id, some):
            total += 1
            for name, bit in faults.NAMES.items():
                if entry.faults & bit:
                    found[name][entry.transaction_id] = None
    return {name: list(ids) for name, ids in found.items()}
