"""Credit notes: the list, the form with its estimate, one note, and acts on it; all figures are the API's."""

from typing import Any

import pytest

from chalicelib.features.credit_notes import schemas
from tests.support import capacity
from tests.support.console import Visitor, member_of
from tests.support.story import Story, work


@pytest.fixture
def billed(visitor: Visitor) -> Visitor:
    """A one-off invoice of two fees, 769.00 and 100.00, at 20 %."""
    story = visitor.story
    story.organization(default_currency="EUR")
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.customer("cust", name="Cobalt", currency="EUR")
    for code, cents in (("setup", 76900), ("training", 10000)):
        body = {"name": code.title(), "code": code, "amount_cents": cents, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": body})
    fees = [{"add_on_code": code} for code in ("setup", "training")]
    story.ok("POST", "/invoices", {"invoice": {"external_customer_id": "cust", "fees": fees}})
    return visitor


def invoice_of(visitor: Visitor) -> Any:
    """The first invoice, as it is now."""
    return visitor.story.invoices()[0]


def paid(visitor: Visitor, cents: int) -> None:
    """Record a payment of the invoice."""
    payment = {"invoice_id": invoice_of(visitor)["lago_id"], "amount_cents": cents, "reference": "bank"}
    visitor.story.ok("POST", "/payments", {"payment": payment})


def drawn(visitor: Visitor) -> dict[str, Any]:
    """The form as it opens; all that is left is ticked."""
    shown = visitor.get("credit_notes", "new", invoice=invoice_of(visitor)["lago_id"])
    assert shown.status == 200, shown.words
    fields: dict[str, Any] = {name: values[-1] for name, values in shown.fields.items() if not name.startswith("q")}
    return fields | {"request_id": "mark"}


def issued(visitor: Visitor, **fields: Any) -> Any:
    """A note of all that is left, or of other amounts."""
    answer = visitor.post("credit_notes", "new", form={**drawn(visitor), "request_id": str(fields), **fields})
    assert answer.status == 303, answer.words
    return visitor.story.ok("GET", f"/credit_notes/{answer.location.rpartition('/')[2]}")["credit_note"]


ONLY_SETUP = {"items.1.chosen": "false"}


def test_each_field_of_the_form_is_one_of_the_api(billed):
    paid(billed, 50000)
    fields = {"items.0.amount_cents": "100.00", **ONLY_SETUP, "reason": "order_change", "description": "As agreed"}
    fields |= {"refund_amount_cents": "30.00", "offset_amount_cents": "20", "credit_amount_cents": "70"}
    fields |= {"metadata.0.key": "case", "metadata.0.value": "7"}
    note = issued(billed, **fields)
    assert {name: note[name] for name in ("reason", "description", "metadata")} == {
        "reason": "order_change",
        "description": "As agreed",
        "metadata": {"case": "7"},
    }
    assert [item["amount_cents"] for item in note["items"]] == [10000]
    parts = [note[f"{name}_amount_cents"] for name in ("credit", "refund", "offset", "total")]
    assert parts == [7000, 3000, 2000, 12000]


def test_the_form_has_each_field_that_the_api_takes(billed):
    invoice = invoice_of(billed)["lago_id"]
    answer = billed.post("credit_notes", "new", form={"invoice_id": invoice, "_do": "add:metadata"})
    fields = {*drawn(billed), *answer.fields}
    assert set(schemas.CreditNoteInput.model_fields) - {"items", "metadata"} <= fields
    assert {f"items.0.{name}" for name in schemas.ItemInput.model_fields} <= fields
    assert {"metadata.0.key", "metadata.0.value"} <= fields


def test_the_cent_of_a_note_and_of_the_one_that_completes_it(billed):
    # 726.86 at 20 %: tax 145.372; the rest, 42.14, gets what is missing of 153.80.
    first = issued(billed, **ONLY_SETUP, **{"items.0.amount_cents": "726.86", "credit_amount_cents": "872.24"})
    assert (first["total_amount_cents"], first["credit_amount_cents"]) == (87223, 87223)
    second = issued(billed)
    assert [item["amount_cents"] for item in second["items"]] == [4214, 10000]
    assert first["total_amount_cents"] + second["total_amount_cents"] == invoice_of(billed)["total_amount_cents"]
    assert "Nothing is left to credit" in billed.get("credit_notes", "new", invoice=invoice_of(billed)["lago_id"]).words


def test_the_estimate_is_the_apis_and_nothing_is_stored(billed):
    paid(billed, 10000)
    fields = {**drawn(billed), **ONLY_SETUP, "items.0.amount_cents": "100", "refund_amount_cents": "30", "_do": "draw"}
    words = billed.post("credit_notes", "new", form=fields).words
    for text in (
        "Subtotal, excl. tax €100.00",
        "VAT (20%) on €100.00 €20.00",
        "Total €120.00",
        "Given as Credit €90.00 Refund €30.00 Offset €0.00",
        "At most Credit €120.00 Refund €100.00 Offset €120.00",
    ):
        assert text in words
    assert billed.story.notes() == []


def test_what_cannot_be_given_is_closed_with_the_reason(billed):
    invoice = invoice_of(billed)["lago_id"]
    assert "Nothing of this invoice was paid" in billed.get("credit_notes", "new", invoice=invoice).words
    paid(billed, invoice_of(billed)["total_amount_cents"])
    words = billed.get("credit_notes", "new", invoice=invoice).words
    assert "Nothing of this invoice was paid" not in words
    assert "Nothing of this invoice is due any more." in words


def test_a_double_click_makes_one_note(billed):
    form = {**drawn(billed), "items.0.amount_cents": "700"}
    answers = [billed.post("credit_notes", "new", form=form) for _ in range(2)]
    assert [each.status for each in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    assert len(billed.story.notes()) == 1


@pytest.mark.parametrize(
    ("fields", "status", "code", "place"),
    [
        ({"items.0.amount_cents": "769.01"}, 422, "higher_than_remaining_fee_amount", "f-items.0.amount_cents-error"),
        ({"items.1.amount_cents": "-1"}, 422, "invalid_value", "f-items.1.amount_cents-error"),
        ({"items.1.amount_cents": "1.234"}, 422, "invalid_amount", "f-items.1.amount_cents-error"),
        ({"refund_amount_cents": "1"}, 422, "cannot_refund_unpaid_invoice", "f-refund_amount_cents-error"),
        ({"offset_amount_cents": "2000"}, 422, "higher_than_remaining_invoice_amount", "f-offset_amount_cents-error"),
        ({"credit_amount_cents": "1"}, 422, "does_not_match_item_amounts", "form-errors"),
        ({"reason": "none"}, 422, "value_is_invalid", "f-reason-error"),
        ({"items.0.chosen": "false", "items.1.chosen": "false"}, 422, "total_amount_must_be_positive", "form-errors"),
        ({"items.0.fee_id": "other"}, 404, "fee_not_found", "form-errors"),
    ],
)
def test_what_the_api_refuses_is_said_at_its_field(billed, fields, status, code, place):
    answer = billed.post("credit_notes", "new", form={**drawn(billed), **fields})
    assert (answer.status, code in answer.words, place in answer.text) == (status, True, True)
    assert billed.story.notes() == []


def test_a_draft_takes_no_note_and_without_an_invoice_one_is_chosen(billed):
    assert "Which invoice?" in billed.get("credit_notes", "new").words
    assert billed.get("credit_notes", "new", invoice="none").status == 404


def test_purchased_credits_are_only_refunded(visitor):
    story = visitor.story
    story.customer("cust", currency="EUR")
    body = {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR", "paid_credits": "50"}
    story.ok("POST", "/wallets", {"wallet": body})
    (invoice,) = story.invoices()
    assert visitor.get("credit_notes", "new", invoice=invoice["lago_id"]).status == 405
    story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 5000}})
    assert (
        "Purchased credits are only refunded." in visitor.get("credit_notes", "new", invoice=invoice["lago_id"]).words
    )
    note = issued(visitor, **{"items.0.amount_cents": "20"})
    assert (note["refund_amount_cents"], note["credit_amount_cents"]) == (2000, 0)


