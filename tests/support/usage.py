"""Messages of events as the queue brings them, and usage as it is read."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import simplejson

from chalicelib.domain.periods import Span
from chalicelib.features.metering.event import Event, to_message
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import service
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.timestamps import stamp

# A sandbox: its events of 2024 do not expire, while the reference store really removes what has expired.
ORG = OrganizationRef("org-1", sandbox=True)
MARCH = Span(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
_numbers = itertools.count(1)


def event(transaction: str, at: datetime, *, code: str = "calls", sub: str = "sub", **properties: Any) -> Event:
    """One event."""
    return Event(transaction, sub, code, int(at.timestamp() * 1000), properties)


def message(
    events: Sequence[Event], organization: OrganizationRef = ORG, *, received_at: datetime = MARCH.start
) -> dict[str, Any]:
    """One SQS record."""
    body = {
        "org": organization.id,
        "sandbox": organization.sandbox,
        "received": stamp(received_at),
    }
    text = simplejson.dumps({**body, "events": [to_message(e) for e in events]}, use_decimal=True)
    return {"messageId": f"m-{next(_numbers)}", "body": text}


def units(
    code: str = "calls", field: str | None = None, span: Span = MARCH, *, now: datetime | None = None, sub: str = "sub"
) -> Decimal:
    """Units of one metric in a range."""
    counted = service.read(ORG, Stream(sub), span, now=now)
    return Decimal(counted.events(code)) if field is None else counted.sum(code, field).total
