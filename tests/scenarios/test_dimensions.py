"""Filters, the first API's groups and group keys over HTTP: which fee an event goes to. Source: rules/usage 4."""

from typing import Any

from tests.support.charging import ALL, Bill, assert_agrees, bills, last_bill, priced, tiers, use_many
from tests.support.story import Story

CLOUDS = [{"key": "cloud", "values": ["aws", "gcp", "azure"]}, {"key": "region", "values": ["us", "europe", "asia"]}]
FLAT = {"graduated_ranges": tiers((0, None, "1", "1"))}


def taking(amount: str, name: str | None = None, /, *, by: list[str] | None = None, **values: Any) -> dict[str, Any]:
    """A filter of a charge."""
    properties = {"amount": amount} | ({"pricing_group_keys": by} if by else {})
    return {"values": values, "properties": properties, "invoice_display_name": name}


def lines(bill: Bill, code: str) -> list[tuple[Any, dict[str, Any], str, int]]:
    """(values of the filter, group, units, amount) of the fees of a metric."""
    fees = bill.of(code)
    return [(f["item"]["filters"], f["item"]["grouped_by"], f["units"], f["amount_cents"]) for f in fees]


def begun(story: Story, charges: list[dict[str, Any]]) -> dict[str, Any]:
    """A plan with these charges, and a subscription of it."""
    plan = story.plan(charges=charges)
    story.customer()
    story.subscribe()
    return plan


MOST_SPECIFIC = [
    taking("2", "Two of them", cloud=["aws", "gcp"]),
    taking("3", cloud=["aws"]),
    taking("5", cloud=["aws"], region=["us"]),
    taking("7", cloud=[ALL], region=["us", "europe"]),
    taking("11", cloud=["gcp"], region=[ALL]),
    taking("0", cloud=["azure"]),
]
# (cloud, region, index of the filter that takes it or None for the default)
PLACES: list[tuple[Any, Any, int | None]] = [
    ("gcp", None, 0),
    ("gcp", "mars", 0),
    ("aws", None, 1),  # Narrower than the first.
    ("aws", "asia", 1),
    ("aws", "mars", 1),  # Not listed.
    ("aws", ALL, 1),
    ("aws", "us", 2),  # Most keys, and a part of the next.
    ("aws", "europe", 3),
    ("azure", "us", 3),
    ("gcp", "us", 3),  # Overlaps the next: the older one.
    ("gcp", "asia", 4),
    ("azure", None, 5),  # Costs nothing, and yet takes its events.
    ("azure", "asia", 5),
    ("AWS", "us", None),
    (None, "us", None),
    ("", None, None),
    (["aws"], None, None),
    (1, "us", None),
]


