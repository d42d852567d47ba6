"""Usage of a subscription in ranges of time: of the events of its stream."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.periods import Span
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import distinct, local_days, raw
from chalicelib.features.usage.distinct import Question
from chalicelib.features.usage.local_days import LocalDays
from chalicelib.features.usage.reader import Reader
from chalicelib.features.usage.totals import RollupTotals
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import key_part


def read(
    organization: OrganizationRef,
    stream: Stream,
    span: Span,
    rollup_dimensions: Mapping[str, Iterable[RollupDimension]] | None = None,
    *,
    now: datetime | None = None,
    is_of_period: bool = True,
) -> RollupTotals:
    """Usage in a range by event code, from rollups: plain counts and sums, and those of the codes' rollup dimensions.

    `now`: the real instant, which decides which days may be compacted (default: the clock's). `is_of_period`: the
    range begins and ends with periods; False: at instants of single events.
    """
    return _reader(organization, stream, rollup_dimensions or {}, now, keeps_cuts=is_of_period).read(span)


def history(
    organization: OrganizationRef,
    stream: Stream,
    until: datetime,
    rollup_dimensions: Mapping[str, Iterable[RollupDimension]],
) -> RollupTotals:
    """Usage from the first event until an instant."""
    reader = _reader(organization, stream, rollup_dimensions)
    first = reader.first_hour()
    return reader.read(Span(until if first is None else min(first, until), until))


def readings(
    organization: OrganizationRef,
    stream: Stream,
    span: Span,
    codes: Collection[str],
    *,
    with_history: bool,
) -> dict[str, list[Reading]]:
    """The events of these codes in a range, by code; `with_history`: from the first event on."""
    return raw.readings(organization.id, stream, span, codes, with_history=with_history)


def by_day(
    organization: OrganizationRef,
    stream: Stream,
    days: Sequence[Span],
    rollup_dimensions: Mapping[str, Iterable[RollupDimension]],
) -> LocalDays | None:
    """Usage of each of some consecutive days, from rows alone; None where raw events would have to be read."""
    try:
        return local_days.read(organization.id, stream, days, _wanted(rollup_dimensions), real_now=clock.utc_now())
    except (local_days.NeedsEvents, raw.UsageGone):
        return None


NeedsEvents = local_days.NeedsEvents
reading_of = raw.reading_of


def distinct_values(asked: Question) -> dict[str, int] | None:
    """The number of active distinct values by bucket, from a distinct counter; None where they have to be recounted."""
    return distinct.numbers(asked, real_now=clock.utc_now())


def recounted(asked: Question, events: int) -> None:
    """Request a distinct counter for the range if recounting its distinct values took many events."""
    if events >= limits.REGISTER_FROM_EVENTS:
        distinct.request_counter(asked, real_now=clock.utc_now())


def _reader(
    organization: OrganizationRef,
    stream: Stream,
    rollup_dimensions: Mapping[str, Iterable[RollupDimension]],
    now: datetime | None = None,
    *,
    keeps_cuts: bool = True,
) -> Reader:
    wanted = _wanted(rollup_dimensions)
    return Reader(organization.id, stream, wanted, real_now=now or clock.utc_now(), keeps_cuts=keeps_cuts)


def _wanted(rollup_dimensions: Mapping[str, Iterable[RollupDimension]]) -> dict[str, frozenset[RollupDimension]]:
    return {key_part(code): frozenset(names) for code, names in rollup_dimensions.items()}
