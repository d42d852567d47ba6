"""A law over HTTP: the fees of single events paid in advance add up to the price of what their period has counted, of each
filter and group, in whatever order, how often and in whatever batches the events were sent. Source: rules/usage 7.

For models that price units alone: of the highest level. For percentages: where each event adds something.
"""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support import recount, recount_prices
from tests.support.charging import ALL, tiers
from tests.support.examples import examples
from tests.support.in_advance import advance
from tests.support.recount import Fact, Gauge
from tests.support.story import Story, work

BEGINS = datetime(2024, 2, 1, tzinfo=UTC)
DAYS = 29
LISTED = {"cloud": ["aws", "gcp"]}
RANGES = tiers((0, 2, "10", "1"), (3, 5, "5.5", "0.25"), (6, None, "2.000000000000001", "7"))
RATES = tiers((0, 3, "1.5", "2"), (3, None, "0.33", "3"), price="rate")
PACKAGE = {"amount": "5", "package_size": 3, "free_units": 2}
PERCENTAGE = {"rate": "1.2", "fixed_amount": "0.1", "free_units_per_events": 2, "per_transaction_max_amount": "0.105"}
THIRD = {"amount": "0.333333333333333"}
BY_USER = {"pricing_group_keys": ["user"]}

METRICS: dict[str, tuple[Gauge, list[tuple[str, dict[str, Any], dict[str, Any]]]]] = {
    "calls": (
        Gauge("count_agg", listed=LISTED),
        [("package", PACKAGE, {}), ("percentage", PERCENTAGE, {}), ("graduated", {"graduated_ranges": RANGES}, {})],
    ),
    "gb": (
        Gauge("sum_agg", "v", listed=LISTED),
        [
            ("graduated", {"graduated_ranges": RANGES}, {}),
            ("graduated_percentage", {"graduated_percentage_ranges": RATES} | BY_USER, {}),
        ],
    ),
    "users": (Gauge("unique_count_agg", "v", listed=LISTED), [("graduated", {"graduated_ranges": RANGES}, {})]),
    "level": (
        Gauge("sum_agg", "v", recurring=True),
        [("package", PACKAGE, {}), ("standard", THIRD, {"prorated": True})],
    ),
    "seats": (
        Gauge("unique_count_agg", "v", recurring=True),
        [("graduated", {"graduated_ranges": RANGES}, {}), ("standard", THIRD | BY_USER, {"prorated": True})],
    ),
}
FILTERS = [{"cloud": ["aws"]}, {"cloud": [ALL]}]

Drawn = dict[str, Any]
events = st.lists(
    st.fixed_dictionaries(
        {
            "code": st.sampled_from(list(METRICS)),
            "at": st.integers(0, DAYS * 24 * 60 - 1).map(lambda minutes: BEGINS + timedelta(minutes=minutes)),
            "v": st.sampled_from([1, "2", "-1.5", "3.25", "a", -4, 2, None]),
            "cloud": st.sampled_from(["aws", "gcp", "azure", None]),
            "user": st.sampled_from(["u1", "u2", None]),
            "operation_type": st.sampled_from([None, "add", "remove"]),
        }
    ),
    min_size=8,
    max_size=18,
    unique_by=lambda event: event["at"],  # Of one instant the order of reception decides.
)


def filtered(code: str, model: str) -> bool:
    """Whether a charge of these has filters."""
    return bool(METRICS[code][0].listed) and model != "percentage"


