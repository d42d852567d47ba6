"""The transaction that stores events and counts them.

Time line of a day's compaction (architecture.md has the argument):

    day ends ──── 1 hour ────► readers may compact: read markers, then hours, then put the day row naming the markers
    seen
        └─ a transaction signed after this instant adds 1 to the day's late marker

DynamoDB refuses a signature older than five minutes, and each attempt here is signed once, after looking at the real
clock: so a transaction that called its day open has committed before any reader may compact the day, or never will.

A transaction that conflicts with another is refused, and repeated after a random wait. After a conflict at a row, or
in a busy shard, it goes to another shard (rows.py). After a conflict at an event, another worker is storing the same
events: from then on each attempt first looks for stored ones, which costs far less than a refusal. Each worker begins
at a random place among its events, so that two workers with the same events seldom meet again.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.features.metering import layout, tally
from chalicelib.features.metering.definitions import Definitions
from chalicelib.features.metering.distinct_counters import Entering
from chalicelib.features.metering.event import Event
from chalicelib.features.metering.patience import NotCounted, Patience
from chalicelib.features.metering.rows import Rows
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.busy import error_code, is_busy
from chalicelib.platform.dynamodb import Reason, reasons_of
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.log import logger
from chalicelib.platform.settings import settings
from chalicelib.platform.usage_table import Table, usage

# DynamoDB takes 100 actions in a transaction, and 4 MB: of these a part is left for rows, which may be large already.
_ACTIONS_MAX = 100
_BYTES_MAX = 3_000_000
# At most, of an event and its task without what it says: names of 255 characters, of 4 bytes each, stand in it twice.
_NAMES_BYTES = 7_000
_ATTEMPTS = 10
_CONFLICT = "TransactionConflict"
_REFUSALS = {"ValidationError", "ItemCollectionSizeLimitExceeded"}

usage_once = Table(lambda: settings().usage_table, use="single")


@dataclass(frozen=True, slots=True)
class PreparedEvent:
    """An event with the item that stores it, in DynamoDB's form, and the task that charges it at once, where one
    does."""

    event: Event
    item: Mapping[str, Any]
    task: Task | None = None

    @property
    def received(self) -> tuple[Event, str]:
        """The event with when it was received."""
        return self.event, self.item["received"]["S"]

    @property
    def places(self) -> int:
        """The number of actions that the event takes, without rows."""
        return 1 if self.task is None else 2

    @property
    def size(self) -> int:
        """An upper bound of the bytes of its items."""
        properties, sent = self.item["properties"]["S"], self.item.get("sent")
        size = len(properties) if properties.isascii() else len(properties.encode())
        return _NAMES_BYTES + size + (0 if sent is None else len(sent["S"].encode()))

    def item_in_shard(self, shard: str) -> Mapping[str, Any]:
        """The event's item, in a write shard of the time index."""
        if shard == layout.SHARD:
            return self.item
        return {**self.item, "time_pk": {"S": layout.in_shard(self.item["time_pk"]["S"], shard)}}


class Refused(NotCounted):
    """DynamoDB refuses the transaction as invalid; repeating it does not help."""


@dataclass(slots=True)
class Outcome:
    """The outcome of counting. `written`: events stored and counted just now; `failed`: events not counted, to be
    delivered again. Events in neither were stored before."""

    written: list[PreparedEvent] = field(default_factory=list)
    failed: list[PreparedEvent] = field(default_factory=list)


