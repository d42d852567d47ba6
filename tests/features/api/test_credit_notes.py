"""Credit notes over HTTP, as they are shown and listed."""

from datetime import UTC, datetime

import pytest

from chalicelib.features.credit_notes import service
from tests.support import credit_notes
from tests.support.credit_notes import NOW, changed, listed, stored
from tests.support.story import Story

# Required by CreditNoteObject, CreditNoteItemObject and CreditNoteAppliedTaxObject, and what they may hold besides.
NOTE_KEYS = (
    "lago_id sequential_id billing_entity_code number lago_invoice_id invoice_number issuing_date reason currency "
    "total_amount_cents credit_amount_cents refund_amount_cents offset_amount_cents balance_amount_cents "
    "taxes_amount_cents taxes_rate sub_total_excluding_taxes_amount_cents coupons_adjustment_amount_cents created_at "
    "updated_at credit_status refund_status description file_url items applied_taxes self_billed customer metadata "
    "error_details precise_total_amount_cents precise_taxes_amount_cents xml_url"
)
ITEM_KEYS = "lago_id amount_cents amount_currency fee precise_amount_cents"
TAX_KEYS = (
    "lago_id lago_tax_id tax_name tax_code tax_rate tax_description amount_cents amount_currency created_at "
    "lago_credit_note_id base_amount_cents"
)


@pytest.fixture
def billed(story: Story) -> Story:
    return credit_notes.billed(story)


def test_a_note_is_shown_whole(billed):
    note = stored(billed, "2000.00000")
    shown = billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]
    invoice = billed.invoices()[0]
    assert set(shown) == set(NOTE_KEYS.split())
    assert shown["number"] == f"{invoice['number']}-CN001"
    assert (shown["lago_invoice_id"], shown["invoice_number"]) == (invoice["lago_id"], invoice["number"])
    assert (shown["reason"], shown["credit_status"], shown["refund_status"]) == (
        "order_cancellation",
        "available",
        None,
    )
    assert {name: value for name, value in shown.items() if name.endswith("_cents")} == {
        "sub_total_excluding_taxes_amount_cents": 2000,
        "taxes_amount_cents": 400,
        "precise_taxes_amount_cents": "400.0",
        "total_amount_cents": 2400,
        "precise_total_amount_cents": "2400.0",
        "coupons_adjustment_amount_cents": 0,
        "credit_amount_cents": 2400,
        "refund_amount_cents": 0,
        "offset_amount_cents": 0,
        "balance_amount_cents": 2400,
    }
    assert (shown["issuing_date"], shown["created_at"]) == ("2024-01-11", "2024-01-11T09:00:00Z")
    assert (shown["taxes_rate"], shown["currency"], shown["sequential_id"]) == (20, "EUR", 1)
    assert (shown["metadata"], shown["error_details"], shown["self_billed"]) == (None, [], False)
    assert shown["billing_entity_code"] == "default"
    assert (shown["customer"]["external_id"], "taxes" in shown["customer"]) == ("cust", False)
    (item,) = shown["items"]
    assert set(item) == set(ITEM_KEYS.split())
    assert (item["amount_cents"], item["precise_amount_cents"], item["amount_currency"]) == (2000, "2000.0", "EUR")
    assert item["fee"] == invoice["fees"][0]
    (tax,) = shown["applied_taxes"]
    assert set(tax) == set(TAX_KEYS.split())
    assert (tax["tax_code"], tax["tax_rate"], tax["amount_cents"], tax["base_amount_cents"]) == ("vat", 20, 400, 2000)
    assert tax["lago_credit_note_id"] == note.id


def test_lists_show_the_same_and_the_newest_first(billed):
    first = stored(billed, "100")
    second = stored(billed, "200", now=datetime(2024, 1, 12, tzinfo=UTC))
    body = billed.ok("GET", "/credit_notes")
    assert [note["lago_id"] for note in body["credit_notes"]] == [second.id, first.id]
    assert body["credit_notes"][1] == billed.ok("GET", f"/credit_notes/{first.id}")["credit_note"]
    assert body["meta"]["total_count"] == 2
    assert listed(billed, path="/customers/cust/credit_notes") == [second.id, first.id]
    page = billed.ok("GET", "/credit_notes?per_page=1&page=2")
    assert [note["lago_id"] for note in page["credit_notes"]] == [first.id]


