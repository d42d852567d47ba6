"""Usage of a subscription in ranges of time: of the events of its stream."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.periods import Span
from chalicelib.features.metering.dimensions import View
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import distinct, raw
from chalicelib.features.usage.distinct import Question
from chalicelib.features.usage.reader import Reader
from chalicelib.features.usage.totals import RollupTotals
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import key_part


def read(
    organization: OrganizationRef,
    stream: Stream,
    span: Span,
    views: Mapping[str, Iterable[View]] | None = None,
    *,
    now: datetime | None = None,
    is_of_period: bool = True,
) -> RollupTotals:
    """All that was counted in a range, by event code, from rollups: plain counts and sums, and what the views of a code keep.

    `now`: the real instant, which decides what may be folded (default: the clock's). `is_of_period`: the range begins and
    ends with periods; False: at instants of single events.
    """
    return _reader(organization, stream, views or {}, now, keeps_cuts=is_of_period).read(span)


def history(
    organization: OrganizationRef, stream: Stream, until: datetime, views: Mapping[str, Iterable[View]]
) -> RollupTotals:
    """All that was counted from the first event on until an instant."""
    reader = _reader(organization, stream, views)
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


reading_of = raw.reading_of


def distinct_values(asked: Question) -> dict[str, int] | None:
    """How many distinct values are active, by bucket, where they were counted as they came in; None where they have to be
    recounted."""
    return distinct.numbers(asked, real_now=clock.utc_now())


def recounted(asked: Question, events: int) -> None:
    """Tell that distinct values had to be recounted from so many events: where they were many, that will not last."""
    if events >= limits.REGISTER_FROM_EVENTS:
        distinct.request_counter(asked, real_now=clock.utc_now())


def _reader(
    organization: OrganizationRef,
    stream: Stream,
    views: Mapping[str, Iterable[View]],
    now: datetime | None = None,
    *,
    keeps_cuts: bool = True,
) -> Reader:
    wanted = {key_part(code): frozenset(names) for code, names in views.items()}
    return Reader(organization.id, stream, wanted, real_now=now or clock.utc_now(), keeps_cuts=keeps_cuts)
