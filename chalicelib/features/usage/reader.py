"""Reading a range: closed days from day rows, other hours from hour rows, cut hours from raw events.

The first read of a closed day compacts its hours into one row (the daily rollup), so that a month costs 31 small rows
and not 744. A day row is trusted only if it names the late markers beside it; else its hours are read and compacted
again. Events that rows do not cover under a requested rollup dimension are recounted from raw events once, and the
result is compacted too.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib import limits
from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout, reading
from chalicelib.features.metering.dimensions import Delta
from chalicelib.features.metering.event import milliseconds_of
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import compaction, day_rows, raw
from chalicelib.features.usage.totals import DimensionsByCode, RollupTotals, covered_only, merge, take_event, without
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# Compaction waits this long after a day's end: longer than any transaction that called the day open can take to commit.
COMPACT_AFTER = timedelta(hours=1)
# A day row stays below DynamoDB's 400 KB; a day with more than this is read by its hours.
_TEXT_BYTES_MAX = 350_000
# An hour with more codes, each up to 200 bytes, keeps no part: the markers read stand beside the text.
_CODES_SEEN_MAX = 200

# By hour and code, as they stand in keys.
Hours = dict[tuple[str, str], dict[str, Any]]


class Reader:
    """Reads usage of one subscription, of the events of its stream. `rollup_dimensions`: those asked for, beside plain
    counts and sums;
    `keeps_cuts`: ranges end at instants at which others will end too, within hours that may have many events."""

    def __init__(
        self,
        organization_id: OrganizationId,
        stream: Stream,
        rollup_dimensions: DimensionsByCode,
        *,
        real_now: datetime,
        keeps_cuts: bool,
    ) -> None:
        self._organization_id, self._stream = organization_id, stream
        self._subscription = stream.external_id
        self._pk = layout.usage_pk(organization_id, stream.external_id)
        self._dimensions = rollup_dimensions
        self._keeps_cuts = keeps_cuts
        self._real_now = real_now
        self._compactable_until = raw.floor(real_now - COMPACT_AFTER, _DAY)

    def read(self, span: Span) -> RollupTotals:
        """All usage of the subscription in a half-open range.

        Raises: IndexBehind; UsageGone.
        """
        stream_key = self._organization_id, self._stream
        counted = RollupTotals(self._dimensions, lambda code, name: raw.recount(*stream_key, span, code, name))
        contested = self._stream.contested(span)
        if contested is None:
            self._whole(self._stream.cut(span), counted)
        else:
            self._single(contested, counted)
            self._whole(Span(contested.end, max(contested.end, span.end)), counted)
        return counted

    def _single(self, span: Span, counted: RollupTotals) -> None:
        """A range within an hour, of which not all events count."""
        for code, row in self._rows_of(raw.of_stream(self._organization_id, self._stream, span, None)).items():
            counted.add(_day_ms(span.start), code, row)

    def _whole(self, span: Span, counted: RollupTotals) -> None:
        """A range of which all events count."""
        first_hour, last_hour = raw.ceil(span.start, _HOUR), raw.floor(span.end, _HOUR)
        if first_hour > last_hour:  # Both ends lie within one hour.
            self._cut(span, counted)
            return
        if span.start < first_hour:
            self._cut(Span(span.start, first_hour), counted)
        if last_hour < span.end:
            self._cut(Span(last_hour, span.end), counted)
        first_day, last_day = raw.ceil(first_hour, _DAY), raw.floor(last_hour, _DAY)
        compacted_end = max(first_day, min(last_day, self._compactable_until))
        if first_day >= compacted_end:
            self._hours(first_hour, last_hour, counted)
            return
        self._hours(first_hour, first_day, counted)
        self._days(first_day, compacted_end, counted)
        self._hours(compacted_end, last_hour, counted)

    def first_hour(self) -> datetime | None:
        """Begin of the subscription's usage, to the hour; to the day where the hour rows have gone."""
        found = [usage.page(self._pk, begins=level, limit=1)[0].items for level in ("h#", "d#")]
        return min((_instant(items[0]["sk"].split("#")[1]) for items in found if items), default=None)

    def _cut(self, span: Span, counted: RollupTotals) -> None:
        """A part of one hour, from raw events. What many came to is kept, and holds while the hour's rows count as
        many."""
        hour = raw.floor(span.start, _HOUR)
        raw.require_hours(self._organization_id, self._subscription, hour, hour + _HOUR)
        rows = raw.hour_rows(self._organization_id, self._subscription, hour, hour + _HOUR)
        seen: dict[str, int] = {}
        for _, code, row in rows:
            seen[code] = seen.get(code, 0) + int(row[layout.COUNT])
        is_kept = (
            self._keeps_cuts and sum(seen.values()) >= limits.CUT_KEPT_FROM_EVENTS and len(seen) <= _CODES_SEEN_MAX
        )
        sk = layout.cut_sk(layout.hour_of(hour), milliseconds_of(span.start), raw.ceil_ms(span.end))
        kept = usage.get(self._pk, sk) if is_kept else None
        codes: dict[str, Delta] = compaction.unpack(kept["codes"]) if kept is not None and kept["seen"] == seen else {}
        if not codes or not self._covers(codes):
            codes = self._rows_of(raw.events(self._organization_id, self._subscription, span, None, rows=rows))
            text = _within_limits(codes) if is_kept else None
            if text is not None:
                usage.write(
                    usage.put({"pk": self._pk, "sk": sk, "seen": seen, "codes": text, "expires_at": self._cuts_until()})
                )
        for code, row in codes.items():
            counted.add(_day_ms(span.start), code, row)

    def _rows_of(self, events: Iterable[Item]) -> dict[str, Delta]:
        """The rows that these raw events make, by code."""
        codes: dict[str, Delta] = {}
        for item in events:
            code = key_part(item["code"])
            take_event(codes.setdefault(code, {}), item, self._dimensions.get(code, ()))
        return codes

    def _cuts_until(self) -> int:
        return int((self._real_now + limits.CUTS_KEPT).timestamp())

    def _hours(self, start: datetime, end: datetime, counted: RollupTotals) -> None:
        raw.require_hours(self._organization_id, self._subscription, start, end)
        for (hour, code), row in self._complete(self._hour_rows(start, end)).items():
            counted.add(_day_ms(_instant(hour)), code, row)

    def _hour_rows(self, start: datetime, end: datetime) -> Hours:
        found: Hours = {}
        for hour, code, row in raw.hour_rows(self._organization_id, self._subscription, start, end):
            merge(found.setdefault((hour, code), {}), row)
        return found

    def _complete(self, hours: Hours) -> Hours:
        """The rows, with the usage that they do not cover under rollup dimensions recounted."""
        missing = {
            place: frozenset(
                dimension
                for dimension in self._dimensions.get(place[1], ())
                if not dimension.covers(row, row[layout.COUNT])
            )
            for place, row in hours.items()
        }
        missing = {place: wanted for place, wanted in missing.items() if wanted}
        recounted: Hours = {place: {} for place in missing}
        for span in _runs({hour[:10] for hour, _ in missing}):
            codes = {code for _, code in missing}
            for item in raw.events(self._organization_id, self._subscription, span, codes):
                place = (layout.hour_of(reading.read(item).at), key_part(item["code"]))
                if place in missing:
                    take_event(recounted[place], item, missing[place])
        for place, wanted in missing.items():
            prefixes = {dimension.prefix for dimension in wanted}
            found = {name: value for name, value in recounted[place].items() if name.startswith(tuple(prefixes))}
            hours[place] = without(hours[place], prefixes.__contains__) | found
        return hours

    def _days(self, start: datetime, end: datetime, counted: RollupTotals) -> None:
        """Whole closed days: from day rows that are current and cover the rollup dimensions; the others are compacted
        now."""
        days = day_rows.read(self._pk, f"{start:%Y-%m-%d}", f"{end - _DAY:%Y-%m-%d}")
        current = {day: compaction.unpack(row["codes"]) for day, row in days.current().items()}
        stale: list[str] = []
        for n in range((end - start).days):
            day = f"{start + n * _DAY:%Y-%m-%d}"
            is_told = day in current and self._covers(current[day])
            if not is_told and day in days.rows and raw.is_without_hours(days.rows[day], self._real_now):
                raise raw.UsageGone(f"{self._subscription} {day}")
            if is_told:
                for code, row in current[day].items():
                    counted.add(_day_ms(_instant(day)), code, row)
            else:
                stale.append(day)
        sealed = {day: row["hours_until"] for day, row in days.rows.items() if "hours_until" in row}
        self._compact(stale, days.markers, current, counted, sealed)

    def _covers(self, codes: Mapping[str, Mapping[str, Any]]) -> bool:
        return all(
            dimension.covers(codes[code], codes[code][layout.COUNT])
            for code, wanted in self._dimensions.items()
            if code in codes
            for dimension in wanted
        )

    def _compact(
        self,
        days: list[str],
        markers: Mapping[str, Mapping[str, int]],
        current: Mapping[str, Mapping[str, Mapping[str, Any]]],
        counted: RollupTotals,
        sealed: Mapping[str, int],
    ) -> None:
        """Read the hours of these days (after their markers were read), count them, and keep each day as one row.

        `current`: day rows that are current but lack a rollup dimension; their other dimensions are kept. `sealed`:
        the end of the hours that exist.
        """
        if not days:
            return
        hours = self._hour_rows(_instant(days[0]), _instant(days[-1]) + _DAY)
        of_days: dict[str, dict[str, dict[str, Any]]] = {day: {} for day in days}
        hours = {(hour, code): row for (hour, code), row in hours.items() if hour[:10] in of_days}
        for (hour, code), row in self._complete(hours).items():
            merge(of_days[hour[:10]].setdefault(code, {}), row)
        rows: list[dict[str, Any]] = []
        for day, codes in of_days.items():
            for code, row in codes.items():
                counted.add(_day_ms(_instant(day)), code, row)
            kept = {code: _also(covered_only(row), current.get(day, {}).get(code, {})) for code, row in codes.items()}
            text = _within_limits(kept)
            if text is not None:
                kept_until = {"hours_until": sealed[day]} if day in sealed else {}
                seen = dict(markers.get(day, {}))
                rows.append({"pk": self._pk, "sk": layout.day_sk(day), "codes": text, "seen": seen, **kept_until})
        # Without any usage there is nothing to spare later reads: they find no hours as fast as no days.
        if any(codes for codes in of_days.values()):
            usage.write_many(rows)


def _also(row: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the other rollup dimensions of an earlier row of the same events."""
    if before.get(layout.COUNT) != row.get(layout.COUNT):
        return row
    return {**covered_only(before), **row}


def _within_limits(codes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The rows as text, without rollup dimensions where it would be too long; None where it is too long all the
    same."""
    text = compaction.pack(codes)
    if len(text.encode()) > _TEXT_BYTES_MAX:
        text = compaction.pack({code: without(row, lambda prefix: True) for code, row in codes.items()})
    return text if len(text.encode()) <= _TEXT_BYTES_MAX else None


def _runs(days: Iterable[str]) -> list[Span]:
    """UTC days as ranges, those that follow each other as one."""
    runs: list[Span] = []
    for day in sorted(days):
        start = _instant(day)
        if runs and runs[-1].end == start:
            runs[-1] = Span(runs[-1].start, start + _DAY)
        else:
            runs.append(Span(start, start + _DAY))
    return runs


def _instant(name: str) -> datetime:
    return datetime.fromisoformat(name).replace(tzinfo=UTC)


def _day_ms(at: datetime) -> int:
    return milliseconds_of(raw.floor(at, _DAY))
