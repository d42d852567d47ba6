"""Distinct values that are counted as they come in: as a recount of all events has them, whatever happens."""

import contextlib
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.features.billable_metrics.records import Metric, MetricFilter
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.metering import distinct_counters, layout, messages
from chalicelib.features.metering.distinct_counters import Spec
from chalicelib.features.usage import distinct, raw
from chalicelib.platform import agenda, clock
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.usage_table import usage
from tests.support.examples import examples
from tests.support.faults import Killed, Plan, conflicting, failing
from tests.support.items import core
from tests.support.quick_tables import go_back_to, state
from tests.support.usage import MARCH, ORG, event, message

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
_requests = itertools.count()
ASKED = distinct.Question(
    ORG, "sub", "seats", MARCH, Spec("user", ({"cloud": ("aws",)}, {"cloud": ("aws", "gcp")}), default=True)
)


@pytest.fixture
def seats(aws):
    metric()


def metric():
    at = clock.utc_now()
    filters = (MetricFilter(key="cloud", values=("aws", "gcp")),)
    fields = {"name": "Seats", "code": "seats", "aggregation_type": "unique_count_agg", "field_name": "user"}
    METRICS.create(ORG.id, Metric(id="m", created_at=at, updated_at=at, filters=filters, **fields))


def seat(n, user, operation=None, *, at=NOON, cloud=None):
    properties = {"user": user, "operation_type": operation, "cloud": cloud}
    kept = {name: value for name, value in properties.items() if value is not None}
    return event(f"t{n}", at, code="seats", **kept)


def count(*events):
    distinct_counters.forget()  # As if what is known were a minute old.
    received_at = MARCH.start + timedelta(microseconds=next(_requests))
    assert messages.handle([message(list(events), received_at=received_at)]) == []


def wish():
    distinct.request_counter(ASKED, real_now=clock.utc_now())


def fill():
    for item in _tasks():
        distinct.fill(item)


def _tasks():
    found = core.client.scan(TableName=core.name)["Items"]
    keys = [(item["pk"]["S"], item["sk"]["S"]) for item in found if "#task#fill_register#" in item["pk"]["S"]]
    return [task for task in map(agenda.find, keys) if task is not None]


def numbers():
    found = distinct.numbers(ASKED, real_now=clock.utc_now())
    return None if found is None else {bucket: number for bucket, number in found.items() if number}


def recount(events):
    """By the words of the rule: the last operation of a value decides. `events`: in order of reception."""
    last = {}
    for each in sorted(events, key=lambda e: e.timestamp_ms):
        if MARCH.start <= each.at < MARCH.end:
            cloud = each.properties.get("cloud")
            bucket = {"aws": "0", "gcp": "1"}.get(cloud, "-")
            last[(bucket, each.properties["user"])] = each.properties.get("operation_type", "add")
    found = {}
    for (bucket, _), operation in last.items():
        if operation == "add":
            found[bucket] = found.get(bucket, 0) + 1
    return found


def test_what_came_before_and_what_comes_after_opening_is_counted_once(seats):
    count(seat(1, "a"), seat(2, "b", cloud="aws"), seat(3, "b", cloud="gcp"))
    wish()
    assert numbers() is None
    count(seat(4, "b"), seat(5, "c", cloud="aws"), seat(6, "c", cloud="aws"), seat(7, "a"))
    assert numbers() is None
    fill()
    assert numbers() == {"-": 2, "0": 2, "1": 1}
    count(seat(8, "d"), seat(9, "d"), seat(4, "x"), seat(10, "e", at=NOON - timedelta(days=20)))
    assert numbers() == {"-": 3, "0": 2, "1": 1}


def test_a_repeated_value_costs_no_write(seats):
    count(seat(1, "a"))
    wish()
    fill()
    before = numbers(), usage.count(layout.usage_pk(ORG.id, "sub"), begins="u#")
    count(*(seat(n, "a") for n in range(2, 60)))
    assert (numbers(), usage.count(layout.usage_pk(ORG.id, "sub"), begins="u#")) == before


def test_wishing_and_filling_again_change_nothing(seats):
    count(seat(1, "a"))
    wish()
    tasks = _tasks()
    wish()
    assert [task.subject for task in _tasks()] == [task.subject for task in tasks]
    for _ in range(2):
        for task in tasks:
            with contextlib.suppress(
                Cancelled, ConditionFailed
            ):  # So the runner of tasks sees that it was done before.
                distinct.fill(task)
    assert numbers() == {"-": 1}
    assert _tasks() == []


