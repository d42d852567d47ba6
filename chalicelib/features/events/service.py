"""Taking events in. Most requests are about events: what few of them need is imported when one does."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import simplejson

from chalicelib import limits
from chalicelib.domain.aggregation.resources import Naming
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.billable_metrics import formulas
from chalicelib.features.events import schemas
from chalicelib.features.metering import layout
from chalicelib.features.metering.event import Event, Source, event_id, to_message, with_sent
from chalicelib.platform import clock, queues
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, new_id
from chalicelib.platform.json import to_json
from chalicelib.platform.settings import settings
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.usage_table import usage

# Reads in a sandbox wait this long for events in flight, so that a test sees what it has just sent.
_SANDBOX_READ_WAIT_SECONDS = 5.0
_POLL_SECONDS, _POLL_SECONDS_MAX = 0.02, 0.5


def accept(
    organization: OrganizationRef,
    entries: Sequence[Mapping[str, Any]],
    *,
    indexed: bool,
    now: datetime,
    source: Source | None = None,
) -> list[Event]:
    """Check all events of a request and hand them to the queue; all or none.

    `indexed`: errors stand under the index of their event. Returns when the queue has them.
    Raises: Invalid.
    """
    asked = formulas.asked(organization)
    findings: dict[int, Mapping[str, Any]] = {}
    events: dict[int, Event] = {}
    for index, entry in enumerate(entries):
        try:
            read = schemas.read_event(entry, now=now, keeps_raw_for_ever=organization.sandbox)
            event = evaluated(_resolved(organization, read), asked.formulas)
            events[index] = with_sent(event, entry)
        except Invalid as error:
            findings[index] = error.details | _of_entry(entry, asked.resources)
    if asked.resources:
        from chalicelib.features.events import resources

        findings |= resources.findings(organization, events, asked.resources, wait=wait_for_events)
    if findings:
        raise Invalid({str(index): findings[index] for index in sorted(findings)} if indexed else findings[0])
    accepted = list(events.values())
    received_at, first = clock.utc_now(), 0  # One instant and one order for all messages of the request.
    for part in _parts(accepted):
        _send(organization, part, first=first, received_at=received_at, now=now, source=source)
        first += len(part)
    return accepted


def evaluated(event: Event, known: Mapping[str, formulas.Formula]) -> Event:
    """Event with the property that the formula of its metric writes; unchanged without a formula.

    Raises: Invalid, where the formula fails.
    """
    formula = known.get(event.code)
    if formula is None:
        return event
    return replace(event, properties=formula.applied(event.code, event.timestamp_ms, event.properties))


def show_accepted(organization_id: OrganizationId, events: Sequence[Event], *, now: datetime) -> list[dict[str, Any]]:
    """Events as answered on receipt. They have no customer or subscription yet: their timestamps decide that when usage
    is read."""
    return [
        schemas.show(
            event, lago_id=event_id(organization_id, event), created_at=now, customer_id=None, subscription_id=None
        )
        for event in events
    ]


def in_flight(organization: OrganizationRef) -> bool:
    """Whether any of a sandbox's messages is not metered yet (markers of dead ones do not count after an hour)."""
    if not organization.sandbox:
        return False
    now = clock.utc_now().timestamp()
    pk = layout.in_flight_pk(organization.id)
    return any(item["expires_at"] > now for item in usage.query(pk, limit=10))


def wait_for_events(organization: OrganizationRef) -> None:
    """In a sandbox, wait for events on their way; elsewhere reading never waits."""
    end, pause = time.monotonic() + _SANDBOX_READ_WAIT_SECONDS, _POLL_SECONDS
    while in_flight(organization) and time.monotonic() < end:
        time.sleep(pause)
        pause = min(2 * pause, _POLL_SECONDS_MAX)


def _of_entry(entry: Mapping[str, Any], namings: Mapping[str, Naming]) -> dict[str, list[str]]:
    """Further faults of an entry that is refused anyway."""
    if not namings:
        return {}
    from chalicelib.features.events import resources

    return resources.findings_of_entry(entry, namings)


def _resolved(organization: OrganizationRef, read: Event | schemas.Unresolved) -> Event:
    """The event with its subscription; one that names its customer only belongs to that customer's one active one."""
    if isinstance(read, Event):
        return read
    from chalicelib.features.subscriptions import service as subscriptions

    only = subscriptions.only_active_of(organization.id, read.external_customer_id)
    if only is None:
        raise Invalid.field("external_subscription_id", ErrorCode.VALUE_IS_MANDATORY)
    return replace(read.event, external_subscription_id=only)


def _parts(events: Sequence[Event]) -> list[list[str]]:
    """The events as JSON texts, in groups that fit a message."""
    parts: list[list[str]] = [[]]
    size = 0
    for event in events:
        message = to_json(to_message(event))
        text = queues.sendable(message)
        length = len(text.encode()) + 1
        if parts[-1] and size + length > limits.MESSAGE_BYTES_MAX - limits.MESSAGE_HEAD_BYTES_MAX:
            parts.append([])
            size = 0
        parts[-1].append(text)
        size += length
    return parts


def _send(
    organization: OrganizationRef,
    part: Sequence[str],
    *,
    first: int,
    received_at: datetime,
    now: datetime,
    source: Source | None,
) -> None:
    head: dict[str, Any] = {"org": organization.id, "sandbox": organization.sandbox, "received": stamp(received_at)}
    if first:
        head["first"] = first  # The place in the request of the first of these events.
    if source is not None:
        head["from"] = [source.ip, source.client]
    if organization.sandbox:
        head["now"] = stamp(now)  # Its clock's time: it gives the hour whose faults are announced together.
        # Written before sending: a marker too many only makes the test clock wait, one too few would lose events to it.
        head["in_flight"] = new_id()
        expires = int((received_at + limits.IN_FLIGHT_KEPT).timestamp())
        marker = {"pk": layout.in_flight_pk(organization.id), "sk": head["in_flight"], "expires_at": expires}
        usage.write(usage.put(marker))
    text = simplejson.dumps(head, separators=(",", ":"))[:-1] + ',"events":[' + ",".join(part) + "]}"
    try:
        queues.send(settings().events_queue, text, group=organization.id)
    except queues.Refused:
        if organization.sandbox:  # Nothing is on its way: no reader need wait for it.
            usage.write(usage.delete((layout.in_flight_pk(organization.id), head["in_flight"])))
        raise