def count(
    organization_id: OrganizationId,
    subscription: str,
    events: Sequence[PreparedEvent],
    defined: Definitions | None,
    patience: Patience,
) -> Outcome:
    """Store and count events of one subscription, in as many transactions as they need. `defined`: the definitions of
    their codes, None where they are not known.

    A transaction that fails leaves the others alone. One that DynamoDB refuses is tried in another write shard, then
    with rows that only count its events, then in halves: so that an event fails alone.
    """
    outcome = Outcome()
    rows = Rows(usage_once, organization_id, subscription, defined)
    chunks = _chunks(events, rows.entering({prepared.event.code for prepared in events}))
    first = int(random.random() * len(chunks))
    left = deque((chunk, 0) for chunk in chunks[first:] + chunks[:first])
    is_sent_twice = False
    while left:
        chunk, refused = left.popleft()
        if patience.is_over:
            outcome.failed += chunk
            continue
        started = time.monotonic()
        try:
            chunk = new_ones(chunk, consistent=True) if is_sent_twice else chunk
            written, met = _commit(rows, chunk, patience=patience, bare=refused > 1)
            outcome.written += written
            is_sent_twice = is_sent_twice or met
        except Refused:
            patience.lose(time.monotonic() - started)
            rows.move()
            left.extendleft(_smaller(chunk, refused))
            if refused > 1 and len(chunk) == 1:
                logger.exception("event not counted", extra={"organization": organization_id})
                outcome.failed += chunk
        except (NotCounted, ClientError, BotoCoreError):
            patience.lose(time.monotonic() - started)
            logger.exception("events not counted", extra={"organization": organization_id, "events": len(chunk)})
            outcome.failed += chunk
    return outcome


def _smaller(chunk: list[PreparedEvent], refused: int) -> list[tuple[list[PreparedEvent], int]]:
    """The next attempts for a chunk that was refused so many times before."""
    if refused < 2:
        return [(chunk, refused + 1)]
    half = len(chunk) // 2
    return [(some, refused) for some in (chunk[:half], chunk[half:])] if half else []


