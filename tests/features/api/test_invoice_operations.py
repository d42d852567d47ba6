"""Operations on invoices by their states, and what each leaves. Source: rules/invoices 1, 10, 13; rules/money 4."""

import json
from datetime import UTC, datetime

import pytest

from chalicelib.features.invoices import store
from chalicelib.features.webhooks import streams
from chalicelib.platform import agenda
from chalicelib.platform.unit import Unit
from tests.features.api.test_notes_by_hand import fee_of, invoiced, noted
from tests.support.items import core
from tests.support.story import Story, work


@pytest.fixture
def billed(story: Story) -> Story:
    """31.00 and 20 % tax a month in advance: final for `cust`, a draft for `late`."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer("cust", currency="EUR", net_payment_term=2)
    story.subscribe()
    story.customer("late", billing_configuration={"invoice_grace_period": 3})
    story.subscribe("plan", "late", "late")
    # Of what nobody wants to hear nothing is announced.
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return story


def of(story: Story, customer: str = "cust"):
    (found,) = story.ok("GET", f"/customers/{customer}/invoices")["invoices"]
    return found


def operate(story: Story, operation: str, invoice_id: str, body=None):
    method, _, name = operation.partition(" ")
    return story.call(method, f"/invoices/{invoice_id}{name and '/' + name}", body)


def announced(story: Story) -> list[str]:
    """The types of all announcements that wait for their fan-out."""
    pages = core.client.get_paginator("scan").paginate(TableName=core.name)
    items = [item for page in pages for item in page["Items"] if f"#order#{streams.ANNOUNCE.name}#" in item["pk"]["S"]]
    return sorted(
        item["detail"]["M"]["webhook_type"]["S"]
        if "M" in item["detail"]
        else json.loads(item["detail"]["S"])["webhook_type"]
        for item in items
    )


# Operation, then its status (and code) on a draft, a final, a paid and a void invoice, and on none.
OK = (200, None)
TABLE = {
    "PUT refresh": (OK, OK, OK, OK),
    "PUT finalize": (OK, (404, "invoice_not_found"), (404, "invoice_not_found"), (404, "invoice_not_found")),
    "POST void": ((405, "not_voidable"), OK, OK, (405, "not_voidable")),
    "DELETE ": (OK, (405, "not_deletable"), (405, "not_deletable"), (405, "not_deletable")),
    "POST lose_dispute": ((405, "not_disputable"), OK, OK, (405, "not_disputable")),
    "PUT lose_dispute": ((405, "not_disputable"), OK, OK, (405, "not_disputable")),
    "POST retry": ((405, "invalid_status"),) * 4,
    "POST retry_payment": ((405, "invalid_status"), OK, (405, "invalid_status"), (405, "invalid_status")),
    "POST payment_url": ((422, "validation_errors"),) * 4,
}


def test_each_operation_in_each_state(billed):
    numbers = iter(range(1, 1000))
    grace = {"billing_configuration": {"invoice_grace_period": 3}}
    for operation, answers in TABLE.items():
        for state, expected in zip(("draft", "final", "paid", "void"), answers, strict=True):
            name = f"c{next(numbers)}"
            billed.customer(name, **(grace if state == "draft" else {}))
            billed.subscribe("plan", name, name)
            invoice_id = of(billed, name)["lago_id"]
            if state == "paid":
                billed.ok("PUT", f"/invoices/{invoice_id}", {"invoice": {"payment_status": "succeeded"}})
            elif state == "void":
                billed.ok("POST", f"/invoices/{invoice_id}/void")
            answer = operate(billed, operation, invoice_id)
            code = answer.body.get("code") if answer.body else None
            assert (answer.status, code) == expected, (operation, state, answer)
        assert operate(billed, operation, "none").body["code"] == "invoice_not_found"


def test_a_deleted_draft_is_gone_and_stays_so(billed):
    draft = of(billed, "late")
    deleted = billed.ok("DELETE", f"/invoices/{draft['lago_id']}")["invoice"]
    assert (deleted["status"], deleted["lago_id"]) == ("deleted", draft["lago_id"])
    assert billed.call("GET", f"/invoices/{draft['lago_id']}").status == 404
    assert billed.ok("GET", "/invoices?status=draft")["meta"]["total_count"] == 0
    assert "invoice.deleted" in announced(billed)
    billed.travel("2024-01-10T00:00:00Z")
    assert [i["status"] for i in billed.invoices()] == ["finalized"]


def test_a_void_invoice_owes_nothing(billed):
    invoice = of(billed)
    void = billed.ok("POST", f"/invoices/{invoice['lago_id']}/void")["invoice"]
    assert (void["status"], void["voided_at"], void["payment_status"]) == ("voided", "2024-01-01T00:00:00Z", "pending")
    assert (void["total_amount_cents"], void["total_due_amount_cents"], void["payment_overdue"]) == (3720, 0, False)
    assert "invoice.voided" in announced(billed)
    billed.travel("2024-01-20T00:00:00Z")
    assert not billed.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]["payment_overdue"]


def test_a_void_gives_back_the_notes_that_the_invoice_used(billed):
    billed.travel("2024-01-11T00:00:00Z")
    billed.terminate()
    (note,) = billed.notes()
    billed.subscribe("plan", "next")
    used = next(i for i in billed.invoices() if i["credit_notes_amount_cents"])
    (left,) = billed.notes()
    assert left["balance_amount_cents"] == note["balance_amount_cents"] - used["credit_notes_amount_cents"]
    billed.ok("POST", f"/invoices/{used['lago_id']}/void")
    (back,) = billed.notes()
    assert (back["balance_amount_cents"], back["credit_status"]) == (note["balance_amount_cents"], "available")
    # The note's own invoice is void only with an untouched note.
    source = next(i for i in billed.invoices() if i["lago_id"] == note["lago_invoice_id"])
    billed.ok("POST", f"/invoices/{source['lago_id']}/void")
    (gone,) = billed.notes()
    assert (gone["balance_amount_cents"], gone["credit_status"]) == (0, "voided")


def test_an_invoice_whose_note_was_used_is_not_voided(billed):
    billed.travel("2024-01-11T00:00:00Z")
    billed.terminate()
    billed.subscribe("plan", "next")
    (note,) = billed.notes()
    assert operate(billed, "POST void", note["lago_invoice_id"]).body["code"] == "not_voidable"


def paid(story: Story, cents: int, customer: str = "cust") -> str:
    """The id of the customer's invoice, of which so much was paid."""
    invoice_id = str(of(story, customer)["lago_id"])
    old = store.get(story.ref.id, invoice_id)
    assert old is not None
    Unit(store.replace_actions(story.ref.id, old, old.model_copy(update={"total_paid_amount_cents": cents}))).commit()
    return invoice_id


