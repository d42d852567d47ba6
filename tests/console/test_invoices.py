"""The list of invoices and one invoice with its tabs: what they show is the API's."""

import pytest

from chalicelib.console import format
from tests.support.billed import draft, final
from tests.support.console import requests_of
from tests.support.receiving import deliver


def test_the_list_shows_numbers_states_and_amounts(billed):
    shown = billed.get("invoices")
    invoice = final(billed)
    assert invoice["number"] in shown.words
    assert format.money(invoice["total_amount_cents"], "EUR") in shown.words
    assert "Invoice|Finalized\nPayment|Pending" in shown.text
    assert "Cobalt Robotics" in shown.words


def test_figures_and_counts_are_those_of_the_api(billed):
    words = billed.get("invoices").words
    due, drafted = (format.money(each(billed)["total_amount_cents"], "EUR") for each in (final, draft))
    for text in (f"Outstanding {due} 1 invoice", "Overdue €0.00 0 invoices", f"Drafts {drafted} 1 invoice", "All 2"):
        assert text in words
    billed.story.ok("PUT", f"/invoices/{final(billed)['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    assert f"Paid this month {due} 1 invoice" in billed.get("invoices").words


def test_an_empty_list_says_what_fills_it(visitor):
    words = visitor.get("invoices").words
    assert "Invoices appear by themselves when a billing period ends." in words
    assert "Outstanding €" not in words


@pytest.mark.parametrize(
    ("asked", "api"),
    [
        ({"status": "draft"}, "status=draft"),
        (
            {"status": "finalized", "payment_status": ["pending", "failed"]},
            "status=finalized&payment_statuses[]=pending",
        ),
        ({"statuses": ["draft", "voided"]}, "statuses[]=draft&statuses[]=voided"),
        ({"payment_statuses": "failed"}, "payment_status=failed"),
        ({"payment_overdue": "true"}, "payment_overdue=true"),
        ({"issuing_date_from": "2024-02-02"}, "issuing_date_from=2024-02-02"),
        ({"external_customer_id": "late"}, "external_customer_id=late"),
        ({"invoice_type": "one_off"}, "invoice_type=one_off"),
        ({"currency": "USD"}, "currency=USD"),
        ({"amount_from": "60.01"}, "amount_from=6001"),
        ({"amount_to": "60"}, "amount_to=6000"),
        ({"metadata_key": "po", "metadata_value": "7"}, "metadata[po]=7"),
        ({"search_term": "Cobalt"}, "search_term=cobalt"),
    ],
)
def test_each_filter_gives_what_the_api_gives(billed, asked, api):
    invoice = final(billed)
    pair = {"metadata": [{"key": "po", "value": "7"}]}
    billed.story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": pair})
    expected = {each["lago_id"] for each in billed.story.ok("GET", f"/invoices?{api}")["invoices"]}
    text = billed.get("invoices", **asked).text
    assert {
        each for each in (invoice["lago_id"], draft(billed)["lago_id"]) if f'data-copy="{each}"' in text
    } == expected


def test_a_filter_that_the_api_refuses_says_so(billed):
    assert "value_is_invalid" in billed.get("invoices", amount_from="1.234").words
    assert "value_is_mandatory" in billed.get("invoices", metadata_key="po").words


def test_the_menu_of_a_row_is_what_its_state_allows(billed):
    only_drafts = billed.get("invoices", status="draft").words
    assert "Finalize now" in only_drafts
    assert "Update payment status" not in only_drafts
    only_finals = billed.get("invoices", status="finalized").words
    for entry in ("Download PDF", "Copy invoice ID", "Update payment status", "Resend for collection", "Void invoice"):
        assert entry in only_finals
    assert "Finalize now" not in only_finals


def test_the_details_are_the_apis_to_the_cent(billed):
    invoice = final(billed)
    words = billed.get("invoices", invoice["lago_id"]).words
    for name in ("sub_total_excluding_taxes", "taxes", "sub_total_including_taxes", "total"):
        assert format.money(invoice[f"{name}_amount_cents"], "EUR") in words
    order = ["Subtotal, excl. tax", "VAT (20%) on", "Subtotal, incl. tax", "Coupon Launch", "Total due"]
    assert [words.index(each) for each in order] == sorted(words.index(each) for each in order)
    steps = ["0 – 2 2 × €1.00 €2.00", "From 3 3 × €0.50 €1.50", "Flat fee €2.00", "Packages of 2 2 × €5.00 €10.00"]
    steps += ["Free units 1", "Percentage 5 × 2% €0.10", "Per event 1 × €0.30 €0.30", "All units 5 × €0.10 €0.50"]
    for step in steps:
        assert step in words
    assert "cobalt production Scale · Jan 1, 2024 – Jan 31, 2024" in words
    assert "Subscription fee 1 €50.00 20% €50.00" in words


def test_coupons_stand_above_where_they_lower_the_tax(visitor):
    story = visitor.story
    story.organization(billing_configuration={"coupon_application": "before_tax"})
    coupon = {"name": "Launch", "code": "launch", "coupon_type": "fixed_amount", "amount_cents": 1000}
    coupon |= {"amount_currency": "EUR", "frequency": "once", "expiration": "no_expiration"}
    story.ok("POST", "/coupons", {"coupon": coupon})
    story.customer(currency="EUR")
    story.ok("POST", "/applied_coupons", {"applied_coupon": {"external_customer_id": "cust", "coupon_code": "launch"}})
    story.plan(amount_cents=5000, pay_in_advance=True)
    story.subscribe()
    (invoice,) = story.invoices()
    words = visitor.get("invoices", invoice["lago_id"]).words
    order = ["Fees €50.00", "Coupon Launch \N{MINUS SIGN}€10.00", "Subtotal, excl. tax €40.00", "Total due €40.00"]
    assert [words.index(each) for each in order] == sorted(words.index(each) for each in order)


def test_a_draft_says_until_when_and_what_still_enters_it(billed):
    words = billed.get("invoices", draft(billed)["lago_id"]).words
    assert "Draft until Feb 4, 2024 . Events up to Jan 31, 2024" in words
    assert "Drafts take no metadata yet." in words


def test_payments_and_credit_notes_have_tabs(billed):
    invoice = final(billed)
    payment = {"invoice_id": invoice["lago_id"], "amount_cents": 1000, "reference": "SEPA 7"}
    billed.story.ok("POST", "/payments", {"payment": payment})
    note = {"invoice_id": invoice["lago_id"], "reason": "other", "credit_amount_cents": 0, "refund_amount_cents": 0}
    fee = next(each for each in invoice["fees"] if each["item"]["type"] == "subscription")
    items = [{"fee_id": fee["lago_id"], "amount_cents": 100}]
    share = billed.story.ok("POST", "/credit_notes/estimate", {"credit_note": {**note, "items": items}})
    body = {
        **note,
        "items": items,
        "credit_amount_cents": share["estimated_credit_note"]["max_creditable_amount_cents"],
    }
    made = billed.story.ok("POST", "/credit_notes", {"credit_note": body})["credit_note"]
    shown = billed.get("invoices", invoice["lago_id"], "payments").words
    assert "Payments 1 Credit notes 1" in shown
    assert "SEPA 7 €10.00" in shown
    assert made["number"] in billed.get("invoices", invoice["lago_id"], "credit_notes").words
    assert billed.get("invoices", invoice["lago_id"], "nothing").status == 404


def test_a_fee_is_explained_with_the_events_behind_it(billed):
    invoice = final(billed)
    fee = next(each for each in invoice["fees"] if each["item"]["code"] == "calls")
    shown = billed.get("invoices", invoice["lago_id"], "fees", fee["lago_id"])
    assert "5 × €0.50 = €2.50" in shown.words
    assert "Events behind it" in shown.words
    assert "tx-1" in billed.get("invoices", invoice["lago_id"], "fees", fee["lago_id"], events="shown").words
    assert billed.get("invoices", invoice["lago_id"], "fees", "nothing").status == 404


def test_many_fees_are_read_when_their_group_is_opened(billed, monkeypatch):
    monkeypatch.setattr("chalicelib.console.views.invoices._FEES_OPEN", 2)
    monkeypatch.setattr("chalicelib.console.views.invoices._FEES_PIECE", 4)
    invoice = final(billed)
    sub = invoice["subscriptions"][0]["lago_id"]
    closed = billed.get("invoices", invoice["lago_id"])
    assert f"{len(invoice['fees'])} fees" in closed.words
    assert "Subscription fee" not in closed.words
    first = billed.get("invoices", invoice["lago_id"], fees=sub)
    assert "1–4 of 6" in first.words
    assert "5–6 of 6" in billed.get("invoices", invoice["lago_id"], fees=sub, page=2).words
    billed.headers["HX-Request"] = "true"
    part = billed.get("invoices", invoice["lago_id"], fees=sub)
    assert "<html" not in part.text
    assert "Show more" in part.words


def test_names_are_text(billed):
    billed.story.customer("cobalt", name="<script>alert(1)</script>")
    one = final(billed)["lago_id"]
    for path in (("invoices",), ("invoices", one)):
        assert "<script>alert" not in billed.get(*path).text


def test_pages_cost_few_requests(billed):
    one, fee = final(billed)["lago_id"], final(billed)["fees"][0]["lago_id"]
    assert requests_of(billed, "invoices") <= 8
    assert requests_of(billed, "invoices", status="finalized", payment_status=["pending", "failed"]) <= 8
    for path in ((one,), (draft(billed)["lago_id"],), (one, "payments"), (one, "credit_notes"), (one, "fees", fee)):
        assert requests_of(billed, "invoices", *path) <= 8, path
    for act in ("payment_status", "metadata", "void", "payment", "retry_payment", "dispute", "finalize", "delete"):
        assert requests_of(billed, "invoices", one, act) <= 8, act


def test_an_invoice_shows_what_was_told_of_it(billed):
    endpoint = {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}}
    billed.story.ok("POST", "/webhook_endpoints", endpoint)
    invoice = next(each for each in billed.story.invoices() if each["status"] == "finalized")
    assert "No messages" in billed.get("invoices", invoice["lago_id"], "messages").words
    billed.story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "failed"}})
    billed.story.customer("other", name="Other")
    deliver()
    words = billed.get("invoices", invoice["lago_id"], "messages").words
    assert "invoice.payment_status_updated" in words
    assert "customer." not in words
    assert "1–1 of 1" in words
