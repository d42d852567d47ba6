"""Audit: raw events against the rows that count them, hour by hour, and hours against the day rows compacted from them.

One pass over the table, in no order and while events keep coming in: so each apparent difference is checked again,
closely, before it is reported. Memory: about a kilobyte per hour row that is looked at.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from chalicelib import limits
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.metering import definitions, layout, reading, tally
from chalicelib.features.metering.dimensions import RollupDimension, prefix_of, what_of
from chalicelib.features.organizations import service as organizations
from chalicelib.features.usage import compaction
from chalicelib.features.usage.totals import covered_only, merge, take_event, without
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item, from_item

_TRIES = 8


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A row that differs from its recount. `partition`: organization and subscription, as they stand in keys;
    `place`: a UTC hour, or the UTC day of a day row; `code` as in keys."""

    partition: str
    place: str
    code: str
    found: str


class CurrentDimensions:
    """The current rollup dimensions of codes, read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], frozenset[RollupDimension]] = {}

    def of(self, organization_id: OrganizationId, code: str) -> frozenset[RollupDimension]:
        """The rollup dimensions that the meter writes for a code."""
        name = (organization_id, code)
        if name not in self._known:
            metric = billable_metrics.CATALOG.find(organization_id, code)
            found = (
                () if metric is None else (definitions.dimension_of(metric), definitions.priced_dimension_of(metric))
            )
            self._known[name] = frozenset(dimension for dimension in found if dimension is not None)
        return self._known[name]


Codes = dict[str, dict[str, Any]]


@dataclass(slots=True)
class _Seen:
    """The items that a pass saw. Hours: by partition and hour, the rows and the recount by code; days: day rows and
    markers."""

    rollup_dimensions: CurrentDimensions
    rows: dict[tuple[str, str], Codes] = field(default_factory=dict)
    events: dict[tuple[str, str], Codes] = field(default_factory=dict)
    compacted: dict[tuple[str, str], Item] = field(default_factory=dict)
    markers: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    def take(self, item: Item) -> None:
        """Add any item of the table."""
        pk = item["pk"]
        organization_id, kind, *_ = pk.split("#")
        if kind == "event":
            partition = f"{organization_id}#usage#{key_part(item['subscription'])}"
            codes = self.events.setdefault((partition, layout.hour_of(reading.read(item).at)), {})
            row = codes.setdefault(key_part(item["code"]), {})
            take_event(row, item, self.rollup_dimensions.of(organization_id, item["code"]))
        elif kind == "usage":
            level, place, *rest = item["sk"].split("#")
            if level == "h":
                merge(self.rows.setdefault((pk, place), {}).setdefault(rest[0], {}), item)
            elif level == "d" and rest:
                self.markers.setdefault((pk, place), {})["#".join(rest)] = item[layout.COUNT]
            elif level == "d":
                self.compacted[(pk, place)] = item


def audit(
    *,
    now: datetime,
    organization_id: OrganizationId | None = None,
    subscription: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Difference]:
    """All differences: of the whole table, of one organization, or (without reading the table) of one subscription of
    it.

    `now`: the real instant; hours whose raw events have begun to expire by then are not recounted.
    """
    rollup_dimensions = CurrentDimensions()
    seen = _Seen(rollup_dimensions)
    if organization_id is not None and subscription is not None:
        items: Iterable[Item] = _of_subscription(layout.usage_pk(organization_id, subscription))
    else:
        items = _all(organization_id)
    for item in items:
        seen.take(item)
    keeps: dict[str, bool] = {}
    found: list[Difference] = []
    for partition, hour in sorted({*seen.rows, *seen.events}):
        if _recountable(partition, hour, now, keeps) and _of_hour(seen, partition, hour):
            found += _looked_at_again(partial(_hour, rollup_dimensions, partition, hour), sleep)
    for partition, day in sorted(seen.compacted):
        if _of_day(seen, partition, day):
            found += _looked_at_again(partial(_day, rollup_dimensions, partition, day), sleep)
    return sorted(found)


def _all(organization_id: OrganizationId | None) -> Iterator[Item]:
    request: dict[str, Any] = {"TableName": usage.name}
    if organization_id is not None:
        request["FilterExpression"] = "begins_with(pk, :organization)"
        request["ExpressionAttributeValues"] = {":organization": {"S": f"{key_part(organization_id)}#"}}
    for page in usage.client.get_paginator("scan").paginate(**request):
        for raw in page["Items"]:
            yield from_item(raw)


def _of_subscription(partition: str) -> Iterator[Item]:
    """Its rows, and the events of the days that have one."""
    rows = list(usage.query(partition))
    yield from rows
    for day in sorted({row["sk"].split("#")[1][:10] for row in rows if row["sk"].startswith("h#")}):
        yield from _events_of(partition, day, hours=24)


def _events_of(partition: str, begins: str, *, hours: int = 1) -> list[Item]:
    """The raw events from an hour on, or from a day's begin, from the time index, which lags."""
    organization, _, subscription = partition.split("#")
    low_ms = int(datetime.fromisoformat(begins).replace(tzinfo=UTC).timestamp()) * 1000
    return reading.raw_in_keys(organization, subscription, low_ms=low_ms, high_ms=low_ms + hours * tally.HOUR_MS - 1)