def test_a_list_reads_fees_of_several_invoices(billed):
    billed.travel("2024-02-01T00:00:00Z")
    old, new = stored(billed, "100", of=0), stored(billed, "200", of=1)
    shown = billed.ok("GET", "/credit_notes")["credit_notes"]
    assert {note["lago_id"]: note["items"][0]["fee"]["lago_invoice_id"] for note in shown} == {
        old.id: old.invoice_id,
        new.id: new.invoice_id,
    }
    assert old.invoice_id != new.invoice_id


# What a query finds of two notes: "a" of 24.00, open; "b" of 1.20, of which 1.00 is paid back and the rest is used up.
FILTERS = [
    ("", "ab"),
    ("external_customer_id=cust", "ab"),
    ("external_customer_id=nobody", ""),
    ("issuing_date_from=2024-01-11", "ab"),
    ("issuing_date_from=2024-01-12", ""),
    ("issuing_date_to=2024-01-11", "ab"),
    ("issuing_date_to=2024-01-10", ""),
    ("search_term=lovelace", "ab"),
    ("search_term=-cn001", "a"),
    ("search_term=ADA@EXAMPLE", "ab"),
    ("search_term=babbage", ""),
    ("currency=EUR", "ab"),
    ("currency=USD", ""),
    ("reason=order_cancellation", "ab"),
    ("reason=other", ""),
    ("credit_status=available", "a"),
    ("credit_status=consumed", "b"),
    ("credit_status[]=consumed&credit_status[]=available", "ab"),
    ("refund_status=pending", "b"),
    ("refund_status=failed", ""),
    ("amount_from=2400", "a"),
    ("amount_from=2401", ""),
    ("amount_to=120", "b"),
    ("amount_from=-5&amount_to=119", ""),
    ("self_billed=true", ""),
    ("self_billed=false", "ab"),
    ("billing_entity_codes[]=default", "ab"),
    ("billing_entity_codes[]=other", ""),
    ("search_term=lovelace&credit_status=available&external_customer_id=cust", "a"),
]


def test_lists_are_filtered(billed):
    whole = stored(billed, "2000", now=datetime(2024, 1, 12, tzinfo=UTC))
    part = stored(billed, "100", mode="refund", total_paid_amount_cents=3720, used=3620, note_ids=("one",))
    assert (part.refund_amount_cents, part.balance_amount_cents) == (100, 20)
    changed(billed, part, service.consumed(part, 20, now=NOW))
    for query, letters in FILTERS:
        expected = [{"a": whole.id, "b": part.id}[letter] for letter in letters]
        assert listed(billed, query) == expected, query
        if "external_customer_id" not in query:
            assert listed(billed, query, "/customers/cust/credit_notes") == expected, query


def test_notes_are_found_by_the_number_of_their_invoice(billed):
    note = stored(billed)
    assert listed(billed, f"invoice_number={note.invoice_number}") == [note.id]
    assert listed(billed, f"invoice_number={note.invoice_number[:-1]}") == []


def test_filters_that_mean_nothing_are_refused(story):
    for query, code in (
        ("reason=none", "value_is_invalid"),
        ("credit_status=none", "value_is_invalid"),
        ("refund_status=none", "value_is_invalid"),
        ("self_billed=maybe", "value_is_invalid"),
        ("amount_from=--1", "value_is_invalid"),
        ("amount_to=ten", "value_is_invalid"),
        ("issuing_date_from=soon", "invalid_date"),
    ):
        answer = story.call("GET", f"/credit_notes?{query}")
        assert (answer.status, answer.body["error_details"]) == (422, {query.split("=")[0]: [code]})


def test_what_is_unknown_is_not_found(story):
    assert story.call("GET", "/credit_notes/x").body["code"] == "credit_note_not_found"
    assert story.call("PUT", "/credit_notes/x/void").body["code"] == "credit_note_not_found"
    body = {"credit_note": {"refund_status": "succeeded"}}
    assert story.call("PUT", "/credit_notes/x", body).body["code"] == "credit_note_not_found"
    answer = story.call("GET", "/customers/x/credit_notes")
    assert (answer.status, answer.body["code"]) == (404, "customer_not_found")
    assert story.ok("GET", "/credit_notes")["meta"]["total_count"] == 0


def test_another_organization_sees_nothing(billed):
    note = stored(billed)
    other = Story.begin(name="Other")
    assert other.call("GET", f"/credit_notes/{note.id}").status == 404
    assert listed(other) == []