def test_fees_of_events_add_up_to_the_price_of_their_period(aws):
    story = Story.begin(at="2024-02-01T00:00:00Z")
    charges = []
    for code, (gauge, prices) in METRICS.items():
        listed = [{"key": key, "values": values} for key, values in gauge.listed.items()]
        metric = story.metric(code, gauge.kind, field_name=gauge.field_name, recurring=gauge.recurring, filters=listed)
        for n, (model, properties, more) in enumerate(prices):
            own = [{"values": values, "properties": properties} for values in FILTERS] if filtered(code, model) else []
            named = {"code": f"{code} {n}", "invoiceable": False, "filters": own, **more}
            charges.append(advance(metric, properties, model, **named))
    story.plan(charges=charges)
    story.customer()
    numbers = itertools.count(1)

    @settings(max_examples=examples(4), phases=[Phase.generate], database=None)
    @given(drawn=events, data=st.data())
    def law(drawn: list[Drawn], data: st.DataObject) -> None:
        subscription = f"sub{next(numbers)}"
        story.subscribe(external_id=subscription)
        bodies = [body(event, n, subscription) for n, event in enumerate(drawn)]
        again = data.draw(st.lists(st.sampled_from(bodies), max_size=5))
        left = data.draw(st.permutations([*bodies, *again]))
        while left:
            size = data.draw(st.sampled_from([1, 5, 30]))
            story.ok("POST", "/events/batch", {"events": left[:size]})
            left = left[size:]
        usage = story.usage(subscription)  # All events are there before the first of them is charged.
        while work():
            pass
        found = story.ok("GET", f"/fees?per_page=1000&external_subscription_id={subscription}")["fees"]
        assert_adds_up(usage, found, sorted(drawn, key=lambda event: event["at"]))

    law()


def body(event: Drawn, number: int, subscription: str) -> dict[str, Any]:
    properties = {name: value for name, value in event.items() if name not in ("code", "at") and value is not None}
    return {
        "transaction_id": f"{subscription}-{number}",
        "external_subscription_id": subscription,
        "code": event["code"],
        "timestamp": int(event["at"].timestamp()),
        "properties": properties,
    }


def assert_adds_up(usage: dict[str, Any], fees: Sequence[dict[str, Any]], drawn: Sequence[Drawn]) -> None:
    """Fees and current usage agree with a recount, charge by charge."""
    for shown in usage["charges_usage"]:
        code, charge = shown["billable_metric"]["code"], shown["charge"]["code"]
        gauge, prices = METRICS[code]
        model, properties, more = prices[int(charge.split()[1])]
        own = [fee for fee in fees if fee["lago_charge_id"] == shown["charge"]["lago_id"]]
        counted = [event for event in drawn if event["code"] == code and sees(gauge, event)]
        assert len(own) == len(counted), charge  # Each event has its fee, and each once.
        assert all(fee["events_count"] == 1 for fee in own)
        filters = FILTERS if filtered(code, model) else []
        parts: dict[Any, list[Drawn]] = {}
        for event in counted:
            fact = Fact(event["at"], ("", ""), event)
            taken = recount.filter_of(fact, filters, gauge.listed)
            parts.setdefault((taken, recount.group_of(event, properties)), []).append(event)
        expected = [price_of(gauge, model, properties, members, **more) for members in parts.values()]
        paid = sum((Fraction(fee["precise_amount"]) for fee in own), Fraction(0))
        assert paid == sum(expected, Fraction(0)), charge
        assert shown["amount_cents"] == sum(recount.half_up(each * 100) for each in expected), charge


def sees(gauge: Gauge, event: Drawn) -> bool:
    if gauge.kind == "count_agg":
        return True
    value = event["v"]
    return value is not None if gauge.kind == "unique_count_agg" else recount.number(value) is not None


def price_of(
    gauge: Gauge, model: str, properties: dict[str, Any], members: Sequence[Drawn], *, prorated: bool = False
) -> Fraction:
    """What the highest level of these events costs, or each growth of it the days from then on."""
    level, highest, by_days = Fraction(0), Fraction(0), Fraction(0)
    active: set[str | None] = set()
    for event in members:
        if gauge.kind == "unique_count_agg":
            value = recount.text(event["v"])
            active = active - {value} if event["operation_type"] == "remove" else active | {value}
            level = Fraction(len(active))
        else:
            level += 1 if gauge.kind == "count_agg" else recount.number(event["v"]) or Fraction(0)
        growth = max(Fraction(0), level - highest)
        days = DAYS - (event["at"] - BEGINS).days
        by_days += recount.raised(growth * days / DAYS, 5)
        highest = max(highest, level)
    if prorated:
        return by_days * Fraction(properties["amount"])
    if not highest:  # Without units not even the first flat amount is paid in advance.
        return Fraction(0)
    ones = [Fraction(1)] * len(members)  # Percentages price counts alone here.
    return recount_prices.price_of(model, properties, highest, values=ones, events_count=len(members))
