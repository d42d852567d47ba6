"""Number of events in the log, by day of reception and day of the event: totals of lists.

Items
    pk          sk                                  what it is
    <org>#log   <day>#<day of the events>#<part>    `n`: how many; `e`: how many were taken out again; `doubt`: items were
                                                    written that may be missing in `n`

A number is added once, by a request that is sent once. Where its answer is lost, or a worker died before, the row is
marked. Readers of a marked row count the items themselves, and write down the result once the day is over.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.features.metering import layout, log_items
from chalicelib.platform.dynamodb import ConditionFailed, Key
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Write
from chalicelib.platform.usage_table import Table, usage
from chalicelib.platform.values import Item

usage_once = Table(lambda: settings().usage_table, use="single")

_ATTEMPTS = 6
# A day's items are all written by then, also those that a worker began with before its end.
_OVER_AFTER = timedelta(hours=1)


def add(organization_id: OrganizationId, items: Iterable[Item]) -> None:
    """Add the numbers of events that these items name to their rows; a row is marked as doubtful where the write may have
    failed."""
    numbers: dict[Key, tuple[int, int]] = {}
    for item in items:
        row = log_items.row_key(organization_id, item)
        number, expires = numbers.get(row, (0, 0))
        numbers[row] = number + item["n"], max(expires, item.get("expires_at", 0))
    for row, (number, expires) in numbers.items():
        if not _added(moved(row, number, 0, expires)):
            doubt([row])


def _added(action: Write) -> bool:
    for attempt in range(_ATTEMPTS):
        try:
            usage_once.write(action)
            return True
        except (ClientError, BotoCoreError) as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(error, ClientError) else 500
            if status >= 500:
                return False  # It may have been done.
            time.sleep(0.02 * 2**attempt)
    return False


def moved(row: Key, number: int, erased: int, expires_at: int = 0) -> Write:
    """The change of a row."""
    expression, values = "ADD #n :n, e :e", {":n": number, ":e": erased}
    if expires_at:
        expression, values = f"{expression} SET expires_at = :x", {**values, ":x": expires_at}
    return usage.update(row, expression, names={"#n": "n"}, values=values)


def doubt(rows: Iterable[Key]) -> None:
    """Let readers count what these rows count."""
    for row in rows:
        usage.write(
            usage.update(
                row, "SET doubt = :yes ADD #n :zero, e :zero", names={"#n": "n"}, values={":yes": True, ":zero": 0}
            )
        )


def rows(organization_id: OrganizationId, between: tuple[str, str], real_now: datetime) -> Iterator[Item]:
    """The rows whose keys lie between two, with true numbers."""
    for row in usage.query(layout.log_pk(organization_id), between=between):
        yield _recounted(organization_id, row, real_now) if row.get("doubt") else row


def _recounted(organization_id: OrganizationId, row: Item, real_now: datetime) -> Item:
    day, _, shard = row["sk"].split("#")
    items = usage.query(log_items.log_pk(organization_id, day, shard[0]))
    number = sum(item["n"] for item in items if log_items.row_key(organization_id, item)[1] == row["sk"])
    if day < f"{real_now - _OVER_AFTER:%Y-%m-%d}":
        _write_down(row, number)
    return {**row, "n": number}


def _write_down(row: Item, number: int) -> None:
    change = usage.update(
        (row["pk"], row["sk"]),
        "SET #n = :n REMOVE doubt",
        names={"#n": "n"},
        values={":n": number, ":seen": row["n"]},
        condition="#n = :seen",
    )
    try:
        usage.write(change)
    except ConditionFailed:
        return  # Something was taken out meanwhile: the next reader will see.
