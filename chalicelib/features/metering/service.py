"""Counting a batch of messages: the handler behind the queue of events."""

import gc
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import simplejson

from chalicelib import limits
from chalicelib.features.events.event import Event, from_message, milliseconds_of
from chalicelib.features.metering import advance, commit, definitions, log, progress, store
from chalicelib.features.metering.advance import Accepted, InAdvance
from chalicelib.features.metering.definitions import Definitions
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import key_part
from chalicelib.platform.log import logger
from chalicelib.platform.table import usage
from chalicelib.platform.timestamps import unstamp

# A day longer than events are taken, so that what is gone is refused and not counted again.
_RETENTION_SECONDS = int(limits.EVENT_RETENTION.total_seconds()) + 86_400

# One encoder for all: `dumps` would make one per event, which takes as long as encoding it.
_to_json = simplejson.JSONEncoder(separators=(",", ":"), use_decimal=True).encode


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the queue: what one request held, or a part of it. `source`: address and client of the request;
    `clock_at`: what a sandbox's clock said."""

    id: str
    organization: OrganizationRef
    received_at: str
    received_ms: int
    in_flight: str | None
    events: Sequence[Event]
    source: tuple[str, str] = ("", "")
    clock_at: datetime | None = None

    def accepted(self) -> Accepted:
        """When it was accepted."""
        return Accepted(self.received_at, self.clock_at or unstamp(self.received_at))


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
    give_up_at = time.monotonic() + limits.METERING_SECONDS
    if messages:
        progress.note((each.organization.id, each.received_at) for each in messages if not each.organization.sandbox)
    defined = _defined(messages)
    log_keys = log.write(messages, defined)
    in_advance, tasks = InAdvance(), list[Task]()
    for group, members in _groups(messages).items():
        try:
            tasks += _count_group(group, members, log_keys, defined, in_advance, give_up_at)
        except Exception:  # noqa: BLE001  one part of a batch is isolated from the next
            logger.exception("group not counted", extra={"organization": group[0]})
            failed += [message.id for message, _ in members if message.id not in failed]
    _push(tasks)
    for message in messages:
        if message.in_flight is not None and message.id not in failed:
            usage.write(usage.delete((store.in_flight_pk(message.organization.id), message.in_flight)))
    _keep_what_is_loaded()
    return list(dict.fromkeys(failed))


@lru_cache(maxsize=1)
def _keep_what_is_loaded() -> None:
    """After the first batch all modules and clients are there for the life of the process: collections of garbage need not
    look at them again and again (half of our own time per event, by `make bench`)."""
    gc.freeze()


def _read(record: Mapping[str, Any]) -> Message:
    body = json.loads(record["body"], parse_float=Decimal)
    return Message(
        id=str(record["messageId"]),
        organization=OrganizationRef(str(body["org"]), bool(body["sandbox"])),
        received_at=body["received"],
        received_ms=milliseconds_of(unstamp(body["received"])),
        in_flight=body.get("in_flight"),
        events=[from_message(parts) for parts in body["events"]],
        source=tuple(body.get("from") or ("", "")),
        clock_at=unstamp(body["now"]) if "now" in body else None,
    )


def _defined(messages: Sequence[Message]) -> dict[str, Definitions | None]:
    """What metrics say of the events' codes, by organization."""
    codes: dict[OrganizationRef, set[str]] = {}
    for message in messages:
        codes.setdefault(message.organization, set()).update(event.code for event in message.events)
    return {organization.id: definitions.of(organization, own) for organization, own in codes.items()}


def _groups(messages: Iterable[Message]) -> dict[Group, list[tuple[Message, Event]]]:
    """Events by subscription, in order of arrival; of a repeated one the first stays."""
    groups: dict[Group, dict[str, tuple[Message, Event]]] = {}
    for message in messages:
        for event in message.events:
            group = groups.setdefault((message.organization.id, event.external_subscription_id), {})
            # A repeat is kept beside its message all the same: if the group fails, both messages come again.
            group.setdefault(event.transaction_id, (message, event))
    return {name: list(members.values()) for name, members in groups.items()}


def _push(tasks: Sequence[Task]) -> None:
    try:
        agenda.push(tasks)
    except Exception:  # noqa: BLE001  the events are counted and the tick finds their tasks: no reason to deliver again
        logger.exception("tasks not pushed")


def _count_group(
    group: Group,
    members: Sequence[tuple[Message, Event]],
    log_keys: Mapping[str, str],
    defined: Mapping[str, Definitions | None],
    in_advance: InAdvance,
    give_up_at: float,
) -> list[Task]:
    commit.require_time(give_up_at)
    organization_id, subscription = group
    sealer = _Sealer(organization_id, subscription, log_keys[organization_id])
    codes_in_advance = in_advance.codes(members[0][0].organization)
    sealed = []
    for message, event in members:
        task = None
        if event.code in codes_in_advance:
            task = advance.task(message.organization, event, message.accepted())
        sealed.append(sealer.seal(message, event, task))
    if len(sealed) > 1:
        sealed = commit.new_ones(sealed)
    return commit.count(organization_id, subscription, sealed, defined[organization_id], give_up_at=give_up_at)


class _Sealer:
    """Makes the items of one subscription's events, straight in DynamoDB's form: this runs once per event."""

    def __init__(self, organization_id: str, subscription: str, log_key: str) -> None:
        self._pk, self._sk = store.event_key(organization_id, "", subscription)
        self._organization_id, self._subscription = organization_id, subscription
        self._time_pks: dict[str, dict[str, str]] = {}
        self._fixed = {"sk": {"S": self._sk}, "subscription": {"S": subscription}, "log": {"S": log_key}}

    def seal(self, message: Message, event: Event, task: Task | None = None) -> commit.Sealed:
        """An event with its item, and with the task that charges it at once."""
        transaction, ms = key_part(event.transaction_id), event.timestamp_ms
        item: dict[str, Any] = {
            **self._fixed,
            "pk": {"S": self._pk + transaction},
            "time_pk": self._time_pk(store.day_of(ms)),
            "time_sk": {"S": f"{ms:015d}#{transaction}"},
            "transaction_id": {"S": event.transaction_id},
            "code": {"S": event.code},
            "ms": {"N": str(ms)},
            "properties": {"S": _to_json(event.properties)},
            "received": {"S": message.received_at},
        }
        if not message.organization.sandbox:
            latest = max(ms, message.received_ms) // 1000
            item["expires_at"] = {"N": str(latest + _RETENTION_SECONDS)}
        if event.precise_total_amount_cents is not None:
            item["precise"] = {"S": event.precise_total_amount_cents}
        if event.sent is not None:
            item["sent"] = {"S": _to_json(event.sent)}
        return commit.Sealed(event, item, task)

    def _time_pk(self, day: str) -> dict[str, str]:
        known = self._time_pks.get(day)
        if known is None:
            text = store.time_pk(self._organization_id, self._subscription, day)
            known = self._time_pks[day] = {"S": text}
        return known
