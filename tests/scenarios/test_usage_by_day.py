"""Usage by day: of counts and sums the days add up to what current usage says, of levels the last one is it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib.features.subscriptions import reading
from chalicelib.features.usage_views import by_day
from chalicelib.features.usage_views.by_day import DailyUsage
from tests.support.charging import priced
from tests.support.examples import examples
from tests.support.story import Story, meter

START = datetime(2024, 1, 5, 9, 30, tzinfo=UTC)
NOW = datetime(2024, 1, 20, 12, tzinfo=UTC)
LISTED = [{"key": "cloud", "values": ["aws", "gcp"]}]
ONE = {"amount": "1"}
METRICS: dict[str, dict[str, Any]] = {
    "count": {"aggregation_type": "count_agg"},
    "sum": {"aggregation_type": "sum_agg", "field_name": "v"},
    "max": {"aggregation_type": "max_agg", "field_name": "v"},
    "latest": {"aggregation_type": "latest_agg", "field_name": "v"},
    "level": {"aggregation_type": "sum_agg", "field_name": "v", "recurring": True},
    "unique": {"aggregation_type": "unique_count_agg", "field_name": "v"},
}
SUMS = ("count", "sum")

events = st.lists(
    st.tuples(
        st.sampled_from(list(METRICS)),
        st.integers(-6 * 24 * 60, 11 * 24 * 60).map(lambda minutes: NOW - timedelta(days=1, minutes=minutes)),
        st.sampled_from([1, 7, "0.25", "ten", None]),
        st.sampled_from(["aws", "gcp", "other", None]),
    ),
    min_size=20,
    max_size=60,
)


@pytest.fixture
def sold(aws) -> Story:
    """A plan that prices each metric whole, by filters, and by groups; the customer is in Tokyo."""
    story = Story.begin(at=START.isoformat())
    charges = []
    for code, fields in METRICS.items():
        metric = story.metric(code, filters=LISTED, **fields)
        filters = [{"values": {"cloud": [name]}, "properties": ONE} for name in ("aws", "gcp")]
        charges += [priced(metric, code=f"{code} whole"), priced(metric, code=f"{code} split", filters=filters)]
        if code in SUMS:
            grouped = {**ONE, "pricing_group_keys": ["cloud"]}
            charges.append(priced(metric, code=f"{code} grouped", properties=grouped))
            charges.append(priced(metric, code=f"{code} advance", pay_in_advance=True, invoiceable=False))
    story.plan(charges=charges)
    story.customer(timezone="Asia/Tokyo")
    return story


def daily(story: Story, subscription: dict[str, Any], now: datetime = NOW) -> DailyUsage:
    record = reading.get(story.ref.id, subscription["lago_customer_id"], subscription["lago_id"])
    assert record is not None
    found = by_day.open_period(story.ref, record, ZoneInfo("Asia/Tokyo"), now=now)
    assert found is not None
    return found


def test_days_agree_with_current_usage(sold: Story):
    sold.travel(NOW.isoformat())
    numbers = iter(range(10**6))

    @settings(max_examples=examples(4), phases=[Phase.generate], database=None)
    @given(drawn=events)
    def check(drawn: list[tuple[str, datetime, Any, str | None]]) -> None:
        name = f"sub{next(numbers)}"
        subscription = sold.subscribe(external_id=name, subscription_at=START.isoformat())
        for code, at, v, cloud in drawn:
            properties = {key: value for key, value in (("v", v), ("cloud", cloud)) if value is not None}
            sold.use(code, at=at.timestamp(), subscription=name, **properties)
        agrees(sold.usage(name), daily(sold, subscription))
        agrees(sold.usage(name), daily(sold, subscription))  # From what the first reading kept.

    check()


def agrees(usage: dict[str, Any], found: DailyUsage) -> None:
    assert (found.days[0], found.days[-1], found.today) == (date(2024, 1, 5), date(2024, 1, 31), date(2024, 1, 20))
    for shown in usage["charges_usage"]:
        code, kind = shown["charge"]["code"].split()
        own = found.charges.get(shown["charge"]["lago_id"])
        assert (own is None) == (code == "unique")
        if own is None:
            continue
        assert own.kind == ("used" if code in SUMS else "level")
        totals = {
            part: sum(values, Decimal(0)) if own.kind == "used" else values[-1] for part, values in own.parts.items()
        }
        if kind == "grouped" and None in totals:  # Rows of hours do not know groups.
            assert totals == {None: Decimal(shown["units"])}
            continue
        if kind == "grouped":
            expected = {each["grouped_by"]["cloud"]: Decimal(each["units"]) for each in shown["grouped_usage"]}
            given_ = {group[0][1]: value for (_, group), value in totals.items()}
            assert {k: v for k, v in given_.items() if v} == {k: v for k, v in expected.items() if v}
            continue
        order = [*range(len(shown["filters"]) - 1), None] if shown["filters"] else [None]
        assert [totals.get((n, ()), 0) for n in order] == [
            Decimal(each["units"]) for each in shown["filters"] or [shown]
        ], shown["charge"]["code"]


def test_a_level_begins_where_the_period_before_left_it(sold: Story):
    subscription = sold.subscribe()
    sold.use("level", at=START.timestamp() + 60, v=5)
    sold.travel("2024-02-10T00:00:00Z")
    sold.use("level", at=datetime(2024, 2, 3, tzinfo=UTC).timestamp(), v=2)
    meter()
    found = daily(sold, subscription, datetime(2024, 2, 10, tzinfo=UTC))
    (charge,) = [each for each in sold.ok("GET", "/plans/plan")["plan"]["charges"] if each["code"] == "level whole"]
    own = found.charges[charge["lago_id"]]
    assert [str(value) for value in own.parts[None, ()][:4]] == ["5", "5", "7", "7"]


def test_a_year_has_no_picture(aws):
    story = Story.begin()
    story.plan(interval="yearly", charges=[priced(story.metric())])
    story.customer()
    subscription = story.subscribe()
    record = reading.get(story.ref.id, subscription["lago_customer_id"], subscription["lago_id"])
    assert record is not None
    assert by_day.open_period(story.ref, record, ZoneInfo("UTC"), now=datetime(2024, 1, 2, tzinfo=UTC)) is None
