"""The log of counted events: their ids, sources and faults. Lists of events are read from it.

Counting comes first. A batch has a name before it is counted, and its events hold that name. Counted events are written
to the log afterwards, and then added to the numbers of events by day. So the log names each event once, and none that
does not count. Where it cannot be written, its events count all the same, and a metric says so (`LogSkipped`).

A worker may die at any point of this. Its messages come again. Their events that are stored by then, and that no item
of their batch names, are written to the log under the name of that batch. Nobody knows whether existing items were
added to the numbers. So their row is marked as doubtful, as after a lost answer, and readers count the items
themselves (log_numbers.py). That is rare, and costs a third of what transactions would.
"""

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import limits
from chalicelib.domain.aggregation.faults import INVALID_CODE
from chalicelib.features.metering import layout, log_items, log_numbers
from chalicelib.features.metering.definitions import Definitions
from chalicelib.features.metering.event import Event
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.metering.queue_message import Message
from chalicelib.platform import agenda, metrics
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, derived_id
from chalicelib.platform.log import logger
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

# The faults of an hour are announced after its end: in an organization with a clock of its own, by that clock.
ERRORS = agenda.kind("event_errors", rank=70, reads_usage=True)

_HOUR = timedelta(hours=1)

Name = tuple[str, str]  # Subscription and transaction id.

# By worker (a thread) and organization: the number of write shards it chooses from. It doubles with each conflict.
_spread: dict[tuple[int, str], int] = {}
_REMEMBERED = 10_000


def forget() -> None:
    """Forget how far this process has spread its batches."""
    _spread.clear()


def name_of(organization_id: OrganizationId, message_ids: Iterable[str], now: datetime) -> str:
    """The name of a batch of these messages, metered at a real instant."""
    shards = _spread.get((threading.get_ident(), organization_id), 1)
    shard = layout.ALL_SHARDS[random.randrange(shards)]
    return f"{stamp(now)}#{derived_id(*message_ids)}#{shard}"


def write(
    organization: OrganizationRef,
    name: str,
    messages: Sequence[Message],
    counted: set[Name],
    definitions: Definitions | None,
    now: datetime,
) -> None:
    """Log the counted events of an organization's messages, under the name of their batch.

    Never raises: its events are counted already.
    """
    try:
        references = list(_references(messages, set(counted), definitions))
        items = log_items.items_of(organization.id, name, references, keeps_for_ever=organization.sandbox)
        _write_all(organization, items, _clock_at(messages, now))
    except Exception:  # noqa: BLE001  as said above
        _skipped(organization, len(counted))


def complete(
    organization: OrganizationRef, message: Message, own_name: str, definitions: Definitions | None, now: datetime
) -> None:
    """Log what a message that came again had counted before, where the log does not have it. `own_name`: of the batch
    of now. Never raises."""
    try:
        for name, (missing, doubtful) in _known(organization.id, message).items():
            if name != own_name:
                log_numbers.doubt(doubtful)
            references = list(_references([message], missing, definitions))
            suffix = f"{derived_id(message.id)[:8]}-"
            keeps = organization.sandbox
            items = log_items.items_of(organization.id, name, references, suffix=suffix, keeps_for_ever=keeps)
            _write_all(organization, items, _clock_at([message], now))
    except Exception:  # noqa: BLE001  as said above
        _skipped(organization, len(message.events))


def _known(organization_id: OrganizationId, message: Message) -> dict[str, tuple[set[Name], set[Key]]]:
    """The stored events of this very message that no log item names, by the name of their batch,
    and the rows of numbers for the others."""
    keys = [layout.event_key(organization_id, e.transaction_id, e.external_subscription_id) for e in message.events]
    found: dict[str, tuple[set[Name], set[Key]]] = {}
    for item in usage.get_many(keys).values():
        if item["received"] == message.received_at and "time_pk" in item:
            missing, _ = found.setdefault(item["log"], (set(), set()))
            missing.add((item["subscription"], item["transaction_id"]))
    for name, (missing, rows) in found.items():
        for item in standing(organization_id, name):
            own = {(r.external_subscription_id, r.transaction_id) for r in log_items.references_of(item)} & missing
            if own:
                rows.add(log_items.row_key(organization_id, item))
            missing -= own
    return found


