"""Acts on invoices: what their forms send is the API's, and what it refuses is said."""

from chalicelib.console.views import invoice_bulk
from chalicelib.platform import clock
from tests.support.billed import draft, final
from tests.support.console import Shown, Visitor, member_of, sent
from tests.support.story import Story, work


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


def voided(visitor: Visitor, lago_id: str, credit_amount: str) -> Shown:
    """The answer to a void that gives so much back as credit."""
    fields = {"generate_credit_note": "true", "credit_amount": credit_amount, "refund_amount": ""}
    return sent(visitor, "invoices", lago_id, "void", **fields)


def test_a_void_gives_back_or_credits(billed):
    invoice = final(billed)
    shown = billed.get("invoices", invoice["lago_id"], "void").words
    assert "Coupon Launch €10.00" in shown
    for amount, code in (("9999", "total_amount_exceeds_invoice_amount"), ("1.234", "invalid_amount")):
        answer = voided(billed, invoice["lago_id"], amount)
        assert (answer.status, code in answer.words) == (422, True)
    done = voided(billed, invoice["lago_id"], "12.00")
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
