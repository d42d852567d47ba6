"""Every charge model over HTTP, with the worked figures of rules/usage 6, 8, and spending minimums (8.1)."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from tests.support.charging import Bill, assert_agrees, bills, last_bill, priced, tiers, use_many
from tests.support.story import Story


@dataclass
class Case:
    """A charge for a sum of its own (named by `code`). `values`: one event each, in order of time; `amount`: in cents, None
    for no fee; `details`: what is asked of `amount_details`, None for nothing; `unit`: the price of one unit."""

    code: str
    model: str
    properties: dict[str, Any]
    values: list[Any]
    amount: int | None
    details: dict[str, Any] | None = None
    unit: str | None = None
    kind: str = "sum_agg"
    cents: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [
            {"code": self.code, "at": f"2024-01-{n:02}", "v": value}
            | ({"cents": self.cents[n - 2]} if self.cents else {})
            for n, value in enumerate(self.values, 2)
        ]


def percent(rate: str = "1.2", **more: Any) -> dict[str, Any]:
    return {"rate": rate, **more}


def free(events: int | None, total: str | None, **more: Any) -> dict[str, Any]:
    both = {"free_units_per_events": events, "free_units_per_total_aggregation": total}
    return percent(**{k: v for k, v in both.items() if v is not None}, **more)


def tier(low: int, top: int | None, amounts: str, price: str = "per_unit_amount") -> dict[str, Any]:
    """A tier in `amount_details`: units, price, amount for units, flat amount, both amounts."""
    names = ("units", price, "per_unit_total_amount", "flat_unit_amount", "total_with_flat_amount")
    return {"from_value": low, "to_value": top, **dict(zip(names, amounts.split(), strict=True))}


def packages(free_units: str, paid_units: str) -> dict[str, Any]:
    units = {"free_units": free_units, "paid_units": paid_units}
    return {**units, "per_package_size": 100, "per_package_unit_amount": "5.0"}


def in_tier(price: str, for_units: str) -> dict[str, Any]:
    return {"per_unit_amount": price, "per_unit_total_amount": for_units, "flat_unit_amount": "10.0"}


STANDARD = {"amount": "0.05"}
FIRST = {"graduated_ranges": tiers((0, 100, "1.00", "0"), (101, 200, "0.50", "10"), (201, None, "0.10", "5"))}
SECOND = {"graduated_ranges": tiers((0, 10, "10", "2"), (11, 20, "5", "3"), (21, None, "5", "3"))}
SHARED = {"graduated_ranges": tiers((0, 100, "1.00", "0"), (100, 200, "0.50", "10"), (200, None, "0.10", "5"))}
PACKAGE = {"amount": "5", "package_size": 100, "free_units": 100}
TENS = {"amount": "100", "package_size": 10, "free_units": 10}
VOLUME = {
    "volume_ranges": tiers(
        (0, 10_000, "0.0010", "10"),
        (10_001, 50_000, "0.0008", "10"),
        (50_001, 100_000, "0.0006", "10"),
        (100_001, None, "0.0004", "10"),
    )
}
RATES = {"graduated_percentage_ranges": tiers((0, 1000, "1", "2"), (1001, None, "0.5", "3"), price="rate")}
FEE = {"fixed_amount": "0.10"}
BOUNDS = {"rate": "2.99", "per_transaction_min_amount": "1.75", "per_transaction_max_amount": "12"}

CASES = [
    # 6.1 Standard.
    Case("standard", "standard", STANDARD, [1000], 5000, {}, "0.05"),
    Case("standard_digits", "standard", {"amount": "0.333333333333333"}, [3], 100, {}, "0.333333333333333"),
    Case("standard_none", "standard", STANDARD, [], None),
    Case("half_up", "standard", {"amount": "0.175"}, [1], 18),
    Case("below_half", "standard", {"amount": "0.174"}, [1], 17),
    Case("exact", "standard", {"amount": "1.005"}, [1], 101),
    Case("once", "standard", {"amount": "0.004"}, [1, 1, 1], 1),  # Not rounded by event.
    # 6.2 Graduated.
    Case("tiers_100", "graduated", FIRST, [60, 40], 10000, unit="1.0"),
    Case("tiers_100_5", "graduated", FIRST, ["100.5"], 11025),
    Case("tiers_101", "graduated", FIRST, [101], 11050),
    Case("tiers_250", "graduated", FIRST, [250], 17000, unit="0.68"),
    Case("shared_100", "graduated", SHARED, [100], 10000),
    Case("shared_100_5", "graduated", SHARED, ["100.5"], 11025),
    Case("shared_250", "graduated", SHARED, [250], 17000),
    Case("second_0", "graduated", SECOND, [], 200, {"graduated_ranges": [tier(0, 10, "0.0 0.0 0.0 2.0 2.0")]}, "0.0"),
    Case("second_1", "graduated", SECOND, [1], 1200),
    Case("second_10", "graduated", SECOND, [10], 10200),
    Case("second_11", "graduated", SECOND, [11], 11000),
    Case(
        "second_12",
        "graduated",
        SECOND,
        [12],
        11500,
        {"graduated_ranges": [tier(0, 10, "10.0 10.0 100.0 2.0 102.0"), tier(11, 20, "2.0 5.0 10.0 3.0 13.0")]},
    ),
    Case("second_25", "graduated", SECOND, [25], 18300),
    # 6.3 Package.
    Case("package_0", "package", PACKAGE, [], None),
    Case("package_100", "package", PACKAGE, [100], 0, packages("100.0", "0.0"), "0.0"),
    Case("package_101", "package", PACKAGE, [101], 500),
    Case("package_200", "package", PACKAGE, [200], 500),
    Case("package_201", "package", PACKAGE, [201], 1000, packages("100.0", "101.0")),
    Case("package_tens", "package", TENS, [121], 120000, unit="10.810810810810811"),
    Case("search", "package", {"amount": "1", "package_size": 1000, "free_units": 10_000}, [25_300], 1600),
    Case("search_free", "package", {"amount": "1", "package_size": 1000, "free_units": 10_000}, [10_000], 0),
    # 6.4 Percentage.
    Case("percent", "percentage", percent(**FEE), [200, 100], 380, unit="0.012666666666667"),
    Case("percent_3_500", "percentage", free(3, "500", **FEE), [200, 100, 100, 50], 70),
    Case("percent_3", "percentage", free(3, None, **FEE), [200, 100, 100, 50], 70),
    Case("percent_500", "percentage", free(None, "500", **FEE), [200, 100, 100, 50, 100], 70),
    Case("percent_300", "percentage", free(3, "500", **FEE), [300, 300, 10], 152),
    Case("percent_0", "percentage", percent(**FEE), [], None),
    Case(
        "percent_parts",
        "percentage",
        {**free(3, "250", fixed_amount="2"), "rate": "1.3"},
        [50, 100, 250, 400],
        1115,
        {
            "units": "800.0",
            "free_units": "250.0",
            "paid_units": "550.0",
            "free_events": 2,
            "paid_events": 2,
            "rate": "1.3",
            "per_unit_total_amount": "7.15",
            "fixed_fee_unit_amount": "2.0",
            "fixed_fee_total_amount": "4.0",
            "min_max_adjustment_total_amount": "0.0",
        },
    ),
    Case("bounds", "percentage", BOUNDS, [10, 80, 10_000], 1614),
    Case("bounds_fixed", "percentage", {**BOUNDS, "fixed_amount": "2"}, [10, 80, 10_000], 1869),
    Case("bounds_2", "percentage", {**BOUNDS, "free_units_per_events": 2}, [10, 80, 10_000], 1200),
    Case("bounds_30", "percentage", {**BOUNDS, "free_units_per_total_aggregation": "30"}, [10, 80, 10_000], 1379),
    Case(
        "bounds_3_10000",
        "percentage",
        {**BOUNDS, "free_units_per_events": 3, "free_units_per_total_aggregation": "10000"},
        [10, 80, 10_000],
        269,
    ),
    # 6.5 Volume.
    Case("volume_0", "volume", VOLUME, [], 1000, in_tier("0.001", "0.0")),
    Case("volume_10000", "volume", VOLUME, [10_000], 2000),
    Case("volume_10000_5", "volume", VOLUME, ["10000.5"], 1800),
    Case("volume_65000", "volume", VOLUME, [65_000], 4900, in_tier("0.0006", "39.0")),
    Case("volume_100001", "volume", VOLUME, [100_001], 5000),
    # 6.6 Graduated percentage.
    Case("rates_0", "graduated_percentage", RATES, [], 200),
    Case("rates_500", "graduated_percentage", RATES, [500], 700),
    Case("rates_1000", "graduated_percentage", RATES, [1000], 1200),
    Case(
        "rates_3000",
        "graduated_percentage",
        RATES,
        [3000],
        2500,
        {
            "graduated_percentage_ranges": [
                tier(0, 1000, "1000.0 1.0 10.0 2.0 12.0", price="rate"),
                tier(1001, None, "2000.0 0.5 10.0 3.0 13.0", price="rate"),
            ]
        },
    ),
    # 6.7 Dynamic.
    Case("dynamic", "dynamic", {}, [2, 3], 1235, {}, "2.4690000002", cents=["1000.0000001", "234.5"]),
    Case("dynamic_0", "dynamic", {}, [2, -2], 0, {}, "0.0", cents=["100", "50"]),
    Case("dynamic_unpriced", "dynamic", {}, [2], 0, {}),
    # Models on other aggregations, whose single values are not the events' properties.
    Case(
        "percent_count",
        "percentage",
        {"rate": "10", "free_units_per_events": 1, "fixed_amount": "1"},
        [7, 7, 7],
        220,
        kind="count_agg",
    ),
    Case(
        "percent_max",
        "percentage",
        {"rate": "10", "free_units_per_total_aggregation": "5"},
        [3, 9, 4],
        40,
        kind="max_agg",
    ),
    Case(
        "percent_unique",
        "percentage",
        {"rate": "50", "per_transaction_min_amount": "2"},
        ["a", "b", "a"],
        400,
        kind="unique_count_agg",
    ),
]


def test_every_model_prices_as_worked(aws):
    story = Story.begin()
    story.customer()
    halves = {"even": CASES[::2], "odd": CASES[1::2]}  # More than one plan holds.
    for name, cases in halves.items():
        charges = []
        for case in cases:
            own = {} if case.kind == "count_agg" else {"field_name": "v"}
            charges.append(priced(story.metric(case.code, case.kind, **own), case.model, case.properties))
        story.plan(name, charges=charges)
        story.subscribe(name, name)
        use_many(story, [event | {"sub": name} for case in cases for event in case.events])
    usages = {name: story.usage(name) for name in halves}
    story.travel("2024-02-01T00:00:00Z")
    fees = [fee for name in halves for fee in last_bill(story, name).fees]
    bill = Bill(fees)
    for usage in usages.values():
        assert_agrees(usage, bill)
    assert {c.code: bill.cents(c.code) for c in CASES} == {
        c.code: [] if c.amount is None else [c.amount] for c in CASES
    }
    for case in CASES:
        if case.details is not None:
            assert (case.code, bill.one(case.code)["amount_details"]) == (case.code, case.details)
        if case.unit is not None:
            assert (case.code, bill.one(case.code)["precise_unit_amount"]) == (case.code, case.unit)
    assert bill.one("bounds")["precise_amount"] == "16.142"
    assert bill.one("dynamic")["precise_amount"] == "12.345000001"
    bounds = Decimal(bill.one("bounds")["amount_details"]["min_max_adjustment_total_amount"])
    assert bounds == Decimal("16.142") - Decimal("0.0299") * 10_090


@pytest.mark.parametrize(
    ("currency", "cents", "precise"), [("JPY", 18, "17.5"), ("KWD", 17500, "17.5"), ("EUR", 1750, "17.5")]
)
def test_amounts_are_rounded_to_the_currency(aws, currency, cents, precise):
    story = Story.begin()
    metric = story.metric()
    story.plan(charges=[priced(metric, properties={"amount": "3.5"})], amount_currency=currency)
    story.customer(currency=currency)
    story.subscribe()
    use_many(story, [{"code": "calls", "at": "2024-01-05"}] * 5)
    assert story.usage()["charges_usage"][0]["amount_cents"] == cents
    story.travel("2024-02-01T00:00:00Z")
    fee = last_bill(story).one("calls")
    assert (fee["amount_cents"], fee["precise_amount"], fee["amount_currency"]) == (cents, precise, currency)


def links(bill: Any) -> list[tuple[int, bool, bool]]:
    """(amount, has a true-up, is one) of each fee, the two halves of each pair checked against each other."""
    by_id = {fee["lago_id"]: fee for fee in bill.fees}
    for fee in bill.fees:
        other = fee["lago_true_up_fee_id"]
        if other is not None:
            assert by_id[other]["lago_true_up_parent_fee_id"] == fee["lago_id"]
            assert by_id[other]["applied_taxes"][0]["tax_code"] == fee["applied_taxes"][0]["tax_code"]
            assert (by_id[other]["units"], by_id[other]["events_count"]) == ("1.0", 0)
    assert sum(f["lago_true_up_fee_id"] is not None for f in bill.fees) == sum(
        f["lago_true_up_parent_fee_id"] is not None for f in bill.fees
    )
    return [
        (f["amount_cents"], f["lago_true_up_fee_id"] is not None, f["lago_true_up_parent_fee_id"] is not None)
        for f in bill.fees
    ]


def test_what_a_charge_lacks_of_its_minimum_is_a_fee_of_its_own(aws):
    """A start on 16 March; 100.00 is the minimum of each charge, of which 16/31 are due: 51.61."""
    story = Story.begin(at="2024-03-16T00:00:00Z")
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 10, "applied_to_organization": True}})
    story.ok("POST", "/taxes", {"tax": {"name": "Own", "code": "own", "rate": 20}})
    regions = [{"key": "region", "values": ["eu", "us"]}]
    metrics = {code: story.metric(code) for code in ("plain", "unused", "enough")}
    split = story.metric("split", filters=regions)
    filters = [{"values": {"region": ["eu"]}, "properties": {"amount": "2"}}]
    grouped = {"amount": "1", "pricing_group_keys": ["user"]}
    least = {"min_amount_cents": 10000}
    priced_groups = story.metric("groups", group={"key": "region", "values": ["eu", "us"]})
    ids = [g["lago_group_id"] for g in story.ok("GET", "/billable_metrics/groups/groups")["groups"]]
    story.plan(
        charges=[
            priced(metrics["plain"], tax_codes=["own"], **least),
            priced(metrics["unused"], **least),
            priced(metrics["enough"], **least),
            priced(split, filters=filters, properties=grouped, **least),
            {
                "billable_metric_id": priced_groups["lago_id"],
                "charge_model": "standard",
                "group_properties": [{"group_id": each, "values": {"amount": "1"}} for each in ids],
                **least,
            },
        ]
    )
    story.customer()
    story.subscribe()
    events = [{"code": "plain", "at": "2024-03-20"}] * 30 + [{"code": "enough", "at": "2024-03-20"}] * 60
    events += [{"code": "split", "at": "2024-03-20", "region": "eu"}] * 2
    events += [{"code": "split", "at": "2024-03-20", "region": "us", "user": user} for user in ("a", "b", "b")]
    events += [{"code": "groups", "at": "2024-03-20", "region": region} for region in ("us", "mars")]
    use_many(story, events)
    story.travel("2024-04-01T00:00:00Z")
    (bill,) = bills(story)
    assert links(bill) == [
        (3000, True, False),
        (2161, False, True),
        (0, True, False),
        (5161, False, True),
        (6000, False, False),
        (400, False, False),
        (100, True, False),
        (200, False, False),
        (4461, False, True),
        (0, True, False),
        (100, False, False),
        (5061, False, True),
    ]
    plain, lacks = bill.of("plain")
    assert [f["taxes_amount_cents"] for f in (plain, lacks)] == [600, 432]
    assert lacks["item"]["invoice_display_name"] == "plain - True-up"
    assert lacks["lago_charge_id"] == plain["lago_charge_id"]
    assert bill.of("split")[1]["lago_charge_filter_id"] is None
    story.travel("2024-05-01T00:00:00Z")
    assert [cents for cents, _, is_true_up in links(last_bill(story)) if is_true_up] == [10000] * 5


def test_minimums_of_parts_of_a_period(aws):
    """An end takes its day, an upgrade leaves it to the new plan."""
    story = Story.begin(at="2023-02-01T00:00:00Z")
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 10, "applied_to_organization": True}})
    metric = story.metric()
    story.plan("low", charges=[priced(metric, min_amount_cents=1000)])
    story.plan("high", amount_cents=100, charges=[priced(metric, min_amount_cents=1000)])
    story.customer()
    story.subscribe("low")
    story.subscribe("low", "upgraded")
    story.subscribe("low", "nothing", subscription_at="2023-02-01T00:00:00Z")
    use_many(story, [{"code": "calls", "at": "2023-02-10", "sub": sub} for sub in ("sub", "upgraded")] * 8)
    story.travel("2023-02-25T10:00:00Z")
    story.terminate()
    assert links(last_bill(story)) == [(800, True, False), (93, False, True)]
    story.subscribe("high", "upgraded")
    assert links(last_bill(story, "upgraded")) == [(800, True, False), (57, False, True)]  # 24/28
    story.travel("2023-03-01T00:00:00Z")
    assert links(last_bill(story, "upgraded")) == [(0, True, False), (143, False, True)]  # 4/28
    assert links(last_bill(story, "nothing")) == [(0, True, False), (1000, False, True)]
