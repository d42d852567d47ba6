"""Fees over HTTP: listed, found, paid and deleted; and estimates of what an event would cost."""

from typing import Any

import pytest

from tests.support.charging import ts
from tests.support.story import Story, meter, work

NOBODY = "00000000-0000-7000-8000-000000000000"


def charge(metric: Any, properties: Any = None, model: str = "standard", **fields: Any) -> dict[str, Any]:
    body = {"billable_metric_id": metric["lago_id"], "charge_model": model, "pay_in_advance": True}
    return body | {"properties": properties or {"amount": "1"}} | fields


def listed(story: Story, query: str = "") -> list[Any]:
    work()
    return story.ok("GET", f"/fees?per_page=1000{query}")["fees"]


def test_the_list_holds_invoiced_and_loose_fees_and_narrows_by_each_filter(story):
    calls, gb = story.metric(), story.metric("gb", "sum_agg", field_name="n")
    story.plan("a", amount_cents=1000, charges=[charge(calls), charge(gb, pay_in_advance=False)])
    story.plan("b", amount_cents=500, charges=[charge(gb, invoiceable=False)])
    story.customer("one", currency="EUR")
    story.subscribe("a", "sub-a", "one")
    story.subscribe("b", "sub-b", "two")
    for n in range(2):
        story.use(at=ts("2024-01-02T00:00:00"), subscription="sub-a")
        story.use("gb", at=ts("2024-01-02T00:00:00"), subscription="sub-a", n=2)
        story.use("gb", at=ts("2024-01-02T00:00:00"), subscription="sub-b", n=3 + n)
    meter()
    story.travel("2024-02-01T00:00:00Z")
    work()

    def count(query: str) -> int:
        answer = story.ok("GET", f"/fees?{query}")
        assert answer["meta"]["total_count"] == len(answer["fees"])
        return len(answer["fees"])

    assert count("") == 2 + 2 + 3  # Of calls, of gb in advance; of 1 February two plans' amounts and gb in arrears.
    found = listed(story)
    assert [fee["created_at"] for fee in found] == sorted((fee["created_at"] for fee in found), reverse=True)
    assert count("external_customer_id=one") == 4
    assert count("external_customer_id=nobody") == 0
    assert count("external_subscription_id=sub-b") == 3
    assert count("event_transaction_id=tx-1") == 1
    assert count("currency=EUR") == 7
    assert count("currency=USD") == 0
    assert count("fee_type=subscription") == 2
    assert count("fee_type=charge&external_customer_id=one") == 3
    assert count("billable_metric_code=gb") == 3
    assert count("created_at_from=2024-02-01T00:00:00Z") == 3
    assert count("created_at_to=2024-01-31") == 4
    assert count("payment_status=pending") == 7
    page = story.ok("GET", "/fees?per_page=3&page=3")
    assert (len(page["fees"]), page["meta"]["total_pages"], page["meta"]["next_page"]) == (1, 3, None)
    for query, field in (("fee_type=x", "fee_type"), ("payment_status=x", "payment_status")):
        answer = story.call("GET", f"/fees?{query}")
        assert (answer.status, answer.body["error_details"]) == (422, {field: ["value_is_invalid"]})
    answer = story.call("GET", "/fees?created_at_from=soon")
    assert (answer.status, answer.body["error_details"]) == (422, {"created_at_from": ["invalid_date"]})

    for fee in found:
        assert story.ok("GET", f"/fees/{fee['lago_id']}")["fee"] == fee
    invoice = story.invoices("&external_customer_id=one")[-1]
    assert {fee["lago_id"] for fee in invoice["fees"]} <= {fee["lago_id"] for fee in found}
    story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    assert count("payment_status=succeeded") == len(invoice["fees"])
    answer = story.call("GET", f"/fees/{NOBODY}")
    assert (answer.status, answer.body["code"]) == (404, "fee_not_found")