def test_filters_take_their_events_and_the_default_the_rest(aws):
    story = Story.begin()
    sums = {"field_name": "v", "filters": CLOUDS}
    example = story.metric("example", "sum_agg", **sums)
    places = story.metric("places", filters=CLOUDS)
    distinct = story.metric("distinct", "unique_count_agg", **sums)
    level = story.metric("level", "sum_agg", recurring=True, **sums)
    rounded = story.metric("rounded", "sum_agg", rounding_function="ceil", **sums)
    unused = story.metric("unused", filters=CLOUDS)
    plan = begun(
        story,
        [
            priced(
                example,
                properties={"amount": "10"},
                filters=[taking("12", cloud=["aws"], region=[ALL], by=["country"])],
            ),
            priced(places, properties={"amount": "13"}, filters=MOST_SPECIFIC),
            priced(distinct, filters=[taking("2", cloud=["aws"]), taking("3", cloud=["gcp"])]),
            priced(level, filters=[taking("2", cloud=["aws"])], prorated=True),
            priced(rounded, filters=[taking("2", cloud=["aws"])]),
            priced(unused, "graduated", FLAT, filters=[{"values": {"cloud": ["aws"]}, "properties": FLAT}]),
        ],
    )
    worked = [("aws", "us", "us"), ("aws", "europe", "france"), ("aws", "asia", None), ("gcp", "asia", "china")]
    events = [{"code": "example", "v": 10, "cloud": c, "region": r, "country": country} for c, r, country in worked]
    events += [{"code": "places", "cloud": cloud, "region": region} for cloud, region, _ in PLACES]
    events += [
        {"code": "distinct", "v": v, "cloud": c} for v, c in (("a", "aws"), ("a", "gcp"), ("b", "gcp"), ("a", "x"))
    ]
    events += [{"code": "level", "v": v, "cloud": c} for v, c in ((31, "aws"), (62, None))]
    events += [{"code": "rounded", "v": "0.4", "cloud": c} for c in ("aws", "aws", "gcp")]
    use_many(story, [event | {"at": "2024-01-30"} for event in events])
    usage = story.usage()
    story.travel("2024-02-01T00:00:00Z")
    (bill,) = bills(story)
    assert_agrees(usage, bill)

    wide = {"cloud": ["aws"], "region": [ALL]}
    assert lines(bill, "example") == [
        (wide, {"country": "us"}, "10.0", 12000),
        (wide, {"country": "france"}, "10.0", 12000),
        (wide, {"country": None}, "10.0", 12000),
        (None, {}, "10.0", 10000),
    ]
    counts = [sum(index == n for _, _, index in PLACES) for n in (*range(6), None)]
    prices = [2, 3, 5, 7, 11, 0, 13]
    assert lines(bill, "places") == [
        (filter_values, {}, f"{count}.0", 100 * count * price)
        for filter_values, count, price in zip(
            [f["values"] for f in MOST_SPECIFIC] + [None], counts, prices, strict=True
        )
    ]
    charge = next(c for c in plan["charges"] if c["billable_metric_code"] == "places")
    ids = [each["lago_id"] for each in charge["filters"]]
    fees = bill.of("places")
    assert {fee["lago_charge_filter_id"] for fee in fees} == {*ids, None}
    assert [fee["item"]["filter_invoice_display_name"] for fee in fees] == ["Two of them"] + [None] * 6
    assert len({fee["lago_id"] for fee in bill.fees}) == len(bill.fees)
    aws_only, gcp_only = {"cloud": ["aws"]}, {"cloud": ["gcp"]}
    assert lines(bill, "distinct") == [(aws_only, {}, "1.0", 200), (gcp_only, {}, "2.0", 600), (None, {}, "1.0", 100)]
    assert lines(bill, "level") == [(aws_only, {}, "31.0", 400), (None, {}, "62.0", 400)]  # 2/31 of them.
    assert lines(bill, "rounded") == [(aws_only, {}, "1.0", 200), (None, {}, "1.0", 100)]
    assert lines(bill, "unused") == [(aws_only, {}, "0.0", 100), (None, {}, "0.0", 100)]  # Each its first flat amount.
    story.travel("2024-03-01T00:00:00Z")
    assert last_bill(story).rows == [
        ("level", "31.0", 1, 6200),
        ("level", "62.0", 1, 6200),
        ("unused", "0.0", 0, 100),
        ("unused", "0.0", 0, 100),
    ]


