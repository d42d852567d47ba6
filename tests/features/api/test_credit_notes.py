"""Credit notes over HTTP; made through service and store, as billing does."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from chalicelib.features.credit_notes import jobs, service, store
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices import store as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.webhooks import service as telling
from chalicelib.features.webhooks import store as webhooks
from chalicelib.platform import agenda, auth
from chalicelib.platform.table import Cancelled, core, transact
from tests.support.story import Story, work

NOW = datetime(2024, 1, 11, 9, tzinfo=UTC)
ids = itertools.count(1)

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
    """31.00 and 20 % tax, paid in advance for January."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer(name="Ada Lovelace", email="ada@example.com", currency="EUR")
    story.subscribe()
    return story


def organization_of(story: Story) -> auth.OrganizationRef:
    return auth.identify({"authorization": f"Bearer {story.api_key}"})


def an_invoice(story: Story, index: int = 0) -> Invoice:
    found = invoices.get(organization_of(story).id, story.invoices()[index]["lago_id"])
    assert found is not None
    return found


def a_note(
    story: Story,
    item: str = "2000",
    *,
    mode: str = "credit",
    used: int = 0,
    now: datetime = NOW,
    of: int = 0,
    **invoice: object,
) -> CreditNote:
    """A note on the customer's invoice, not yet written."""
    source = an_invoice(story, of)
    organization_id = organization_of(story).id
    customer = CUSTOMERS.get(organization_id, source.customer_id)
    assert customer is not None
    return service.draft_or_final(
        source.model_copy(update=invoice),
        invoices.fees_of(organization_id, source)[0],
        Decimal(item),
        mode=mode,
        used_cents=used,
        note_id=f"00000000-0000-4000-8000-{next(ids):012d}",
        customer_search=CUSTOMERS.search(customer),
        today=date(2024, 1, 11),
        now=now,
    )


def stored(story: Story, *args: str, **how: object) -> CreditNote:
    note = a_note(story, *args, **how)  # type: ignore[arg-type]
    transact(store.create_actions(organization_of(story).id, note))
    return note


def changed(story: Story, old: CreditNote, new: CreditNote) -> CreditNote:
    transact(store.replace_actions(organization_of(story).id, old, new))
    return new.model_copy(update={"version": old.version + 1})


def open_notes(story: Story, note: CreditNote) -> list[store.OpenNote]:
    pk, _ = CUSTOMERS.key(organization_of(story).id, note.customer_id)
    return store.open_of(list(core.query(pk)))


def listed(story: Story, query: str = "", path: str = "/credit_notes") -> list[str]:
    body = story.ok("GET", f"{path}?{query}")
    assert body["meta"]["total_count"] == len(body["credit_notes"])
    return [note["lago_id"] for note in body["credit_notes"]]


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


def test_what_was_paid_beyond_the_used_part_is_refunded(billed):
    # 20 of 31 days of 31.00 are given back: 20.00 and 4.00 tax; 13.20 stay owed, and half of 37.20 was paid.
    note = a_note(billed, mode="refund", total_paid_amount_cents=1860, used=1320)
    assert (note.refund_amount_cents, note.credit_amount_cents, note.offset_amount_cents) == (540, 1860, 0)
    assert (note.refund_status, note.credit_status, note.balance_amount_cents) == ("pending", "available", 1860)
    offset = a_note(billed, mode="offset", total_paid_amount_cents=1860, used=1320)
    assert (offset.refund_amount_cents, offset.credit_amount_cents, offset.offset_amount_cents) == (540, 0, 1860)
    assert not offset.open


def test_a_note_on_a_draft_is_hidden_until_it_is_final(billed):
    draft = stored(billed, status="draft", number="ACM-DRAFT")
    assert (draft.status, draft.number, draft.balance_amount_cents) == ("draft", "ACM-DRAFT-CN001", 2400)
    for method, path in (("GET", ""), ("PUT", "/void")):
        answer = billed.call(method, f"/credit_notes/{draft.id}{path}")
        assert (answer.status, answer.body["code"]) == (404, "credit_note_not_found")
    refunded = billed.call("PUT", f"/credit_notes/{draft.id}", {"credit_note": {"refund_status": "failed"}})
    assert refunded.status == 404
    assert (listed(billed), open_notes(billed, draft)) == ([], [])

    invoice = an_invoice(billed)
    later = datetime(2024, 1, 14, tzinfo=UTC)
    final = changed(billed, draft, service.finalized(draft, invoice, today=date(2024, 1, 14), now=later))
    shown = billed.ok("GET", f"/credit_notes/{draft.id}")["credit_note"]
    assert (shown["number"], shown["invoice_number"]) == (f"{invoice.number}-CN001", invoice.number)
    assert (shown["issuing_date"], shown["balance_amount_cents"]) == ("2024-01-14", 2400)
    assert listed(billed) == [draft.id]
    assert [each.balance_cents for each in open_notes(billed, final)] == [2400]