def test_a_void_with_credit_and_refund(story):
    story.plan(amount_cents=1200, pay_in_advance=True)
    story.customer("cust")
    story.subscribe()
    invoice_id = paid(story, 300)
    wanted = {"generate_credit_note": True, "credit_amount": 300, "refund_amount": 300}
    for wrong in ({"refund_amount": 301}, {"credit_amount": 901}, {"credit_amount": 1201, "refund_amount": 0}):
        refused = story.call("POST", f"/invoices/{invoice_id}/void", wanted | wrong)
        assert refused.body["error_details"] == {"credit_refund_amount": ["total_amount_exceeds_invoice_amount"]}
    story.ok("POST", f"/invoices/{invoice_id}/void", wanted)
    note, rest = story.notes()
    assert (note["total_amount_cents"], note["credit_amount_cents"], note["refund_amount_cents"]) == (600, 300, 300)
    assert (note["credit_status"], note["refund_status"]) == ("available", "pending")
    assert (rest["total_amount_cents"], rest["credit_status"], rest["balance_amount_cents"]) == (600, "voided", 0)


def sold(story: Story, *, paid: int = 0, noted: int = 0, used: int = 0, **parts: int) -> str:
    """The id of an invoice of 100.00: so much paid, a note of so much on it (all as credit, where no parts are said), of
    which another invoice used so much."""
    body = {"name": "a", "code": "a", "amount_cents": 10000, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": body})
    story.customer("cust", currency="EUR")
    one_off = {"external_customer_id": "cust", "fees": [{"add_on_code": "a"}]}
    invoice = story.ok("POST", "/invoices", {"invoice": one_off})["invoice"]
    invoice_id, fee_id = invoice["lago_id"], invoice["fees"][0]["lago_id"]
    if paid:
        story.ok("POST", "/payments", {"payment": {"invoice_id": invoice_id, "amount_cents": paid}})
    if noted:
        items = {"items": [{"fee_id": fee_id, "amount_cents": noted}]}
        given = parts or {"credit_amount_cents": noted}
        story.ok("POST", "/credit_notes", {"credit_note": {"invoice_id": invoice_id, **items, **given}})
    if used:
        story.plan(amount_cents=used, pay_in_advance=True)
        story.subscribe()
    return str(invoice_id)


# Paid, noted and used of 100.00; credit and refund wanted of its void: the notes afterwards, each with its total, its credit,
# its balance and its status; None: refused, and one cent less is not.
VOIDS = {
    "unpaid, unused": ((0, 4000, 0), (0, 0), [(4000, 4000, 0, "voided"), (6000, 6000, 0, "voided")]),
    "unpaid, unused, credit": (
        (0, 4000, 0),
        (2000, 0),
        [(4000, 4000, 0, "voided"), (2000, 2000, 2000, "available"), (4000, 4000, 0, "voided")],
    ),
    "unpaid, unused, too much": ((0, 4000, 0), (6001, 0), None),
    "unpaid, used": ((0, 4000, 710), (0, 0), [(4000, 4000, 0, "voided"), (6000, 6000, 0, "voided")]),
    "unpaid, used up": ((0, 4000, 4000), (0, 0), [(4000, 4000, 0, "consumed"), (6000, 6000, 0, "voided")]),
    "partly paid, unused": ((7000, 4000, 0), (7000, 0), [(4000, 4000, 0, "voided"), (7000, 7000, 7000, "available")]),
    "partly paid, unused, too much": ((7000, 4000, 0), (7001, 0), None),
    "partly paid, used, too much": ((7000, 4000, 710), (6291, 0), None),
    "paid, unused": ((10000, 4000, 0), (0, 0), [(4000, 4000, 0, "voided"), (6000, 6000, 0, "voided")]),
    "paid, unused, all back": ((10000, 4000, 0), (0, 10000), [(4000, 4000, 0, "voided"), (10000, 0, 0, "available")]),
    "paid, unused, too much": ((10000, 4000, 0), (5001, 5000), None),
    "paid, used, rest back": (
        (10000, 4000, 710),
        (9290, 0),
        [(4000, 4000, 0, "voided"), (9290, 9290, 9290, "available")],
    ),
    "paid, used, too much": ((10000, 4000, 710), (9291, 0), None),
}


@pytest.mark.parametrize("case", VOIDS)
def test_a_void_leaves_no_unused_note_and_gives_back_no_more_than_was_given(story, case):
    (paid_cents, noted, used), (credit, refund), expected = VOIDS[case]
    invoice_id = sold(story, paid=paid_cents, noted=noted, used=used)
    wanted = {"generate_credit_note": True, "credit_amount": credit, "refund_amount": refund}
    answer = story.call("POST", f"/invoices/{invoice_id}/void", wanted)
    if expected is None:
        assert answer.body["error_details"] == {"credit_refund_amount": ["total_amount_exceeds_invoice_amount"]}
        (kept,) = story.notes()
        assert kept["balance_amount_cents"] == noted - used
        story.ok("POST", f"/invoices/{invoice_id}/void", wanted | {"credit_amount": credit - 1})
        return
    assert answer.body["invoice"]["status"] == "voided"
    names = ("total_amount_cents", "credit_amount_cents", "balance_amount_cents", "credit_status")
    assert [tuple(note[name] for name in names) for note in story.notes()] == expected


def test_what_a_void_gives_back_of_a_note_with_tax_is_exact(story):
    invoice = invoiced(story, 3335, 3335, 3335, rate="7")
    story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 10705}})
    noted(story, invoice, (fee_of(invoice, 3335, 1), 3335), credit_amount_cents=3568)
    story.plan("small", amount_cents=1000, pay_in_advance=True, tax_codes=[])
    story.subscribe("small", "small")
    used = 3568 - story.notes()[0]["balance_amount_cents"]
    assert used == 1070
    options = {"generate_credit_note": True, "credit_amount": 10705 - used}
    story.ok("POST", f"/invoices/{invoice['lago_id']}/void", options)
    old, new = story.notes()
    assert (old["credit_status"], new["balance_amount_cents"]) == ("voided", 10705 - used)
    assert new["taxes_amount_cents"] + new["sub_total_excluding_taxes_amount_cents"] == new["total_amount_cents"]
    # 10.70 of it was used: 10.00 before tax.
    assert [item["amount_cents"] for item in new["items"]] == [3335, 2335, 3335]


