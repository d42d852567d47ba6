"""Reading a range: closed days from day rows, other hours from hour rows, cut hours from raw events.

The first read of a closed day folds its hours into one row, so that a month costs 31 small rows and not 744. A day row is
trusted only if the late markers beside it are those that it names; else its hours are read and folded again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT
from chalicelib.domain.periods import Span
from chalicelib.features.metering import store, tally
from chalicelib.features.usage import raw
from chalicelib.platform.ids import key_part
from chalicelib.platform.table import Item, usage

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# Folding waits this long after a day's end: longer than any transaction that called the day open can still come in.
FOLD_AFTER = timedelta(hours=1)
# A day row stays well below DynamoDB's 400 KB; a day with more codes than this is read by its hours.
_CODES_PER_DAY_MAX = 1000

Sums = dict[str, dict[str, int | Decimal]]


@dataclass(slots=True)
class Counted:
    """What a range counted: per code the same attributes as a row has, plus raw events where rows do not cover."""

    rows: Sums = field(default_factory=dict)
    uncovered: Callable[[str, str], tuple[Decimal, int]] | None = None

    def add(self, code: str, row: Mapping[str, Any]) -> None:
        """Take in what a row holds of a code."""
        into = self.rows.setdefault(code, {})
        for name, value in row.items():
            if name in (store.COUNT, store.UNCOVERED) or name.startswith((store.SUM, store.HAVING)):
                known = into.get(name, 0)
                into[name] = (
                    CONTEXT.add(Decimal(known), Decimal(value)) if name.startswith(store.SUM) else known + value
                )

    def events(self, code: str) -> int:
        """The number of events of a code."""
        return int(self.rows.get(code, {}).get(store.COUNT, 0))

    def sum(self, code: str, field_name: str) -> tuple[Decimal, int]:
        """The sum of a property's numeric values, and how many events had one."""
        row = self.rows.get(code, {})
        if row.get(store.UNCOVERED):
            assert self.uncovered is not None, "a range that rows do not cover can be recounted"
            return self.uncovered(code, field_name)
        return Decimal(row.get(store.SUM + field_name, 0)), int(row.get(store.HAVING + field_name, 0))


def read(organization_id: str, subscription: str, span: Span, *, real_now: datetime) -> Counted:
    """Everything that a subscription counted in a half-open range."""
    counted = Counted(uncovered=lambda code, name: raw.recount(organization_id, subscription, span, code, name))
    first_hour, last_hour = raw.ceil(span.start, _HOUR), raw.floor(span.end, _HOUR)
    if first_hour > last_hour:  # Both ends lie within one hour.
        _raw(organization_id, subscription, span, counted)
        return counted
    if span.start < first_hour:
        _raw(organization_id, subscription, Span(span.start, first_hour), counted)
    if last_hour < span.end:
        _raw(organization_id, subscription, Span(last_hour, span.end), counted)
    first_day, last_day = raw.ceil(first_hour, _DAY), raw.floor(last_hour, _DAY)
    foldable_until = raw.floor(real_now - FOLD_AFTER, _DAY)
    folded_end = max(first_day, min(last_day, foldable_until))
    if first_day >= folded_end:
        _hours(organization_id, subscription, first_hour, last_hour, counted)
        return counted
    _hours(organization_id, subscription, first_hour, first_day, counted)
    _days(organization_id, subscription, first_day, folded_end, counted)
    _hours(organization_id, subscription, folded_end, last_hour, counted)
    return counted


def _hours(organization_id: str, subscription: str, start: datetime, end: datetime, counted: Counted) -> None:
    for _, code, row in raw.hour_rows(organization_id, subscription, start, end):
        counted.add(code, row)


def _days(organization_id: str, subscription: str, start: datetime, end: datetime, counted: Counted) -> None:
    """Whole closed days: from day rows where these are current, the rest folded now."""
    pk = store.usage_pk(organization_id, subscription)
    folded: dict[str, Item] = {}
    markers: dict[str, dict[str, int]] = {}
    for row in store.rows(pk, f"d#{start:%Y-%m-%d}", store.after(f"d#{end - _DAY:%Y-%m-%d}")):
        _, day, *late = row["sk"].split("#")
        if late:
            markers.setdefault(day, {})["#".join(late)] = row[store.COUNT]
        else:
            folded[day] = row
    stale: list[str] = []
    for n in range((end - start).days):
        day = f"{start + n * _DAY:%Y-%m-%d}"
        row = folded.get(day, {})
        if row and row["seen"] == markers.get(day, {}):
            for code, sums in row["codes"].items():
                counted.add(code, sums)
        else:
            stale.append(day)
    _fold(organization_id, subscription, stale, markers, counted)


def _fold(
    organization_id: str,
    subscription: str,
    days: list[str],
    markers: Mapping[str, Mapping[str, int]],
    counted: Counted,
) -> None:
    """Read the hours of these days (after their markers were read), count them, and keep each day as one row."""
    if not days:
        return
    start = datetime.fromisoformat(days[0]).replace(tzinfo=UTC)
    end = datetime.fromisoformat(days[-1]).replace(tzinfo=UTC) + _DAY
    sums: dict[str, Counted] = {day: Counted() for day in days}
    for hour, code, row in raw.hour_rows(organization_id, subscription, start, end):
        if hour[:10] in sums:
            sums[hour[:10]].add(code, row)
    rows: list[dict[str, Any]] = []
    for day, of_day in sums.items():
        for code, row in of_day.rows.items():
            counted.add(code, row)
        if len(of_day.rows) <= _CODES_PER_DAY_MAX:
            pk = store.usage_pk(organization_id, subscription)
            rows.append({"pk": pk, "sk": store.day_sk(day), "codes": of_day.rows, "seen": dict(markers.get(day, {}))})
    # Without any usage there is nothing to spare later reads: they find no hours as fast as no days.
    if any(of_day.rows for of_day in sums.values()):
        usage.write_many(rows)


def _raw(organization_id: str, subscription: str, span: Span, counted: Counted) -> None:
    """A part of one hour, from raw events."""
    for event in raw.events(organization_id, subscription, span, None):
        delta: tally.Delta = {store.COUNT: 0}
        tally.add(delta, store.read(event))
        counted.add(key_part(event["code"]), delta)
