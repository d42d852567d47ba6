"""Recounting: raw events against the rows that count them, hour by hour, and hours against the days folded from them.

One pass over the table, in no order and while events keep coming in: so what looks different is looked at again, closely,
before it is called a difference. Memory: about a kilobyte per hour row that is looked at.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from chalicelib import limits
from chalicelib.features.metering import store, tally
from chalicelib.features.organizations import store as organizations
from chalicelib.features.usage.reader import Counted
from chalicelib.platform.ids import key_part
from chalicelib.platform.table import Item, from_item, usage

_TRIES = 8


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A row that does not say what it should. `partition`: organization and subscription, as they stand in keys; `place`:
    a UTC hour, or a UTC day of a folded row; `code` as in keys."""

    partition: str
    place: str
    code: str
    found: str


@dataclass(slots=True)
class _Seen:
    """What a pass saw. Hours: by partition and hour, the rows and the recount by code; days: folded rows and markers."""

    rows: dict[tuple[str, str], Counted] = field(default_factory=dict)
    events: dict[tuple[str, str], dict[str, tally.Delta]] = field(default_factory=dict)
    folded: dict[tuple[str, str], Item] = field(default_factory=dict)
    markers: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    def take(self, item: Item) -> None:
        """Take in whatever item of the table it is."""
        pk = item["pk"]
        organization_id, kind, *_ = pk.split("#")
        if kind == "event":
            partition = f"{organization_id}#usage#{key_part(item['subscription'])}"
            hour = store.hour_of(store.read(item).at)
            codes = self.events.setdefault((partition, hour), {})
            tally.add(codes.setdefault(key_part(item["code"]), {store.COUNT: 0}), store.read(item))
        elif kind == "usage":
            level, place, *rest = item["sk"].split("#")
            if level == "h":
                self.rows.setdefault((pk, place), Counted()).add(rest[0], item)
            elif rest:
                self.markers.setdefault((pk, place), {})["#".join(rest)] = item[store.COUNT]
            else:
                self.folded[(pk, place)] = item


def audit(
    *,
    now: datetime,
    organization_id: str | None = None,
    subscription: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Difference]:
    """All differences: of the whole table, of one organization, or (without reading the table) of one subscription of it.

    `now`: the real instant; hours whose raw events have begun to expire by then are not recounted.
    """
    seen = _Seen()
    if organization_id is not None and subscription is not None:
        items: Iterable[Item] = _of_subscription(store.usage_pk(organization_id, subscription))
    else:
        items = _all(organization_id)
    for item in items:
        seen.take(item)
    keeps: dict[str, bool] = {}
    found: list[Difference] = []
    for partition, hour in sorted({*seen.rows, *seen.events}):
        if _recountable(partition, hour, now, keeps) and _of_hour(seen, partition, hour):
            found += _looked_at_again(partial(_hour, partition, hour), sleep)
    for partition, day in sorted(seen.folded):
        if _of_day(seen, partition, day):
            found += _looked_at_again(partial(_day, partition, day), sleep)
    return sorted(found)


def _all(organization_id: str | None) -> Iterator[Item]:
    request: dict[str, Any] = {"TableName": usage.name}
    if organization_id is not None:
        request["FilterExpression"] = "begins_with(pk, :organization)"
        request["ExpressionAttributeValues"] = {":organization": {"S": f"{key_part(organization_id)}#"}}
    for page in usage.client.get_paginator("scan").paginate(**request):
        for raw in page["Items"]:
            yield from_item(raw)


def _of_subscription(partition: str) -> Iterator[Item]:
    """Its rows, and the events of the hours that have one."""
    rows = list(usage.query(partition))
    yield from rows
    for hour in sorted({row["sk"].split("#")[1] for row in rows if row["sk"].startswith("h#")}):
        yield from _events_of(partition, hour)


def _events_of(partition: str, hour: str) -> list[Item]:
    """The raw events of an hour, from the time index, which lags."""
    organization, _, subscription = partition.split("#")
    low_ms = int(datetime.fromisoformat(hour).replace(tzinfo=UTC).timestamp()) * 1000
    return store.raw_in_keys(organization, subscription, low_ms=low_ms, high_ms=low_ms + tally.HOUR_MS - 1)


