"""The number of a subscription's events on each UTC day, by code: from day rows, or from hours where no day row is
current."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout, reading
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import compaction, raw
from chalicelib.features.usage.reader import COMPACT_AFTER, Reader
from chalicelib.platform.ids import OrganizationId

_DAY = timedelta(days=1)
# The most days compacted at once; earlier ones are read by their hours.
_COMPACTED_MAX = 800

# By day, then by code as it stands in keys.
Numbers = dict[str, dict[str, int]]


def numbers(
    organization_id: OrganizationId, subscription: str, first: str, last: str, *, real_now: datetime
) -> Numbers:
    """The numbers of the days between two, both included. Closed days that had to be read by their hours are
    compacted."""
    pk = layout.usage_pk(organization_id, subscription)
    found: Numbers = {}
    seen: dict[str, tuple[dict[str, int], str]] = {}
    markers: dict[str, dict[str, int]] = {}
    # Markers before hours: architecture.md says why.
    for row in reading.rows(pk, layout.day_sk(first), layout.after(layout.day_sk(last))):
        _, day, *late = row["sk"].split("#")
        if late:
            markers.setdefault(day, {})["#".join(late)] = row[layout.COUNT]
        else:
            seen[day] = (row["seen"], row["codes"])
    for day, (named, codes) in seen.items():
        if named == markers.get(day, {}):
            found[day] = {code: int(row[layout.COUNT]) for code, row in compaction.unpack(codes).items()}
    closed: list[str] = []
    until = f"{raw.floor(real_now - COMPACT_AFTER, _DAY):%Y-%m-%d}"
    for low, high in _gaps(sorted(found), first, last):
        for row in reading.rows(pk, f"h#{low}T00", layout.after(f"h#{high}T23")):
            _, hour, code, _ = row["sk"].split("#")
            own = found.setdefault(hour[:10], {})
            own[code] = own.get(code, 0) + int(row[layout.COUNT])
            if hour[:10] < until:
                closed.append(hour[:10])
    if closed:
        _compact(organization_id, subscription, min(closed), max(closed), real_now)
    return found


def _gaps(days: list[str], first: str, last: str) -> Iterator[tuple[str, str]]:
    """The ranges of days between two, both included, that are not among these."""
    low = first
    for day in days:
        if low < day:
            yield low, _next(day, -1)
        low = _next(day, 1)
    if low <= last:
        yield low, last


def _next(day: str, number: int) -> str:
    return layout.day_of(layout.begin_ms_of_day(day) + number * 86_400_000)


def _compact(organization_id: OrganizationId, subscription: str, first: str, last: str, real_now: datetime) -> None:
    end = datetime.fromisoformat(f"{last}T00:00+00:00") + _DAY
    start = max(datetime.fromisoformat(f"{first}T00:00+00:00"), end - _COMPACTED_MAX * _DAY)
    Reader(organization_id, Stream(subscription), {}, real_now=real_now, keeps_cuts=False).read(Span(start, end))