def _chunks(events: Sequence[PreparedEvent], entering: Entering) -> list[list[PreparedEvent]]:
    """Chunks that fit a transaction: an action per event, per task, per row and per day, and those of distinct
    counters; and no more bytes than it takes beside the rows."""
    chunks: list[list[PreparedEvent]] = []
    chunk: list[PreparedEvent] = []
    own, size = 0, 0
    places: set[object] = set()
    for prepared in sorted(events, key=lambda s: (s.event.timestamp_ms // tally.HOUR_MS, s.event.code)):
        hour = prepared.event.timestamp_ms // tally.HOUR_MS
        wanted = places | {(hour, prepared.event.code), ("day", hour // 24)}
        places_of_event = prepared.places + entering.places(prepared.event.code)
        actions = own + places_of_event + len(wanted) + entering.places_in_all
        if chunk and (actions > _ACTIONS_MAX or size + prepared.size > _BYTES_MAX):
            chunks.append(chunk)
            chunk, own, size, wanted = [], 0, 0, {(hour, prepared.event.code), ("day", hour // 24)}
        chunk.append(prepared)
        own, size = own + places_of_event, size + prepared.size
        places = wanted
    if chunk:
        chunks.append(chunk)
    return chunks


def _commit(
    rows: Rows,
    chunk: list[PreparedEvent],
    *,
    patience: Patience,
    bare: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> tuple[list[PreparedEvent], bool]:
    """Events that were written, and whether another writer stored some of them. `bare`: rows shall only count
    them."""
    table = usage_once
    put = {"TableName": table.name, "ConditionExpression": "attribute_not_exists(pk)"}
    is_old = False  # Whether rows changed after they were read: then they are read consistently.
    is_sent_twice = False
    unsure: list[PreparedEvent] = []  # Sent, and not answered.
    for attempt in range(_ATTEMPTS):
        if not chunk:
            return _own(unsure), is_sent_twice
        patience.require_time()
        place = rows.shard
        tasks = [prepared.task for prepared in chunk if prepared.task is not None]
        actions = [{"Put": {**put, "Item": prepared.item_in_shard(place)}} for prepared in chunk]
        received = [prepared.received for prepared in chunk]
        actions += rows.actions(received, place, signed_at=clock.utc_now(), consistent=is_old, bare=bare)
        actions += [agenda.put(task, now=task.due_at).action for task in tasks]
        try:
            table.client.transact_write_items(TransactItems=actions)
            return chunk + _own([each for each in unsure if each not in chunk]), is_sent_twice
        except table.client.exceptions.TransactionCanceledException as error:
            reasons = reasons_of(error)
            own, others = reasons[: len(chunk)], reasons[len(chunk) :]
            if any(reason.code in _REFUSALS for reason in reasons):
                raise Refused(str(error)) from error
            is_old = any(reason.failed for reason in others)
            is_stored = any(reason.failed for reason in own)
            is_being_stored = any(reason.code == _CONFLICT for reason in own)
            is_sent_twice = is_sent_twice or is_stored or is_being_stored
            if is_old or is_stored:
                chunk = [prepared for prepared, reason in zip(chunk, own, strict=True) if not reason.failed]
                continue  # Cut down, from rows as they are now, and written again at once.
            if not is_being_stored and _is_crowded(rows, actions, reasons):
                rows.move(draw)
        except (ClientError, BotoCoreError) as error:
            # The answer may be lost after the commit: then the next attempt finds all its events known.
            _get_over(error, rows, draw)
            unsure = unsure or chunk
        sleep(draw() * 0.01 * 2 ** min(attempt, 6))
        if is_sent_twice:
            chunk = new_ones(chunk, consistent=True)
    raise NotCounted("conflicts did not end")


def _own(unsure: Sequence[PreparedEvent]) -> list[PreparedEvent]:
    """Events that are stored exactly as this batch would have stored them."""
    if not unsure:
        return []
    found = usage.get_many([(prepared.item["pk"]["S"], prepared.item["sk"]["S"]) for prepared in unsure])
    logs = {item["transaction_id"]: item["log"] for item in found.values()}
    return [each for each in unsure if logs.get(each.event.transaction_id) == each.item["log"]["S"]]


def new_ones(events: Sequence[PreparedEvent], *, consistent: bool = False) -> list[PreparedEvent]:
    """Events of one subscription that are not stored yet. The read is only a hint: the condition in the
    transaction decides."""
    table, stored = usage_once, set[str]()
    keys = [{"pk": prepared.item["pk"], "sk": prepared.item["sk"]} for prepared in events]
    while keys:
        chunk, keys = keys[:100], keys[100:]
        wanted = {"Keys": chunk, "ProjectionExpression": "transaction_id", "ConsistentRead": consistent}
        answer = table.client.batch_get_item(RequestItems={table.name: wanted})
        stored |= {found["transaction_id"]["S"] for found in answer["Responses"].get(table.name, [])}
    return [prepared for prepared in events if prepared.event.transaction_id not in stored]


def _is_crowded(rows: Rows, actions: Sequence[Mapping[str, Any]], reasons: Sequence[Reason]) -> bool:
    """Whether another shard may succeed: the conflict was at a row, a partition is throttled, or a row cannot hold
    more. (A conflict at a distinct value would happen again.)"""
    return any(
        reason.code != "None" and (reason.code != _CONFLICT or rows.is_row(action))
        for action, reason in zip(actions, reasons, strict=True)
    )


def _get_over(error: ClientError | BotoCoreError, rows: Rows, draw: Callable[[], float]) -> None:
    """Raises: Refused, where the table does not take this; NotCounted, where another attempt would fail alike."""
    if _is_full(error):
        rows.move(draw)
    elif not is_busy(error):
        refused = isinstance(error, ClientError) and error_code(error) == "ValidationException"
        raise (Refused if refused else NotCounted)(str(error)) from error


def _is_full(error: ClientError | BotoCoreError) -> bool:
    """Whether the sum in a row would need more than DynamoDB's 38 digits: another shard of the row begins at 0."""
    answer = error.response.get("Error", {}) if isinstance(error, ClientError) else {}
    return answer.get("Code") == "ValidationException" and "38" in answer.get("Message", "")
