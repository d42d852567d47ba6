"""Laws of usage by day: the days add up to the usage of their range, in whatever zone, order and number the events came."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib import wiring
from chalicelib.domain import periods
from chalicelib.domain.aggregation.faults import Expected
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.periods import Span
from chalicelib.features.metering import definitions, layout
from chalicelib.features.metering.definitions import Definition
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import service
from chalicelib.platform import clock
from chalicelib.platform.usage_table import usage
from tests.support import capacity
from tests.support.examples import examples
from tests.support.usage import MARCH, ORG, event, message

_DAY = timedelta(days=1)
REGION = RollupDimension(Aggregation.SUM, "v", (("region", frozenset({"us", "eu"})),))
numbers = itertools.count(1)
instants = st.builds(lambda ms: MARCH.start - _DAY + timedelta(milliseconds=ms), st.integers(0, 33 * 86_400_000))


def days_of(span: Span, zone: str) -> list[Span]:
    found, start = [], span.start
    while start < span.end:
        day = periods.local_date(start, ZoneInfo(zone))
        end = min(span.end, periods.start_of_day(day + _DAY, ZoneInfo(zone)))
        found.append(Span(start, end))
        start = end
    return found


def send(events: list) -> None:
    assert wiring.meter([message(events)]) == {"batchItemFailures": []}


@settings(max_examples=examples(6), phases=[Phase.generate], database=None)
@given(
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Europe/Paris"]),
    drawn=st.lists(st.tuples(instants, st.integers(-9, 9), st.sampled_from(["us", "eu", "xx"])), max_size=30),
    late=st.lists(st.tuples(instants, st.integers(-9, 9), st.sampled_from(["us", "eu"])), max_size=5),
    begins=st.integers(0, 2 * 86_400),
)
def laws(zone, drawn, late, begins):
    sub = f"sub{next(numbers)}"
    span = Span(MARCH.start + timedelta(seconds=begins), MARCH.end)
    for events in (drawn, late):
        if events:
            send([event(f"t{next(numbers)}", at, sub=sub, v=v, region=region) for at, v, region in events])
        for _ in range(2):  # The second reading finds what the first one kept.
            check(sub, zone, span)


def check(sub: str, zone: str, span: Span) -> None:
    wanted = {"calls": [REGION]}
    found = service.by_day(ORG, Stream(sub), days_of(span, zone), wanted)
    whole = service.read(ORG, Stream(sub), span, wanted)
    assert found is not None
    assert found.tells("calls", REGION)
    assert sum(day.events("calls") for day in found.totals) == whole.events("calls")
    assert sum(day.sum("calls", "v").total for day in found.totals) == whole.sum("calls", "v").total
    by_region = whole.summaries("calls", REGION)
    for combination, summary in by_region.items():
        own = [day.summaries("calls", REGION).get(combination) for day in found.totals]
        assert sum((each.total for each in own if each), Decimal(0)) == summary.total


def test_the_days_add_up_to_the_whole(aws, monkeypatch):
    known = Definition(Expected("sum_agg", "v", {"region": ["us", "eu"]}), REGION, REGION, is_distinct=False)
    monkeypatch.setattr(definitions, "of", lambda organization, codes: dict.fromkeys(codes, known))
    laws()


def test_each_event_lies_on_its_day_of_the_zone(aws):
    send([event("a", datetime(2024, 3, 9, 15, tzinfo=UTC)), event("b", datetime(2024, 3, 9, 14, 59, tzinfo=UTC))])
    days = days_of(Span(datetime(2024, 2, 29, 15, tzinfo=UTC), datetime(2024, 3, 31, 15, tzinfo=UTC)), "Asia/Tokyo")
    found = service.by_day(ORG, Stream("sub"), days, {})
    assert [day.events("calls") for day in found.totals] == [0] * 8 + [1, 1] + [0] * 21


def test_half_hours_and_cut_hours_with_many_events_are_not_told(aws):
    assert service.by_day(ORG, Stream("sub"), days_of(MARCH, "Asia/Kolkata"), {}) is None
    begin = MARCH.start + timedelta(minutes=30)
    send([event(f"t{n}", begin + timedelta(seconds=n)) for n in range(101)])
    span = Span(begin, MARCH.end)
    assert service.by_day(ORG, Stream("sub"), days_of(span, "UTC"), {}) is None
    # The same where all hours are whole.
    assert service.by_day(ORG, Stream("sub"), days_of(MARCH, "UTC"), {}).totals[0].events("calls") == 101


def test_a_dimension_that_rows_do_not_cover_is_said(aws):
    send([event("a", MARCH.start, v=1, region="us")])
    found = service.by_day(ORG, Stream("sub"), days_of(MARCH, "UTC"), {"calls": [REGION]})
    assert not found.tells("calls", REGION)
    assert found.tells("calls", None)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_month_of_a_metric_costs_twelve_read_units(aws, monkeypatch, zone):
    send([event(f"t{n}", MARCH.start + timedelta(hours=n), v=n, region="us") for n in range(31 * 24)])
    days = days_of(MARCH, zone)
    monkeypatch.setattr(clock, "utc_now", lambda: MARCH.end - timedelta(hours=2))
    service.read(ORG, Stream("sub"), MARCH)
    service.by_day(ORG, Stream("sub"), days, {})
    with capacity.counting() as counted:
        found = service.by_day(ORG, Stream("sub"), days, {})
    assert sum(day.events("calls") for day in found.totals) == 31 * 24
    assert counted.read_units <= 12
    assert counted.write_units == 0
    assert counted.total <= 3


def test_what_was_kept_is_not_believed_after_a_late_event(aws):
    days = days_of(MARCH, "Asia/Tokyo")
    send([event("a", MARCH.start)])
    assert service.by_day(ORG, Stream("sub"), days, {}).totals[0].events("calls") == 1
    assert list(usage.query(layout.usage_pk(ORG.id, "sub"), begins="l#"))
    send([event("b", MARCH.start + timedelta(hours=1))])
    assert service.by_day(ORG, Stream("sub"), days, {}).totals[0].events("calls") == 2
