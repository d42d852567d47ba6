"""Request schemas of events. Source: rules/usage 1.1 to 1.3."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import BadRequest, Invalid
from chalicelib.domain.money import CONTEXT
from chalicelib.features.metering.event import Event, instant_of, milliseconds_of
from chalicelib.platform import schema
from chalicelib.platform.json import to_json
from chalicelib.platform.settings import settings
from chalicelib.platform.timestamps import iso, iso_millis

_SECONDS = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)
_PRICE = re.compile(r"[+-]?0*\d{1,25}(\.\d{1,40})?", re.ASCII)
_PRICE_WHOLE, _PRICE_DECIMALS = 25, 15
_LATEST_MS = 253_370_764_800_000  # The year 9999: later instants have no text form.


def _timestamp(value: Any) -> int | None:
    """Unix seconds, a number or its text, as whole milliseconds."""
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else format(Decimal(value), "f") if _is_number(value) else ""
    if not _SECONDS.fullmatch(text):
        raise schema.refuse(ErrorCode.INVALID_FORMAT)
    milliseconds = int(Decimal(text) * 1000)
    if milliseconds >= _LATEST_MS:
        raise schema.refuse(ErrorCode.INVALID_FORMAT)
    return milliseconds


def _is_number(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value.adjusted()) < 20
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15


def _precise(value: Any) -> str | None:
    """A price as it is kept: 25 digits before the point and 15 after it. Source: rules/usage 1.1."""
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else format(Decimal(value), "f") if _is_number(value) else ""
    if not _PRICE.fullmatch(text):
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    number = Decimal(text)
    if len(text.partition(".")[2]) > _PRICE_DECIMALS:
        number = number.quantize(Decimal(1).scaleb(-_PRICE_DECIMALS), rounding=ROUND_HALF_UP, context=CONTEXT)
    return format(number, "f")


Timestamp = Annotated[
    int | None, BeforeValidator(_timestamp), schema.number(minimum=0, exclusiveMaximum=_LATEST_MS // 1000)
]
PreciseAmount = Annotated[str | None, BeforeValidator(_precise), schema.number(exclusiveMaximum=10**_PRICE_WHOLE)]


class EventInput(schema.Request):
    """One event. Every field may come as null, which means absent."""

    transaction_id: schema.EventName
    code: schema.EventName
    external_subscription_id: schema.OptionalEventName = None
    external_customer_id: schema.OptionalEventName = None
    timestamp: Timestamp = None
    properties: schema.Object = {}
    precise_total_amount_cents: PreciseAmount = None


class EstimateInput(schema.Request):
    """An event that is only tried: it needs no transaction id, and what it names is looked up."""

    code: schema.OptionalEventName = None
    external_subscription_id: schema.OptionalEventName = None
    timestamp: Timestamp = None
    properties: schema.Object = {}
    precise_total_amount_cents: PreciseAmount = None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A sound event that names its customer instead of its subscription (the oldest form of the API)."""

    event: Event
    external_customer_id: str


def read_event(values: Mapping[str, Any], *, now: datetime, keeps_raw_for_ever: bool) -> Event | Unresolved:
    """One event of a request. `now` stands for a missing timestamp.

    Raises: Invalid, with all wrong fields.
    """
    request, findings = schema.examine(EventInput, values)
    subscription = values.get("external_subscription_id") or values.get("external_customer_id")
    if subscription is None or not str(subscription).strip():
        findings = {**findings, "external_subscription_id": [ErrorCode.VALUE_IS_MANDATORY]}
    if request is None or findings:
        raise Invalid(findings)
    event = Event(
        transaction_id=request.transaction_id,
        external_subscription_id=request.external_subscription_id or "",
        code=request.code,
        timestamp_ms=milliseconds_of(now) if request.timestamp is None else request.timestamp,
        properties=request.properties,
        precise_total_amount_cents=request.precise_total_amount_cents,
    )
    if not keeps_raw_for_ever and instant_of(event.timestamp_ms) < now - limits.EVENT_RETENTION:
        # Its raw event would be gone, and with it the knowledge that it was counted.
        raise Invalid.field("timestamp", ErrorCode.VALUE_IS_OUT_OF_RANGE)
    if len(to_json(event.properties).encode()) + len(event.code) + len(event.transaction_id) > limits.EVENT_BYTES_MAX:
        raise Invalid.field("properties", ErrorCode.VALUE_IS_TOO_LONG)
    if request.external_subscription_id is None:
        return Unresolved(event, str(request.external_customer_id))
    return event


def read_estimate(values: Mapping[str, Any], *, now: datetime) -> Event:
    """The event of a request for an estimate. `now` stands for a missing timestamp.

    Raises: Invalid, with all wrong fields.
    """
    request = schema.parse(EstimateInput, values)
    return Event(
        transaction_id="",
        external_subscription_id=request.external_subscription_id or "",
        code=request.code or "",
        timestamp_ms=milliseconds_of(now) if request.timestamp is None else request.timestamp,
        properties=request.properties,
        precise_total_amount_cents=request.precise_total_amount_cents,
    )


def batch_of(body: Any) -> list[Mapping[str, Any]]:
    """The events of a batch: `{"events": [...]}`, or the legacy API's one event for several subscriptions.

    Raises: BadRequest; Invalid.
    """
    if isinstance(body, Mapping) and isinstance(body.get("event"), Mapping):
        shared = dict(body["event"])
        ids = shared.pop("external_subscription_ids", None)
        if not isinstance(ids, list) or not ids:
            raise Invalid.field("external_subscription_ids", ErrorCode.VALUE_IS_MANDATORY)
        entries: Sequence[Any] = [{**shared, "external_subscription_id": subscription} for subscription in ids]
    elif isinstance(body, Mapping) and "events" in body:
        entries = body["events"] if isinstance(body["events"], list) else []
    else:
        raise BadRequest("param is missing or the value is empty or invalid: events")
    if not entries:
        raise Invalid.field("events", ErrorCode.NO_EVENTS)
    if len(entries) > settings().events_per_batch_max:
        raise Invalid.field("events", ErrorCode.TOO_MANY_EVENTS)
    return [entry if isinstance(entry, Mapping) else {} for entry in entries]


def show(
    event: Event, *, lago_id: str, created_at: datetime, customer_id: str | None, subscription_id: str | None
) -> dict[str, Any]:
    """An event as the API shows it."""
    return {
        "lago_id": lago_id,
        "transaction_id": event.transaction_id,
        "lago_customer_id": customer_id,
        "code": event.code,
        "timestamp": iso_millis(event.at),
        "precise_total_amount_cents": event.precise_total_amount_cents,
        "properties": event.properties,
        "lago_subscription_id": subscription_id,
        "external_subscription_id": event.external_subscription_id,
        "created_at": iso(created_at),
    }