def _recountable(partition: str, hour: str, now: datetime, keeps: dict[str, bool]) -> bool:
    """Whether all raw events of an hour still exist: those of sandboxes never expire."""
    if datetime.fromisoformat(hour).replace(tzinfo=UTC) > now - limits.EVENT_RETENTION:
        return True
    organization_id = partition.split("#")[0]
    if organization_id not in keeps:
        organization = organizations.find(OrganizationId(organization_id))
        keeps[organization_id] = organization is None or organization.sandbox
    return keeps[organization_id]


def _of_hour(seen: _Seen, partition: str, hour: str) -> list[Difference]:
    rows = seen.rows.get((partition, hour), {})
    events = seen.events.get((partition, hour), {})
    return [
        Difference(partition, hour, code, wrong)
        for code in sorted({*rows, *events})
        for wrong in _compared(rows.get(code, {}), events.get(code, {}))
    ]


def _compared(row: Mapping[str, Any], recount: Mapping[str, Any]) -> Iterator[str]:
    """The differences of a row from the recount of its events. Rollup dimensions are compared only where the row
    covers them and they are still current."""
    number, expected = row.get(layout.COUNT, 0), recount.get(layout.COUNT, 0)
    if number != expected:
        yield f"counts {number} events, there are {expected}"
    # A row with uncovered events says itself that its properties have to be recounted.
    is_plain_known = not row.get(layout.UNCOVERED)
    if is_plain_known and recount.get(layout.UNCOVERED):
        yield f"covers properties of {recount[layout.UNCOVERED]} events that no row can cover"
        is_plain_known = False
    covered = {prefix_of(name) for name in covered_only(row) if what_of(name)}
    kept = {prefix_of(name) for name in recount if what_of(name)}
    for name in sorted({*row, *recount} - {layout.COUNT, layout.UNCOVERED}):
        asked = prefix_of(name) in covered & kept if what_of(name) else is_plain_known
        if asked and row.get(name, 0) != recount.get(name, 0):
            yield f"{name} is {row.get(name, 0)}, recounted {recount.get(name, 0)}"


def _of_day(seen: _Seen, partition: str, day: str) -> list[Difference]:
    """The differences of a day row from its hours. A row that readers will not trust is not compared, and one that was
    compared when it was settled may have no hours any more."""
    compacted = seen.compacted.get((partition, day))
    if compacted is None or "hours_until" in compacted or compacted["seen"] != seen.markers.get((partition, day), {}):
        return []
    days = compaction.unpack(compacted["codes"])
    hours: Codes = {}
    for hour in range(24):
        for code, row in seen.rows.get((partition, f"{day}T{hour:02d}"), {}).items():
            merge(hours.setdefault(code, {}), row)
    return [
        Difference(partition, day, code, f"folded {name} is {one.get(name, 0)}, its hours say {other.get(name, 0)}")
        for code in sorted({*days, *hours})
        for one, other in [_as_both_say(days.get(code, {}), hours.get(code, {}))]
        for name in sorted({*one, *other})
        if one.get(name, 0) != other.get(name, 0)
    ]


def _as_both_say(compacted: Mapping[str, Any], hours: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A day and its hours without rollup dimensions that either does not cover: a day may have them from raw events."""
    own, other = covered_only(compacted), covered_only(hours)
    both = {prefix_of(n) for n in own if what_of(n)} & {prefix_of(n) for n in other if what_of(n)}
    return without(own, lambda prefix: prefix not in both), without(other, lambda prefix: prefix not in both)


# Looking again.


def _looked_at_again(
    look: Callable[[], tuple[list[Difference], bool]], sleep: Callable[[float], None]
) -> list[Difference]:
    """Differences that remain once the data is stable, or after the last try: the index cannot lag for that long."""
    found: list[Difference] = []
    for attempt in range(_TRIES):
        found, is_final = look()
        if not found or is_final:
            return found
        sleep(0.05 * 2**attempt)
    return found


def _hour(rollup_dimensions: CurrentDimensions, partition: str, hour: str) -> tuple[list[Difference], bool]:
    """Differences of an hour, and whether they cannot be the index's lag or an event that came in between."""
    low, high = f"h#{hour}#", layout.after(f"h#{hour}")
    before = reading.rows(partition, low, high)
    events = _events_of(partition, hour)
    seen = _Seen(rollup_dimensions)
    for item in (*before, *events):
        seen.take(item)
    is_quiet = before == reading.rows(partition, low, high)
    return _of_hour(seen, partition, hour), is_quiet and len(events) == sum(row[layout.COUNT] for row in before)


def _day(rollup_dimensions: CurrentDimensions, partition: str, day: str) -> tuple[list[Difference], bool]:
    low, high = layout.day_sk(day), layout.after(layout.day_sk(day))
    before = reading.rows(partition, low, high)
    seen = _Seen(rollup_dimensions)
    for item in (*before, *reading.rows(partition, f"h#{day}T00", layout.after(f"h#{day}T23"))):
        seen.take(item)
    is_quiet = before == reading.rows(partition, low, high)
    return _of_day(seen, partition, day), is_quiet