def test_the_open_balance_follows_the_note(billed):
    newer = stored(billed, "100", now=datetime(2024, 1, 12, tzinfo=UTC))
    note = stored(billed)
    assert open_notes(billed, note) == [
        store.OpenNote(note.id, "EUR", 2400, note.invoice_id),  # The oldest first.
        store.OpenNote(newer.id, "EUR", 120, newer.invoice_id),
    ]
    used = changed(billed, note, service.consumed(note, 1000, now=NOW))
    assert [each.balance_cents for each in open_notes(billed, note)] == [1400, 120]
    assert used.credit_status == "available"
    gone = changed(billed, used, service.consumed(used, 1400, now=NOW))
    assert [each.note_id for each in open_notes(billed, note)] == [newer.id]
    shown = billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]
    assert (shown["credit_status"], shown["balance_amount_cents"], shown["credit_amount_cents"]) == (
        "consumed",
        0,
        2400,
    )
    assert store.get_many(organization_of(billed).id, [note.id, newer.id, "none"]).keys() == {note.id, newer.id}
    with pytest.raises(AssertionError):
        service.consumed(gone, 1, now=NOW)


def test_a_balance_read_before_somebody_else_used_it_is_refused(billed):
    note = stored(billed)
    changed(billed, note, service.consumed(note, 1000, now=NOW))
    with pytest.raises(Cancelled):
        changed(billed, note, service.consumed(note, 2000, now=NOW))
    assert [each.balance_cents for each in open_notes(billed, note)] == [1400]


def test_notes_of_one_transaction_move_the_total_once(billed):
    # More than the counter has rows: two of them must meet.
    one = a_note(billed, "100")
    notes = [one.model_copy(update={"id": f"note-{n}"}) for n in range(20)]
    drafts = [one.model_copy(update={"id": f"draft-{n}", "status": "draft"}) for n in range(20)]
    organization_id = organization_of(billed).id
    transact(store.together(organization_id, created=[*drafts, *notes]))
    assert len(listed(billed)) == 20
    invoice = an_invoice(billed)
    final = [(draft, service.finalized(draft, invoice, today=date(2024, 1, 14), now=NOW)) for draft in drafts]
    transact(store.together(organization_id, replaced=final))
    assert len(listed(billed)) == 40
    used = [(note, service.consumed(note, 120, now=NOW)) for note in notes]
    transact([action for old, new in used for action in store.replace_actions(organization_id, old, new)])
    assert len(listed(billed)) == 40
    assert len(open_notes(billed, notes[0])) == 20


def test_what_is_left_can_be_voided_once(billed):
    note = stored(billed)
    changed(billed, note, service.consumed(note, 1000, now=NOW))
    shown = billed.ok("PUT", f"/credit_notes/{note.id}/void")["credit_note"]
    assert (shown["credit_status"], shown["balance_amount_cents"], shown["credit_amount_cents"]) == ("voided", 0, 2400)
    assert open_notes(billed, note) == []
    assert listed(billed, "credit_status=voided") == [note.id]
    again = billed.call("PUT", f"/credit_notes/{note.id}/void")
    assert (again.status, again.body["code"]) == (405, "no_voidable_amount")


def test_a_note_that_was_refunded_in_full_has_nothing_to_void(billed):
    note = stored(billed, mode="refund", total_paid_amount_cents=3720)
    assert (note.refund_amount_cents, note.credit_status) == (2400, "available")
    assert billed.call("PUT", f"/credit_notes/{note.id}/void").body["code"] == "no_voidable_amount"