def test_what_was_refunded_or_offset_is_not_given_back_by_a_void(story):
    parts = {"credit_amount_cents": 1000, "refund_amount_cents": 2000, "offset_amount_cents": 500}
    invoice_id = sold(story, paid=9500, noted=3500, **parts)
    wanted = {"generate_credit_note": True}
    refused = story.call("POST", f"/invoices/{invoice_id}/void", wanted | {"credit_amount": 7501})
    assert refused.status == 422
    story.ok("POST", f"/invoices/{invoice_id}/void", wanted | {"refund_amount": 7500})
    first, second = story.notes()
    assert (first["credit_status"], first["balance_amount_cents"], first["refund_status"]) == ("voided", 0, "pending")
    assert (second["refund_amount_cents"], second["items"][0]["amount_cents"]) == (7500, 7500)


@pytest.mark.parametrize("credited", [False, True])
def test_a_void_takes_any_number_of_notes_with_it(story, credited):
    invoice_id = sold(story)
    (fee,) = story.ok("GET", f"/invoices/{invoice_id}")["invoice"]["fees"]
    items = [{"fee_id": fee["lago_id"], "amount_cents": 10}]
    for _ in range(45):
        note = {"invoice_id": invoice_id, "credit_amount_cents": 10, "items": items}
        story.ok("POST", "/credit_notes", {"credit_note": note})
    story.ok("POST", f"/invoices/{invoice_id}/void", {"generate_credit_note": credited})
    found = story.ok("GET", "/credit_notes?per_page=100")["credit_notes"]
    assert len(found) == 45 + credited
    assert {(each["credit_status"], each["balance_amount_cents"]) for each in found} == {("voided", 0)}


