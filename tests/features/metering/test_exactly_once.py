"""Each accepted event counts exactly once, whatever happens."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout, messages, queue_message, reading, write
from chalicelib.features.metering.patience import Patience
from chalicelib.features.metering.rows import Rows
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.usage_table import usage
from tests.support import aws as support
from tests.support.faults import Killed, Plan, conflicting, failing
from tests.support.usage import MARCH, ORG, event, message, units

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
TEN = [event(f"t{n}", NOON + timedelta(hours=n % 3), miles=str(n)) for n in range(10)]


def test_a_message_delivered_five_times_counts_once(aws):
    record = message(TEN)
    for _ in range(5):
        assert messages.handle([record]) == []
    assert units() == 10
    assert units(field="miles") == 45


def test_duplicates_inside_a_batch_and_across_messages_count_once(aws):
    assert messages.handle([message([*TEN, *TEN[:4]]), message(TEN[5:]), message([event("new", NOON)])]) == []
    assert units() == 11


def test_the_first_content_of_a_transaction_stays(aws):
    messages.handle([message([event("t", NOON, miles=1)])])
    messages.handle([message([event("t", NOON, miles=100)])])
    assert units(field="miles") == 1


def test_the_same_transaction_of_another_subscription_is_another_event(aws):
    messages.handle([message([event("t", NOON), event("t", NOON, sub="other")])])
    assert (units(), units(sub="other")) == (1, 1)


@pytest.mark.parametrize("name", ["sub", "a#b%23", "{day}", "~", pytest.param("\N{SNOWMAN}" * 100, id="long")])
def test_an_event_is_found_by_its_time_whatever_its_subscription_is_called(aws, name):
    assert messages.handle([message([event("t", NOON, sub=name)])]) == []
    ms = int(NOON.timestamp() * 1000)
    (found,) = reading.raw_of_day(ORG.id, name, "2024-03-10", [layout.SHARD], low_ms=ms, high_ms=ms)
    assert reading.read(found).external_subscription_id == name


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(6))
def test_a_worker_killed_at_any_write_loses_and_doubles_nothing(aws, at, after):
    records = [message(TEN), message([event("x", NOON, sub="other")])]
    with failing(Plan(at, after=after)) as plan:
        try:
            messages.handle(records)
        except Killed:
            assert plan.reached
        else:
            assert not plan.reached
    assert messages.handle(records) == []
    assert (units(), units(field="miles"), units(sub="other")) == (10, 45, 1)


@pytest.mark.parametrize("at", [2, 3])
def test_an_answer_lost_after_the_commit_counts_once(aws, at, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with failing(Plan(at, after=True, lost_answer=True)):
        messages.handle([message(TEN), message([event("x", NOON, sub="other")])])
    assert (units(), units(sub="other")) == (10, 1)


def test_conflicts_are_retried_with_jitter(aws):
    waits: list[float] = []
    preparer = messages._Preparer(ORG.id, "sub", "log")
    read = queue_message.read(message(TEN))
    prepared = [preparer.prepare(read, each) for each in read.events]
    rows = Rows(write.usage_once, ORG.id, "sub", {})
    with conflicting(3) as left:
        write._commit(rows, prepared, patience=Patience(), sleep=waits.append, draw=lambda: 0.5)
    assert left["times"] == 0
    assert waits == [0.005, 0.01, 0.02]
    assert units() == 10


def test_who_meets_conflicts_writes_to_more_parts_and_readers_add_them_up(aws, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    pk = layout.usage_pk(ORG.id, "sub")
    for n in range(40):
        with conflicting(1):
            assert messages.handle([message([event(f"t{n}", NOON, miles=n)])]) == []
    parts = {row["sk"].rpartition("#")[2] for row in usage.query(pk, begins="h#")}
    late = {row["sk"].rpartition("#")[2] for row in usage.query(pk, begins="d#")}
    assert 1 < len(parts) <= limits.ROW_PARTS_MAX
    assert parts == late
    assert (units(), units(field="miles")) == (40, sum(range(40)))
    folded = usage.get(pk, layout.day_sk("2024-03-10"))
    assert set(folded["seen"]) == {f"late#{part}" for part in parts}
    assert (units(), units(field="miles")) == (40, sum(range(40)))


def test_conflicts_that_do_not_end_send_the_messages_back(aws, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    record = message(TEN)
    with conflicting(1000):
        assert messages.handle([record]) == [record["messageId"]]
    assert units() == 0
    assert messages.handle([record]) == []
    assert units() == 10


def test_an_unreadable_record_goes_back_alone(aws):
    bad = {"messageId": "bad", "body": "{"}
    odd = {"messageId": "odd", "body": '{"org": "o"}'}
    assert messages.handle([bad, message(TEN), odd]) == ["bad", "odd"]
    assert units() == 10


def test_more_events_than_a_transaction_holds_all_count(aws):
    many = [event(f"t{n}", NOON + timedelta(minutes=n), miles=1) for n in range(120)]
    assert messages.handle([message(many)]) == []
    assert units() == 120


def test_an_hour_whose_properties_no_row_can_hold_is_recounted_from_raw_events(aws):
    wide = event("wide", NOON, miles=5, **{f"p{n}": n for n in range(20)})
    messages.handle([message([*TEN, wide])])
    assert units(field="miles") == 50
    assert units(field="p19") == 19
    assert units() == 11


def test_raw_events_of_a_production_organization_expire_and_those_of_a_sandbox_do_not(aws):
    production = OrganizationRef("org-2", sandbox=False)
    messages.handle([message(TEN[:1]), message(TEN[:1], production)])
    assert "expires_at" not in reading.by_transaction(ORG.id, "t0")[0]
    item = reading.by_transaction(production.id, "t0")[0]
    assert item["expires_at"] > NOON.timestamp() + 2 * 365 * 86400 - 86400


events = st.builds(
    lambda n, minutes, code, value: event(
        f"t{n}", datetime(2024, 2, 28, 20, tzinfo=UTC) + timedelta(minutes=minutes), code=code, value=value
    ),
    st.integers(0, 25),
    st.integers(0, 60 * 24 * 5),
    st.sampled_from(["calls", "a#b", "ü"]),
    st.sampled_from([1, "2.5", "-3", "none", Decimal("0.125"), True]),
)


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(st.lists(events, max_size=40), st.data())
def test_usage_equals_a_naive_recount_however_events_come(sent, data):
    first: dict[str, object] = {}
    for each in sent:
        first.setdefault(each.transaction_id, each)
    with support.in_memory():
        rest = list(sent)
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            record = message(rest[:size])
            for _ in range(data.draw(st.integers(1, 2))):
                assert messages.handle([record]) == []
            rest = rest[size:]
            if data.draw(st.booleans()):
                units()  # A read in between folds days.
        start = datetime(2024, 2, 28, tzinfo=UTC) + timedelta(minutes=data.draw(st.integers(0, 3000)), milliseconds=7)
        span = Span(start, start + timedelta(minutes=data.draw(st.integers(0, 6000))))
        for code in ("calls", "a#b", "ü"):
            counted = [e for e in first.values() if e.code == code and span.start <= e.at < span.end]
            numbers = [q for e in counted if (q := quantity(e.properties["value"])) is not None]
            assert units(code, span=span) == len(counted)
            assert units(code, "value", span) == sum(numbers)


def test_a_late_event_is_seen_by_the_next_read_of_a_folded_day(aws):
    messages.handle([message(TEN)])
    assert units() == 10
    folded = usage.get(layout.usage_pk(ORG.id, "sub"), layout.day_sk("2024-03-10"))
    assert folded is not None
    messages.handle([message([event("late", NOON, miles=1)])])
    assert units() == 11
    assert units() == 11


def test_a_day_is_not_folded_within_the_hour_after_its_end(aws):
    messages.handle([message(TEN)])
    ends = datetime(2024, 3, 11, tzinfo=UTC)
    assert units(now=ends + timedelta(minutes=59)) == 10
    assert usage.get(layout.usage_pk(ORG.id, "sub"), layout.day_sk("2024-03-10")) is None
    assert units(now=ends + timedelta(hours=1)) == 10
    assert usage.get(layout.usage_pk(ORG.id, "sub"), layout.day_sk("2024-03-10")) is not None


def test_a_fold_beside_a_late_event_is_not_trusted(aws, monkeypatch):
    """The reader has read the markers, then an event comes, then the reader writes what it saw."""
    messages.handle([message(TEN)])
    from chalicelib.features.usage import raw

    real = raw.hour_rows

    def hours_then_late_event(*args):
        found = real(*args)
        if found:
            monkeypatch.setattr(raw, "hour_rows", real)
            messages.handle([message([event("late", NOON)])])
        return found

    monkeypatch.setattr(raw, "hour_rows", hours_then_late_event)
    assert units() == 10  # As it was when it was read.
    assert units() == 11


def test_an_index_that_lags_is_read_again(aws, monkeypatch):
    messages.handle([message(TEN)])
    cut = Span(NOON, NOON + timedelta(minutes=30))
    real, calls = reading.raw_of_day, []

    def lagging(*args, **how):
        calls.append(1)
        found = real(*args, **how)
        return found[:-1] if len(calls) < 3 else found

    monkeypatch.setattr(reading, "raw_of_day", lagging)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert units(span=cut) == 4  # t0, t3, t6, t9
    assert len(calls) == 3


def test_a_newer_event_in_the_index_does_not_make_up_for_an_older_one_that_is_missing(aws, monkeypatch):
    messages.handle([message(TEN)])
    cut = Span(NOON, NOON + timedelta(minutes=30))
    real, calls = reading.raw_of_day, []

    def lagging(*args, **how):
        calls.append(1)
        if len(calls) == 1:
            messages.handle([message([event("newer", NOON, miles=100)])])
            return [item for item in real(*args, **how) if item["transaction_id"] != "t9"]
        return real(*args, **how)

    monkeypatch.setattr(reading, "raw_of_day", lagging)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert units(field="miles", span=cut) == 0 + 3 + 6 + 9 + 100
    assert len(calls) == 2


def test_a_stream_of_events_keeps_nobody_from_reading(aws, monkeypatch):
    messages.handle([message(TEN)])
    real, numbers = reading.raw_of_day, itertools.count()

    def streaming(*args, **how):
        found = real(*args, **how)
        messages.handle([message([event(f"new {next(numbers)}", NOON)])])
        return found

    monkeypatch.setattr(reading, "raw_of_day", streaming)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert units(span=Span(NOON, NOON + timedelta(minutes=30))) >= 4


def test_one_month_of_several_metrics_is_read_in_few_requests(aws, monkeypatch):
    messages.handle([message(TEN)])
    units()
    requests: list[str] = []
    real = usage.client._make_api_call
    monkeypatch.setattr(usage.client, "_make_api_call", lambda name, p: requests.append(name) or real(name, p))
    assert units(span=MARCH) == 10
    assert requests == ["Query"]


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param({"n": 10**60}, id="more digits than DynamoDB holds"),
        pytest.param({"n": "9" * 23 + "." + "9" * 15}, id="as many digits as DynamoDB holds"),
        pytest.param({"n": Decimal("0E+999999")}, id="a long way to write 0"),
        pytest.param({"n": Decimal("1e-300")}, id="a smaller number than DynamoDB holds"),
        pytest.param({"": 1, "x": {"": []}}, id="names without a letter"),
        pytest.param(
            {"deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}, id="deep"
        ),
    ],
)
def test_no_property_that_was_accepted_can_keep_an_event_from_counting(aws, properties):
    odd = event("t", NOON)
    odd.properties.update(properties)
    assert messages.handle([message([odd, event("u", NOON, v=2)])]) == []
    assert (units(), units(field="v")) == (2, 2)
    assert reading.read(reading.by_transaction(ORG.id, "t")[0]).properties == properties
