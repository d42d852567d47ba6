"""Messages about single events that their metrics cannot use as they are, beside the hourly one about all of them."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.aggregation import faults
from chalicelib.features.events import lookup
from chalicelib.features.metering import erase, layout, reading
from chalicelib.features.metering.event import event_id
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.timestamps import stamp, unstamp
from chalicelib.platform.unit import Unit
from chalicelib.platform.usage_table import usage

# In real time whatever clock the organization has: a test clock does not wait for messages.
TELL = agenda.kind("event_error", rank=71, real_time=True)

_MESSAGE = "event.error"
# A transaction takes 100 actions: the announcements of so many events, and the end of their task.
_AT_ONCE = 90


def tasks_of(
    organization: OrganizationRef, references: Sequence[Reference], subject: str, *, now: datetime
) -> list[Task]:
    """The tasks that tell of each of these events, up to a number; none where nobody wants to hear it."""
    if not webhooks.listening(organization.id, _MESSAGE):
        return []
    told = [[r.transaction_id, r.external_subscription_id, r.faults] for r in references]
    told = told[: limits.EVENT_ERRORS_SINGLY_MAX]
    parts = [told[start : start + _AT_ONCE] for start in range(0, len(told), _AT_ONCE)]
    return [
        agenda.task(TELL, organization, f"{subject}#{n}", clock.utc_now(), {"events": part, "at": stamp(now)})
        for n, part in enumerate(parts)
    ]


def tell(task: Task, now: datetime) -> None:
    """Announce each of a task's events, together with the end of the task. An event that was deleted meanwhile is left
    out."""
    organization = task.organization
    found = {layout.event_key(organization.id, name, subscription): bits for name, subscription, bits in _asked(task)}
    stored = usage.get_many(list(found))
    standing = [key for key in found if key in stored and not erase.is_erased(stored[key])]
    wanted = standing if webhooks.listening(organization.id, _MESSAGE) else []
    shown = lookup.show_items(organization.id, [stored[key] for key in wanted])
    told: list[Task] = []
    for key, event in zip(wanted, shown, strict=True):
        payload = {
            "status": 422,
            "error": "Unprocessable entity",
            "message": ", ".join(name for name, bit in faults.NAMES.items() if found[key] & bit),
            "event": event,
        }
        subject = f"{_MESSAGE}#{event_id(organization.id, reading.read(stored[key]))}"
        told += webhooks.announcement(
            organization, _MESSAGE, "event_error", payload, subject=subject, now=unstamp(task.detail["at"])
        )
    Unit((agenda.put(each, now=now) for each in told), agenda.done(task)).commit()
    agenda.push(told)


def _asked(task: Task) -> list[tuple[str, str, int]]:
    return [(str(name), str(subscription), int(bits)) for name, subscription, bits in task.detail["events"]]