def test_a_fee_without_invoice_is_paid_and_deleted_and_one_with_it_is_not(story):
    calls = story.metric()
    story.plan(charges=[charge(calls, code="loose", invoiceable=False), charge(calls, code="invoiced")])
    story.subscribe()
    story.use(at=ts("2024-01-02T00:00:00"))
    meter()
    found = {fee["lago_invoice_id"] is None: fee for fee in listed(story)}
    loose, invoiced = found[True], found[False]

    story.travel("2024-01-05T10:00:00Z")
    seen = []
    for status in ("succeeded", "failed", "refunded", "pending"):
        fee = story.ok("PUT", f"/fees/{loose['lago_id']}", {"fee": {"payment_status": status}})["fee"]
        assert fee["payment_status"] == status
        assert fee == story.ok("GET", f"/fees/{loose['lago_id']}")["fee"]
        seen.append([fee[name] for name in ("succeeded_at", "failed_at", "refunded_at")])
    then = "2024-01-05T10:00:00Z"
    assert seen == [[then, None, None], [then, then, None], [then] * 3, [then] * 3]
    assert len(listed(story, "&succeeded_at_from=2024-01-05&failed_at_to=2024-01-06")) == 1
    assert listed(story, "&refunded_at_from=2024-01-06") == []
    assert len(listed(story, "&payment_status=pending")) == 2

    answer = story.call("PUT", f"/fees/{loose['lago_id']}", {"fee": {"payment_status": "x"}})
    assert (answer.status, answer.body["error_details"]) == (422, {"payment_status": ["value_is_invalid"]})
    for method, body in (("PUT", {"fee": {"payment_status": "succeeded"}}), ("DELETE", None)):
        answer = story.call(method, f"/fees/{invoiced['lago_id']}", body)
        assert (answer.status, answer.body["code"]) == (405, "invoiced_fee")
        answer = story.call(method, f"/fees/{NOBODY}", body)
        assert (answer.status, answer.body["code"]) == (404, "fee_not_found")
    assert story.call("PUT", f"/fees/{loose['lago_id']}", {}).status == 400

    assert story.ok("DELETE", f"/fees/{loose['lago_id']}")["fee"]["lago_id"] == loose["lago_id"]
    assert story.call("GET", f"/fees/{loose['lago_id']}").status == 404
    assert story.call("DELETE", f"/fees/{loose['lago_id']}").status == 404
    answer = story.ok("GET", "/fees")
    assert ([fee["lago_id"] for fee in answer["fees"]], answer["meta"]["total_count"]) == ([invoiced["lago_id"]], 1)


def test_fees_of_a_draft_come_with_its_end_and_of_another_organization_never(story):
    story.organization(billing_configuration={"invoice_grace_period": 3})
    story.plan(amount_cents=1000)
    story.subscribe()
    story.travel("2024-02-01T00:00:00Z")
    assert listed(story) == []
    story.travel("2024-02-04T00:00:00Z")
    (fee,) = listed(story)
    other = Story.begin(name="Other")
    assert other.call("GET", f"/fees/{fee['lago_id']}").status == 404
    assert other.ok("GET", "/fees")["fees"] == []


# Estimates.


def estimate(story: Story, **event: Any) -> list[Any]:
    meter()
    body = {"code": "gb", "external_subscription_id": "sub", **event}
    return story.ok("POST", "/events/estimate_fees", {"event": body})["fees"]


