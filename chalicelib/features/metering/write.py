"""The one transaction in which events become known and count.

Time line of a day's fold (architecture.md has the argument):

    day ends ──── 1 hour ────► readers may fold: read markers, then hours, then put the day row naming the markers seen
        └─ a transaction signed after this instant adds 1 to the day's late marker

DynamoDB refuses a signature older than five minutes, and each attempt here is signed once, after looking at the real
clock: so a transaction that called its day open is in before anyone may fold it, or never.

A transaction that meets another at an item is refused, and repeated after a wait drawn by chance. Where they met at a row,
or where a part was too busy, it goes to another part (rows.py). Where they met at an event, somebody stores the very same
events: from then on they are looked for before each attempt, which costs far less than to be refused; and as each worker
begins somewhere else among its events, two that have the same seldom meet again.
"""

import math
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import limits
from chalicelib.features.metering import store, tally
from chalicelib.features.metering.definitions import Definitions
from chalicelib.features.metering.distinct_counters import Entering
from chalicelib.features.metering.event import Event
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
    """An event with the item that stores it, in DynamoDB's form, and the task that charges it at once, where one does."""

    event: Event
    item: Mapping[str, Any]
    task: Task | None = None

    @property
    def received(self) -> tuple[Event, str]:
        """The event with when it was received."""
        return self.event, self.item["received"]["S"]

    @property
    def places(self) -> int:
        """How many actions it takes by itself."""
        return 1 if self.task is None else 2

    @property
    def size(self) -> int:
        """At most so many bytes do its items have."""
        properties, sent = self.item["properties"]["S"], self.item.get("sent")
        size = len(properties) if properties.isascii() else len(properties.encode())
        return _NAMES_BYTES + size + (0 if sent is None else len(sent["S"].encode()))

    def item_in(self, part: str) -> Mapping[str, Any]:
        """The item that stores it in a part of the time index."""
        if part == store.PART:
            return self.item
        return {**self.item, "time_pk": {"S": store.in_part(self.item["time_pk"]["S"], part)}}


class NotCounted(Exception):
    """A transaction did not get through; nothing of it was written, and its events may be delivered again."""


class Refused(NotCounted):
    """DynamoDB does not take it as it is, however often it is sent."""


@dataclass(slots=True)
class Outcome:
    """What became of events. `written`: stored and counted just now; `failed`: not counted, to be delivered again; those in
    neither were known."""

    written: list[PreparedEvent] = field(default_factory=list)
    failed: list[PreparedEvent] = field(default_factory=list)


class Patience:
    """How long a batch goes on with an organization whose transactions do not get through: the others wait meanwhile.

    `give_up_at` (monotonic seconds): when no transaction may begin any more. A function that goes on until it is cut off gives
    nothing back, and all its messages come again late.
    """

    def __init__(self, whole: "Patience | None" = None, *, give_up_at: float = math.inf) -> None:
        self._whole = whole
        self._lost = 0.0
        self._give_up_at: float = give_up_at if whole is None else whole._give_up_at

    @property
    def is_over(self) -> bool:
        """Whether the rest of the organization's events shall come again instead."""
        too_long = self._lost > limits.METERING_LOST_SECONDS or time.monotonic() > self._give_up_at
        return too_long or (
            self._lost > 0 and self._whole is not None and self._whole._lost > limits.METERING_LOST_IN_ALL
        )

    def require_time(self) -> None:
        """Raises: NotCounted, when the time is up."""
        if time.monotonic() > self._give_up_at:
            raise NotCounted("no time left")

    def lose(self, seconds: float) -> None:
        """Note that a transaction took so long and failed."""
        self._lost += seconds
        if self._whole is not None:
            self._whole.lose(seconds)


def count(
    organization_id: OrganizationId,
    subscription: str,
    events: Sequence[PreparedEvent],
    defined: Definitions | None,
    patience: Patience,
) -> Outcome:
    """Store and count events of one subscription, in as many transactions as they need. `defined`: what metrics say of their
    codes, None where that is not known.

    A transaction that fails leaves the others alone. One that DynamoDB refuses is tried in another part of rows, then with
    rows that only count its events, then in halves: so that an event fails alone.
    """
    outcome = Outcome()
    rows = Rows(usage_once, organization_id, subscription, defined)
    parts = _parts(events, rows.entering({sealed.event.code for sealed in events}))
    first = int(random.random() * len(parts))
    left = deque((part, 0) for part in parts[first:] + parts[:first])
    is_sent_twice = False
    while left:
        part, refused = left.popleft()
        if patience.is_over:
            outcome.failed += part
            continue
        started = time.monotonic()
        try:
            part = new_ones(part, consistent=True) if is_sent_twice else part
            written, met = _commit(rows, part, patience=patience, bare=refused > 1)
            outcome.written += written
            is_sent_twice = is_sent_twice or met
        except Refused:
            patience.lose(time.monotonic() - started)
            rows.move()
            left.extendleft(_smaller(part, refused))
            if refused > 1 and len(part) == 1:
                logger.exception("event not counted", extra={"organization": organization_id})
                outcome.failed += part
        except (NotCounted, ClientError, BotoCoreError):
            patience.lose(time.monotonic() - started)
            logger.exception("events not counted", extra={"organization": organization_id, "events": len(part)})
            outcome.failed += part
    return outcome


def _smaller(part: list[PreparedEvent], refused: int) -> list[tuple[list[PreparedEvent], int]]:
    """How to try again what was refused so many times before."""
    if refused < 2:
        return [(part, refused + 1)]
    half = len(part) // 2
    return [(some, refused) for some in (part[:half], part[half:])] if half else []


