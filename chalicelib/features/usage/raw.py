"""Raw events of a subscription in a range, complete: the time index lags, so their number must reach that of the hour
rows.

Raw events serve the cases that rows do not: ends of ranges that cut an hour, properties that rows do not cover, and
aggregations of single events.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from chalicelib import limits
from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.money import CONTEXT
from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout, reading
from chalicelib.features.metering.event import instant_of, milliseconds_of
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.platform import clock
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.values import Item

_HOUR, _DAY, _MICROSECOND = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INDEX_TRIES, _EQUAL_TRIES = 12, 6
# No batch of the meter takes longer, from its log item to its last transaction.
_BATCH_MAX = timedelta(minutes=20)


class IndexBehind(Exception):
    """The time index has not caught up with the rows; reading again a little later will do."""


class UsageGone(Exception):
    """The usage asked for was in hour rows or raw events that have expired; day rows do not hold it."""


def hour_rows(
    organization_id: OrganizationId, subscription: str, start: datetime, end: datetime
) -> list[tuple[str, str, Item]]:
    """(hour, code as in keys, row) of a range of whole hours."""
    if start >= end:
        return []
    pk = layout.usage_pk(organization_id, subscription)
    return _named(reading.rows(pk, f"h#{layout.hour_of(start)}", _last_hour(end)))


def _all_hour_rows(
    organization_id: OrganizationId, subscription: str, start: datetime, end: datetime
) -> list[tuple[str, str, Item]]:
    """Hour rows of a range, refused where any may have expired. Where the range begins with the first event a mark before
    the rows says whether any may have gone, so that nothing more has to be read.

    Raises: UsageGone.
    """
    if start > _EPOCH or start >= end:
        require_hours(organization_id, subscription, start, end)
        return hour_rows(organization_id, subscription, start, end)
    rows = reading.rows(layout.usage_pk(organization_id, subscription), layout.SETTLED, _last_hour(end))
    if rows and rows[0]["sk"] == layout.SETTLED:
        require_hours(organization_id, subscription, start, end)
        rows = rows[1:]
    return _named(rows)


def _last_hour(end: datetime) -> str:
    return layout.after(f"h#{layout.hour_of(end - _HOUR)}")


def _named(rows: Sequence[Item]) -> list[tuple[str, str, Item]]:
    return [(hour, code, row) for row in rows for _, hour, code, _ in [row["sk"].split("#")]]


def require_hours(organization_id: OrganizationId, subscription: str, start: datetime, end: datetime) -> None:
    """Make sure that hour rows of a range which are missing have never been there.

    Raises: UsageGone.
    """
    now = clock.utc_now()
    if start >= now - limits.HOURS_KEPT + _DAY or start >= end:
        return
    pk = layout.usage_pk(organization_id, subscription)
    low, high = layout.day_sk(f"{start:%Y-%m-%d}"), layout.day_sk(f"{min(end, now):%Y-%m-%d}")
    for row in reading.rows(pk, low, high):
        if is_without_hours(row, now) and floor(end - _MICROSECOND, _DAY) >= _begin(row["sk"][2:12]):
            raise UsageGone(f"{subscription} {row['sk']}")


def is_without_hours(day_row: Item, now: datetime) -> bool:
    """Whether the hours of a compacted day may have expired."""
    return bool(day_row.get("hours_until", now.timestamp() + 1) <= now.timestamp())


def _begin(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def events(
    organization_id: OrganizationId,
    subscription: str,
    span: Span,
    code_parts: Collection[str] | None,
    *,
    rows: Sequence[tuple[str, str, Item]] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Item]:
    """The raw events of these codes (as they stand in keys; None: of all) in a half-open range, oldest first. `rows`:
    the rows of its hours, where they have just been read.

    Raises: IndexBehind; UsageGone.
    """
    low, high = floor(span.start, _HOUR), ceil(span.end, _HOUR)
    if rows is None:
        rows = _all_hour_rows(organization_id, subscription, low, high)
    of_days: dict[str, list[Item]] = {}
    interesting: set[str] = set()
    for hour, code, row in rows:
        of_days.setdefault(hour[:10], []).append(row)
        if code_parts is None or code in code_parts:
            interesting.add(hour[:10])
    for day in sorted(interesting):
        begins = datetime.fromisoformat(day).replace(tzinfo=UTC)
        part = Span(max(low, begins), min(high, begins + _DAY))
        for event in _of_day(organization_id, subscription, day, part, of_days[day], sleep):
            if _lies_in(event, span) and (code_parts is None or key_part(event["code"]) in code_parts):
                yield event


def _lies_in(event: Item, span: Span) -> bool:
    return milliseconds_of(span.start) <= int(event["ms"]) < ceil_ms(span.end)


def _of_day(
    organization_id: OrganizationId,
    subscription: str,
    day: str,
    span: Span,
    rows: Sequence[Item],
    sleep: Callable[[float], None],
) -> list[Item]:
    """All events that the rows of a day's hours count.

    Events that were metered after the rows were read may stand in the index before older ones do, and make up their
    number. So where there are any that may be newer, rows are read again: then the numbers have to be equal. A stream
    of events in this very time may keep them from that for long; then as many as there were at first are enough.
    """
    low_ms, high_ms = milliseconds_of(span.start), milliseconds_of(span.end) - 1
    surely_before = stamp(clock.utc_now() - _BATCH_MAX)
    least = _number(rows)
    for attempt in range(_INDEX_TRIES):
        parts = reading.shards_of(rows)
        found = reading.raw_of_day(organization_id, subscription, day, parts, low_ms=low_ms, high_ms=high_ms)
        if len(found) >= least and all(item["log"] < surely_before for item in found):
            return found
        rows = [row for _, _, row in hour_rows(organization_id, subscription, span.start, span.end)]
        least = min(least, _number(rows))  # Fewer, where some were erased meanwhile.
        if len(found) == _number(rows) or (len(found) >= least and attempt + 1 >= _EQUAL_TRIES):
            return found
        sleep(0.02 * 2**attempt if attempt < 6 else 1.0)
    raise IndexBehind(f"{len(found)} of {_number(rows)} events of {day}")


def _number(rows: Sequence[Item]) -> int:
    return sum(int(row[layout.COUNT]) for row in rows)


def of_stream(
    organization_id: OrganizationId, stream: Stream, span: Span, code_parts: Collection[str] | None
) -> Iterator[Item]:
    """Events of `events` that count for a subscription."""
    found = events(organization_id, stream.external_id, stream.cut(span), code_parts)
    if stream.contested(span) is None:
        return found
    return (item for item in found if stream.holds(instant_of(item["ms"]), reading.reception_of(item)))


def readings(
    organization_id: OrganizationId, stream: Stream, span: Span, codes: Collection[str], *, with_history: bool
) -> dict[str, list[Reading]]:
    """The events of these codes as aggregations read them. `with_history`: from the first event on, for recurring
    metrics."""
    found: dict[str, list[Reading]] = {code: [] for code in codes}
    whole = Span(_EPOCH, span.end) if with_history else span
    for item in of_stream(organization_id, stream, whole, {key_part(code) for code in codes}):
        found[item["code"]].append(reading_of(item))
    return found


def reading_of(item: Item) -> Reading:
    """A stored event as aggregations read it."""
    event, precise = reading.read(item), item.get("precise")
    return Reading(
        at=event.at,
        order=reading.reception_of(item),
        properties=event.properties,
        precise_total_cents=None if precise is None else Decimal(precise),
    )


def recount(
    organization_id: OrganizationId, stream: Stream, span: Span, code: str, field_name: str
) -> tuple[Decimal, int, int]:
    """The sum over raw events (`code` as in keys), how many had the property, and for how many it was below 0: for
    what rows do not cover."""
    total, having, negative = Decimal(0), 0, 0
    for item in of_stream(organization_id, stream, span, {code}):
        number = quantity(reading.read(item).properties.get(field_name))
        if number is not None:
            total, having, negative = CONTEXT.add(total, number), having + 1, negative + (number < 0)
    return total, having, negative


def floor(at: datetime, step: timedelta) -> datetime:
    """The last multiple of a step not after an instant."""
    return at - (at - _EPOCH) % step


def ceil(at: datetime, step: timedelta) -> datetime:
    """The first multiple of a step not before an instant."""
    low = floor(at, step)
    return low if low == at else low + step


def ceil_ms(at: datetime) -> int:
    """The first whole millisecond not before an instant: ends of ranges may be finer than events."""
    return milliseconds_of(at) + (1 if at.microsecond % 1000 else 0)
