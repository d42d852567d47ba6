"""The list of invoices, one invoice with its tabs, and acts on it: what they show and send is the API's."""

from typing import Any

import pytest

from chalicelib.console import format
from chalicelib.console.views import invoice_bulk
from chalicelib.platform import clock
from tests.support import capacity
from tests.support.console import Shown, Visitor, member_of
from tests.support.story import Story, work

# Charge models with their steps, by code of the metric.
_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "calls": ("standard", {"amount": "0.5"}),
    "tiers": (
        "graduated",
        {
            "graduated_ranges": [
                {"from_value": 0, "to_value": 2, "per_unit_amount": "1", "flat_amount": "0"},
                {"from_value": 3, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "2"},
            ]
        },
    ),
    "packs": ("package", {"amount": "5", "package_size": 2, "free_units": 1}),
    "share": ("percentage", {"rate": "2", "fixed_amount": "0.3"}),
    "volume": (
        "volume",
        {"volume_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": "0.1", "flat_amount": "1"}]},
    ),
}


@pytest.fixture
def billed(visitor: Visitor) -> Visitor:
    """A final invoice with fees of each model and a coupon, and a draft, both of January."""
    story = visitor.story
    story.organization(default_currency="EUR", net_payment_term=10)
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    charges = []
    for code, (model, properties) in _MODELS.items():
        metric = story.metric(code, "sum_agg", field_name="n")
        charges.append({"billable_metric_id": metric["lago_id"], "charge_model": model, "properties": properties})
    story.plan("scale", name="Scale", charges=charges, amount_cents=5000)
    story.customer("cobalt", name="Cobalt Robotics", currency="EUR")
    story.customer("late", name="Late", currency="EUR", billing_configuration={"invoice_grace_period": 3})
    coupon = {"name": "Launch", "code": "launch", "coupon_type": "fixed_amount", "amount_cents": 1000}
    coupon |= {"amount_currency": "EUR", "frequency": "once", "expiration": "no_expiration"}
    story.ok("POST", "/coupons", {"coupon": coupon})
    story.ok(
        "POST", "/applied_coupons", {"applied_coupon": {"external_customer_id": "cobalt", "coupon_code": "launch"}}
    )
    for customer in ("cobalt", "late"):
        story.subscribe("scale", f"{customer}-sub", customer, name=f"{customer} production")
    for code in _MODELS:
        story.use(code, at=1704500000, subscription="cobalt-sub", n=5)
    story.travel("2024-02-01T10:00:00Z")
    return visitor


def final(visitor: Visitor) -> Any:
    """The final invoice."""
    return visitor.story.invoices("&status=finalized")[0]


def draft(visitor: Visitor) -> Any:
    """The draft."""
    return visitor.story.invoices("&status=draft")[0]


def requests_of(visitor: Visitor, *segments: str, **query: Any) -> int:
    """How many requests to AWS a page costs."""
    with capacity.counting() as meter:
        assert visitor.get(*segments, **query).status == 200
    return meter.total


def sent(visitor: Visitor, *segments: str, **fields: Any) -> Shown:
    """The answer to a form as it is shown, with some fields changed."""
    shown = visitor.get(*segments)
    assert shown.status == 200
    return visitor.post(*segments, form={**shown.fields, **fields})


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


def test_payment_status_is_updated_and_never_of_a_draft(billed):
    invoice = final(billed)
    answer = sent(billed, "invoices", invoice["lago_id"], "payment_status", payment_status="failed")
    assert answer.status == 303
    assert final(billed)["payment_status"] == "failed"
    for_draft = billed.post("invoices", draft(billed)["lago_id"], "payment_status", form={"payment_status": "failed"})
    assert for_draft.status == 405
    assert (
        "A draft has no payment status yet. Finalize it first. payment_status_update_on_draft_invoice"
        in for_draft.words
    )
    wrong = billed.post("invoices", invoice["lago_id"], "payment_status", form={"payment_status": "paid"})
    assert (wrong.status, "value_is_invalid" in wrong.words) == (422, True)


def test_an_act_leads_back_to_where_its_dialog_was_opened(billed):
    one, form = final(billed)["lago_id"], {"payment_status": "failed"}
    own, payments = billed.address("invoices", one), billed.address("invoices", one, "payments")
    billed.headers["HX-Request"] = "true"
    for page, leads_to in (
        (
            f"http://127.0.0.1:8000{billed.address('invoices', status='draft')}",
            billed.address("invoices", status="draft"),
        ),
        (f"https://evil.example{payments}", payments),
        ("https://evil.example/console/other-12345678/invoices", own),
        (f"http://127.0.0.1:8000{own}/payment_status", own),
        ("", own),
    ):
        billed.headers["HX-Current-URL"] = page
        assert billed.post("invoices", one, "payment_status", form=form).headers["HX-Redirect"] == leads_to
    gone = draft(billed)["lago_id"]
    billed.headers["HX-Current-URL"] = f"http://127.0.0.1:8000{billed.address('invoices', gone)}"
    assert billed.post("invoices", gone, "delete").headers["HX-Redirect"] == billed.address("invoices")