def test_the_list_shows_what_the_api_shows(billed):
    assert "No credit notes yet" in billed.get("credit_notes").words
    note = issued(billed, **ONLY_SETUP, **{"items.0.amount_cents": "100"})
    words = billed.get("credit_notes").words
    assert f"{note['number']} {note['invoice_number']} Cobalt €120.00 – €120.00 Other" in words
    assert "1–1 of 1" in words


@pytest.mark.parametrize(
    ("asked", "api"),
    [
        ({"credit_status": "voided"}, "credit_status=voided"),
        ({"reason": ["other", "order_change"]}, "reason=other"),
        ({"refund_status": "pending"}, "refund_status=pending"),
        ({"issuing_date_from": "2024-01-02"}, "issuing_date_from=2024-01-02"),
        ({"external_customer_id": "cust"}, "external_customer_id=cust"),
        ({"currency": "USD"}, "currency=USD"),
        ({"amount_from": "100.01"}, "amount_from=10001"),
        ({"amount_to": "120"}, "amount_to=12000"),
        ({"search_term": "Cobalt"}, "search_term=cobalt"),
    ],
)
def test_each_filter_gives_what_the_api_gives(billed, asked, api):
    note = issued(billed, **ONLY_SETUP, **{"items.0.amount_cents": "100"})
    found = billed.story.ok("GET", f"/credit_notes?{api}")["credit_notes"]
    shown = billed.get("credit_notes", **asked).text
    assert (f'data-copy="{note["lago_id"]}"' in shown) == bool(found)


