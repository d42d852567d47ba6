"""Number of events in the log, by day of reception and day of the event: totals of lists.

Items
    pk          sk                                  what it is
    <org>#log   <day>#<day of the events>#<part>    `n`: how many; `e`: how many were taken out again; `doubt`: items were
                                                    written that may be missing in `n`; `w<hour>`: how many have
                                                    warnings, by hour of reception, where any have

A number is added once, by a request that is sent once. Where its answer is lost, or a worker died before, the row is
marked. Readers of a marked row count the items themselves, and write down the result once the day is over.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

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
    warned: dict[Key, Counter[str]] = {}
    for item in items:
        row = log_items.row_key(organization_id, item)
        number, expires = numbers.get(row, (0, 0))
        numbers[row] = number + item["n"], max(expires, item.get("expires_at", 0))
        warned.setdefault(row, Counter()).update(warned_of(item))
    for row, (number, expires) in numbers.items():
        if not _added(moved(row, number, 0, expires, warned=warned[row])):
            doubt([row])


def warned_of(item: Item) -> Mapping[str, int]:
    """So many of an item's events have warnings, under the name of their hour's counter."""
    return {_counter(item["sk"][11:13]): int(item["warned"])} if item.get("warned") else {}


def _counter(hour: str) -> str:
    return f"w{hour}"


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


def moved(
    row: Key, number: int, erased: int, expires_at: int = 0, *, warned: Mapping[str, int] = MappingProxyType({})
) -> Write:
    """The change of a row."""
    expression, values = "ADD #n :n, e :e", {":n": number, ":e": erased}
    for name, each in warned.items():
        expression, values = f"{expression}, {name} :{name}", {**values, f":{name}": each}
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


def warned_since(organization_id: OrganizationId, since: datetime, real_now: datetime) -> int:
    """How many events with warnings were received from the beginning of an hour on, at most a day ago."""
    first = f"{since:%Y-%m-%d}"
    found = 0
    for row in rows(organization_id, (f"{first}#", f"{real_now:%Y-%m-%d}#~"), real_now):
        day = row["sk"][:10]
        hours = range(since.hour if day == first else 0, 24)
        found += sum(int(row.get(_counter(f"{hour:02d}"), 0)) for hour in hours)
    return found


def _recounted(organization_id: OrganizationId, row: Item, real_now: datetime) -> Item:
    day, _, shard = row["sk"].split("#")
    number, warned = 0, Counter[str]()
    for item in usage.query(log_items.log_pk(organization_id, day, shard[0])):
        if log_items.row_key(organization_id, item)[1] == row["sk"]:
            number += int(item["n"])
            warned.update(warned_of(item))
    if day < f"{real_now - _OVER_AFTER:%Y-%m-%d}":
        _write_down(row, number, warned)
    return {**row, "n": number, **warned}


def _write_down(row: Item, number: int, warned: Mapping[str, int]) -> None:
    hours = "".join(f", {name} = :{name}" for name in warned)
    change = usage.update(
        (row["pk"], row["sk"]),
        f"SET #n = :n{hours} REMOVE doubt",
        names={"#n": "n"},
        values={":n": number, ":seen": row["n"], **{f":{name}": each for name, each in warned.items()}},
        condition="#n = :seen",
    )
    try:
        usage.write(change)
    except ConditionFailed:
        return  # Something was taken out meanwhile: the next reader will see.
