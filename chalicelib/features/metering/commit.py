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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.features.events.event import Event
from chalicelib.features.metering import store, tally
from chalicelib.features.metering.definitions import Definitions
from chalicelib.features.metering.registers import Entering
from chalicelib.features.metering.rows import Rows
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.busy import is_busy
from chalicelib.platform.settings import settings
from chalicelib.platform.table import Reason, Table, reasons_of

# DynamoDB takes 100 actions in a transaction.
_ACTIONS_MAX = 100
_ATTEMPTS = 10
_CONFLICT = "TransactionConflict"

usage_once = Table(lambda: settings().usage_table, use="single")


@dataclass(frozen=True, slots=True)
class Sealed:
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

    def item_in(self, part: str) -> Mapping[str, Any]:
        """The item that stores it in a part of the time index."""
        if part == store.PART:
            return self.item
        return {**self.item, "time_pk": {"S": store.in_part(self.item["time_pk"]["S"], part)}}


class NotCounted(Exception):
    """A transaction did not get through; nothing of it was written, and its events may be delivered again."""


def count(
    organization_id: str,
    subscription: str,
    events: Sequence[Sealed],
    defined: Definitions | None,
    *,
    give_up_at: float = math.inf,
) -> list[Task]:
    """Store and count events of one subscription, in as many transactions as they need; returns the tasks written with
    them, to be pushed. `defined`: what metrics say of their codes, None where that is not known. `give_up_at` (monotonic s):
    when no transaction may begin any more.

    Raises: NotCounted; what was written before stays written.
    """
    tasks: list[Task] = []
    rows = Rows(usage_once, organization_id, subscription, defined)
    parts = _parts(events, rows.entering({sealed.event.code for sealed in events}))
    first = int(random.random() * len(parts))
    is_sent_twice = False
    for part in parts[first:] + parts[:first]:
        fresh = new_ones(part, consistent=True) if is_sent_twice else part
        written, met = _commit(rows, fresh, give_up_at=give_up_at)
        tasks += written
        is_sent_twice = is_sent_twice or met
    return tasks


def _parts(events: Sequence[Sealed], entering: Entering) -> list[list[Sealed]]:
    """Groups that fit a transaction: an action per event, per task, per row and per day, and those of registers."""
    parts: list[list[Sealed]] = []
    part: list[Sealed] = []
    own = 0
    places: set[object] = set()
    for sealed in sorted(events, key=lambda s: (s.event.timestamp_ms // tally.HOUR_MS, s.event.code)):
        hour = sealed.event.timestamp_ms // tally.HOUR_MS
        wanted = places | {(hour, sealed.event.code), ("day", hour // 24)}
        places_of_event = sealed.places + entering.places(sealed.event.code)
        if own + places_of_event + len(wanted) + entering.places_in_all > _ACTIONS_MAX:
            parts.append(part)
            part, own, wanted = [], 0, {(hour, sealed.event.code), ("day", hour // 24)}
        part.append(sealed)
        own += places_of_event
        places = wanted
    if part:
        parts.append(part)
    return parts


def _commit(
    rows: Rows,
    part: list[Sealed],
    *,
    give_up_at: float = math.inf,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> tuple[list[Task], bool]:
    """The tasks that were written, and whether somebody else stored some of these events. (Where the answer was lost the tasks
    are not known, and the tick finds them.)"""
    table = usage_once
    put = {"TableName": table.name, "ConditionExpression": "attribute_not_exists(pk)"}
    is_old = False  # What was read of rows before writing.
    is_sent_twice = False
    for attempt in range(_ATTEMPTS):
        if not part:
            return [], is_sent_twice
        require_time(give_up_at)
        place = rows.part
        tasks = [sealed.task for sealed in part if sealed.task is not None]
        actions = [{"Put": {**put, "Item": sealed.item_in(place)}} for sealed in part]
        received = [sealed.received for sealed in part]
        actions += rows.actions(received, place, signed_at=clock.utc_now(), consistent=is_old)
        actions += [agenda.put(task, now=task.due_at) for task in tasks]
        try:
            table.client.transact_write_items(TransactItems=actions)
            return tasks, is_sent_twice
        except table.client.exceptions.TransactionCanceledException as error:
            reasons = reasons_of(error)
            own, others = reasons[: len(part)], reasons[len(part) :]
            if any(reason.code == "ValidationError" for reason in reasons):
                raise NotCounted(str(error)) from error
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
            if not is_busy(error):
                raise NotCounted(str(error)) from error
        sleep(draw() * 0.01 * 2 ** min(attempt, 6))
        if is_sent_twice:
            part = new_ones(part, consistent=True)
    raise NotCounted("conflicts did not end")


def require_time(give_up_at: float) -> None:
    """Raises: NotCounted, when the time is up (monotonic s). Who goes on until the function is cut off gives nothing back, and
    all its messages come again late."""
    if time.monotonic() > give_up_at:
        raise NotCounted("no time left")


def new_ones(events: Sequence[Sealed], *, consistent: bool = False) -> list[Sealed]:
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
    """Whether another part would have done: they met at a row, or there is too much going on where something was to be written.
    (Who meets at a distinct value would meet there again.)"""
    return any(
        reason.code != "None" and (reason.code != _CONFLICT or rows.is_row(action))
        for action, reason in zip(actions, reasons, strict=True)
    )