def test_one_note_says_where_it_was_used(billed):
    note = issued(billed, **ONLY_SETUP, **{"items.0.amount_cents": "100"})
    words = billed.get("credit_notes", note["lago_id"]).words
    assert "VAT (20%) on €100.00 €20.00" in words
    assert "The next invoices in EUR use it" in words
    billed.story.plan(amount_cents=5000)
    billed.story.subscribe()
    billed.story.travel("2024-02-01T10:00:00Z")
    used = billed.story.invoices()[-1]
    assert used["credit_notes_amount_cents"] == 6000
    words = billed.get("credit_notes", note["lago_id"]).words
    assert f"{used['number']} Feb 1, 2024 €60.00" in words
    assert "Left €60.00" in words


def test_a_note_is_voided_once_and_says_what_is_lost(billed):
    note = issued(billed)
    assert "€1,042.80 of its €1,042.80 of credit is left" in billed.get("credit_notes", note["lago_id"], "void").words
    answers = [billed.post("credit_notes", note["lago_id"], "void").status for _ in range(2)]
    assert answers == [303, 303]
    assert billed.story.notes()[0]["credit_status"] == "voided"


def test_a_used_note_has_nothing_to_void(billed):
    paid(billed, 104280)
    note = issued(billed, refund_amount_cents="1042.80")
    answer = billed.post("credit_notes", note["lago_id"], "void")
    assert (answer.status, "no_voidable_amount" in answer.words) == (405, True)


def test_the_refunds_status_is_recorded(billed):
    paid(billed, 104280)
    note = issued(billed, refund_amount_cents="1042.80")
    assert billed.get("credit_notes", note["lago_id"], "refund_status").fields["refund_status"] == ["pending"]
    assert billed.post("credit_notes", note["lago_id"], "refund_status", form={"refund_status": "lost"}).status == 422
    answer = billed.post("credit_notes", note["lago_id"], "refund_status", form={"refund_status": "succeeded"})
    assert answer.status == 303
    assert billed.story.notes()[0]["refund_status"] == "succeeded"
    assert "Refund succeeded" in billed.get("credit_notes", note["lago_id"]).words


def test_metadata_is_changed(billed):
    note = issued(billed, **{"metadata.0.key": "a", "metadata.0.value": "1"})
    address = ("credit_notes", note["lago_id"], "metadata")
    assert billed.get(*address).fields["metadata.0.key"] == ["a"]
    twice = {"metadata.0.key": "a", "metadata.1.key": "a"}
    assert billed.post(*address, form=twice).status == 422
    assert billed.post(*address, form={"metadata.0.key": "b", "metadata.0.value": "2"}).status == 303
    assert billed.story.notes()[0]["metadata"] == {"b": "2"}


def test_the_document_opens_when_it_is_printed(billed):
    note = issued(billed)
    work("documents")
    work("asked")
    answer = billed.get("credit_notes", note["lago_id"], "pdf")
    assert (answer.status, ".pdf" in answer.location) == (303, True) or "is being printed" in answer.words


def test_notes_of_others_are_not_there(billed):
    note = issued(billed)
    other = member_of(Story.begin(name="Other"), "otto@example.com")
    for tail in ((), ("pdf",), ("void",), ("refund_status",), ("metadata",)):
        assert other.get("credit_notes", note["lago_id"], *tail).status == 404
    assert other.get("credit_notes", "new", invoice=invoice_of(billed)["lago_id"]).status == 404


def test_the_pages_cost_few_requests(billed):
    note = issued(billed, **ONLY_SETUP, **{"items.0.amount_cents": "100"})
    one = ("credit_notes", note["lago_id"])
    pages: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("credit_notes",), {}),
        (("credit_notes", "new"), {"invoice": invoice_of(billed)["lago_id"]}),
        (one, {}),
        ((*one, "void"), {}),
        ((*one, "refund_status"), {}),
        ((*one, "metadata"), {}),
    ]
    for segments, query in pages:
        with capacity.counting() as meter:
            assert billed.get(*segments, **query).status == 200
        assert meter.total <= 8, (segments, meter.requests)
