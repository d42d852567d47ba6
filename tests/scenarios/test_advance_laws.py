"""Laws over HTTP of charges in advance whose events come one by one, in order of time or in any other: each fee is that of
a naive recount, usage says what all events owe by their places, and in order that is what was charged.
Source: decisions/0018."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.scenarios import test_advance_adds_up as adds_up
from tests.support import recount, recount_advance
from tests.support.charging import tiers
from tests.support.examples import examples
from tests.support.in_advance import advance
from tests.support.recount import Fact, Gauge
from tests.support.recount_advance import Sent
from tests.support.story import Story, meter, work

BEGINS, DAYS, LISTED = adds_up.BEGINS, adds_up.DAYS, adds_up.LISTED
FILTERS, BY_USER = adds_up.FILTERS, adds_up.BY_USER
PACKAGE = {"amount": "5", "package_size": 3, "free_units": 1}
FIXED = {"rate": "10", "fixed_amount": "1"}
BOUNDS = {"rate": "10", "per_transaction_min_amount": "0.2", "per_transaction_max_amount": "0.5"}
FREE = {"rate": "1.2", "fixed_amount": "0.1", "free_units_per_total_aggregation": "4"}
GRADUATED = {"graduated_ranges": tiers((0, 2, "1", "1"), (3, None, "5.5", "0"))}

Priced = tuple[str, dict[str, Any], dict[str, Any]]
METRICS: dict[str, tuple[Gauge, list[Priced]]] = {
    "calls": (
        Gauge("count_agg", listed=LISTED),
        [("package", PACKAGE, {}), ("standard", {"amount": "0.5"}, {}), ("percentage", FREE, {})],
    ),
    "gb": (
        Gauge("sum_agg", "v", listed=LISTED),
        [
            ("percentage", FIXED | BY_USER, {}),
            ("percentage", BOUNDS, {}),
            ("percentage", FREE, {}),
            ("dynamic", {}, {}),
            ("package", PACKAGE, {}),
        ],
    ),
    "users": (Gauge("unique_count_agg", "v", listed=LISTED), [("graduated", GRADUATED, {}), ("percentage", FIXED, {})]),
    "level": (Gauge("sum_agg", "v", recurring=True), [("package", PACKAGE, {}), ("percentage", FIXED, {})]),
    "seats": (
        Gauge("unique_count_agg", "v", recurring=True),
        [("standard", {"amount": "7"}, {"prorated": True}), ("graduated", GRADUATED | BY_USER, {})],
    ),
}

Drawn = dict[str, Any]


def events(code: str) -> st.SearchStrategy[list[Drawn]]:
    """Events of one metric, each at an hour of its own."""
    one = {
        "code": st.just(code),
        "at": st.integers(0, DAYS * 24 - 1).map(lambda hours: BEGINS + timedelta(hours=hours)),
        "v": st.sampled_from([1, "2", "-1.5", "3.25", "a", 4, 2, 0]),
        "cloud": st.sampled_from(["aws", "gcp", None]),
        "user": st.sampled_from(["u1", None]),
        "operation_type": st.sampled_from([None, "add", "remove"]),
    }
    return st.lists(st.fixed_dictionaries(one), min_size=6, max_size=9, unique_by=lambda event: event["at"])


@pytest.mark.parametrize("code", list(METRICS))
@pytest.mark.parametrize("order", ["in order", "newest first", "in any order"])
def test_each_fee_is_the_recounts_and_usage_says_what_all_owe(aws, code, order):
    story = Story.begin(at="2024-02-01T00:00:00Z")
    story.plan(charges=charges(story, code))
    story.customer()
    numbers = itertools.count(1)

    @settings(max_examples=examples(2), phases=[Phase.generate], database=None)
    @given(drawn=events(code))
    def law(drawn: list[Drawn]) -> None:
        subscription = f"sub{next(numbers)}"
        story.subscribe(external_id=subscription)
        arrivals = drawn
        if order != "in any order":
            arrivals = sorted(drawn, key=lambda event: event["at"], reverse=order == "newest first")
        for n, event in enumerate(arrivals):
            body = adds_up.body(event, n, subscription) | {"precise_total_amount_cents": f"{100 + n}"}
            story.ok("POST", "/events", {"event": body})
            meter()
            while work():
                pass
        found = story.ok("GET", f"/fees?per_page=1000&external_subscription_id={subscription}")["fees"]
        for shown in story.usage(subscription)["charges_usage"]:
            own = {f["event_transaction_id"]: f for f in found if f["lago_charge_id"] == shown["charge"]["lago_id"]}
            assert_charged(shown, own, arrivals, subscription, in_order=order == "in order")

    law()


def charges(story: Story, code: str) -> list[dict[str, Any]]:
    """Those of a metric; those with filters price these alike."""
    gauge, prices = METRICS[code]
    listed = [{"key": key, "values": values} for key, values in gauge.listed.items()]
    metric = story.metric(code, gauge.kind, field_name=gauge.field_name, recurring=gauge.recurring, filters=listed)
    found = []
    for n, (model, properties, more) in enumerate(prices):
        own = [{"values": values, "properties": properties} for values in FILTERS] if filtered(code, n) else []
        named = {"code": f"{code} {n}", "invoiceable": False, "filters": own, **more}
        found.append(advance(metric, properties, model, **named) | {"properties": properties})
    return found


def filtered(code: str, number: int) -> bool:
    """Whether a charge has filters: the first one of each metric that has any."""
    return bool(METRICS[code][0].listed) and number == 0


def assert_charged(
    shown: dict[str, Any], own: dict[str, Any], arrivals: Sequence[Drawn], subscription: str, *, in_order: bool
) -> None:
    """Fees (by transaction) and usage of one charge agree with a recount, part by part."""
    code, number = shown["charge"]["code"].split()
    gauge, prices = METRICS[code]
    model, properties, more = prices[int(number)]
    parts: dict[Any, list[tuple[str, Sent]]] = {}
    for n, event in enumerate(arrivals):
        if event["code"] == code and adds_up.sees(gauge, event):
            fact = Fact(event["at"], ("", ""), event)
            taken = recount.filter_of(fact, FILTERS if filtered(code, int(number)) else [], gauge.listed)
            group = recount.group_of(event, properties)
            parts.setdefault((taken, group), []).append((f"{subscription}-{n}", sent(gauge, event, n)))
    cents = 0
    for members in parts.values():
        expected, whole = recount_advance.fees(
            lambda known: recount_advance.added(model, properties, known, **more), [each for _, each in members]
        )
        fees = [Fraction(own.pop(transaction)["precise_amount"]) for transaction, _ in members]
        assert fees == expected, (shown["charge"]["code"], members)
        if in_order:
            assert sum(fees, Fraction(0)) == whole
        cents += recount.half_up(whole * 100)
    assert own == {}  # Each event has its fee, and nothing else has one.
    assert shown["amount_cents"] == cents, shown["charge"]["code"]


def sent(gauge: Gauge, event: Drawn, n: int) -> Sent:
    """An event for the recount."""
    place: datetime = event["at"]
    days = Fraction(DAYS - (place - BEGINS).days, DAYS)
    if gauge.kind == "unique_count_agg":
        removes = event["operation_type"] == "remove"
        return Sent(place, value=recount.text(event["v"]), removes=removes, cents=Fraction(100 + n), days=days)
    value = Fraction(1) if gauge.kind == "count_agg" else recount.number(event["v"])
    return Sent(place, value, cents=Fraction(100 + n), days=days)
