"""What rows keep by dimensions and for other aggregations: right whatever a metric was when events came."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.periods import Span
from chalicelib.features.audit.audit import audit
from chalicelib.features.billable_metrics.records import Metric, MetricFilter
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.metering import definitions, layout, messages, tally
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.metering.rows import Rows
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import raw
from chalicelib.features.usage import service as usage
from chalicelib.platform import clock, usage_table
from chalicelib.platform.ids import new_id
from tests.support.faults import conflicting
from tests.support.usage import MARCH, ORG, event, message

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
CLOUDS = ("aws", "gcp")
KEYS = (("cloud", frozenset(CLOUDS)),)


def metric(aggregation, *, clouds=CLOUDS):
    old, at = METRICS.find(ORG.id, "calls"), clock.utc_now()
    if old is not None:
        METRICS.remove(ORG.id, old, now=at)
    filters = (MetricFilter(key="cloud", values=clouds),) if clouds else ()
    fields = {"name": "Calls", "code": "calls", "aggregation_type": aggregation, "field_name": "v"}
    METRICS.create(ORG.id, Metric(id=new_id(), created_at=at, updated_at=at, filters=filters, **fields))


def count(*events):
    assert messages.handle([message(list(events))]) == []


def call(n, value, cloud="aws", *, at=NOON, **more):
    return event(f"t{n:03}", at, v=value, cloud=cloud, **more)


def found(aggregation, keys=KEYS, span=MARCH):
    dimension = RollupDimension(Aggregation(aggregation), "v", keys)
    return usage.read(ORG, Stream("sub"), span, {"calls": [dimension]}).summaries("calls", dimension)


@pytest.fixture
def without_events(monkeypatch):
    """From the call on reading raw events is an error."""

    def forbid():
        def refused(*args, **how):
            raise AssertionError("raw events are read")

        monkeypatch.setattr(raw, "events", refused)

    return forbid


def test_sums_by_filter_are_read_from_rows(aws, without_events):
    metric("sum_agg")
    count(call(1, "1.5"), call(2, 2), call(3, 4, "gcp"), call(4, 8, "other"), call(5, 16, None), call(6, "no"))
    without_events()
    for _ in range(2):  # From hours, and from the folded day.
        by_cloud = {combination: (each.total, each.numeric) for combination, each in found("sum_agg").items()}
        assert by_cloud == {("aws",): (Decimal("3.5"), 2), ("gcp",): (4, 1), (None,): (24, 2)}


def test_a_maximum_is_the_greatest_in_whatever_order_values_come(aws, without_events):
    metric("max_agg")
    for n, value in enumerate(["-3", 5, 4, "7.25", 7, -9]):
        count(call(n, value))
    count(call(90, -3, "gcp"), call(91, -4, "gcp"))
    without_events()
    assert {c: (s.maximum, s.numeric) for c, s in found("max_agg").items()} == {
        ("aws",): (Decimal("7.25"), 6),
        ("gcp",): (-3, 2),
    }


def test_the_last_value_is_the_last_in_time_and_then_in_reception(aws, without_events):
    metric("latest_agg", clouds=())
    count(call(1, 1, at=NOON), call(2, 2, at=NOON + timedelta(hours=3)))
    count(call(3, 3, at=NOON + timedelta(hours=2)), call(4, "x", at=NOON + timedelta(hours=4)))
    # In one request the order is that of the array, whatever the ids are.
    count(call(9, 9, at=NOON + timedelta(hours=3)), call(8, 8, at=NOON + timedelta(hours=3)))
    without_events()
    (summary,) = found("latest_agg", keys=()).values()
    assert (summary.latest[1], summary.numeric) == (8, 5)


def test_moments_of_weighted_sums_add_up_over_hours_and_days(aws, without_events):
    metric("weighted_sum_agg", clouds=())
    instants = [NOON, NOON + timedelta(minutes=7, milliseconds=1), NOON + timedelta(days=3)]
    count(*(call(n, n + 1, at=at) for n, at in enumerate(instants)))
    without_events()
    expected = sum((n + 1) * int(at.timestamp() * 1000) for n, at in enumerate(instants))
    for _ in range(2):
        (summary,) = found("weighted_sum_agg", keys=()).values()
        assert (summary.moment, summary.total) == (expected, 6)


def test_a_metric_that_comes_after_its_events_is_recounted_once(aws, without_events):
    count(call(1, 1), call(2, 2, "gcp"))
    metric("sum_agg")
    count(call(3, 4))
    expected = {("aws",): 5, ("gcp",): 2}
    assert {c: s.total for c, s in found("sum_agg").items()} == expected
    without_events()
    assert {c: s.total for c, s in found("sum_agg").items()} == expected


def test_a_changed_metric_is_never_taken_for_what_it_was(aws, without_events):
    metric("sum_agg", clouds=("aws",))
    count(call(1, 1), call(2, 2, "gcp"))
    metric("sum_agg", clouds=("aws", "gcp"))
    count(call(3, 4, "gcp"))
    assert {c: s.total for c, s in found("sum_agg").items()} == {("aws",): 1, ("gcp",): 6}
    assert {c: s.total for c, s in found("sum_agg", (("cloud", frozenset(["aws"])),)).items()} == {
        ("aws",): 1,
        (None,): 6,
    }
    without_events()
    # Both are kept beside each other.
    assert {c: s.total for c, s in found("sum_agg").items()} == {("aws",): 1, ("gcp",): 6}
    assert {c: s.total for c, s in found("sum_agg", (("cloud", frozenset(["aws"])),)).items()} == {
        ("aws",): 1,
        (None,): 6,
    }


def test_keys_of_which_every_value_counts_are_folded_from_events_once_and_again_when_one_is_late(aws, monkeypatch):
    keys = (("user", None),)
    count(call(1, 1, user="b"), call(2, 2, user="a"), call(3, 4, user="b"), call(4, "x", user="c"))
    expected = {("b",): (5, 2), ("a",): (2, 1), ("c",): (0, 1)}
    read: list[object] = []
    real = raw.events
    monkeypatch.setattr(raw, "events", lambda *args, **how: read.append(args) or real(*args, **how))
    for _ in range(3):
        assert {c: (s.total, s.events) for c, s in found("sum_agg", keys).items()} == expected
    assert len(read) == 1
    count(call(5, 8, user="a"))
    assert {c: (s.total, s.events) for c, s in found("sum_agg", keys).items()} == expected | {("a",): (10, 2)}
    assert len(read) == 2
    firsts = {c: s.first for c, s in found("sum_agg", keys).items()}
    assert sorted(firsts, key=lambda c: firsts[c]) == [("b",), ("a",), ("c",)]


def test_more_combinations_than_a_row_holds_are_recounted(aws):
    many = tuple(f"c{n}" for n in range(tally.COMBINATIONS_PER_ROW_MAX + 20))
    metric("sum_agg", clouds=many)
    for n, cloud in enumerate(many):
        count(call(n, 1, cloud))
    keys = (("cloud", frozenset(many)),)
    for _ in range(2):
        assert {c: s.total for c, s in found("sum_agg", keys).items()} == {(cloud,): 1 for cloud in many}
    row = usage_table.usage.get(layout.usage_pk(ORG.id, "sub"), layout.hour_sk("2024-03-10T12", "calls"))
    assert len(row) < 4 * tally.COMBINATIONS_PER_ROW_MAX


@pytest.mark.parametrize(
    ("aggregation", "odd"),
    [
        ("weighted_sum_agg", {"v": "123456789012345.123456789012345"}),
        ("latest_agg", {"cloud": "x" * 5000}),
        ("sum_agg", {"cloud": "x" * 5000}),
    ],
)
def test_what_no_row_can_hold_is_read_from_the_event(aws, aggregation, odd):
    keys = (("cloud", frozenset(["aws", "x" * 5000])),)
    metric(aggregation, clouds=("aws", "x" * 5000))
    count(call(1, 1), call(2, 2, **{"cloud": "gcp"}))
    fields = {"v": 3, "cloud": "aws"} | odd
    count(event("odd", NOON, **fields))
    for _ in range(2):
        assert sum(s.numeric for s in found(aggregation, keys).values()) == 3


def test_a_row_read_too_early_is_read_again(aws, monkeypatch, without_events):
    """Eventually consistent reads may miss a greater value: the condition sees it."""
    metric("max_agg")
    count(call(1, 10))
    real, seen = Rows._read, []

    def old(self, keys, *, consistent):
        seen.append(consistent)
        return real(self, keys, consistent=consistent) if consistent else {}

    monkeypatch.setattr(Rows, "_read", old)
    count(call(2, 7), call(3, 12, "gcp"))
    assert seen == [False, True]
    without_events()
    assert {c: (s.maximum, s.numeric) for c, s in found("max_agg").items()} == {("aws",): (10, 2), ("gcp",): (12, 1)}


def test_parts_of_hot_rows_are_one_row_to_readers(aws, monkeypatch, without_events):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    metric("max_agg")
    for n in range(25):
        with conflicting(1):
            count(call(n, (n * 7) % 25))
    without_events()
    assert {c: (s.maximum, s.numeric) for c, s in found("max_agg").items()} == {("aws",): (24, 25)}


def test_metrics_that_cannot_be_read_keep_no_event_from_counting(aws, monkeypatch):
    metric("sum_agg")
    with monkeypatch.context() as patch:
        patch.setattr(definitions, "billable_metrics", None)
        count(call(1, 1), call(2, 2, "gcp"))
    count(call(3, 4))
    assert {c: s.total for c, s in found("sum_agg").items()} == {("aws",): 5, ("gcp",): 2}


def test_the_audit_sees_what_is_wrong_under_a_view(aws):
    metric("sum_agg")
    count(call(1, 1), call(2, 2, "gcp"))
    assert audit(now=clock.utc_now()) == []
    dimension = RollupDimension(Aggregation.SUM, "v", KEYS)
    where = (layout.usage_pk(ORG.id, "sub"), layout.hour_sk("2024-03-10T12", "calls"))
    name = f'{dimension.prefix}s["aws"]'
    usage_table.usage.write(usage_table.usage.update(where, "ADD #n :one", names={"#n": name}, values={":one": 1}))
    assert [each.found for each in audit(now=clock.utc_now())] == [f"{name} is 2, recounted 1"]


def test_what_a_part_of_a_busy_hour_came_to_is_kept_while_the_hour_stands(aws, monkeypatch):
    monkeypatch.setattr("chalicelib.limits.CUT_KEPT_FROM_EVENTS", 5)
    metric("sum_agg")
    count(*(call(n, 1, at=NOON + timedelta(minutes=n)) for n in range(10)))
    cut = Span(NOON - timedelta(days=2), NOON + timedelta(minutes=4, microseconds=1))
    read: list[object] = []
    real = raw.events
    monkeypatch.setattr(raw, "events", lambda *args, **how: read.append(args) or real(*args, **how))
    for _ in range(3):
        assert found("sum_agg", span=cut)[("aws",)].total == 5
    assert len(read) == 1
    count(call(90, 8, at=NOON + timedelta(minutes=50)), call(91, 16, at=NOON + timedelta(minutes=1)))
    for _ in range(3):
        assert found("sum_agg", span=cut)[("aws",)].total == 21
    assert len(read) == 2
