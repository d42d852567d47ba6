"""Counting a batch of messages: the handler behind the queue of events."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.features.events.event import Event, event_id, from_message, instant_of
from chalicelib.features.metering import commit, store
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import derived_id, key_part
from chalicelib.platform.log import logger
from chalicelib.platform.table import usage
from chalicelib.platform.timestamps import stamp, unstamp

# One log item holds this many references; at some 150 bytes each it stays below DynamoDB's 400 KB.
_LOG_REFERENCES = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the queue: what one request held, or a part of it."""

    id: str
    organization: OrganizationRef
    received_at: str
    in_flight: str | None
    events: Sequence[Event]


Group = tuple[str, str]  # Organization and subscription.


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Count the events of these SQS records; returns the ids of the messages to deliver again.

    A record that cannot be read goes back alone; a group that failed takes the messages with it that hold its events.
    Delivering any of them again counts nothing twice.
    """
    failed: list[str] = []
    messages: list[Message] = []
    for record in records:
        try:
            messages.append(_read(record))
        except (ValueError, KeyError, TypeError):
            logger.exception("unreadable message", extra={"message_id": record.get("messageId")})
            failed.append(str(record["messageId"]))
    log_keys = _write_logs(messages)
    for group, members in _groups(messages).items():
        try:
            _count_group(group, members, log_keys)
        except Exception:  # noqa: BLE001  one part of a batch is isolated from the next
            logger.exception("group not counted", extra={"organization": group[0]})
            failed += [message.id for message, _ in members if message.id not in failed]
    for message in messages:
        if message.in_flight is not None and message.id not in failed:
            usage.write(usage.delete((store.in_flight_pk(message.organization.id), message.in_flight)))
    return list(dict.fromkeys(failed))


def _read(record: Mapping[str, Any]) -> Message:
    body = json.loads(record["body"], parse_float=Decimal)
    return Message(
        id=str(record["messageId"]),
        organization=OrganizationRef(str(body["org"]), bool(body["sandbox"])),
        received_at=stamp(unstamp(body["received"])),
        in_flight=body.get("in_flight"),
        events=[from_message(parts) for parts in body["events"]],
    )


def _groups(messages: Iterable[Message]) -> dict[Group, list[tuple[Message, Event]]]:
    """Events by subscription, in order of arrival; of a repeated one the first stays."""
    groups: dict[Group, dict[str, tuple[Message, Event]]] = {}
    for message in messages:
        for event in message.events:
            group = groups.setdefault((message.organization.id, event.external_subscription_id), {})
            # A repeat is kept beside its message all the same: if the group fails, both messages come again.
            group.setdefault(event.transaction_id, (message, event))
    return {name: list(members.values()) for name, members in groups.items()}


def _count_group(group: Group, members: Sequence[tuple[Message, Event]], log_keys: Mapping[str, str]) -> None:
    organization_id, subscription = group
    known = _known(organization_id, [event for _, event in members]) if len(members) > 1 else set()
    fresh = [
        commit.Sealed(event, _item(organization_id, message, event, log_keys[organization_id]))
        for message, event in members
        if event.transaction_id not in known
    ]
    commit.count(organization_id, subscription, fresh)


def _known(organization_id: str, events: Sequence[Event]) -> set[str]:
    """Transactions that are stored already, as far as a cheap look tells; the condition in the transaction decides."""
    known: set[str] = set()
    keys = [
        dict(zip(("pk", "sk"), ({"S": part} for part in _key(organization_id, event)), strict=True)) for event in events
    ]
    while keys:
        chunk, keys = keys[:100], keys[100:]
        request = {
            usage.name: {
                "Keys": chunk,
                "ProjectionExpression": "#t",
                "ExpressionAttributeNames": {"#t": "transaction_id"},
            }
        }
        answer = usage.client.batch_get_item(RequestItems=request)
        known |= {found["transaction_id"]["S"] for found in answer["Responses"].get(usage.name, [])}
    return known


def _key(organization_id: str, event: Event) -> tuple[str, str]:
    return store.event_key(organization_id, event.transaction_id, event.external_subscription_id)


def _item(organization_id: str, message: Message, event: Event, log_key: str) -> dict[str, Any]:
    pk, sk = _key(organization_id, event)
    day = store.day_of(event.timestamp_ms)
    latest = max(instant_of(event.timestamp_ms), unstamp(message.received_at))
    item: dict[str, Any] = {
        "pk": pk,
        "sk": sk,
        "time_pk": store.time_pk(organization_id, event.external_subscription_id, day),
        "time_sk": f"{event.timestamp_ms:015d}#{key_part(event.transaction_id)}",
        "transaction_id": event.transaction_id,
        "subscription": event.external_subscription_id,
        "code": event.code,
        "ms": event.timestamp_ms,
        "properties": event.properties,
        "id": event_id(organization_id, event),
        "received": message.received_at,
        "log": log_key,
    }
    if not message.organization.sandbox:
        item["expires_at"] = int((latest + limits.EVENT_RETENTION).timestamp()) + 86_400
    if event.precise_total_amount_cents is not None:
        item["precise"] = event.precise_total_amount_cents
    return item


def _write_logs(messages: Sequence[Message]) -> dict[str, str]:
    """Log items of the batch, written before its events: each event then names the item that lists it, and an item's
    reference counts only where the event names it back. So the log shows each event once, whatever is delivered again."""
    by_organization: dict[str, list[Message]] = {}
    for message in messages:
        by_organization.setdefault(message.organization.id, []).append(message)
    now = clock.utc_now()
    items: list[dict[str, Any]] = []
    log_keys: dict[str, str] = {}
    for organization_id, own in by_organization.items():
        log_key = f"{stamp(now)}#{derived_id(*(message.id for message in own))}"
        log_keys[organization_id] = log_key
        references = [
            [event.transaction_id, event.external_subscription_id, event.code, event.timestamp_ms]
            for message in own
            for event in message.events
        ]
        for start in range(0, len(references), _LOG_REFERENCES):
            items.append(
                {
                    "pk": store.log_pk(organization_id),
                    "sk": f"{log_key}#{start // _LOG_REFERENCES:03d}",
                    "events": references[start : start + _LOG_REFERENCES],
                    "expires_at": int((now + limits.EVENT_LOG_KEPT).timestamp()),
                }
            )
    usage.write_many(items)
    return log_keys
