"""One message of the queue of events, as a worker reads it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.features.metering.advance import Accepted
from chalicelib.features.metering.event import Event, Source, from_message, milliseconds_of
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.log import logger
from chalicelib.platform.timestamps import unstamp

_NOBODY = Source("", "")


@dataclass(frozen=True, slots=True)
class Message:
    """Message of the queue: the events of one request, or a part of them. `source`: address and client of the request;
    `clock_at`: the time of a sandbox's clock; `came_before`: it was delivered to a worker already."""

    id: str
    organization: OrganizationRef
    received_at: str
    received_ms: int
    in_flight: str | None
    events: Sequence[Event]
    source: Source = _NOBODY
    clock_at: datetime | None = None
    came_before: bool = False

    def accepted(self) -> Accepted:
        """Acceptance of the message: real time, and the organization's own time."""
        return Accepted(self.received_at, self.clock_at or unstamp(self.received_at))


def read_all(records: Sequence[Mapping[str, Any]]) -> tuple[list[Message], list[str]]:
    """The messages, and the ids of those that cannot be read."""
    messages: list[Message] = []
    unreadable: list[str] = []
    for record in records:
        try:
            messages.append(read(record))
        except Exception:  # noqa: BLE001  an unreadable message goes back alone
            logger.exception("unreadable message", extra={"message_id": record.get("messageId")})
            unreadable.append(str(record["messageId"]))
    messages.sort(key=lambda message: message.received_at)  # The first content of an event that was sent twice stays.
    return messages, unreadable


def read(record: Mapping[str, Any]) -> Message:
    """The message in a record of the queue. Raises: whatever says that it is unreadable."""
    body = json.loads(record["body"], parse_float=Decimal)
    return Message(
        id=str(record["messageId"]),
        organization=OrganizationRef(OrganizationId(str(body["org"])), bool(body["sandbox"])),
        received_at=body["received"],
        received_ms=milliseconds_of(unstamp(body["received"])),
        in_flight=body.get("in_flight"),
        # A long request comes in several messages: each has the place in the array at which its events begin.
        events=[from_message(parts, place) for place, parts in enumerate(body["events"], body.get("first", 0))],
        source=Source(*(body.get("from") or ("", ""))),
        clock_at=unstamp(body["now"]) if "now" in body else None,
        came_before=int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)) > 1,
    )
