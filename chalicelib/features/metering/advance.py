"""Events that are charged in advance: the task that charges one is written in the transaction that counts the event.

So a fee in advance is created exactly once, however often and in however many pieces a message is delivered.
Source: rules/usage 7.
"""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.features.metering.event import Event
from chalicelib.features.plans import advance_codes
from chalicelib.features.plans.advance_codes import Codes
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import key, key_part

# Carried out by features/invoicing/in_advance.py. Attempts: invoices of one customer are numbered one after the other,
# and many of its events at once wait for each other.
CHARGE_EVENT = agenda.kind("charge_event", rank=8, attempts_max=40)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The instant at which an event was accepted: in real time, as its item has it, and by the organization's clock."""

    received_at: str
    at: datetime


class InAdvance:
    """The codes charged in advance, read once per batch and organization: a plan may be created right before an
    event."""

    def __init__(self) -> None:
        self._codes: dict[str, Codes] = {}

    def codes(self, organization: OrganizationRef) -> Codes:
        """The codes of events that are charged at once."""
        known = self._codes.get(organization.id)
        if known is None:
            known = advance_codes.current(organization.id, real_now=clock.utc_now())
            self._codes[organization.id] = known
        return known


def task(organization: OrganizationRef, event: Event, accepted: Accepted) -> Task:
    """The scheduled task that charges the event, due at once."""
    # By reception first: the order in which a test clock takes tasks of one instant.
    names = event.external_subscription_id, event.transaction_id
    subject = "#".join((accepted.received_at, f"{event.place:06d}", *map(key_part, names)))
    return agenda.task(CHARGE_EVENT, organization, subject, accepted.at)


def event_key(task: Task) -> Key:
    """The key of the event that such a task charges."""
    *_, subscription, transaction = task.subject.split("#")
    return f"{key(task.organization.id, 'event')}#{transaction}", subscription