def _parts(events: Sequence[PreparedEvent], entering: Entering) -> list[list[PreparedEvent]]:
    """Groups that fit a transaction: an action per event, per task, per row and per day, and those of registers; and no more
    bytes than it takes beside the rows."""
    parts: list[list[PreparedEvent]] = []
    part: list[PreparedEvent] = []
    own, size = 0, 0
    places: set[object] = set()
    for sealed in sorted(events, key=lambda s: (s.event.timestamp_ms // tally.HOUR_MS, s.event.code)):
        hour = sealed.event.timestamp_ms // tally.HOUR_MS
        wanted = places | {(hour, sealed.event.code), ("day", hour // 24)}
        places_of_event = sealed.places + entering.places(sealed.event.code)
        actions = own + places_of_event + len(wanted) + entering.places_in_all
        if part and (actions > _ACTIONS_MAX or size + sealed.size > _BYTES_MAX):
            parts.append(part)
            part, own, size, wanted = [], 0, 0, {(hour, sealed.event.code), ("day", hour // 24)}
        part.append(sealed)
        own, size = own + places_of_event, size + sealed.size
        places = wanted
    if part:
        parts.append(part)
    return parts


def _commit(
    rows: Rows,
    part: list[PreparedEvent],
    *,
    patience: Patience,
    bare: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> tuple[list[PreparedEvent], bool]:
    """The events that were written, and whether somebody else stored some of them. `bare`: rows shall only count them."""
    table = usage_once
    put = {"TableName": table.name, "ConditionExpression": "attribute_not_exists(pk)"}
    is_old = False  # What was read of rows before writing.
    is_sent_twice = False
    unsure: list[PreparedEvent] = []  # Sent, and not answered.
    for attempt in range(_ATTEMPTS):
        if not part:
            return _own(unsure), is_sent_twice
        patience.require_time()
        place = rows.part
        tasks = [sealed.task for sealed in part if sealed.task is not None]
        actions = [{"Put": {**put, "Item": sealed.item_in(place)}} for sealed in part]
        received = [sealed.received for sealed in part]
        actions += rows.actions(received, place, signed_at=clock.utc_now(), consistent=is_old, bare=bare)
        actions += [agenda.put(task, now=task.due_at).action for task in tasks]
        try:
            table.client.transact_write_items(TransactItems=actions)
            return part + _own([each for each in unsure if each not in part]), is_sent_twice
        except table.client.exceptions.TransactionCanceledException as error:
            reasons = reasons_of(error)
            own, others = reasons[: len(part)], reasons[len(part) :]
            if any(reason.code in _REFUSALS for reason in reasons):
                raise Refused(str(error)) from error
            is_old = any(reason.failed for reason in others)
            is_stored = any(reason.failed for reason in own)
            is_being_stored = any(reason.code == _CONFLICT for reason in own)
            is_sent_twice = is_sent_twice or is_stored or is_being_stored
            if is_old or is_stored:
                part = [sealed for sealed, reason in zip(part, own, strict=True) if not reason.failed]
                continue  # Cut down, from rows as they are now, and written again at once.
            if not is_being_stored and _is_crowded(rows, actions, reasons):
                rows.move(draw)
        except (ClientError, BotoCoreError) as error:
            # The answer may be lost after the commit: then the next attempt finds all its events known.
            _get_over(error, rows, draw)
            unsure = unsure or part
        sleep(draw() * 0.01 * 2 ** min(attempt, 6))
        if is_sent_twice:
            part = new_ones(part, consistent=True)
    raise NotCounted("conflicts did not end")


def _own(unsure: Sequence[PreparedEvent]) -> list[PreparedEvent]:
    """Those of the events which stand as this very batch would have stored them."""
    if not unsure:
        return []
    found = usage.get_many([(sealed.item["pk"]["S"], sealed.item["sk"]["S"]) for sealed in unsure])
    logs = {item["transaction_id"]: item["log"] for item in found.values()}
    return [each for each in unsure if logs.get(each.event.transaction_id) == each.item["log"]["S"]]


def new_ones(events: Sequence[PreparedEvent], *, consistent: bool = False) -> list[PreparedEvent]:
    """Those events of one subscription that are not stored yet, as far as a cheap look tells; the condition in the
    transaction decides."""
    table, stored = usage_once, set[str]()
    keys = [{"pk": sealed.item["pk"], "sk": sealed.item["sk"]} for sealed in events]
    while keys:
        chunk, keys = keys[:100], keys[100:]
        wanted = {"Keys": chunk, "ProjectionExpression": "transaction_id", "ConsistentRead": consistent}
        answer = table.client.batch_get_item(RequestItems={table.name: wanted})
        stored |= {found["transaction_id"]["S"] for found in answer["Responses"].get(table.name, [])}
    return [sealed for sealed in events if sealed.event.transaction_id not in stored]


def _is_crowded(rows: Rows, actions: Sequence[Mapping[str, Any]], reasons: Sequence[Reason]) -> bool:
    """Whether another part would have done: they met at a row, there is too much going on where something was to be written, or
    a row cannot hold more. (Who meets at a distinct value would meet there again.)"""
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
    """Whether the sum in a row would need more than DynamoDB's 38 digits: another part of the row can begin at 0."""
    answer = error.response.get("Error", {}) if isinstance(error, ClientError) else {}
    return answer.get("Code") == "ValidationException" and "38" in answer.get("Message", "")
