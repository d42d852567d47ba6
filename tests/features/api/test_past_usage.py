"""Past usage: what invoices have billed, period by period. Source: rules/usage 9."""

from datetime import UTC, datetime

import pytest


def ts(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def past(story, query: str = "", subscription: str = "sub", customer: str = "cust"):
    path = f"/customers/{customer}/past_usage?external_subscription_id={subscription}{query}"
    return story.ok("GET", path)


def charge(metric, model: str = "standard", properties=None, **fields):
    own = {"amount": "1"} if properties is None else properties
    return {"billable_metric_id": metric["lago_id"], "charge_model": model, "properties": own, **fields}


@pytest.fixture
def billed(story):
    """A base amount of 10.00 and two metrics at 1.00 and 2.00, used in January and February; it is 1 April."""
    calls, seats = story.metric("calls"), story.metric("seats", "sum_agg", field_name="n")
    charges = [charge(calls, invoice_display_name="Calls made"), charge(seats, properties={"amount": "2"})]
    story.plan(amount_cents=1000, charges=charges)
    story.customer()
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": "20", "applied_to_organization": True}})
    story.subscribe()
    story.use("calls", at=ts("2024-01-10"))
    story.use("calls", at=ts("2024-01-11"))
    story.use("seats", at=ts("2024-01-12"), n=3)
    story.travel("2024-02-10T00:00:00Z")
    story.use("calls", at=ts("2024-02-10"))
    story.travel("2024-04-01T00:00:00Z")
    return story


def test_one_element_per_invoice_with_the_newest_first(billed):
    body = past(billed)
    march, february, january = body["usage_periods"]
    invoices = billed.invoices()
    assert [p["lago_invoice_id"] for p in (january, february, march)] == [i["lago_id"] for i in invoices]
    assert body["meta"] == {
        "current_page": 1,
        "next_page": None,
        "prev_page": None,
        "total_pages": 1,
        "total_count": 3,
    }
    shown = {name: value for name, value in january.items() if name != "charges_usage"}
    assert shown == {
        "from_datetime": "2024-01-01T00:00:00Z",
        "to_datetime": "2024-01-31T23:59:59Z",
        "issuing_date": "2024-02-01",
        "lago_invoice_id": invoices[0]["lago_id"],
        "currency": "EUR",
        "amount_cents": 1800,  # 10.00 + 2 x 1.00 + 3 x 2.00, all fees of the invoice
        "amount_currency": "EUR",
        "taxes_amount_cents": 360,
        "vat_amount_cents": 360,
        "total_amount_cents": 2160,
        "total_amount_currency": "EUR",
    }
    assert (february["amount_cents"], march["amount_cents"]) == (1100, 1000)
    assert march["charges_usage"] == []


def test_charges_are_shown_from_their_fees(billed):
    january = past(billed)["usage_periods"][-1]
    (calls, seats) = january["charges_usage"]
    plan = billed.ok("GET", "/plans/plan")["plan"]
    assert calls == {
        "units": "2.0",
        "total_aggregated_units": "2.0",
        "events_count": 2,
        "amount_cents": 200,
        "amount_currency": "EUR",
        "pricing_unit_details": None,
        "charge": {
            "lago_id": plan["charges"][0]["lago_id"],
            "code": plan["charges"][0]["code"],
            "charge_model": "standard",
            "invoice_display_name": "Calls made",
        },
        "billable_metric": {
            "lago_id": plan["charges"][0]["lago_billable_metric_id"],
            "name": "calls",
            "code": "calls",
            "aggregation_type": "count_agg",
        },
        "filters": [],
        "grouped_usage": [],
    }
    assert (seats["units"], seats["amount_cents"], seats["events_count"]) == ("3.0", 600, 1)
    # The open period showed the same before it was billed, but for charges without usage.
    assert set(calls) <= set(billed.usage()["charges_usage"][0])


def test_a_metric_selects_charges_and_leaves_the_sums(billed):
    periods = past(billed, "&billable_metric_code=seats")["usage_periods"]
    assert [[c["billable_metric"]["code"] for c in p["charges_usage"]] for p in periods] == [[], [], ["seats"]]
    assert [p["amount_cents"] for p in periods] == [1000, 1100, 1800]


@pytest.mark.parametrize(
    ("query", "months", "total"),
    [
        ("&periods_count=1", ["2024-03"], 1),
        ("&periods_count=2", ["2024-03", "2024-02"], 2),
        ("&periods_count=9", ["2024-03", "2024-02", "2024-01"], 3),
        ("&per_page=2", ["2024-03", "2024-02"], 3),
        ("&per_page=2&page=2", ["2024-01"], 3),
        ("&per_page=1&page=2&periods_count=2", ["2024-02"], 2),
        ("&page=7", [], 3),
    ],
)
def test_periods_are_counted_and_paged(billed, query, months, total):
    body = past(billed, query)
    assert [p["from_datetime"][:7] for p in body["usage_periods"]] == months
    assert body["meta"]["total_count"] == total


def test_refusals(billed):
    def status_and_body(path):
        answer = billed.call("GET", path)
        return answer.status, answer.body.get("error_details") or answer.body["code"]

    mandatory = {"external_subscription_id": ["value_is_mandatory"]}
    assert status_and_body("/customers/cust/past_usage") == (422, mandatory)
    path = "/customers/cust/past_usage?external_subscription_id=sub"
    assert status_and_body(f"{path}&billable_metric_code=none") == (404, "billable_metric_not_found")
    assert status_and_body(f"{path}&periods_count=x") == (422, {"periods_count": ["value_is_invalid"]})
    unknown = path.replace("/cust/", "/nobody/")
    assert status_and_body(unknown) == (404, "customer_not_found")
    assert past(billed, subscription="none") == {
        "usage_periods": [],
        "meta": {"current_page": 0, "next_page": None, "prev_page": None, "total_pages": 0, "total_count": 0},
    }


def test_an_ended_subscription_is_found_and_another_customer_does_not_see_it(billed):
    billed.customer("other")
    billed.terminate()
    assert past(billed, customer="other")["usage_periods"] == []
    assert len(past(billed)["usage_periods"]) == 4  # The last one is that of 1 April.


def test_a_first_invoice_in_advance_has_no_usage_and_is_left_out(story):
    story.plan(amount_cents=1000, pay_in_advance=True, charges=[charge(story.metric("calls"))])
    story.customer()
    story.subscribe()
    assert len(story.invoices()) == 1
    assert past(story)["usage_periods"] == []
    story.use("calls", at=ts("2024-01-10"))
    story.travel("2024-02-01T00:00:00Z")
    (january,) = past(story)["usage_periods"]
    assert january["from_datetime"] == "2024-01-01T00:00:00Z"
    assert [c["units"] for c in january["charges_usage"]] == ["1.0"]


def test_only_fees_of_the_subscription_are_its_usage(billed):
    billed.subscribe(external_id="second")
    billed.use("calls", at=ts("2024-04-02"))
    billed.use("calls", at=ts("2024-04-02"), subscription="second")
    billed.use("calls", at=ts("2024-04-03"), subscription="second")
    billed.travel("2024-05-01T00:00:00Z")
    one, two = past(billed)["usage_periods"][0], past(billed, subscription="second")["usage_periods"][0]
    assert one["lago_invoice_id"] == two["lago_invoice_id"]
    assert one["amount_cents"] == two["amount_cents"] == 2300  # 2 x 10.00 + 3 calls
    assert [c["units"] for c in one["charges_usage"]] == ["1.0"]
    assert [c["units"] for c in two["charges_usage"]] == ["2.0"]


def test_filters_and_groups_are_those_of_the_fees(story):
    regions = [{"key": "region", "values": ["eu", "us", "asia"]}]
    metric = story.metric("calls", filters=regions)
    filters = [
        {"values": {"region": ["eu"]}, "invoice_display_name": "Europe", "properties": {"amount": "2"}},
        {"values": {"region": ["us"]}, "properties": {"amount": "3", "pricing_group_keys": ["user"]}},
    ]
    story.plan(charges=[charge(metric, filters=filters)])
    story.customer()
    story.subscribe()
    story.use("calls", at=ts("2024-01-10"), region="eu")
    story.use("calls", at=ts("2024-01-10"), region="us", user="u1")
    story.use("calls", at=ts("2024-01-10"), region="us", user="u1")
    story.use("calls", at=ts("2024-01-10"), region="us")
    story.use("calls", at=ts("2024-01-10"), region="asia")
    story.travel("2024-02-01T00:00:00Z")
    (usage,) = past(story)["usage_periods"][0]["charges_usage"]
    assert (usage["units"], usage["amount_cents"], usage["events_count"]) == ("5.0", 200 + 900 + 100, 5)
    shown = [(f["invoice_display_name"], f["values"], f["units"], f["amount_cents"]) for f in usage["filters"]]
    assert shown == [
        ("Europe", {"region": ["eu"]}, "1.0", 200),
        (None, {"region": ["us"]}, "3.0", 900),
        (None, None, "1.0", 100),
    ]
    grouped = [(g["grouped_by"], g["units"], g["amount_cents"]) for g in usage["grouped_usage"]]
    assert sorted(grouped, key=str) == sorted(
        [({}, "2.0", 300), ({"user": "u1"}, "2.0", 600), ({"user": None}, "1.0", 300)], key=str
    )


def test_groups_of_the_first_api_are_shown_by_their_filters(story):
    metric = story.metric("calls", group={"key": "region", "values": ["eu", "us"]})
    eu, us = story.ok("GET", "/billable_metrics/calls/groups")["groups"]
    prices = [
        {"group_id": eu["lago_id"], "values": {"amount": "1"}},
        {"group_id": us["lago_id"], "values": {"amount": "2"}},
    ]
    body = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "group_properties": prices}
    story.plan(charges=[body])
    story.customer()
    story.subscribe()
    for region in ("us", "us", "none"):
        story.use("calls", at=ts("2024-01-10"), region=region)
    now = story.usage()["charges_usage"][0]["groups"]
    story.travel("2024-02-01T00:00:00Z")
    (usage,) = past(story)["usage_periods"][0]["charges_usage"]
    assert usage["groups"] == now
    assert [(g["value"], g["units"], g["amount_cents"]) for g in now] == [("eu", "0.0", 0), ("us", "2.0", 400)]


