"""An event as it travels: from the request through the queue to the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from chalicelib import limits
from chalicelib.platform.ids import OrganizationId, derived_id
from chalicelib.platform.json import to_json

# Characters of the name of a client, as short as a log can hold it.
_CLIENT_MAX = 150

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)  # Not frozen: creating a frozen one takes twice as long, and the meter creates one per event.
class Event:
    """One event, never changed in place. `timestamp_ms`: milliseconds since 1970, UTC. Numbers in `properties` are
    `int` or exact `Decimal`. `sent`: fields of the request whose sent form differed; None for a field that was
    not sent.
    `place`: its index in the array of its request, once it was sent; None of events that were stored without one."""

    transaction_id: str
    external_subscription_id: str
    code: str
    timestamp_ms: int
    properties: dict[str, Any]
    precise_total_amount_cents: str | None = None
    sent: Mapping[str, Any] | None = None
    place: int | None = field(default=None, compare=False)

    @property
    def at(self) -> datetime:
        """The event's timestamp."""
        return instant_of(self.timestamp_ms)


class Source(NamedTuple):
    """The source of a request: its address, and its user agent."""

    ip: str
    client: str

    @classmethod
    def of(cls, ip: str, user_agent: str) -> "Source":
        """Source of a request: address and client, shortened, in ASCII."""
        return cls(_short(ip, 45), _short(user_agent, _CLIENT_MAX))


def _short(text: str, longest: int) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text[:longest])


def instant_of(milliseconds: int) -> datetime:
    """An instant from whole milliseconds, exactly."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(at: datetime) -> int:
    """Milliseconds since 1970, truncated."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def event_id(organization_id: OrganizationId, event: Event) -> str:
    """An event's `lago_id`: derived, so that the same event sent twice has the same."""
    return derived_id(organization_id, event.external_subscription_id, event.transaction_id)


def order_of(received: str, place: int | None, transaction_id: str) -> str:
    """The position of an event in the order of reception, as text that sorts by it. It decides between
    events of one instant. `received`: the stamp of its request; `place`: as `Event` has it.

    Two requests may have the same stamp; then ids decide, so that no two events of a subscription are equal. Without a
    place the text is the one that older rows hold.
    """
    return f"{received}#{transaction_id}" if place is None else f"{received}#{place:06d}#{transaction_id}"


def to_message(event: Event) -> list[Any]:
    """An event as it stands in a message, in few bytes."""
    parts = [
        event.transaction_id,
        event.external_subscription_id,
        event.code,
        event.timestamp_ms,
        event.properties,
        event.precise_total_amount_cents,
    ]
    return parts if event.sent is None else [*parts, dict(event.sent)]


def from_message(parts: list[Any], place: int) -> Event:
    """The event of a message: the inverse of `to_message`. `place`: its index in the array of its request."""
    event = Event(*parts)
    event.place = place
    return event


def payload_of(event: Event) -> dict[str, Any]:
    """An event as the request held it (as far as `with_sent` kept what differs)."""
    return {name: value for name, value in (plain(event) | dict(event.sent or {})).items() if value is not None}


def with_sent(event: Event, values: Mapping[str, Any]) -> Event:
    """Event with the values of its request that differ from its plain form (`sent`); without them where they are too
    long."""
    usual = plain(event)
    sent = {name: values.get(name) for name in (*usual, *values) if values.get(name) != usual.get(name)}
    if not sent or len(to_json(sent).encode()) > limits.EVENT_SENT_BYTES_MAX:
        return event
    return replace(event, sent=sent)


def plain(event: Event) -> dict[str, Any]:
    """The fields of a request that sends exactly this event; most requests equal it."""
    seconds, milliseconds = divmod(event.timestamp_ms, 1000)
    return {
        "transaction_id": event.transaction_id,
        "external_subscription_id": event.external_subscription_id,
        "code": event.code,
        "timestamp": Decimal(event.timestamp_ms).scaleb(-3) if milliseconds else seconds,
        "properties": event.properties,
        "precise_total_amount_cents": event.precise_total_amount_cents,
    }