def test_group_keys_make_a_fee_of_each_combination(aws):
    story = Story.begin()
    calls = story.metric("calls")
    named = story.metric("named")
    ceil = story.metric("ceil", "sum_agg", field_name="v", rounding_function="ceil")
    held = story.metric("held", "sum_agg", field_name="v", recurring=True)
    shares = story.metric("shares", "sum_agg", field_name="v")
    unused = story.metric("unused")
    by_user = {"pricing_group_keys": ["user"]}
    begun(
        story,
        [
            priced(calls, properties={"amount": "2", "pricing_group_keys": ["user", "größe"]}),
            priced(named, "graduated", {**FLAT, "grouped_by": ["user"]}),  # The older name.
            priced(ceil, properties={"amount": "1", **by_user}),
            priced(held, properties={"amount": "1", **by_user}),
            priced(shares, "percentage", {"rate": "10", "free_units_per_events": 1, "fixed_amount": "1", **by_user}),
            priced(unused, "graduated", {**FLAT, **by_user}),
        ],
    )
    users = ["a", "b", "a", 1, "1", True, None, "", "東京"]
    events: list[dict[str, Any]] = [
        {"code": code, "user": user, "v": "0.5"} for user in users for code in ("named", "ceil")
    ]
    events += [{"code": "calls", "user": "a", "größe": g} for g in ("S", "M", "S")] + [{"code": "calls"}]
    events += [{"code": "held", "user": user, "v": v} for user, v in (("a", 1), ("b", 2), ("a", 3), ("b", -2))]
    events += [{"code": "shares", "user": user, "v": v} for user, v in (("a", 10), ("b", 20), ("a", 30))]
    use_many(story, [event | {"at": f"2024-01-{n:02}"} for n, event in enumerate(events, 1) if n < 32])
    use_many(story, [event | {"at": f"2024-01-31T{n % 24:02}:00:00"} for n, event in enumerate(events, 1) if n >= 32])
    usage = story.usage()
    story.travel("2024-02-01T00:00:00Z")
    (bill,) = bills(story)
    assert_agrees(usage, bill)
    assert {tuple(f["item"]["grouped_by"].items()): f["amount_cents"] for f in bill.of("calls")} == {
        (("user", "a"), ("größe", "S")): 400,
        (("user", "a"), ("größe", "M")): 200,
        (("user", None), ("größe", None)): 200,
    }
    seen = {"a": 2, "b": 1, "1": 2, "true": 1, None: 1, "": 1, "東京": 1}
    assert {f["item"]["grouped_by"]["user"]: f["amount_cents"] for f in bill.of("named")} == {
        user: 100 + 100 * n for user, n in seen.items()
    }
    assert {f["item"]["grouped_by"]["user"]: f["units"] for f in bill.of("ceil")} == dict.fromkeys(seen, "1.0")
    assert {f["item"]["grouped_by"]["user"]: f["amount_cents"] for f in bill.of("held")} == {"a": 400, "b": 0}
    assert {f["item"]["grouped_by"]["user"]: f["amount_cents"] for f in bill.of("shares")} == {"a": 400, "b": 0}
    assert lines(bill, "unused") == [(None, {"user": None}, "0.0", 100)]
    assert len({fee["lago_id"] for fee in bill.fees}) == len(bill.fees)
    assert all(fee["item"]["filters"] is None for fee in bill.fees)
    story.travel("2024-03-01T00:00:00Z")
    assert {f["item"]["grouped_by"]["user"]: f["amount_cents"] for f in last_bill(story).of("held")} == {
        "a": 400,
        "b": 0,
    }


ONE_LEVEL = {"key": "provider", "values": ["AWS", "Google"]}
TWO_LEVELS = {
    "key": "provider",
    "values": [
        {"name": "AWS", "key": "region", "values": ["Europe", "Asia"]},
        {"name": "Google", "key": "region", "values": ["Europe"]},
    ],
}


