"""Current usage over HTTP. Source: rules/usage 9."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.charging import ALL, assert_agrees, last_bill, priced, tiers, use_many
from tests.support.story import Story, meter

FLAT = {"graduated_ranges": tiers((0, None, "1", "1"))}
REGIONS = [{"key": "region", "values": ["eu", "us"]}]
SUMS = {"units", "total_aggregated_units", "events_count", "amount_cents"}


def asked(story: Story, subscription: str = "sub", **query: str) -> dict[str, Any]:
    """Current usage with a query."""
    meter()
    text = "".join(f"&{quote(name)}={quote(value)}" for name, value in query.items())
    return story.ok("GET", f"/customers/cust/current_usage?external_subscription_id={subscription}{text}")[
        "customer_usage"
    ]


def by_code(usage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["billable_metric"]["code"]: each for each in usage["charges_usage"]}


def sums(shown: dict[str, Any]) -> tuple[str, int, int]:
    return shown["units"], shown["events_count"], shown["amount_cents"]


def groups(shown: dict[str, Any]) -> list[tuple[dict[str, Any], str, int]]:
    return [(each["grouped_by"], each["units"], each["amount_cents"]) for each in shown["grouped_usage"]]


def test_the_whole_answer(aws):
    """123 cents and 20 %: 24.6, which is 25."""
    story = Story.begin(at="2022-07-01T00:00:00Z")
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    metric = story.metric("storage", "sum_agg", field_name="gb", name="Storage")
    plan = story.plan(charges=[priced(metric, "graduated", {"graduated_ranges": tiers((0, None, "1.23", "0"))})])
    story.customer()
    story.subscribe()
    story.use("storage", at=1_657_000_000, gb="1")
    assert story.usage() == {
        "from_datetime": "2022-07-01T00:00:00Z",
        "to_datetime": "2022-07-31T23:59:59Z",
        "issuing_date": "2022-07-31",
        "lago_invoice_id": None,
        "currency": "EUR",
        "amount_cents": 123,
        "amount_currency": "EUR",
        "taxes_amount_cents": 25,
        "vat_amount_cents": 25,
        "total_amount_cents": 148,
        "total_amount_currency": "EUR",
        "charges_usage": [
            {
                "units": "1.0",
                "total_aggregated_units": "1.0",
                "events_count": 1,
                "amount_cents": 123,
                "amount_currency": "EUR",
                "pricing_unit_details": None,
                "charge": {
                    "lago_id": plan["charges"][0]["lago_id"],
                    "code": "storage",
                    "charge_model": "graduated",
                    "invoice_display_name": None,
                },
                "billable_metric": {
                    "lago_id": metric["lago_id"],
                    "name": "Storage",
                    "code": "storage",
                    "aggregation_type": "sum_agg",
                },
                "filters": [],
                "grouped_usage": [],
            }
        ],
    }
    untaxed = asked(story, apply_taxes="false")
    assert [untaxed[name] for name in ("amount_cents", "taxes_amount_cents", "total_amount_cents")] == [123, 0, 123]
    story.use("storage", at=1_657_100_000, gb="1")
    assert story.usage()["total_amount_cents"] == 246 + 49
    assert story.invoices() == []


def test_filters_and_groups_used_and_unused(aws):
    story = Story.begin()
    user, user_and_plan = {"pricing_group_keys": ["user"]}, {"pricing_group_keys": ["user", "plan"]}
    eu = {"region": ["eu"]}
    metrics = {code: story.metric(code, filters=REGIONS) for code in ("flat", "split", "grouped", "mixed", "all")}
    level = story.metric("level", "sum_agg", field_name="v", recurring=True)
    average = story.metric("average", "weighted_sum_agg", field_name="v", weighted_interval="seconds")
    story.plan(
        charges=[
            priced(metrics["flat"], "graduated", FLAT),
            priced(
                metrics["split"], filters=[{"values": eu, "properties": {"amount": "2"}, "invoice_display_name": "EU"}]
            ),
            priced(metrics["grouped"], properties={"amount": "1", **user_and_plan}),
            priced(metrics["mixed"], filters=[{"values": eu, "properties": {"amount": "2", **user}}]),
            priced(
                metrics["all"],
                properties={"amount": "1", **user},
                filters=[{"values": {"region": [ALL]}, "properties": {"amount": "2", **user}}],
            ),
            priced(level, prorated=True),
            priced(average),
        ]
    )
    story.customer()
    story.subscribe()
    before = by_code(story.usage())
    assert sums(before["flat"]) == ("0.0", 0, 100)  # The first flat amount.
    assert before["flat"]["filters"] == []
    assert [(f["values"], f["invoice_display_name"], sums(f)) for f in before["split"]["filters"]] == [
        (eu, "EU", ("0.0", 0, 0)),
        (None, None, ("0.0", 0, 0)),
    ]
    assert [before[code]["grouped_usage"] for code in ("flat", "split")] == [[], []]
    assert groups(before["grouped"]) == [({"user": None, "plan": None}, "0.0", 0)]
    assert groups(before["mixed"]) == [({"user": None}, "0.0", 0)]
    assert groups(before["all"]) == [({"user": None}, "0.0", 0)]

    events: list[dict[str, Any]] = [{"code": "split", "region": region} for region in ("eu", "eu", "us")]
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x"), (None, "x")]
    events += [{"code": "grouped", "user": u, "plan": p, "region": "eu"} for u, p in pairs]
    events += [
        {"code": code, "region": r, "user": u}
        for code in ("mixed", "all")
        for r, u in (("eu", "a"), ("us", "a"), (None, "b"))
    ]
    events += [{"code": "level", "v": 30}, {"code": "average", "v": 31}]
    use_many(story, [event | {"at": "2024-01-30"} for event in events])
    usage = story.usage()
    after = by_code(usage)
    assert [(f["values"], sums(f)) for f in after["split"]["filters"]] == [
        (eu, ("2.0", 2, 400)),
        (None, ("1.0", 1, 100)),
    ]
    assert sums(after["split"]) == ("3.0", 3, 500)
    assert {tuple(g.values()): (units, cents) for g, units, cents in groups(after["grouped"])} == {
        ("a", "x"): ("2.0", 200),
        ("a", "y"): ("1.0", 100),
        ("b", "x"): ("1.0", 100),
        (None, "x"): ("1.0", 100),
    }
    assert groups(after["mixed"]) == [({"user": "a"}, "1.0", 200), ({}, "2.0", 200)]
    of_a, of_b = after["all"]["grouped_usage"]
    assert (of_a["grouped_by"], of_a["amount_cents"], of_b["grouped_by"], of_b["amount_cents"]) == (
        {"user": "a"},
        400,
        {"user": "b"},
        100,
    )
    assert [(f["values"], f["units"]) for f in of_a["filters"]] == [({"region": [ALL]}, "2.0")]
    assert [(f["values"], f["units"]) for f in of_b["filters"]] == [(None, "1.0")]
    assert sums(after["level"]) == ("30.0", 1, 194)  # 30 x 2/31: full units, the prorated amount.
    assert (after["average"]["units"], after["average"]["total_aggregated_units"]) == ("2.0", "31.0")

    # A part of it.
    only = asked(story, **{"group[user]": "a"})
    assert groups(by_code(only)["grouped"]) == [({"plan": "x"}, "2.0", 200), ({"plan": "y"}, "1.0", 100)]
    assert sums(by_code(only)["grouped"]) == ("3.0", 3, 300)
    assert (groups(by_code(only)["all"]), sums(by_code(only)["all"])) == ([], ("2.0", 2, 400))
    both = asked(story, **{"group[user]": "a", "filter_by_group[plan]": "x"})
    assert (groups(by_code(both)["grouped"]), sums(by_code(both)["grouped"])) == ([], ("2.0", 2, 200))
    assert sums(by_code(asked(story, **{"group[region]": "us"}))["split"]) == ("1.0", 1, 100)
    assert sums(by_code(asked(story, **{"group[user]": "nobody"}))["grouped"]) == ("0.0", 0, 0)

    story.travel("2024-02-01T00:00:00Z")
    assert_agrees(usage, last_bill(story))


def test_one_charge_or_metric(aws):
    story = Story.begin()
    calls, seats = story.metric("calls"), story.metric("seats")
    plan = story.plan(charges=[priced(calls, code="c1"), priced(calls, code="c2"), priced(seats)])
    story.customer()
    story.subscribe()
    story.use("calls", at=1_705_000_000)
    ids = {charge["code"]: charge["lago_id"] for charge in plan["charges"]}
    for query, codes, cents in [
        ({}, ["c1", "c2", "seats"], 200),
        ({"charge_id": ids["c2"]}, ["c2"], 100),
        ({"filter_by_charge_id": ids["seats"]}, ["seats"], 0),
        ({"charge_code": "c1"}, ["c1"], 100),
        ({"filter_by_charge_code": "c2"}, ["c2"], 100),
        ({"billable_metric_code": "calls"}, ["c1", "c2"], 200),
        ({"filter_by_metric_code": "seats"}, ["seats"], 0),
    ]:
        usage = asked(story, **query)
        assert ([each["charge"]["code"] for each in usage["charges_usage"]], usage["amount_cents"]) == (codes, cents)
    for query in ("charge_code=none", "charge_id=none", f"charge_id={ids['seats']}&billable_metric_code=calls"):
        answer = story.call("GET", f"/customers/cust/current_usage?external_subscription_id=sub&{query}")
        assert (answer.status, answer.body["code"]) == (404, "charge_not_found")


def test_who_has_no_current_usage(aws):
    story = Story.begin()
    story.plan()
    story.customer()
    story.customer("other")
    story.subscribe()
    story.subscribe(external_id="later", subscription_at="2024-03-01T00:00:00Z")
    story.subscribe(external_id="gone")
    story.terminate("gone")
    for customer, subscription, status, code in [
        ("nobody", "sub", 404, "customer_not_found"),
        ("cust", "none", 405, "no_active_subscription"),
        ("cust", "later", 405, "no_active_subscription"),
        ("cust", "gone", 405, "no_active_subscription"),
        ("other", "sub", 405, "no_active_subscription"),
    ]:
        answer = story.call("GET", f"/customers/{customer}/current_usage?external_subscription_id={subscription}")
        assert (answer.status, answer.body["code"]) == (status, code)
    assert story.usage()["charges_usage"] == []


@pytest.mark.parametrize(
    ("start", "plan", "more", "expected"),
    [
        ("2024-01-10T08:30:00Z", {}, {}, ("2024-01-10T08:30:00Z", "2024-01-31T23:59:59Z", "2024-01-31")),
        (
            "2024-01-10T08:30:00Z",
            {},
            {"billing_time": "anniversary"},
            ("2024-01-10T08:30:00Z", "2024-02-09T23:59:59Z", "2024-02-09"),
        ),
        (
            "2024-01-10T08:30:00Z",
            {"interval": "yearly"},
            {},
            ("2024-01-10T08:30:00Z", "2024-12-31T23:59:59Z", "2024-12-31"),
        ),
        (
            "2024-01-10T08:30:00Z",
            {"interval": "yearly", "bill_charges_monthly": True},
            {},
            ("2024-01-10T08:30:00Z", "2024-01-31T23:59:59Z", "2024-01-31"),
        ),
        ("2023-12-10T00:00:00Z", {}, {}, ("2024-01-01T00:00:00Z", "2024-01-31T23:59:59Z", "2024-01-31")),
    ],
    ids=["first calendar", "first anniversary", "yearly", "charges monthly", "running"],
)
def test_the_boundaries_of_the_period(aws, start, plan, more, expected):
    story = Story.begin(at=start)
    story.plan(charges=[priced(story.metric())], **plan)
    story.customer()
    story.subscribe(**more)
    story.travel("2024-01-20T00:00:00Z")
    usage = story.usage()
    assert (usage["from_datetime"], usage["to_datetime"], usage["issuing_date"]) == expected


def test_the_customers_day_and_currency_and_the_plan_after_an_upgrade(aws):
    story = Story.begin(at="2024-01-01T05:00:00Z")
    calls = story.metric("calls")
    story.plan("low", amount_currency="JPY", charges=[priced(calls, properties={"amount": "1.5"})])
    story.plan("high", amount_currency="JPY", amount_cents=100, charges=[priced(calls, properties={"amount": "2.5"})])
    story.customer(timezone="America/New_York", currency="JPY")
    story.subscribe("low")
    at = ("2024-01-01T04:59:59", "2024-01-01T05:00:00", "2024-02-01T04:59:59", "2024-02-01T05:00:00")
    use_many(story, [{"code": "calls", "at": each} for each in at])
    usage = story.usage()
    assert (usage["from_datetime"], usage["to_datetime"]) == ("2024-01-01T05:00:00Z", "2024-02-01T04:59:59Z")
    assert (usage["issuing_date"], usage["currency"]) == ("2024-01-31", "JPY")
    assert sums(usage["charges_usage"][0]) == ("2.0", 2, 3)
    story.travel("2024-01-20T00:00:00Z")
    story.subscribe("high")
    usage = story.usage()
    assert usage["from_datetime"] == "2024-01-20T00:00:00Z"
    assert sums(usage["charges_usage"][0]) == ("1.0", 1, 3)  # 2.5
    story.travel("2024-02-01T05:00:00Z")
    assert_agrees(usage, last_bill(story))
    assert sums(story.usage()["charges_usage"][0]) == ("1.0", 1, 3)