def standing(organization_id: OrganizationId, name: str) -> list[Item]:
    """The log items of a batch."""
    return list(usage.query(log_items.pk_of(organization_id, name), begins=f"{name}#"))


def _references(messages: Iterable[Message], wanted: set[Name], definitions: Definitions | None) -> Iterable[Reference]:
    """First reference of each wanted event, which is the one that is kept. Removes each found name from `wanted`."""
    place = 0
    for message in messages:
        source = message.source
        for event in message.events:
            name = (event.external_subscription_id, event.transaction_id)
            if name in wanted:
                wanted.discard(name)
                faults = _faults(event, definitions)
                yield Reference(name[1], name[0], event.code, event.timestamp_ms, source, faults, place)
                place += 1


def _faults(event: Event, definitions: Definitions | None) -> int:
    if definitions is None:
        return 0
    metric = definitions.get(event.code)
    return INVALID_CODE if metric is None else metric.expected.faults(event.properties)


def _clock_at(messages: Iterable[Message], now: datetime) -> datetime:
    # Events in flight hold a sandbox's clock up, so that it still shows the hour in which they came.
    return max((message.clock_at for message in messages if message.clock_at is not None), default=now)


def _write_all(organization: OrganizationRef, items: Sequence[Item], at: datetime) -> None:
    if any(item["faults"] for item in items):
        _tell_later(organization, at)  # Before the marks: a task that finds nothing does nothing.
    marks = [log_items.mark_of(organization.id, layout.hour_of(at), item) for item in items if item["faults"]]
    try:
        usage.write_many([*items, *marks])  # The same again is the same.
        log_numbers.add(organization.id, items)
    except ClientError:
        _spread_more(organization.id)  # Most likely there was too much going on in that part.
        raise


def _spread_more(organization_id: OrganizationId) -> None:
    if len(_spread) > _REMEMBERED:
        _spread.clear()
    worker = (threading.get_ident(), organization_id)
    _spread[worker] = min(2 * _spread.get(worker, 1), limits.ROW_PARTS_MAX)


def _skipped(organization: OrganizationRef, number: int) -> None:
    """Count events that lists will lack in the metric that raises the alarm."""
    logger.exception("not logged", extra={"organization": organization.id, "events": number})
    metrics.count("LogSkipped", number, organization=organization.id)


def _tell_later(organization: OrganizationRef, at: datetime) -> None:
    """The task that reports the faults of an hour; there is one, however often it is written. The tick finds it."""
    hour = layout.hour_of(at)
    due_at = at.replace(minute=0, second=0, microsecond=0) + _HOUR
    try:
        agenda.put(agenda.task(ERRORS, organization, hour, due_at), now=at).alone()
    except Exception:  # noqa: BLE001  faults decide no money
        logger.exception("faults will not be announced", extra={"organization": organization.id, "hour": hour})


# Erasing.


def take_out(organization_id: OrganizationId, events: Sequence[Mapping[str, Any]]) -> None:
    """Take these stored events out of the log and its numbers. It is idempotent.

    Raises: Cancelled, where others changed the same items.
    """
    by_batch: dict[str, set[Name]] = {}
    for event in events:
        by_batch.setdefault(event["log"], set()).add((event["subscription"], event["transaction_id"]))
    for name, gone in by_batch.items():
        for item in standing(organization_id, name):
            references = log_items.references_of(item)
            kept = [r for r in references if (r.external_subscription_id, r.transaction_id) not in gone]
            if len(kept) < len(references):
                _shorten(organization_id, item, kept)


def _shorten(organization_id: OrganizationId, item: Item, kept: Sequence[Reference]) -> None:
    seen: dict[str, Any] = {"condition": "refs = :seen", "values": {":seen": item["refs"]}}
    place = item["pk"], item["sk"]
    left = log_items.left_of(item, kept) if kept else None
    change = usage.delete(place, **seen) if left is None else usage.put(left, **seen)
    gone = item["n"] - len(kept)
    warned = {name: (left or {}).get("warned", 0) - number for name, number in log_numbers.warned_of(item).items()}
    Unit(change, log_numbers.moved(log_items.row_key(organization_id, item), -gone, gone, warned=warned)).commit()
