"""Projected usage, and usage since the start of a subscription. Source: rules/usage 9."""

from typing import Any

import pytest
from lago_python_client.models.customer_projected_usage import CustomerProjectedUsageResponse

from tests.support.charging import priced, tiers, use_many
from tests.support.story import Story, meter


def asked(story: Story, query: str = "", name: str = "projected_usage") -> dict[str, Any]:
    meter()
    body = story.ok("GET", f"/customers/cust/{name}?external_subscription_id=sub{query}")
    return body["customer_usage" if name == "current_usage" else "customer_projected_usage"]


def by_code(usage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["billable_metric"]["code"]: each for each in usage["charges_usage"]}


def twins(shown: dict[str, Any]) -> tuple[str, str, int, int]:
    return shown["units"], shown["projected_units"], shown["amount_cents"], shown["projected_amount_cents"]


@pytest.mark.parametrize(
    ("kind", "metric", "charge", "values", "expected"),
    [
        pytest.param("sum_agg", {}, {}, [100], ("100.0", "310.0", 10000, 31000), id="100 after 10 of 31 days"),
        pytest.param("sum_agg", {}, {}, [], ("0.0", "0.0", 0, 0), id="nothing"),
        pytest.param("sum_agg", {}, {}, ["0.01"], ("0.01", "0.03", 1, 3), id="0.031 has two decimals"),
        pytest.param("count_agg", {}, {}, [1, 1], ("2.0", "6.2", 200, 620), id="events are no whole ones"),
        pytest.param(
            "sum_agg",
            {},
            {"model": "graduated", "properties": {"graduated_ranges": tiers((0, 10, "1", "0"), (11, None, "2", "5"))}},
            [10],
            ("10.0", "31.0", 1000, 5700),  # 10 + 21 x 2 + 5
            id="priced by the tier that it will reach",
        ),
        pytest.param(
            "sum_agg",
            {},
            {"model": "graduated", "properties": {"graduated_ranges": tiers((0, None, "1", "3"))}},
            [],
            ("0.0", "0.0", 300, 300),
            id="the first flat amount is owed already",
        ),
        pytest.param(
            "sum_agg",
            {},
            {"model": "percentage", "properties": {"rate": "10", "fixed_amount": "1"}},
            [100, 100],
            ("200.0", "620.0", 2200, 6800),  # 62 + 6 x 1: events come as often
            id="fixed amounts of as many events",
        ),
        pytest.param(
            "sum_agg",
            {},
            {"model": "percentage", "properties": {"rate": "10", "per_transaction_min_amount": "5"}},
            [10],
            ("10.0", "31.0", 500, 1550),
            id="where single events decide the amount grows",
        ),
        pytest.param("sum_agg", {"recurring": True}, {}, [100], ("100.0", "100.0", 10000, 10000), id="held to the end"),
        pytest.param(
            "weighted_sum_agg",
            {"weighted_interval": "seconds"},
            {},
            [31],
            ("22.0", "22.0", 2200, 2200),  # from the 10th on: 22 of 31 days
            id="weighted to the end already",
        ),
        pytest.param("sum_agg", {}, {"pay_in_advance": True}, [100], ("100.0", "310.0", 10000, 31000), id="in advance"),
    ],
)
def test_each_number_has_its_projection(story, kind, metric, charge, values, expected):
    field = {} if kind == "count_agg" else {"field_name": "v"}
    story.plan(charges=[priced(story.metric("calls", kind, **field, **metric), **charge)])
    story.customer()
    story.subscribe()
    story.travel("2024-01-10T12:00:00Z")
    use_many(story, [{"code": "calls", "at": "2024-01-10", "v": value} for value in values])
    usage = asked(story)
    assert twins(by_code(usage)["calls"]) == expected
    assert (usage["amount_cents"], usage["projected_amount_cents"]) == expected[2:]