def _recountable(partition: str, hour: str, now: datetime, keeps: dict[str, bool]) -> bool:
    """Whether all raw events of an hour are still there: those of sandboxes never expire."""
    if datetime.fromisoformat(hour).replace(tzinfo=UTC) > now - limits.EVENT_RETENTION:
        return True
    organization_id = partition.split("#")[0]
    if organization_id not in keeps:
        organization = organizations.get(organization_id)
        keeps[organization_id] = organization is None or organization.sandbox
    return keeps[organization_id]


def _of_hour(seen: _Seen, partition: str, hour: str) -> list[Difference]:
    rows = seen.rows.get((partition, hour), Counted()).rows
    events = seen.events.get((partition, hour), {})
    return [
        Difference(partition, hour, code, wrong)
        for code in sorted({*rows, *events})
        for wrong in _compared(rows.get(code, {}), events.get(code, {}))
    ]


def _compared(row: Mapping[str, Any], recount: Mapping[str, Any]) -> Iterator[str]:
    """What a row says otherwise than its events."""
    number, expected = row.get(store.COUNT, 0), recount.get(store.COUNT, 0)
    if number != expected:
        yield f"counts {number} events, there are {expected}"
    if row.get(store.UNCOVERED):
        return  # It says itself that its properties are to be recounted.
    if recount.get(store.UNCOVERED):
        yield f"covers properties of {recount[store.UNCOVERED]} events that no row can cover"
        return
    names = {name for of in (row, recount) for name in of if name.startswith((store.SUM, store.HAVING))}
    for name in sorted(names):
        if row.get(name, 0) != recount.get(name, 0):
            yield f"{name} is {row.get(name, 0)}, recounted {recount.get(name, 0)}"


def _of_day(seen: _Seen, partition: str, day: str) -> list[Difference]:
    """A folded day against its hours; one that its readers will not trust says nothing."""
    folded = seen.folded.get((partition, day))
    if folded is None or folded["seen"] != seen.markers.get((partition, day), {}):
        return []
    hours = Counted()
    for hour in range(24):
        for code, row in seen.rows.get((partition, f"{day}T{hour:02d}"), Counted()).rows.items():
            hours.add(code, row)
    return [
        Difference(partition, day, code, f"folded {name} is {one.get(name, 0)}, its hours say {other.get(name, 0)}")
        for code in sorted({*folded["codes"], *hours.rows})
        for one, other in [(folded["codes"].get(code, {}), hours.rows.get(code, {}))]
        for name in sorted({*one, *other})
        if one.get(name, 0) != other.get(name, 0)
    ]


# Looking again.


def _looked_at_again(
    look: Callable[[], tuple[list[Difference], bool]], sleep: Callable[[float], None]
) -> list[Difference]:
    """What is still different when nothing changes any more (or at last, as the index cannot lag for so long)."""
    found: list[Difference] = []
    for attempt in range(_TRIES):
        found, is_final = look()
        if not found or is_final:
            return found
        sleep(0.05 * 2**attempt)
    return found


def _hour(partition: str, hour: str) -> tuple[list[Difference], bool]:
    """Differences of an hour, and whether they cannot be the index's lag or an event that came in between."""
    low, high = f"h#{hour}#", store.after(f"h#{hour}")
    before = store.rows(partition, low, high)
    events = _events_of(partition, hour)
    seen = _Seen()
    for item in (*before, *events):
        seen.take(item)
    is_quiet = before == store.rows(partition, low, high)
    return _of_hour(seen, partition, hour), is_quiet and len(events) == sum(row[store.COUNT] for row in before)


def _day(partition: str, day: str) -> tuple[list[Difference], bool]:
    low, high = store.day_sk(day), store.after(store.day_sk(day))
    before = store.rows(partition, low, high)
    seen = _Seen()
    for item in (*before, *store.rows(partition, f"h#{day}T00", store.after(f"h#{day}T23"))):
        seen.take(item)
    is_quiet = before == store.rows(partition, low, high)
    return _of_day(seen, partition, day), is_quiet
