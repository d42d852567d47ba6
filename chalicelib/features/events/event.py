"""An event as it travels: from the request through the queue to the table."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.platform.ids import derived_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `timestamp_ms`: milliseconds since 1970, UTC. Numbers in `properties` are `int` or exact `Decimal`."""

    transaction_id: str
    external_subscription_id: str
    code: str
    timestamp_ms: int
    properties: dict[str, Any]
    precise_total_amount_cents: str | None = None

    @property
    def at(self) -> datetime:
        """When it happened."""
        return instant_of(self.timestamp_ms)


def instant_of(milliseconds: int) -> datetime:
    """An instant from whole milliseconds, exactly."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(at: datetime) -> int:
    """Whole milliseconds since 1970, cut."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def event_id(organization_id: str, event: Event) -> str:
    """An event's `lago_id`: derived, so that the same event sent twice has the same."""
    return derived_id(organization_id, event.external_subscription_id, event.transaction_id)


def to_message(event: Event) -> list[Any]:
    """An event as it stands in a message, in few bytes."""
    return [
        event.transaction_id,
        event.external_subscription_id,
        event.code,
        event.timestamp_ms,
        event.properties,
        event.precise_total_amount_cents,
    ]


def from_message(parts: list[Any]) -> Event:
    """What `to_message` was given."""
    transaction_id, subscription, code, timestamp_ms, properties, precise = parts
    return Event(transaction_id, subscription, code, timestamp_ms, properties, precise)