def test_an_estimate_is_the_fee_that_an_event_would_get_and_keeps_nothing(story):
    """50 %, one free event: first 4 -> 0, after one event 4 -> 2.00; beside it 1 each with 20 % tax."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    gb = story.metric("gb", "sum_agg", field_name="n")
    rate = {"rate": "50", "free_units_per_events": 1}
    story.plan(charges=[charge(gb, rate, "percentage"), charge(gb, tax_codes=["vat"], invoiceable=False)])
    story.subscribe()

    def costs() -> list[tuple[str, int, int]]:
        fees = estimate(story, properties={"n": 4})
        return [(fee["units"], fee["amount_cents"], fee["taxes_amount_cents"]) for fee in fees]

    assert costs() == costs() == [("4.0", 0, 0), ("4.0", 400, 80)]
    assert (story.invoices(), story.usage()["amount_cents"]) == ([], 0)
    story.use("gb", at=ts("2024-01-01T00:00:00"), n=4)
    assert costs() == [("4.0", 200, 0), ("4.0", 400, 80)]
    for fee in estimate(story, properties={"n": "4"}):
        assert (fee["lago_id"], fee["lago_invoice_id"], fee["event_transaction_id"]) == (None, None, None)
        assert (fee["events_count"], fee["pay_in_advance"], fee["payment_status"]) == (1, True, "pending")
    assert story.usage()["charges_usage"][1]["units"] == "4.0"


def test_estimates_of_active_values_and_of_days_that_are_left(aws):
    """An active value costs nothing; prorated 10.00, 4 units on 2 September: 4 x 29/30 = 3.86667 -> 38.67."""
    story = Story.begin(at="2024-09-02T00:00:00Z")
    users = story.metric("users", "unique_count_agg", field_name="id")
    seats = story.metric("seats", "sum_agg", field_name="n", recurring=True)
    story.plan(charges=[charge(users), charge(seats, {"amount": "10"}, prorated=True)])
    story.subscribe(subscription_at="2024-09-01T00:00:00Z")
    story.use("users", at=ts("2024-09-02T00:00:00"), id="a")
    (active,) = estimate(story, code="users", properties={"id": "a"})
    assert (active["units"], active["amount_cents"]) == ("0.0", 0)
    (fresh,) = estimate(story, code="users", properties={"id": "b"})
    assert (fresh["units"], fresh["amount_cents"]) == ("1.0", 100)
    (nothing,) = estimate(story, code="users")
    assert (nothing["units"], nothing["amount_cents"]) == ("0.0", 0)
    (prorated,) = estimate(story, code="seats", properties={"n": 4})
    assert (prorated["units"], prorated["amount_cents"]) == ("4.0", 3867)


@pytest.mark.parametrize(
    ("event", "status", "expected"),
    [
        pytest.param({"external_subscription_id": "x"}, 404, "subscription_not_found", id="no subscription"),
        pytest.param({"external_subscription_id": ""}, 404, "subscription_not_found", id="none named"),
        pytest.param({"code": "x"}, 404, "billable_metric_not_found", id="no metric"),
        pytest.param({"code": None}, 404, "billable_metric_not_found", id="no code"),
        pytest.param({"properties": {}}, 422, {"properties": ["value_is_not_valid_number"]}, id="no value"),
        pytest.param({"properties": {"n": "x"}}, 422, {"properties": ["value_is_not_valid_number"]}, id="no number"),
        pytest.param({"timestamp": "2024-01-01"}, 422, {"timestamp": ["invalid_format"]}, id="no timestamp"),
        pytest.param({"code": "calls"}, 422, {"code": ["does_not_match_an_instant_charge"]}, id="paid in arrears"),
    ],
)
def test_an_estimate_is_refused_for_what_an_event_is_not(story, event, status, expected):
    gb, calls = story.metric("gb", "sum_agg", field_name="n"), story.metric()
    story.plan(charges=[charge(gb), charge(calls, pay_in_advance=False)])
    story.subscribe()
    body = {"code": "gb", "external_subscription_id": "sub", "properties": {"n": 1}, **event}
    answer = story.call("POST", "/events/estimate_fees", {"event": body})
    assert answer.status == status
    assert (answer.body["code"] if status == 404 else answer.body["error_details"]) == expected


def test_an_estimate_needs_its_root(story):
    assert story.call("POST", "/events/estimate_fees", {}).status == 400