def test_items_of_a_void_are_split_to_the_cent(story):
    body = {"name": "a", "code": "a", "amount_cents": 1000, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": body})
    story.customer("cust")
    one_off = {"external_customer_id": "cust", "fees": [{"add_on_code": "a"}] * 3}
    invoice = story.ok("POST", "/invoices", {"invoice": one_off})["invoice"]
    options = {"generate_credit_note": True, "credit_amount": 1000}
    story.ok("POST", f"/invoices/{invoice['lago_id']}/void", options)
    note, rest = story.notes()
    assert [item["amount_cents"] for item in note["items"]] == [334, 333, 333]
    assert [item["amount_cents"] for item in rest["items"]] == [666, 667, 667]
    assert note["total_amount_cents"] + rest["total_amount_cents"] == invoice["total_amount_cents"]


def test_void_then_issue_again_leaves_balances_as_before(billed):
    billed.travel("2024-01-11T00:00:00Z")
    billed.terminate()
    before = [note["balance_amount_cents"] for note in billed.notes()]
    totals = []
    for name in ("one", "two"):
        billed.subscribe("plan", name)
        (made,) = [i for i in billed.invoices("&status=finalized") if i["credit_notes_amount_cents"]]
        totals.append((made["credit_notes_amount_cents"], made["total_amount_cents"]))
        billed.ok("POST", f"/invoices/{made['lago_id']}/void")
        assert [note["balance_amount_cents"] for note in billed.notes()] == before
    assert totals[0] == totals[1]


@pytest.mark.parametrize(
    ("zone", "not_yet", "now"),
    [
        ("Asia/Tokyo", "2024-01-03T14:59:59Z", "2024-01-03T15:00:00Z"),
        ("America/Los_Angeles", "2024-01-03T07:59:59Z", "2024-01-03T08:00:00Z"),
    ],
)
def test_overdue_once_the_due_day_is_over_where_the_customer_is(billed, zone, not_yet, now):
    # In Los Angeles it is still 31 December, so that the first one is due on 2 January there.
    def overdue() -> bool:
        found = billed.ok("GET", "/customers/far/invoices")["invoices"]
        return bool(min(found, key=lambda i: i["issuing_date"])["payment_overdue"])

    billed.customer("far", timezone=zone, net_payment_term=2)
    billed.subscribe("plan", "far", "far")
    billed.travel(not_yet)
    assert not overdue()
    billed.travel(now)
    assert overdue()
    assert "invoice.payment_overdue" in announced(billed)
    (found,) = billed.ok("GET", "/customers/far/invoices?payment_overdue=true")["invoices"]
    shown = billed.ok("PUT", f"/invoices/{found['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    assert not shown["invoice"]["payment_overdue"]


def test_a_payment_comes_before_the_end_of_the_due_day(billed):
    invoice_id = of(billed)["lago_id"]
    for status in ("succeeded", "pending", "succeeded"):
        billed.ok("PUT", f"/invoices/{invoice_id}", {"invoice": {"payment_status": status}})
    billed.travel("2024-01-05T00:00:00Z")
    assert not of(billed)["payment_overdue"]
    billed.ok("PUT", f"/invoices/{invoice_id}", {"invoice": {"payment_status": "pending"}})
    assert of(billed)["payment_overdue"]


def test_a_lost_dispute_ends_being_overdue(billed):
    billed.travel("2024-01-05T00:00:00Z")
    invoice_id = of(billed)["lago_id"]
    assert of(billed)["payment_overdue"]
    lost = billed.ok("POST", f"/invoices/{invoice_id}/lose_dispute")["invoice"]
    assert (lost["payment_dispute_lost_at"], lost["payment_overdue"]) == ("2024-01-05T00:00:00Z", False)
    again = billed.ok("PUT", f"/invoices/{invoice_id}/lose_dispute")["invoice"]
    assert again["payment_dispute_lost_at"] == lost["payment_dispute_lost_at"]
    assert announced(billed).count("invoice.payment_dispute_lost") == 1
    for query, number in (("true", 1), ("false", 1)):
        assert billed.ok("GET", f"/invoices?payment_dispute_lost={query}")["meta"]["total_count"] == number


def test_asking_for_money_again_sends_the_message_of_the_issue(billed):
    work()
    invoice_id = of(billed)["lago_id"]
    before = announced(billed)
    answer = billed.call("POST", f"/invoices/{invoice_id}/retry_payment")
    assert (answer.status, answer.body) == (200, None)
    added = announced(billed)
    for each in before:
        added.remove(each)
    assert added == ["invoice.created", "invoice.payment_failure"]


def test_metadata_and_status_by_state(billed):
    draft, final = of(billed, "late")["lago_id"], of(billed)["lago_id"]
    pairs = {"metadata": [{"key": "k", "value": "v"}]}
    refused = {"metadata": "metadata_on_draft_invoice", "payment_status": "payment_status_update_on_draft_invoice"}
    for body in (pairs, {"payment_status": "failed"}):
        code = refused[next(iter(body))]
        assert billed.call("PUT", f"/invoices/{draft}", {"invoice": body}).body["code"] == code
    billed.ok("POST", f"/invoices/{final}/void")
    assert billed.call("PUT", f"/invoices/{final}", {"invoice": pairs}).body["code"] == "update_on_voided_invoice"


def test_tasks_of_an_invoice_end_with_it(billed):
    draft = of(billed, "late")["lago_id"]
    billed.ok("DELETE", f"/invoices/{draft}")
    billed.ok("PUT", f"/invoices/{of(billed)['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    kinds = {task.kind.name for task in agenda.tasks_of_clock(billed.ref, until=datetime(2030, 1, 1, tzinfo=UTC))}
    assert kinds.isdisjoint({"invoice_overdue", "finalize_invoice"})