def test_the_first_apis_groups(aws):
    """Where only groups have a price, what lies outside of them is billed to nobody."""
    story = Story.begin()
    metrics = {
        "one": story.metric("one", group=ONE_LEVEL),
        "two": story.metric("two", "sum_agg", field_name="v", group=TWO_LEVELS),
        "both": story.metric("both", group=ONE_LEVEL),
        "stays": story.metric("stays", "recurring_count_agg", field_name="v", group=ONE_LEVEL),
    }
    groups = {code: story.ok("GET", f"/billable_metrics/{code}/groups")["groups"] for code in metrics}
    assert [(g["key"], g["value"]) for g in groups["two"]] == [("AWS", "Europe"), ("AWS", "Asia"), ("Google", "Europe")]

    def seed(code: str, *amounts: str, **more: Any) -> dict[str, Any]:
        ids = [g["lago_group_id"] for g in groups[code]]
        own = [{"group_id": i, "values": {"amount": amount}} for i, amount in zip(ids, amounts, strict=True)]
        metric_id = metrics[code]["lago_id"]
        return {"billable_metric_id": metric_id, "charge_model": "standard", "group_properties": own, **more}

    begun(
        story,
        [
            seed("one", "1", "2"),
            seed("two", "1", "2", "3"),
            seed("both", "1", "2", properties={"amount": "5"}),
            seed("stays", "31", "62"),
        ],
    )
    events: list[dict[str, Any]] = [
        {"code": code, "provider": provider}
        for code in ("one", "both")
        for provider in ("AWS", "Google", "Google", "aws", None, "Azure")
    ]
    places = [
        ("AWS", "Europe"),
        ("AWS", "Asia"),
        ("Google", "Europe"),
        ("Google", "Asia"),
        ("AWS", None),
        (None, "Asia"),
    ]
    events += [{"code": "two", "v": 10, "provider": provider, "region": region} for provider, region in places]
    events += [
        {"code": "stays", "v": v, "provider": provider, "operation_type": "add"}
        for v, provider in (("a", "AWS"), ("a", "Google"), ("b", "Azure"))
    ]
    use_many(story, [event | {"at": "2024-01-30"} for event in events])
    usage = story.usage()
    shown = {each["billable_metric"]["code"]: each for each in usage["charges_usage"]}
    assert shown["stays"]["billable_metric"]["aggregation_type"] == "recurring_count_agg"
    assert [(g["lago_id"], g["key"], g["value"], g["units"], g["amount_cents"]) for g in shown["two"]["groups"]] == [
        (groups["two"][0]["lago_id"], "AWS", "Europe", "10.0", 1000),
        (groups["two"][1]["lago_id"], "AWS", "Asia", "10.0", 2000),
        (groups["two"][2]["lago_id"], "Google", "Europe", "10.0", 3000),
    ]
    assert [(g["key"], g["value"], g["events_count"]) for g in shown["both"]["groups"]] == [
        (None, "AWS", 1),
        (None, "Google", 2),
    ]
    assert [each["values"] for each in shown["one"]["filters"]] == [{"provider": ["AWS"]}, {"provider": ["Google"]}]
    assert [each["values"] for each in shown["both"]["filters"]][-1] is None
    story.travel("2024-02-01T00:00:00Z")
    (bill,) = bills(story)
    assert_agrees(usage, bill)
    assert bill.rows == [
        ("one", "1.0", 1, 100),
        ("one", "2.0", 2, 400),
        ("two", "10.0", 1, 1000),
        ("two", "10.0", 1, 2000),
        ("two", "10.0", 1, 3000),
        ("both", "1.0", 1, 100),
        ("both", "2.0", 2, 400),
        ("both", "3.0", 3, 1500),
        ("stays", "1.0", 1, 200),  # Two days of 31.
        ("stays", "1.0", 1, 400),
    ]
    ids = [fee.get("lago_group_id") for fee in bill.fees]
    expected = [g["lago_group_id"] for code in ("one", "two", "both", "stays") for g in groups[code]]
    assert ids == [*expected[:7], None, *expected[7:]]
    (past,) = story.ok("GET", "/customers/cust/past_usage?external_subscription_id=sub")["usage_periods"]
    assert [each.get("groups") for each in past["charges_usage"]] == [each["groups"] for each in usage["charges_usage"]]


def test_ten_thousand_values_of_a_filter_and_thousands_of_distinct_values(aws):
    """More than any row keeps. Events of every tenth value come, of one that is not listed, and of each user one or two."""
    story = Story.begin(at="2024-09-01T00:00:00Z")
    listed = [f"value {n}" for n in range(10_000)]
    shelves = story.metric("shelves", "sum_agg", field_name="v", filters=[{"key": "shelf", "values": listed}])
    visits = story.metric("visits", "unique_count_agg", field_name="user")
    everyone = priced(visits, properties={"amount": "0.01"})
    filters = [taking("2", shelf=[ALL]), taking("3", shelf=listed[20:4_000])]
    begun(story, [priced(shelves, filters=filters), everyone])
    seen = listed[::10]
    use_many(
        story, [{"code": "shelves", "at": "2024-09-10", "v": "1.5", "shelf": each} for each in [*seen, "elsewhere"]]
    )
    use_many(story, [{"code": "visits", "at": "2024-09-11", "user": f"user {n}"} for n in range(2_000)])
    use_many(story, [{"code": "visits", "at": "2024-09-12", "user": f"user {n}"} for n in range(0, 2_000, 5)])
    of_some = len(seen[2:400])
    expected = [
        ({"shelf": [ALL]}, {}, f"{1.5 * (1_000 - of_some)}", 300 * (1_000 - of_some)),
        ({"shelf": listed[20:4_000]}, {}, f"{1.5 * of_some}", 450 * of_some),
        (None, {}, "1.5", 150),
    ]
    for _ in range(2):  # The second time from what the first one has kept.
        usage = story.usage()["charges_usage"]
        assert sorted((f["units"], f["amount_cents"]) for f in usage[0]["filters"]) == sorted(
            (units, cents) for _, _, units, cents in expected
        )
        assert (usage[1]["units"], usage[1]["amount_cents"]) == ("2000.0", 2_000)
    story.travel("2024-10-01T00:00:00Z")
    bill = last_bill(story)
    assert [line[2:] for line in lines(bill, "shelves")] == [line[2:] for line in expected]
    assert [line[2:] for line in lines(bill, "visits")] == [("2000.0", 2_000)]