def test_a_charge_that_left_the_plan_is_still_shown(billed):
    graduated = {"graduated_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}]}
    metric = billed.ok("GET", "/billable_metrics/calls")["billable_metric"]
    billed.plan("other", charges=[charge(metric, "graduated", graduated)])
    billed.customer("c2")
    billed.subscribe("other", "sub2", "c2")
    billed.use("calls", at=ts("2024-04-10"), subscription="sub2")
    billed.travel("2024-05-01T00:00:00Z")
    billed.ok("PUT", "/plans/other", {"plan": {"charges": []}})
    (usage,) = past(billed, subscription="sub2", customer="c2")["usage_periods"][0]["charges_usage"]
    assert usage["charge"]["charge_model"] == "graduated"
    assert (usage["units"], usage["amount_cents"], usage["billable_metric"]["code"]) == ("1.0", 100, "calls")


def test_a_true_up_is_no_usage(story):
    story.plan(charges=[charge(story.metric("calls"), min_amount_cents=1000)])
    story.customer()
    story.subscribe()
    story.use("calls", at=ts("2024-01-10"))
    story.travel("2024-02-01T00:00:00Z")
    (january,) = past(story)["usage_periods"]
    assert january["amount_cents"] == 1000
    assert [(c["units"], c["amount_cents"]) for c in january["charges_usage"]] == [("1.0", 100)]