def test_metadata_rows_are_added_changed_and_removed(billed):
    invoice = final(billed)["lago_id"]
    drawn = billed.post("invoices", invoice, "metadata", form={"_do": "add:metadata"})
    assert drawn.fields["metadata.0.key"] == [""]
    form = {"metadata.0.key": "po", "metadata.0.value": "7", "metadata.1.key": "team", "metadata.1.value": "A"}
    assert billed.post("invoices", invoice, "metadata", form=form).status == 303
    before = final(billed)["metadata"]
    assert [(each["key"], each["value"]) for each in before] == [("po", "7"), ("team", "A")]
    assert "po 7" in billed.get("invoices", invoice).words
    kept = sent(billed, "invoices", invoice, "metadata", **{"metadata.0.value": "8"})
    assert kept.status == 303
    assert [(each["lago_id"], each["value"]) for each in final(billed)["metadata"]] == [
        (before[0]["lago_id"], "8"),
        (before[1]["lago_id"], "A"),
    ]
    assert billed.post("invoices", invoice, "metadata", form={}).status == 303
    assert final(billed)["metadata"] == []


def test_a_sixth_pair_and_a_long_value_are_refused_at_their_fields(billed):
    invoice = final(billed)["lago_id"]
    six = {f"metadata.{n}.{part}": f"{part}{n}" for n in range(6) for part in ("key", "value")}
    answer = billed.post("invoices", invoice, "metadata", form=six)
    assert (answer.status, "invalid_count" in answer.words) == (422, True)
    assert "Add metadata" not in answer.words
    long = billed.post("invoices", invoice, "metadata", form={"metadata.0.key": "k", "metadata.0.value": "v" * 256})
    assert (long.status, "value_is_too_long" in long.words) == (422, True)
    assert billed.post("invoices", draft(billed)["lago_id"], "metadata", form=six).status == 405


def test_a_draft_is_refreshed_finalized_and_deleted(billed):
    one = draft(billed)["lago_id"]
    assert billed.post("invoices", one, "refresh").status == 303
    assert "It is computed once more" in billed.get("invoices", one, "finalize").words
    assert billed.post("invoices", one, "finalize").status == 303
    assert billed.story.ok("GET", f"/invoices/{one}")["invoice"]["status"] == "finalized"
    assert billed.post("invoices", one, "finalize").status == 404
    assert billed.post("invoices", one, "delete").status == 405
    billed.story.travel("2024-03-01T10:00:00Z")
    other = draft(billed)["lago_id"]
    assert billed.post("invoices", other, "delete").status == 303
    assert billed.get("invoices", other).status == 404


def test_a_void_gives_back_or_credits(billed):
    invoice = final(billed)
    shown = billed.get("invoices", invoice["lago_id"], "void").words
    assert "Coupon Launch €10.00" in shown
    too_much = sent(
        billed,
        "invoices",
        invoice["lago_id"],
        "void",
        generate_credit_note="true",
        credit_amount="9999",
        refund_amount="",
    )
    assert (too_much.status, "total_amount_exceeds_invoice_amount" in too_much.words) == (422, True)
    no_amount = sent(
        billed,
        "invoices",
        invoice["lago_id"],
        "void",
        generate_credit_note="true",
        credit_amount="1.234",
        refund_amount="",
    )
    assert (no_amount.status, "invalid_amount" in no_amount.words) == (422, True)
    done = sent(
        billed,
        "invoices",
        invoice["lago_id"],
        "void",
        generate_credit_note="true",
        credit_amount="12.00",
        refund_amount="",
    )
    assert done.status == 303
    assert {note["credit_amount_cents"] for note in billed.story.notes()} >= {1200}
    assert "Voided on" in billed.get("invoices", invoice["lago_id"]).words
    again = billed.post("invoices", invoice["lago_id"], "void", form={"generate_credit_note": "false"})
    assert (again.status, "not_voidable" in again.words) == (405, True)


