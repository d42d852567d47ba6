"""The one transaction in which events become known and count.

Time line of a day's fold (architecture.md has the argument):

    day ends ──── 1 hour ────► readers may fold: read markers, then hours, then put the day row naming the markers seen
        └─ a transaction signed after this instant adds 1 to the day's late marker

DynamoDB refuses a signature older than five minutes, and each attempt here is signed once, after looking at the real
clock: so a transaction that called its day open is in before anyone may fold it, or never.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.features.events.event import Event, instant_of
from chalicelib.features.metering import store, tally
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.settings import settings
from chalicelib.platform.table import Table, reasons_of

# DynamoDB takes 100 actions in a transaction.
_ACTIONS_MAX = 100
_ATTEMPTS = 10
_REPEATABLE = {
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TransactionInProgressException",
}

usage_once = Table(lambda: settings().usage_table, use="single")


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event with the item that stores it, in DynamoDB's form, and the task that charges it at once, where one does."""

    event: Event
    item: Mapping[str, Any]
    task: Task | None = None

    @property
    def places(self) -> int:
        """How many actions it takes by itself."""
        return 1 if self.task is None else 2


class NotCounted(Exception):
    """A transaction did not get through; nothing of it was written, and its events may be delivered again."""


@dataclass(slots=True)
class Retries:
    """What conflicts cost, for the benchmark: transactions and events written again."""

    conflicts: int = 0
    repeated_events: int = 0


retries = Retries()

# Property names seen per organization and code: bounds how many a row can hold. A name beyond is not covered.
_fields: dict[tuple[str, str], set[str]] = {}


def count(organization_id: str, subscription: str, events: Sequence[Sealed]) -> list[Task]:
    """Store and count events of one subscription, in as many transactions as they need; returns the tasks written with
    them, to be pushed.

    Raises: NotCounted; what was written before stays written.
    """
    tasks: list[Task] = []
    for part in _parts(events):
        tasks += _commit(organization_id, subscription, part)
    return tasks


def _parts(events: Sequence[Sealed]) -> list[list[Sealed]]:
    """Groups that fit a transaction: an action per event, per task, per row and per day."""
    parts: list[list[Sealed]] = []
    part: list[Sealed] = []
    own = 0
    places: set[object] = set()
    for sealed in sorted(events, key=lambda s: (s.event.timestamp_ms // tally.HOUR_MS, s.event.code)):
        hour = sealed.event.timestamp_ms // tally.HOUR_MS
        wanted = places | {(hour, sealed.event.code), ("day", hour // 24)}
        if own + sealed.places + len(wanted) > _ACTIONS_MAX:
            parts.append(part)
            part, own, wanted = [], 0, {(hour, sealed.event.code), ("day", hour // 24)}
        part.append(sealed)
        own += sealed.places
        places = wanted
    if part:
        parts.append(part)
    return parts


def _commit(
    organization_id: str,
    subscription: str,
    part: list[Sealed],
    *,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> list[Task]:
    """The tasks that were written. Where the answer was lost they are not known, and the tick finds them."""
    table = usage_once
    put = {"TableName": table.name, "ConditionExpression": "attribute_not_exists(pk)"}
    for attempt in range(_ATTEMPTS):
        if not part:
            return []
        tasks = [sealed.task for sealed in part if sealed.task is not None]
        actions = [{"Put": {**put, "Item": sealed.item}} for sealed in part]
        actions += _row_actions(table, organization_id, subscription, part, signed_at=clock.utc_now())
        actions += [agenda.put(task, now=task.due_at) for task in tasks]
        try:
            table.client.transact_write_items(TransactItems=actions)
            return tasks
        except table.client.exceptions.TransactionCanceledException as error:
            reasons = reasons_of(error)
            known = {i for i, reason in enumerate(reasons[: len(part)]) if reason.failed}
            if any(reason.code == "ValidationError" for reason in reasons):
                raise NotCounted(str(error)) from error
            if known:
                part = [sealed for i, sealed in enumerate(part) if i not in known]
                continue  # Cut down and written again at once.
            retries.conflicts += 1
            retries.repeated_events += len(part)
        except ClientError as error:
            if not _repeatable(error):
                raise NotCounted(str(error)) from error
        except BotoCoreError:
            # The answer may be lost after the commit: then the next attempt finds all its events known.
            pass
        sleep(draw() * 0.01 * 2 ** min(attempt, 6))
    raise NotCounted("conflicts did not end")


def _repeatable(error: ClientError) -> bool:
    """Whether another attempt may get through: the service was busy, or failed itself."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response.get("Error", {}).get("Code") in _REPEATABLE


def _row_actions(
    table: Table, organization_id: str, subscription: str, part: Sequence[Sealed], *, signed_at: datetime
) -> list[dict[str, Any]]:
    pk = store.usage_pk(organization_id, subscription)
    deltas = tally.tally(sealed.event for sealed in part)
    late: set[str] = set()
    actions: list[dict[str, Any]] = []
    for (hour, code), delta in deltas.items():
        begins = instant_of(hour * tally.HOUR_MS)
        if not _admitted(organization_id, code, delta):
            tally.uncover(delta)
        actions.append(_add(table, pk, store.hour_sk(store.hour_of(begins), code), delta))
        if (hour // 24 + 1) * 24 * tally.HOUR_MS <= signed_at.timestamp() * 1000:
            late.add(begins.strftime("%Y-%m-%d"))
    return actions + [_add(table, pk, store.late_sk(day), {store.COUNT: 1}) for day in sorted(late)]


def _admitted(organization_id: str, code: str, delta: tally.Delta) -> bool:
    names = {name for name in delta if name.startswith(store.SUM)}
    seen = _fields.setdefault((organization_id, code), set())
    if len(seen | names) > tally.FIELDS_PER_ROW_MAX:
        return False
    seen |= names
    return True


def _add(table: Table, pk: str, sk: str, delta: Mapping[str, int | Decimal]) -> dict[str, Any]:
    names = {f"#{i}": name for i, name in enumerate(delta)}
    values = {
        f":{i}": {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}
        for i, value in enumerate(delta.values())
    }
    return {
        "Update": {
            "TableName": table.name,
            "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
            "UpdateExpression": "ADD " + ", ".join(f"#{i} :{i}" for i in range(len(delta))),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }
