"""Events of an external id that changed hands: rows and raw events are read as if those of before had never been."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.periods import Span
from chalicelib.features.metering import messages, reading
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import service as usage
from chalicelib.platform.timestamps import stamp
from tests.support.usage import MARCH, ORG, event, message

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
TAKEN = datetime(2024, 3, 10, 12, 0, 0, 500_000, tzinfo=UTC)
EARLIER, LATER = TAKEN - timedelta(microseconds=1), TAKEN
SECOND, MS = timedelta(seconds=1), timedelta(milliseconds=1)
VIEW = RollupDimension(Aggregation.LATEST, "v")
# When it happened, and when it was received: powers of two tell which of them were counted.
SENT = [
    (NOON - 400 * timedelta(days=1), EARLIER),
    (NOON - timedelta(hours=1), EARLIER),
    (NOON - MS, LATER),
    (NOON, EARLIER),
    (NOON, LATER),
    (NOON + SECOND - MS, EARLIER),
    (NOON + SECOND - MS, LATER),
    (NOON + SECOND, EARLIER),
    (NOON + timedelta(hours=1), LATER),
    (NOON + timedelta(days=3), EARLIER),
]
ALL = frozenset(range(len(SENT)))


@pytest.fixture(params=["covered", "recounted"])
def sent(aws, request):
    long = {} if request.param == "covered" else {"x" * 61: 1}  # A property that rows do not cover.
    for n, (at, received_at) in enumerate(SENT):
        one = event(f"t{n}", at, v=2**n, **long)
        assert messages.handle([message([one], received_at=received_at)]) == []


STREAMS = [
    pytest.param(Stream("sub"), ALL, id="nobody had it before"),
    pytest.param(Stream("sub", NOON, stamp(TAKEN)), ALL - {0, 1, 2, 3, 5}, id="taken in the second of the other's end"),
    pytest.param(Stream("sub", NOON), ALL - {0, 1, 2}, id="begun later than the other's end"),
    pytest.param(Stream("sub", NOON + SECOND), ALL - {0, 1, 2, 3, 4, 5, 6}, id="a second later"),
    pytest.param(Stream("sub", NOON + timedelta(days=30)), frozenset(), id="begun after all of them"),
]
SPANS = [
    pytest.param(MARCH, id="the month"),
    pytest.param(Span(NOON, MARCH.end), id="from the second on"),
    pytest.param(Span(NOON + 500 * MS, MARCH.end), id="from within it"),
    pytest.param(Span(MARCH.start, NOON + 500 * MS), id="up to within it"),
    pytest.param(Span(NOON, NOON + MS), id="a millisecond of it"),
    pytest.param(Span(MARCH.start, NOON), id="before it"),
    pytest.param(Span(NOON + SECOND, MARCH.end), id="behind it"),
    pytest.param(Span(NOON + timedelta(days=1), NOON + timedelta(days=2)), id="a day without any"),
]


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize(("stream", "counted"), STREAMS)
def test_a_range_counts_what_is_the_streams(sent, stream, counted, span):
    inside = sorted(n for n in counted if span.start <= SENT[n][0] < span.end)
    before = sorted(n for n in counted if SENT[n][0] < span.start)
    for _ in range(2):  # The second time from what the first one has kept.
        found = usage.read(ORG, stream, span, {"calls": [VIEW]})
        assert (found.events("calls"), found.sum("calls", "v").total) == (len(inside), _sum(inside))
        summaries = list(found.summaries("calls", VIEW).values())
        assert sum(each.numeric for each in summaries) == len(inside)
        if inside:
            last = max(inside, key=lambda n: (SENT[n][0], SENT[n][1]))
            assert summaries[0].latest[1] == 2**last
        history = usage.history(ORG, stream, span.start, {})
        assert history.sum("calls", "v").total == _sum(before)
    readings = usage.readings(ORG, stream, span, ["calls"], with_history=False)["calls"]
    assert sum(each.properties["v"] for each in readings) == _sum(inside)
    readings = usage.readings(ORG, stream, span, ["calls"], with_history=True)["calls"]
    assert sum(each.properties["v"] for each in readings) == _sum([*before, *inside])


def _sum(numbers: list[int]) -> Decimal:
    return Decimal(sum(2**n for n in numbers))


def test_a_stored_event_is_held_as_it_was_received(sent):
    stream = Stream("sub", NOON, stamp(TAKEN))
    items = [reading.by_transaction(ORG.id, f"t{n}")[0] for n in range(len(SENT))]
    held = {n for n, item in enumerate(items) if stream.holds(SENT[n][0], reading.reception_of(item))}
    assert held == ALL - {0, 1, 2, 3, 5}
