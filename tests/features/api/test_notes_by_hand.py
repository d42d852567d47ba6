"""Credit notes by hand over HTTP: figures, limits and what follows. Source: rules/invoices 7; rules/money 3."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from lago_python_client.models.credit_note import CreditNoteEstimatedResponse, CreditNoteResponse

from chalicelib.features.invoices import store
from chalicelib.platform.agenda import Task
from chalicelib.platform.unit import Unit, Write
from tests.support.coupons import apply, coupon
from tests.support.parallel import at_once, statuses
from tests.support.story import Story, work


def invoiced(story: Story, *cents: int, rate: str = "20") -> Any:
    """A final invoice with a fee of each of these amounts, taxed at a rate."""
    tax = {"name": "VAT", "code": "vat", "rate": rate, "applied_to_organization": True}
    story.ok("POST", "/taxes", {"tax": tax})
    story.customer(currency="EUR")
    fixed = []
    for n, amount in enumerate(cents[1:]):
        add_on = {"name": f"a{n}", "code": f"a{n}", "amount_cents": amount, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": add_on})
        fixed.append(
            {"add_on_code": f"a{n}", "charge_model": "standard", "units": 1, "pay_in_advance": True}
            | {"properties": {"amount": f"{amount / 100:.2f}"}}
        )
    story.plan(amount_cents=cents[0], pay_in_advance=True, fixed_charges=fixed)
    story.subscribe()
    return story.invoices()[0]


def fee_of(invoice: Any, cents: int, place: int = 0) -> str:
    return str([f["lago_id"] for f in invoice["fees"] if f["amount_cents"] == cents][place])


def send(story: Story, invoice: Any, *items: tuple[str, int], path: str = "", **fields: Any) -> Any:
    sent = {"invoice_id": invoice["lago_id"], "items": [{"fee_id": i, "amount_cents": c} for i, c in items]}
    return story.call("POST", f"/credit_notes{path}", {"credit_note": sent | fields})


def noted(story: Story, invoice: Any, *items: tuple[str, int], **fields: Any) -> Any:
    answer = send(story, invoice, *items, **fields)
    assert answer.status == 200, answer
    return answer.body["credit_note"]


def pay(story: Story, invoice: Any, cents: int) -> Any:
    body = {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": cents, "reference": "bank"}}
    return story.call("POST", "/payments", body)


def again(story: Story, invoice: Any) -> Any:
    return story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]


def test_the_last_note_absorbs_the_cent(story: Story) -> None:
    invoice = invoiced(story, 3335, 3335, 3335, rate="7")
    assert (invoice["total_amount_cents"], invoice["creditable_amount_cents"]) == (10705, 10705)
    totals = []
    for place in range(3):
        item = (fee_of(invoice, 3335, place), 3335)
        estimate = send(story, invoice, item, path="/estimate").body["estimated_credit_note"]
        CreditNoteEstimatedResponse.parse_obj(estimate)
        note = noted(story, invoice, item, credit_amount_cents=3568, reason="other")
        CreditNoteResponse.parse_obj(note)
        assert estimate["max_creditable_amount_cents"] == note["total_amount_cents"] == note["balance_amount_cents"]
        assert (estimate["taxes_amount_cents"], estimate["sub_total_excluding_taxes_amount_cents"]) == (
            note["taxes_amount_cents"],
            note["sub_total_excluding_taxes_amount_cents"],
        )
        totals.append(note["total_amount_cents"])
    assert totals == [3568, 3568, 3569]
    assert again(story, invoice)["creditable_amount_cents"] == 0
    assert [note["number"] for note in story.notes()] == [f"{invoice['number']}-CN00{n}" for n in (1, 2, 3)]


def test_a_cent_too_much_comes_off_the_credit(story: Story) -> None:
    invoice = invoiced(story, 76900)
    item = fee_of(invoice, 76900)
    note = noted(story, invoice, (item, 72686), credit_amount_cents=87224)
    assert (note["taxes_amount_cents"], note["total_amount_cents"], note["credit_amount_cents"]) == (
        14537,
        87223,
        87223,
    )
    rest = noted(story, invoice, (item, 4214), credit_amount_cents=5057)
    assert (rest["taxes_amount_cents"], rest["total_amount_cents"]) == (843, 5057)


NOTHING = {"base": ["total_amount_must_be_positive"]}


@pytest.mark.parametrize("is_paid", [False, True])
def test_a_note_of_nothing_is_refused_whatever_the_tolerance_takes_in(story: Story, is_paid: bool) -> None:
    invoice = invoiced(story, 10000)
    item = fee_of(invoice, 10000)
    if is_paid:
        pay(story, invoice, 12000)
    part = "refund_amount_cents" if is_paid else "credit_amount_cents"
    for items in ([], [(item, 0)], [(item, 0), (item, 0)]):
        for cents in (0, 1):
            refused = send(story, invoice, *items, **{part: cents})
            assert (refused.status, refused.body["error_details"]) == (422, NOTHING)
        assert send(story, invoice, *items, path="/estimate").body["error_details"] == NOTHING
    assert story.notes() == []
    assert again(story, invoice)["creditable_amount_cents"] == 12000
    assert noted(story, invoice, (item, 1), credit_amount_cents=1)["number"].endswith("-CN001")


def test_days_that_a_coupon_paid_give_no_note(story: Story) -> None:
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer("cust", currency="EUR")
    coupon(story, "all", percentage_rate=100)
    apply(story, "all")
    story.subscribe()
    story.travel("2024-01-11T00:00:00Z")
    story.terminate()
    assert story.notes() == []


def test_all_of_a_note_is_kept(story: Story) -> None:
    invoice = invoiced(story, 10000)
    item = (fee_of(invoice, 10000), 1000)
    fields = {"reason": "fraudulent_charge", "description": "d", "metadata": {"a": "b"}}
    note = noted(story, invoice, item, credit_amount_cents=1200, **fields)
    assert {name: note[name] for name in fields} == fields
    assert (note["credit_status"], note["refund_status"], note["currency"]) == ("available", None, "EUR")
    assert note["items"][0]["fee"]["lago_id"] == item[0]
    assert note["issuing_date"] == "2024-01-01"
    assert noted(story, invoice, item, credit_amount_cents=1200, reason=None)["reason"] == "other"


def test_an_offset_pays_the_rest(story: Story) -> None:
    invoice = invoiced(story, 10000)
    item = fee_of(invoice, 10000)
    assert pay(story, invoice, 9000).status == 200
    refused = send(story, invoice, (item, 2501), offset_amount_cents=3001)
    assert refused.body["error_details"] == {"offset_amount_cents": ["higher_than_remaining_invoice_amount"]}
    note = noted(story, invoice, (item, 2500), offset_amount_cents=3000)
    assert (note["offset_amount_cents"], note["balance_amount_cents"]) == (3000, 0)
    paid = again(story, invoice)
    assert (paid["total_due_amount_cents"], paid["payment_status"], paid["payment_overdue"]) == (0, "succeeded", False)
    assert paid["total_offsetted_credit_note_amount_cents"] == 3000
    assert (paid["creditable_amount_cents"], paid["refundable_amount_cents"]) == (9000, 9000)


def test_refunds_are_bound_by_what_was_paid(story: Story) -> None:
    invoice = invoiced(story, 10000)
    item = fee_of(invoice, 10000)
    unpaid = send(story, invoice, (item, 100), refund_amount_cents=120)
    assert unpaid.body["error_details"] == {"refund_amount_cents": ["cannot_refund_unpaid_invoice"]}
    assert pay(story, invoice, 7000).status == 200
    over = send(story, invoice, (item, 6000), refund_amount_cents=7200)
    assert over.body["error_details"] == {"refund_amount_cents": ["higher_than_remaining_invoice_amount"]}
    note = noted(story, invoice, (item, 10000), credit_amount_cents=5000, refund_amount_cents=7000)
    assert (note["refund_status"], note["balance_amount_cents"]) == ("pending", 5000)
    done = story.ok("PUT", f"/credit_notes/{note['lago_id']}", {"credit_note": {"refund_status": "succeeded"}})
    assert done["credit_note"]["refund_status"] == "succeeded"
    assert again(story, invoice)["refundable_amount_cents"] == 0


@pytest.mark.parametrize(
    ("items", "fields", "details"),
    [
        ("x", {}, {"items": ["must_be_an_array"]}),
        ([-1], {"credit_amount_cents": 1}, {"amount_cents": ["invalid_value"]}),
        ([10001], {"credit_amount_cents": 12001}, {"amount_cents": ["higher_than_remaining_fee_amount"]}),
        ([5000, 5001], {"credit_amount_cents": 12001}, {"amount_cents": ["higher_than_remaining_fee_amount"]}),
        ([1000], {"credit_amount_cents": 1202}, {"base": ["does_not_match_item_amounts"]}),
        ([], {}, {"base": ["total_amount_must_be_positive"]}),
        ([1000], {"reason": "x"}, {"reason": ["value_is_invalid"]}),
        (
            [10000],
            {"credit_amount_cents": 12002},
            {
                "credit_amount_cents": ["higher_than_remaining_invoice_amount"],
                "base": ["does_not_match_item_amounts"],
            },
        ),
    ],
)
def test_what_is_refused(story: Story, items: Any, fields: Any, details: Any) -> None:
    invoice = invoiced(story, 10000)
    entries = (
        [{"fee_id": fee_of(invoice, 10000), "amount_cents": c} for c in items] if isinstance(items, list) else items
    )
    sent = {"invoice_id": invoice["lago_id"], "items": entries, **fields}
    answer = story.call("POST", "/credit_notes", {"credit_note": sent})
    assert (answer.status, answer.body["error_details"]) == (422, details)
    assert story.notes() == []


def test_what_a_note_stands_on_has_to_be_there_and_final(story: Story) -> None:
    invoice = invoiced(story, 10000)
    strange = send(story, invoice, ("none", 1), credit_amount_cents=1)
    assert (strange.status, strange.body["code"]) == (404, "fee_not_found")
    nowhere = send(story, {"lago_id": "none"}, credit_amount_cents=1)
    assert (nowhere.status, nowhere.body["code"]) == (404, "invoice_not_found")
    story.customer("late", currency="EUR", billing_configuration={"invoice_grace_period": 3})
    story.subscribe("plan", "late", "late")
    (draft,) = story.invoices("&status=draft")
    for path in ("", "/estimate"):
        refused = send(story, draft, (fee_of(draft, 10000), 1), path=path)
        assert (refused.status, refused.body["code"]) == (405, "invalid_type_or_status")
    assert (draft["creditable_amount_cents"], draft["refundable_amount_cents"]) == (0, 0)


def test_notes_at_once_never_exceed_the_invoice(story: Story) -> None:
    invoice = invoiced(story, 10000)
    items = [{"fee_id": fee_of(invoice, 10000), "amount_cents": 4000}]
    body = {"credit_note": {"invoice_id": invoice["lago_id"], "items": items, "credit_amount_cents": 4800}}
    answers = at_once(story.call, [("POST", "/credit_notes", body)] * 4)
    assert statuses(answers) == {200: 2, 422: 2}
    assert sorted(note["sequential_id"] for note in story.notes()) == [1, 2]
    assert again(story, invoice)["creditable_amount_cents"] == 2400


def test_metadata_alone(story: Story) -> None:
    invoice = invoiced(story, 10000)
    note = noted(story, invoice, (fee_of(invoice, 10000), 100), credit_amount_cents=120)
    path = f"/credit_notes/{note['lago_id']}/metadata"
    assert story.ok("POST", path, {"metadata": {"a": "1", "b": None}}) == {"metadata": {"a": "1", "b": None}}
    assert story.ok("PATCH", path, {"metadata": {"c": "3"}}) == {"metadata": {"a": "1", "b": None, "c": "3"}}
    assert story.ok("DELETE", f"{path}/b") == {"metadata": {"a": "1", "c": "3"}}
    assert story.call("DELETE", f"{path}/b").body["code"] == "metadata_not_found"
    assert story.ok("DELETE", path) == {"metadata": None}
    assert story.ok("POST", f"/credit_notes/{note['lago_id']}/download") is None


def test_the_balance_is_used_by_the_next_invoice(story: Story) -> None:
    invoice = invoiced(story, 10000)
    note = noted(story, invoice, (fee_of(invoice, 10000), 1000), credit_amount_cents=1200)
    story.travel("2024-02-01T00:00:00Z")
    work()
    following = story.invoices()[-1]
    assert (following["credit_notes_amount_cents"], following["total_amount_cents"]) == (1200, 10800)
    assert story.ok("GET", f"/credit_notes/{note['lago_id']}")["credit_note"]["credit_status"] == "consumed"


@dataclass
class PurchasedWallet:
    """A wallet with credits, and what was taken out of it."""

    balance_cents: int
    taken: list[int] = field(default_factory=list)

    def voided(self, amount_cents: int, *, now: datetime) -> tuple[list[Write], list[Task]]:
        self.taken.append(amount_cents)
        return [], []


def test_a_purchase_of_credits_is_refunded_out_of_its_wallet(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = invoiced(story, 10000, rate="0")
    item = fee_of(invoice, 10000)
    stored = store.get(story.ref.id, invoice["lago_id"])
    assert stored is not None
    Unit(store.replace_actions(story.ref.id, stored, stored.model_copy(update={"invoice_type": "credit"}))).commit()
    wallet = PurchasedWallet(6000)
    monkeypatch.setattr("chalicelib.features.credit_notes.purchases.wallet_of", lambda *_, **__: wallet)
    unpaid = send(story, invoice, (item, 100), refund_amount_cents=100)
    assert (unpaid.status, unpaid.body["code"]) == (405, "invalid_type_or_status")
    assert pay(story, invoice, 10000).status == 200
    estimate = send(story, invoice, (item, 7000), path="/estimate").body["estimated_credit_note"]
    assert (estimate["max_creditable_amount_cents"], estimate["max_refundable_amount_cents"]) == (0, 6000)
    over = send(story, invoice, (item, 6001), refund_amount_cents=6001)
    assert over.body["error_details"] == {"amount_cents": ["higher_than_wallet_balance"]}
    credited = send(story, invoice, (item, 100), credit_amount_cents=100)
    assert credited.body["error_details"] == {"credit_amount_cents": ["higher_than_remaining_invoice_amount"]}
    note = noted(story, invoice, (item, 6000), refund_amount_cents=5999)
    assert (note["refund_amount_cents"], note["credit_amount_cents"], wallet.taken) == (6000, 0, [6000])
    monkeypatch.setattr("chalicelib.features.credit_notes.purchases.wallet_of", lambda *_, **__: None)
    assert send(story, invoice, (item, 1), path="/estimate").body["code"] == "invalid_type_or_status"