def test_a_removal_ends_a_register_and_the_next_one_knows_all_operations(seats):
    count(seat(1, "a"), seat(2, "b"))
    wish()
    fill()
    assert numbers() == {"-": 2}
    count(seat(3, "a", "remove", at=NOON + timedelta(hours=2)))
    assert numbers() is None
    wish()
    fill()
    assert numbers() == {"-": 1}
    # What happened in between comes late: time decides, not reception.
    count(seat(4, "b", "remove", at=NOON + timedelta(hours=3)), seat(5, "a", at=NOON + timedelta(hours=1)))
    assert numbers() in (None, {})
    count(seat(6, "b", at=NOON + timedelta(hours=4)))
    assert numbers() == {"-": 1}


def test_a_removal_that_was_there_before_ends_the_register_at_its_filling(seats):
    count(seat(1, "a"), seat(2, "a", "remove", at=NOON + timedelta(hours=1)), seat(3, "b"))
    wish()
    fill()
    assert numbers() is None
    wish()
    fill()
    assert numbers() == {"-": 1}


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(5))
def test_a_worker_killed_while_it_counts_or_fills_loses_and_doubles_nothing(seats, at, after):
    count(seat(1, "a"), seat(2, "b"))
    wish()
    record = message([seat(3, "b"), seat(4, "c"), seat(5, "c", cloud="aws")])
    distinct_counters.forget()
    for attempt in (lambda: messages.handle([record]), fill):
        with failing(Plan(at, after=after)) as plan:
            try:
                attempt()
            except Killed:
                assert plan.reached
        attempt()
    assert numbers() == {"-": 3, "0": 1}


def test_the_meter_and_the_filling_may_enter_a_value_at_the_same_time(seats, monkeypatch):
    count(seat(1, "a"), seat(2, "b"))
    wish()
    real = raw.events

    def events_then_meter(*args, **how):
        found = list(real(*args, **how))
        monkeypatch.setattr(raw, "events", real)
        count(seat(3, "b"), seat(4, "c"))
        return iter(found)

    monkeypatch.setattr(raw, "events", events_then_meter)
    fill()
    assert numbers() == {"-": 3}


def test_conflicts_are_retried(seats, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    wish()
    for n in range(12):
        with conflicting(1):
            count(seat(n, f"u{n}"))
    fill()
    assert numbers() == {"-": 12}


def test_a_register_is_no_longer_read_when_its_values_begin_to_expire(seats):
    count(seat(1, "a"))
    wish()
    fill()
    later = clock.utc_now() + timedelta(days=38)
    assert distinct.numbers(ASKED, real_now=later - timedelta(hours=1)) == {"-": 1}
    assert distinct.numbers(ASKED, real_now=later + timedelta(hours=1)) is None


def test_more_values_than_a_transaction_holds(seats):
    count(*(seat(n, f"early {n}") for n in range(150)))
    wish()
    count(*(seat(1000 + n, f"late {n}") for n in range(150)))
    fill()
    assert numbers() == {"-": 300}


STEPS = st.lists(
    st.one_of(
        st.lists(
            st.builds(
                lambda n, user, hours, operation, cloud: seat(
                    f"{99 - n:03}", user, operation, at=NOON + timedelta(hours=hours), cloud=cloud
                ),
                st.integers(0, 60),
                st.sampled_from("abcd"),
                st.sampled_from([0, 1, 2, 3, 24, -24 * 30, 24 * 40]),
                st.sampled_from([None, None, "add", "remove"]),
                st.sampled_from([None, "aws", "gcp", "x"]),
            ),
            max_size=8,
        ),
        st.sampled_from(["wish", "fill"]),
    ),
    max_size=12,
)


@settings(
    max_examples=examples(25),
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_whatever_comes_in_whatever_order_numbers_are_those_of_a_recount(seats, steps):
    before = state()
    sent: dict[str, object] = {}
    for step in steps:
        if step == "wish":
            wish()
        elif step == "fill":
            fill()
        else:
            count(*step)
            for each in step:
                sent.setdefault(each.transaction_id, each)
        known = numbers()
        assert known is None or known == recount(sent.values())
    for _ in range(2):  # The second one knows of removals.
        wish()
        fill()
    assert numbers() == recount(sent.values())
    go_back_to(before)
