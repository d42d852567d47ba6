"""Erasing events: the reverse of counting them. Source: rules/catalog 2.2.

An erased event leaves the log first, then its hour's row and the time index in one transaction, so that rows and events agree
at every instant, and that a run which was interrupted finds what it has still to do.
Its item stays, without its place in time: the transaction is known still, and a message that is delivered again counts nothing.
What is left of a row covers nothing but its number: readers recount that hour. A row of which nothing is left goes; so does
what readers have kept of the hour, and registers of distinct values end.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.features.metering import distinct_counters, log, store, tally
from chalicelib.features.metering.event import instant_of, milliseconds_of
from chalicelib.platform.dynamodb import Cancelled
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.unit import Unit, Write
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

# A transaction takes 100 actions: beside these the parts of a row and the day's late marker.
_EVENTS_AT_ONCE = 80
_TRIES = 12


class NotErased(Exception):
    """Other writers, or an index that lags, did not leave a quiet moment; another run will do."""


def is_erased(item: Mapping[str, Any]) -> bool:
    """Whether an event counts no more."""
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
    """Erase a subscription's events of a code; returns how many they were. `since_ms`: by their timestamps, milliseconds since
    1970; `received_until`: the stamp of the real instant up to which they were received.

    Raises: NotErased; what was erased before stays so.
    """
    pk = store.usage_pk(organization_id, subscription)
    low = f"h#{store.hour_of(instant_of(since_ms))}"
    hours = {row["sk"].split("#")[1] for row in store.rows(pk, low, store.after("h")) if _code(row) == key_part(code)}
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
    # Those opened from here on are filled with what is left.
    for register in distinct_counters.read(usage.query(pk, begins=f"u#{key_part(code)}#")):
        usage.write(usage.update((pk, register.head_sk), "SET is_void = :void", values={":void": True}))
    return erased


def _erase_in(
    organization_id: OrganizationId, subscription: str, code: str, hour: str, since_ms: int, received_until: str
) -> int | None:
    """Erase the events of an hour; None where it is to be looked at again."""
    pk, low = store.usage_pk(organization_id, subscription), f"h#{hour}#{key_part(code)}"
    rows = store.rows(pk, f"{low}#", store.after(low))
    parts = store.parts_of(rows)
    events = [item for item in _of_hour(organization_id, subscription, hour, parts) if item["code"] == code]
    if len(events) != sum(int(row[store.COUNT]) for row in rows):
        return None
    old = [item for item in events if item["ms"] >= since_ms and item["received"] <= received_until]
    for cut in usage.query(pk, begins=f"k#{hour}#") if old else ():
        usage.write(usage.delete((pk, cut["sk"])))
    for start in range(0, len(old), _EVENTS_AT_ONCE):
        some = old[start : start + _EVENTS_AT_ONCE]
        gone = Counter(store.part_of(item["time_pk"]) for item in some)
        left = {row["sk"]: _left(row, gone[store.part_of(row["sk"])]) for row in rows}
        changes = [_change(row, left[row["sk"]]) for row in rows if left[row["sk"]] is not row]
        try:
            log.take_out(organization_id, some)
            Unit((_forgotten(item) for item in some), changes, store.fold_again_action(pk, hour[:10])).commit()
        except Cancelled:
            return None
        rows = [row for row in left.values() if row[store.COUNT]]
    return len(old)


def _of_hour(organization_id: OrganizationId, subscription: str, hour: str, parts: Collection[str]) -> list[Item]:
    low_ms = milliseconds_of(datetime.fromisoformat(hour).replace(tzinfo=UTC))
    high_ms = low_ms + tally.HOUR_MS - 1
    return store.raw_of_day(organization_id, subscription, hour[:10], parts, low_ms=low_ms, high_ms=high_ms)


def _forgotten(item: Item) -> Write:
    return usage.update((item["pk"], item["sk"]), "REMOVE time_pk, time_sk", condition="attribute_exists(time_pk)")


def _left(row: Item, gone: int) -> Item:
    """A part of a row without some of its events: it says of the others that it covers none."""
    left = int(row[store.COUNT]) - gone
    return {"pk": row["pk"], "sk": row["sk"], store.COUNT: left, store.UNCOVERED: left} if gone else row


def _change(row: Item, left: Item) -> Write:
    seen: dict[str, Any] = {"condition": "n = :seen", "values": {":seen": row[store.COUNT]}}
    return usage.put(left, **seen) if left[store.COUNT] else usage.delete((row["pk"], row["sk"]), **seen)


def _code(row: Item) -> str:
    return str(row["sk"].split("#")[2])