def test_the_refund_status_is_set_freely(billed):
    note = stored(billed, mode="refund", total_paid_amount_cents=3720, used=3000)
    for status in ("succeeded", "failed", "pending"):
        body = {"credit_note": {"refund_status": status}}
        assert billed.ok("PUT", f"/credit_notes/{note.id}", body)["credit_note"]["refund_status"] == status
        assert billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]["refund_status"] == status
    assert [each.balance_cents for each in open_notes(billed, note)] == [note.credit_amount_cents]


def test_changes_that_mean_nothing_are_refused_whole(billed):
    note = stored(billed)
    before = billed.ok("GET", f"/credit_notes/{note.id}")
    for fields, details in (
        ({"refund_status": "done"}, {"refund_status": ["value_is_invalid"]}),
        ({"refund_status": None}, {"refund_status": ["value_is_invalid"]}),
        ({"refund_status": 1, "metadata": {"k": "v"}}, {"refund_status": ["value_is_invalid"]}),
        ({"metadata": []}, {"metadata": ["invalid_type"]}),
        ({"metadata": {"k" * 101: "v"}}, {"key": ["value_is_too_long"]}),
        ({"metadata": {"k": "v" * 256}}, {"value": ["value_is_too_long"]}),
        ({"metadata": {"k": 1}}, {"value": ["value_is_invalid"]}),
        ({"metadata": {str(n): "v" for n in range(51)}}, {"metadata": ["invalid_count"]}),
    ):
        answer = billed.call("PUT", f"/credit_notes/{note.id}", {"credit_note": fields})
        assert (answer.status, answer.body["error_details"]) == (422, details)
    assert billed.ok("GET", f"/credit_notes/{note.id}") == before


def test_metadata_is_merged(billed):
    note = stored(billed)

    def put(**metadata: str | None) -> object:
        body = {"credit_note": {"metadata": metadata}}
        return billed.ok("PUT", f"/credit_notes/{note.id}", body)["credit_note"]["metadata"]

    assert put(a="1", b="2") == {"a": "1", "b": "2"}
    assert put(b=None, c="3") == {"a": "1", "b": None, "c": "3"}
    body = {"credit_note": {"metadata": {f"k{n}": "v" for n in range(48)}}}
    answer = billed.call("PUT", f"/credit_notes/{note.id}", body)
    assert answer.body["error_details"] == {"metadata": ["invalid_count"]}  # 3 + 48.
    assert billed.call("PUT", f"/credit_notes/{note.id}", {"credit_note": {}}).status == 400


def issue(story: Story, note: CreditNote) -> agenda.Task:
    task = service.issued_task(organization_of(story), note, NOW)
    transact([*store.create_actions(organization_of(story).id, note), agenda.put(task, now=NOW)])
    return task


def test_an_issue_is_told_once_even_if_the_job_runs_twice(billed):
    work()
    endpoint = {"webhook_url": "http://127.0.0.1:9/hook", "event_types": ["credit_note.created"]}
    billed.ok("POST", "/webhook_endpoints", {"webhook_endpoint": endpoint})
    note = a_note(billed)
    task = issue(billed, note)
    jobs.issued(task, NOW)
    with pytest.raises(Cancelled):
        jobs.issued(task, NOW)
    # Its push comes too late as well.
    agenda.push([task])
    work()
    (message,) = webhooks.messages(organization_of(billed).id)
    assert (message.webhook_type, message.object_type, message.object_id) == (
        "credit_note.created",
        "credit_note",
        note.id,
    )
    assert agenda.find(task.key) is None
    body = json.loads(telling.body_of(message))
    assert body["credit_note"] == billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]


def test_the_task_runs_in_real_time_and_ends_without_endpoints(billed):
    note = a_note(billed)
    task = issue(billed, note)
    assert task.due_at > NOW
    assert not task.in_clock
    agenda.push([task])
    work()
    assert agenda.find(task.key) is None


def test_nobody_is_told_of_a_draft(billed):
    billed.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    work()
    told = len(webhooks.messages(organization_of(billed).id))
    task = issue(billed, a_note(billed, status="draft"))
    jobs.issued(task, NOW)
    assert agenda.find(task.key) is None
    gone = replace(task, subject="none")
    transact([agenda.put(gone, now=NOW)])
    jobs.issued(gone, NOW)
    assert len(webhooks.messages(organization_of(billed).id)) == told
