"""Erasing events: the reverse of counting them. Source: rules/catalog 2.2.

An erased event leaves the log first, then its hour's row and the time index in one transaction. So rows and events
agree at every instant, and a run after an interrupted one finds the rest.
Its item stays, without its place in time: so the transaction id is still known, and a repeated message counts nothing.
A row that loses events covers only their number: readers recount that hour. An empty row is deleted, as are cached
parts of the hour; distinct counters end.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.features.metering import distinct_counters, layout, log, reading, tally
from chalicelib.features.metering import rows as rollups
from chalicelib.features.metering.event import instant_of, milliseconds_of
from chalicelib.platform.dynamodb import Cancelled
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.unit import Unit, Write
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

# A transaction takes 100 actions: the rest is for the shards of a row and the day's late marker.
_EVENTS_AT_ONCE = 80
_TRIES = 12


class NotErased(Exception):
    """Other writers or a lagging index prevented the erasure; another run may succeed."""


def is_erased(item: Mapping[str, Any]) -> bool:
    """Whether an event was erased."""
    return "time_pk" not in item


def erase(
    organization_id: OrganizationId,
    subscription: str,
    code: str,
    *,
    since_ms: int,
    received_until: str,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Erase a subscription's events of a code; returns their number. `since_ms`: earliest timestamp,
    milliseconds since 1970; `received_until`: stamp of their latest reception, in real time.

    Raises: NotErased; events erased by then stay erased.
    """
    pk = layout.usage_pk(organization_id, subscription)
    low = f"h#{layout.hour_of(instant_of(since_ms))}"
    hours = {
        row["sk"].split("#")[1] for row in reading.rows(pk, low, layout.after("h")) if _code(row) == key_part(code)
    }
    erased = 0
    for hour in sorted(hours):
        for attempt in range(_TRIES):
            found = _erase_in(organization_id, subscription, code, hour, since_ms, received_until)
            if found is not None:
                erased += found
                break
            sleep(0.02 * 2 ** min(attempt, 6))
        else:
            raise NotErased(f"{subscription} {hour}")
    # Counters opened from here on are filled from the remaining events.
    for counter in distinct_counters.read(usage.query(pk, begins=f"u#{key_part(code)}#")):
        usage.write(usage.update((pk, counter.head_sk), "SET is_void = :void", values={":void": True}))
    return erased


def _erase_in(
    organization_id: OrganizationId, subscription: str, code: str, hour: str, since_ms: int, received_until: str
) -> int | None:
    """Erase the events of an hour; None where it is to be looked at again."""
    pk, low = layout.usage_pk(organization_id, subscription), f"h#{hour}#{key_part(code)}"
    rows = reading.rows(pk, f"{low}#", layout.after(low))
    shards = reading.shards_of(rows)
    events = [item for item in _of_hour(organization_id, subscription, hour, shards) if item["code"] == code]
    if len(events) != sum(int(row[layout.COUNT]) for row in rows):
        return None
    old = [item for item in events if item["ms"] >= since_ms and item["received"] <= received_until]
    for cut in usage.query(pk, begins=f"k#{hour}#") if old else ():
        usage.write(usage.delete((pk, cut["sk"])))
    for start in range(0, len(old), _EVENTS_AT_ONCE):
        some = old[start : start + _EVENTS_AT_ONCE]
        gone = Counter(layout.shard_of(item["time_pk"]) for item in some)
        left = {row["sk"]: _left(row, gone[layout.shard_of(row["sk"])]) for row in rows}
        changes = [_change(row, left[row["sk"]]) for row in rows if left[row["sk"]] is not row]
        try:
            log.take_out(organization_id, some)
            Unit([*(_forgotten(item) for item in some), *changes, rollups.compact_again_action(pk, hour[:10])]).commit()
        except Cancelled:
            return None
        rows = [row for row in left.values() if row[layout.COUNT]]
    return len(old)


def _of_hour(organization_id: OrganizationId, subscription: str, hour: str, shards: Collection[str]) -> list[Item]:
    low_ms = milliseconds_of(datetime.fromisoformat(hour).replace(tzinfo=UTC))
    high_ms = low_ms + tally.HOUR_MS - 1
    return reading.raw_of_day(organization_id, subscription, hour[:10], shards, low_ms=low_ms, high_ms=high_ms)


def _forgotten(item: Item) -> Write:
    return usage.update((item["pk"], item["sk"]), "REMOVE time_pk, time_sk", condition="attribute_exists(time_pk)")


def _left(row: Item, gone: int) -> Item:
    """A shard of a row without some of its events; it covers none of the others."""
    left = int(row[layout.COUNT]) - gone
    return {"pk": row["pk"], "sk": row["sk"], layout.COUNT: left, layout.UNCOVERED: left} if gone else row


def _change(row: Item, left: Item) -> Write:
    seen: dict[str, Any] = {"condition": "n = :seen", "values": {":seen": row[layout.COUNT]}}
    return usage.put(left, **seen) if left[layout.COUNT] else usage.delete((row["pk"], row["sk"]), **seen)


def _code(row: Item) -> str:
    return str(row["sk"].split("#")[2])