def test_a_payment_is_recorded_once_however_often_it_is_sent(billed):
    invoice = final(billed)
    path = ("invoices", invoice["lago_id"], "payment")
    form = {**billed.get(*path).fields, "amount_cents": "10.00", "reference": "SEPA", "paid_at": "2024-02-01"}
    assert form["request_id"]
    for _ in range(2):
        assert billed.post(*path, form=form).status == 303
    (payment,) = billed.story.ok("GET", f"/payments?invoice_id={invoice['lago_id']}")["payments"]
    assert (payment["amount_cents"], payment["reference"]) == (1000, "SEPA")
    for field, value, code in (
        ("amount_cents", "99999", "invalid_value"),
        ("amount_cents", "x", "invalid_amount"),
        ("amount_cents", "", "value_is_mandatory"),
        ("paid_at", "2999-03-09", "invalid_date"),
        ("paid_at", "never", "invalid_date"),
        ("reference", "r" * 41, "value_is_too_long"),
    ):
        answer = billed.post(*path, form={**form, "request_id": "other", field: value})
        assert (answer.status, code in answer.words) == (422, True), field


def test_the_money_is_asked_for_again(billed):
    invoice = final(billed)["lago_id"]
    assert "is due. Its messages are sent" in billed.get("invoices", invoice, "retry_payment").words
    assert billed.post("invoices", invoice, "retry_payment").status == 303
    billed.story.ok("PUT", f"/invoices/{invoice}", {"invoice": {"payment_status": "succeeded"}})
    answer = billed.post("invoices", invoice, "retry_payment")
    assert (answer.status, "invalid_status" in answer.words) == (405, True)
    assert billed.get("invoices", "retry").status == 404


def test_a_lost_dispute_is_recorded(billed):
    invoice = final(billed)["lago_id"]
    assert billed.post("invoices", invoice, "dispute").status == 303
    assert "The dispute of its payment was lost on" in billed.get("invoices", invoice).words
    answer = billed.post("invoices", invoice, "retry")
    assert (answer.status, "invalid_status" in answer.words) == (405, True)


def test_acts_on_several_say_what_was_refused(billed):
    one, other = final(billed), draft(billed)
    both = [one["lago_id"], other["lago_id"]]
    answer = billed.post("invoices", "bulk", form={"act": "retry_payment", "ids": both})
    assert (answer.status, "1 of 2 done" in answer.words, "invalid_status" in answer.words) == (422, True, True)
    assert billed.post("invoices", "bulk", form={"act": "retry_payment", "ids": both[:1]}).status == 303
    links = billed.post("invoices", "bulk", form={"act": "pdf", "ids": both[:1]})
    assert billed.address("invoices", one["lago_id"], "pdf") in links.text
    assert billed.post("invoices", "bulk", form={"act": "finalize", "ids": both[1:]}).status == 303
    assert billed.story.ok("GET", f"/invoices/{both[1]}")["invoice"]["status"] == "finalized"
    for ids in ([], [str(n) for n in range(invoice_bulk.SELECTED_MAX + 1)]):
        assert billed.post("invoices", "bulk", form={"act": "finalize", "ids": ids}).status == 422
    assert billed.post("invoices", "bulk", form={"act": "delete", "ids": both}).status == 404


def test_the_document_is_printed_and_then_led_to(billed):
    invoice = final(billed)
    path = ("invoices", invoice["lago_id"], "pdf")
    assert "is being printed" in billed.get(*path).words
    billed.headers["HX-Request"] = "true"
    part = billed.get(*path)
    assert (part.words, 'hx-trigger="every 2s"' in part.text) == ("Printing…", True)
    del billed.headers["HX-Request"]
    work()
    work("documents")
    led = billed.get(*path)
    assert led.status == 303
    assert "X-Amz-Signature" in led.location or "Signature" in led.location
    assert billed.get("invoices", draft(billed)["lago_id"], "pdf").status == 404


def test_nothing_changes_while_the_clock_moves(billed, monkeypatch):
    invoice = final(billed)["lago_id"]
    monkeypatch.setattr(clock.TestClock, "advancing", property(lambda self: True))
    for act, form in (
        ("payment", {"amount_cents": "1"}),
        ("payment_status", {"payment_status": "failed"}),
        ("void", {}),
    ):
        answer = billed.post("invoices", invoice, act, form=form)
        assert (answer.status, "test_clock_advancing" in answer.words) == (409, True), act


def test_an_invoice_of_others_is_not_there(billed):
    stranger = member_of(Story.begin(), "eve@example.com")
    one = final(billed)["lago_id"]
    for act in ((), ("payments",), ("pdf",), ("void",), ("metadata",), ("payment",), ("fees", "x")):
        assert stranger.get("invoices", one, *act).status == 404, act
    assert stranger.post("invoices", one, "payment_status", form={"payment_status": "failed"}).status == 404
    assert stranger.post("invoices", "bulk", form={"act": "finalize", "ids": [one]}).status == 422
    assert billed.post("invoices", one, "void", token=False).status == 403


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