def test_the_rest_is_current_usage_and_the_client_reads_it(story):
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    metric = story.metric("calls", filters=[{"key": "region", "values": ["eu", "us"]}])
    by_user = {"amount": "1", "pricing_group_keys": ["user"]}
    eu = {"values": {"region": ["eu"]}, "properties": {"amount": "2", "pricing_group_keys": ["user"]}}
    story.plan(charges=[priced(metric, properties=by_user, filters=[eu]), priced(story.metric("other"))])
    story.customer()
    story.subscribe()
    story.travel("2024-01-10T12:00:00Z")
    use_many(
        story,
        [
            {"code": "calls", "at": "2024-01-10", "region": region, "user": user}
            for region, user in (("eu", "a"), ("eu", "b"), ("us", "a"))
        ],
    )
    usage = asked(story)
    shown = by_code(usage)["calls"]
    assert twins(shown) == ("3.0", "9.3", 500, 1550)
    assert [(f["values"], twins(f)) for f in shown["filters"]] == [
        ({"region": ["eu"]}, ("2.0", "6.2", 400, 1240)),
        ({}, ("1.0", "3.1", 100, 310)),
    ]
    assert {g["grouped_by"]["user"]: twins(g) for g in shown["grouped_usage"]} == {
        "a": ("2.0", "6.2", 300, 930),
        "b": ("1.0", "3.1", 200, 620),
    }
    assert CustomerProjectedUsageResponse.parse_obj(usage).projected_amount_cents == 1550
    untaxed = asked(story, "&apply_taxes=false")
    assert [(u["amount_cents"], u["taxes_amount_cents"]) for u in (usage, untaxed)] == [(500, 100), (500, 0)]

    def without_twins(value: Any) -> Any:
        if isinstance(value, dict):
            plain = {name: without_twins(v) for name, v in value.items() if not name.startswith("projected_")}
            return plain | ({"values": value["values"] or None} if "values" in value else {})
        return [without_twins(each) for each in value] if isinstance(value, list) else value

    assert without_twins(usage) == asked(story, name="current_usage")


def test_who_has_no_projected_usage(story):
    story.plan()
    story.customer()
    for path, status, code in [
        ("cust/projected_usage", 422, "validation_errors"),
        ("cust/projected_usage?external_subscription_id=none", 405, "no_active_subscription"),
        ("nobody/projected_usage?external_subscription_id=none", 404, "customer_not_found"),
    ]:
        answer = story.call("GET", f"/customers/{path}")
        assert (answer.status, answer.body["code"]) == (status, code)


# Since the start.


def test_usage_since_the_start_of_a_charge_or_a_group(story):
    calls, seats = story.metric("calls"), story.metric("seats", "unique_count_agg", field_name="user")
    story.plan(charges=[priced(calls, code="calls"), priced(seats, code="seats")])
    story.customer()
    story.subscribe(subscription_at="2024-01-10T12:00:00.500Z")
    story.travel("2024-01-11T00:00:00Z")
    moments = ("2024-01-10T11:59:59", "2024-01-10T12:00:00", "2024-02-01", "2024-03-05")
    use_many(story, [{"code": code, "at": at, "user": f"u-{at}"} for at in moments for code in ("calls", "seats")])
    story.travel("2024-03-10T00:00:00Z")

    def units(query: str) -> dict[str, str]:
        return {code: each["units"] for code, each in by_code(asked(story, query, "current_usage")).items()}

    assert units("") == {"calls": "1.0", "seats": "1.0"}
    assert units("&charge_code=calls&full_usage=true") == {"calls": "3.0"}
    assert units("&filter_by_charge_code=seats&full_usage=true") == {"seats": "3.0"}
    assert units("&group[user]=u-2024-02-01&full_usage=true") == {"calls": "1.0", "seats": "1.0"}
    assert units("&full_usage=false") == {"calls": "1.0", "seats": "1.0"}
    whole = asked(story, "&charge_code=calls&full_usage=true", "current_usage")
    assert (whole["from_datetime"], whole["to_datetime"], whole["amount_cents"]) == (
        "2024-01-10T12:00:00Z",
        "2024-03-31T23:59:59Z",
        300,
    )
    for query in ("&full_usage=true", "&full_usage=true&billable_metric_code=calls"):
        answer = story.call("GET", f"/customers/cust/current_usage?external_subscription_id=sub{query}")
        assert answer.body["error_details"] == {"full_usage": ["value_must_be_blank"]}
