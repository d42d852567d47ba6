"""Usage by the days of a customer's zone, for pictures of usage: from rows alone, at a cost that does not grow with the number
of events.

Where such a day is a UTC day, its day row tells it. Of other days that are over, readers keep what their hours came to
(`l#<from>#<to>`), and trust it while the UTC days beside it have the late markers that were seen. The rest is read by its
hours. Only the hours in which the range begins and ends may be cut, and are looked at event by event while they have few.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout, reading
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.metering.event import instant_of, milliseconds_of
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import compaction, day_rows, raw
from chalicelib.features.usage.reader import COMPACT_AFTER
from chalicelib.features.usage.totals import DimensionsByCode, RollupTotals, covered_only, merge, take_event
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

_HOUR, _DAY, _INSTANT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
_CUT_HOURS_MAX, _CUT_EVENTS_MAX = 2, 100
_TEXT_BYTES_MAX = 350_000

Codes = dict[str, dict[str, Any]]


class NeedsEvents(Exception):
    """Rows do not tell the usage of single days: raw events would have to be read."""


@dataclass(slots=True)
class LocalDays:
    """Usage of consecutive days. `totals`: one for each; `uncovered`: codes as in keys, with the rollup dimensions that some
    of their rows do not cover."""

    totals: list[RollupTotals]
    uncovered: set[tuple[str, RollupDimension]] = field(default_factory=set)

    def tells(self, code: str, dimension: RollupDimension | None) -> bool:
        """Whether the usage of a code is complete under a rollup dimension."""
        return dimension is None or (key_part(code), dimension) not in self.uncovered


def read(
    organization_id: OrganizationId,
    stream: Stream,
    days: Sequence[Span],
    wanted: DimensionsByCode,
    *,
    real_now: datetime,
) -> LocalDays:
    """Usage of consecutive days. Sums of quantities weighed by time are not kept: they belong to UTC days.

    Raises: NeedsEvents; UsageGone; IndexBehind.
    """
    return _Days(organization_id, stream, days, wanted, real_now).read()


def _refuse(code: str, field_name: str) -> tuple[Decimal, int, int]:
    raise NeedsEvents(f"{code} {field_name}")


class _Days:
    """One reading."""

    def __init__(
        self,
        organization_id: OrganizationId,
        stream: Stream,
        days: Sequence[Span],
        wanted: DimensionsByCode,
        real_now: datetime,
    ) -> None:
        self._organization_id, self._subscription = organization_id, stream.external_id
        self._pk = layout.usage_pk(organization_id, stream.external_id)
        self._wanted, self._real_now = wanted, real_now
        if stream.contested(Span(days[0].start, days[-1].end)) is not None:
            raise NeedsEvents(stream.external_id)
        self._spans = [stream.cut(each) for each in days]
        self._starts = [each.start for each in self._spans]
        edges = {edge for each in self._spans if each.start < each.end for edge in (each.start, each.end)}
        self._cut_hours = {raw.floor(edge, _HOUR) for edge in edges if edge != raw.floor(edge, _HOUR)}
        if len(self._cut_hours) > _CUT_HOURS_MAX:
            raise NeedsEvents(stream.external_id)

    def read(self) -> LocalDays:
        """Usage of all days."""
        markers, utc_days = self._day_rows()
        kept, stale = self._kept(markers)
        found: list[Codes | None] = []
        for span in self._spans:
            codes = utc_days.get(f"{span.start:%Y-%m-%d}") if _is_utc_day(span) else kept.get(_sk(span))
            found.append({} if span.start == span.end else codes)
        missing = [n for n, codes in enumerate(found) if codes is None]
        rows = self._of_hours(missing)
        for n in missing:
            found[n] = rows[n]
        self._keep([n for n in missing if _sk(self._spans[n]) not in stale], rows, markers)
        return self._totals([codes or {} for codes in found])

    def _day_rows(self) -> tuple[dict[str, dict[str, int]], dict[str, Codes]]:
        """Late markers of the UTC days, and what the current day rows tell that cover what is asked for."""
        first, last = self._spans[0].start, self._spans[-1].end - _INSTANT
        days = day_rows.read(self._pk, f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}")
        current = {day: compaction.unpack(row["codes"]) for day, row in days.current().items()}
        return days.markers, {day: codes for day, codes in current.items() if self._covers(codes)}

    def _kept(self, markers: Mapping[str, Mapping[str, int]]) -> tuple[dict[str, Codes], set[str]]:
        """Day rows that readers kept, by sort key; and the keys of those that are right but do not cover the question."""
        own = [span for span in self._spans if not _is_utc_day(span)]
        if not own:
            return {}, set()
        kept: dict[str, Codes] = {}
        poor: set[str] = set()
        for row in reading.rows(self._pk, _sk(own[0]), layout.after(_sk(own[-1]))):
            if row["seen"] == _seen(row["seen"], markers):
                codes = compaction.unpack(row["codes"])
                if self._covers(codes):
                    kept[row["sk"]] = codes
                else:
                    poor.add(row["sk"])
        return kept, poor

    def _covers(self, codes: Codes) -> bool:
        return not any(True for _ in self._uncovered(codes))

    def _uncovered(self, codes: Codes) -> Iterator[tuple[str, RollupDimension]]:
        for code, dimensions in self._wanted.items():
            for dimension in dimensions if code in codes else ():
                if not dimension.covers(codes[code], codes[code][layout.COUNT]):
                    yield code, dimension

    def _of_hours(self, missing: Sequence[int]) -> dict[int, Codes]:
        """Usage of the days with these numbers, from the rows of their hours."""
        found: dict[int, Codes] = {n: {} for n in missing}
        if not missing:
            return found
        first = raw.floor(self._spans[missing[0]].start, _HOUR)
        last = raw.ceil(self._spans[missing[-1]].end, _HOUR)
        raw.require_hours(self._organization_id, self._subscription, first, last)
        cut: dict[datetime, list[tuple[str, str, Item]]] = {}
        for named in raw.hour_rows(self._organization_id, self._subscription, first, last):
            hour, code, row = named
            at = datetime.fromisoformat(hour).replace(tzinfo=UTC)
            n = self._number_of(at)
            if at in self._cut_hours:
                cut.setdefault(at, []).append(named)
            elif n in found:
                merge(found[n].setdefault(code, {}), row)
        for at, rows in cut.items():
            self._take_cut(at, rows, found)
        return found

    def _take_cut(self, at: datetime, rows: Sequence[tuple[str, str, Item]], found: dict[int, Codes]) -> None:
        """Count the events of an hour of which a part lies in the range."""
        if sum(int(row[layout.COUNT]) for _, _, row in rows) > _CUT_EVENTS_MAX:
            raise NeedsEvents(self._subscription)
        for item in raw.events(self._organization_id, self._subscription, Span(at, at + _HOUR), None, rows=rows):
            n = self._number_of(instant_of(item["ms"]))
            if n in found:
                code = key_part(item["code"])
                take_event(found[n].setdefault(code, {}), item, self._wanted.get(code, ()))

    def _number_of(self, at: datetime) -> int | None:
        n = bisect_right(self._starts, at) - 1
        return n if n >= 0 and at < self._spans[n].end else None

    def _keep(
        self, numbers: Sequence[int], found: Mapping[int, Codes], markers: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Keep the days that are over, where there was any usage: without it there is nothing to spare later readers."""
        closed = raw.floor(self._real_now - COMPACT_AFTER, _DAY)
        expires_at = int((self._real_now + limits.CUTS_KEPT).timestamp())
        rows = []
        for n in numbers:
            span = self._spans[n]
            if _is_utc_day(span) or span.end > closed:
                continue
            text = compaction.pack({code: covered_only(row) for code, row in found[n].items()})
            if len(text.encode()) <= _TEXT_BYTES_MAX:
                seen = _seen(_days_of(span), markers)
                rows.append({"pk": self._pk, "sk": _sk(span), "codes": text, "seen": seen, "expires_at": expires_at})
        if any(found.values()):
            usage.write_many(rows)

    def _totals(self, found: Sequence[Codes]) -> LocalDays:
        days = LocalDays([])
        for span, codes in zip(self._spans, found, strict=True):
            totals = RollupTotals(self._wanted, _refuse)
            for code, row in codes.items():
                totals.add(milliseconds_of(raw.floor(span.start, _DAY)), code, row)
            days.totals.append(totals)
            days.uncovered |= set(self._uncovered(codes))
        return days


def _is_utc_day(span: Span) -> bool:
    return span.end - span.start == _DAY and span.start == raw.floor(span.start, _DAY)


def _sk(span: Span) -> str:
    return layout.local_day_sk(milliseconds_of(span.start), raw.ceil_ms(span.end))


def _days_of(span: Span) -> list[str]:
    """The UTC days that a range touches."""
    first, last = raw.floor(span.start, _DAY), raw.floor(span.end - _INSTANT, _DAY)
    return [f"{first + n * _DAY:%Y-%m-%d}" for n in range((last - first).days + 1)]


def _seen(days: Sequence[str] | Mapping[str, Any], markers: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    return {day: dict(markers.get(day, {})) for day in days}
