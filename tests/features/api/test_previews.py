"""Previews: nothing is stored, and what is shown is what is issued next. Source: rules/invoices 14."""

import pytest
from lago_python_client.models.invoice import InvoiceResponse

from tests.support.items import core
from tests.support.story import Story, meter

AMOUNTS = [
    "currency",
    "issuing_date",
    "payment_due_date",
    "expected_finalization_date",
    "invoice_type",
    "fees_amount_cents",
    "coupons_amount_cents",
    "credit_notes_amount_cents",
    "taxes_amount_cents",
    "taxes_rate",
    "sub_total_excluding_taxes_amount_cents",
    "sub_total_including_taxes_amount_cents",
    "total_amount_cents",
]
JANUARY_10 = 1704844800


@pytest.fixture
def shop(story: Story) -> Story:
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "0.333"}}
    story.plan("arrears", charges=[charge], amount_cents=1000)
    story.plan("advance", charges=[charge], amount_cents=3100, pay_in_advance=True)
    story.plan("dear", amount_cents=6200, pay_in_advance=True)
    story.plan("cheap", amount_cents=310, pay_in_advance=True)
    story.customer("cust", currency="EUR")
    return story


def preview(story: Story, **body):
    answer = story.call("POST", "/invoices/preview", {"customer": {"external_id": "cust"}} | body)
    assert answer.status == 200, answer
    return answer.body["invoice"]


def same(shown, issued):
    """The parts of a preview and an invoice that are compared."""
    for each in (shown, issued):
        lines = [
            (
                f["item"]["type"],
                f["item"]["code"],
                f["units"],
                f["amount_cents"],
                f["from_date"],
                f["to_date"],
                f["taxes_amount_cents"],
            )
            for f in each["fees"]
        ]
        yield [each[name] for name in AMOUNTS], lines, [c["amount_cents"] for c in each["credits"]]


def items() -> set[tuple[str, str]]:
    pages = core.client.get_paginator("scan").paginate(TableName=core.name)
    return {(i["pk"]["S"], i["sk"]["S"], i.get("version", {}).get("N", "")) for page in pages for i in page["Items"]}


@pytest.mark.parametrize("plan", ["advance", "arrears"])
@pytest.mark.parametrize("billing_time", ["calendar", "anniversary"])
def test_the_first_invoice_of_a_new_subscription(shop, plan, billing_time):
    shop.travel("2024-01-11T10:00:00Z")
    before = items()
    shown = preview(shop, plan_code=plan, billing_time=billing_time)
    assert items() == before
    shop.subscribe(plan, billing_time=billing_time)
    shop.travel("2024-02-11T00:00:00Z")
    issued = shop.invoices()[0]
    first, second = same(shown, issued)
    assert first == second
    assert (shown["status"], shown["payment_status"], shown["sequential_id"]) == ("draft", "pending", None)
    assert [s["plan_code"] for s in shown["subscriptions"]] == [plan]


def test_the_next_invoice_of_running_subscriptions_with_usage_and_credits(shop):
    shop.subscribe("advance", "gone")
    shop.subscribe("advance", "sub")
    shop.subscribe("arrears", "other")
    shop.travel("2024-01-11T00:00:00Z")
    shop.terminate("gone")
    for name in ("sub", "sub", "other"):
        shop.use(at=JANUARY_10, subscription=name)
    meter()
    before = shop.notes()
    shown = preview(shop, subscriptions={"external_ids": ["sub", "other"]})
    assert shop.notes() == before
    assert shown["credit_notes_amount_cents"] > 0
    shop.travel("2024-02-01T00:00:00Z")
    first, second = same(shown, shop.invoices()[-1])
    assert first == second


def test_with_a_grace_period_it_is_what_finalization_makes(shop):
    shop.customer("cust", billing_configuration={"invoice_grace_period": 3})
    shop.subscribe("arrears")
    shown = preview(shop, subscriptions={"external_ids": ["sub"]})
    shop.travel("2024-02-04T00:00:00Z")
    first, second = same(shown, shop.invoices()[-1])
    assert first == second


def test_an_end_that_is_tried(shop):
    shop.subscribe("arrears")
    shop.travel("2024-01-11T00:00:00Z")
    at = "2024-01-20T12:00:00Z"
    shown = preview(shop, subscriptions={"external_ids": ["sub"], "terminated_at": at})
    assert shop.ok("GET", "/subscriptions/sub")["subscription"]["status"] == "active"
    shop.travel(at)
    shop.terminate()
    first, second = same(shown, shop.invoices()[-1])
    assert first == second


@pytest.mark.parametrize("plan", ["dear", "cheap"])
def test_a_change_of_plan_that_is_tried(shop, plan):
    shop.subscribe("advance")
    shop.travel("2024-01-11T00:00:00Z")
    shown = preview(shop, subscriptions={"external_ids": ["sub"], "plan_code": plan})
    shop.subscribe(plan)
    if plan == "cheap":  # One that waits is part of the preview as it stands.
        first, second = same(preview(shop, subscriptions={"external_ids": ["sub"]}), shown)
        assert first == second
    shop.travel("2024-02-01T00:00:00Z" if plan == "cheap" else "2024-01-11T00:00:01Z")
    issued = shop.invoices()[-1]
    first, second = same(shown, issued)
    assert first == second
    assert {s["plan_code"] for s in shown["subscriptions"]} == {s["plan_code"] for s in issued["subscriptions"]}


def test_a_customer_that_is_not_stored(shop):
    body = {"customer": {"name": "New", "currency": "EUR", "timezone": "Europe/Paris"}, "plan_code": "advance"}
    shown = preview(shop, **body)
    assert (shown["customer"]["name"], shown["total_amount_cents"]) == ("New", 3720)
    assert shop.ok("GET", "/customers")["meta"]["total_count"] == 1


def test_the_official_client_reads_it(shop):
    shown = InvoiceResponse.parse_obj(preview(shop, plan_code="advance"))
    assert (shown.total_amount_cents, shown.status, shown.fees.__root__[0].amount_cents) == (3720, "draft", 3100)


def test_coupons_that_are_tried(shop):
    coupons = [
        {"code": "ten", "coupon_type": "percentage", "percentage_rate": "10"},
        {"code": "five", "coupon_type": "fixed_amount", "amount_cents": 500, "amount_currency": "EUR"},
        {"code": "far", "coupon_type": "fixed_amount", "amount_cents": 500, "amount_currency": "USD"},
    ]
    shown = preview(shop, plan_code="advance", coupons=coupons)
    assert (shown["coupons_amount_cents"], shown["total_amount_cents"]) == (372 + 500, 3720 - 872)


REFUSED = [
    ({"customer": {"external_id": "none"}, "plan_code": "advance"}, 404, "customer_not_found"),
    ({"plan_code": "none"}, 404, "plan_not_found"),
    ({}, 404, "plan_not_found"),
    ({"subscriptions": {"external_ids": ["none"]}}, 404, "subscription_not_found"),
    ({"plan_code": "advance", "billing_time": "x"}, 422, {"billing_time": ["value_is_invalid"]}),
    ({"plan_code": "advance", "subscription_at": "x"}, 422, {"subscription_at": ["invalid_date"]}),
    ({"plan_code": "usd"}, 422, {"currency": ["currencies_does_not_match"]}),
]


def test_what_is_refused(shop):
    shop.plan("usd", amount_currency="USD")
    for body, status, refusal in REFUSED:
        answer = shop.call("POST", "/invoices/preview", {"customer": {"external_id": "cust"}} | body)
        assert (answer.status, answer.body.get("error_details") or answer.body["code"]) == (status, refusal), body
