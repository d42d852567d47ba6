"""The official Python client, unchanged, with everything about money: its models take every answer."""

from collections.abc import Callable
from typing import Any

import pytest
from lago_python_client import Client
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import (
    AppliedCoupon,
    Coupon,
    CreditNote,
    CreditNoteEstimate,
    Customer,
    Invoice,
    InvoiceFee,
    InvoiceFeesList,
    InvoiceMetadata,
    InvoiceMetadataList,
    InvoicePreview,
    Item,
    Items,
    OneOffInvoice,
    Wallet,
    WalletTransaction,
)
from lago_python_client.models.payment import Payment

from tests.support import official
from tests.support.story import Story, work


@pytest.fixture
def client(story: Story, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The client of an organization with a customer and something to sell."""
    story.plan(amount_cents=10000, pay_in_advance=True)
    story.ok("POST", "/add_ons", {"add_on": {"name": "a", "code": "a", "amount_cents": 5000, "amount_currency": "EUR"}})
    story.customer(currency="EUR")
    return official.client(story, monkeypatch)


def one_off(client: Client, cents: int = 5000) -> Any:
    fees = InvoiceFeesList(__root__=[InvoiceFee(add_on_code="a", units=1, unit_amount_cents=cents)])
    return client.invoices.create(OneOffInvoice(external_customer_id="cust", currency="EUR", fees=fees))


def refused(call: Callable[[], Any]) -> Any:
    with pytest.raises(LagoApiError) as caught:
        call()
    return caught.value.status_code, caught.value.response["error_details"]


def test_coupons(client: Client) -> None:
    coupon = Coupon(
        name="Ten",
        code="ten",
        coupon_type="fixed_amount",
        amount_cents=1000,
        amount_currency="EUR",
        frequency="once",
        expiration="no_expiration",
        reusable=True,
    )
    made = client.coupons.create(coupon)
    assert client.coupons.find("ten").lago_id == made.lago_id
    assert client.coupons.update(Coupon(name="Tenner"), "ten").name == "Tenner"
    assert [each.code for each in client.coupons.find_all()["coupons"]] == ["ten"]
    applied = client.applied_coupons.create(AppliedCoupon(external_customer_id="cust", coupon_code="ten"))
    assert (applied.amount_cents_remaining, applied.status) == (1000, "active")
    (listed,) = client.applied_coupons.find_all({"external_customer_id": "cust", "status": "active"})["applied_coupons"]
    assert listed.lago_id == applied.lago_id
    assert client.applied_coupons.destroy("cust", applied.lago_id).lago_id == applied.lago_id
    assert client.coupons.destroy("ten").code == "ten"


def test_wallets(client: Client, story: Story) -> None:
    wallet = Wallet(external_customer_id="cust", rate_amount="1", name="Main", currency="EUR", granted_credits="10")
    made = client.wallets.create(wallet)
    assert client.wallets.find(made.lago_id).balance_cents == 1000
    assert client.wallets.update(Wallet(name="Spare"), made.lago_id).name == "Spare"
    assert [each.lago_id for each in client.wallets.find_all({"external_customer_id": "cust"})["wallets"]]
    assert client.wallets.replace_metadata(made.lago_id, {"tier": "gold"}) == {"tier": "gold"}
    assert client.wallets.merge_metadata(made.lago_id, {"team": "a"}) == {"tier": "gold", "team": "a"}
    assert client.wallets.delete_metadata_key(made.lago_id, "team") == {"tier": "gold"}
    wanted = WalletTransaction(wallet_id=made.lago_id, paid_credits="20", granted_credits="5")
    bought, granted = client.wallet_transactions.create(wanted)["wallet_transactions"]
    assert (bought.status, granted.status) == ("pending", "settled")
    assert len(client.wallet_transactions.find_all(made.lago_id)["wallet_transactions"]) == 3
    status, details = refused(lambda: client.wallet_transactions.payment_url(bought.lago_id))
    assert (status, details) == (422, {"base": ["no_linked_payment_provider"]})
    story.subscribe()
    used = client.wallet_transactions.find_all(made.lago_id, {"transaction_status": "invoiced"})["wallet_transactions"]
    (funding, *_) = client.wallet_transactions.fundings(used[0].lago_id)["wallet_transaction_fundings"]
    spent = client.wallet_transactions.consumptions(funding.wallet_transaction.lago_id)
    assert len(spent["wallet_transaction_consumptions"]) == 1
    assert client.wallets.destroy(made.lago_id).status == "terminated"


def test_invoices_payments_and_receipts(client: Client) -> None:
    customer = Customer(external_id="cust")
    assert client.invoices.preview(InvoicePreview(customer=customer, plan_code="plan")).total_amount_cents == 10000
    invoice = one_off(client)
    assert (invoice.invoice_type, invoice.status, invoice.total_amount_cents) == ("one_off", "finalized", 5000)
    assert refused(lambda: client.invoices.payment_url(invoice.lago_id)) == (
        422,
        {"base": ["no_linked_payment_provider"]},
    )
    metadata = InvoiceMetadataList(__root__=[InvoiceMetadata(key="order", value="7")])
    assert client.invoices.update(Invoice(metadata=metadata), invoice.lago_id).metadata.__root__[0].value == "7"
    found = client.invoices.find_all({"metadata[order]": "7", "invoice_type": "one_off"})["invoices"]
    assert [each.lago_id for each in found] == [invoice.lago_id]
    made = client.payments.create(Payment(invoice_id=invoice.lago_id, amount_cents=2000, reference="bank"))
    assert client.payments.find(made.lago_id).amount_cents == 2000
    assert len(client.payments.find_all({"invoice_id": invoice.lago_id})["payments"]) == 1
    assert len(client.invoices.find_all({"partially_paid": "true"})["invoices"]) == 1
    (receipt,) = client.payment_receipts.find_all()["payment_receipts"]
    assert client.payment_receipts.find(receipt.lago_id).payment.lago_id == made.lago_id
    assert client.invoices.retry_payment(invoice.lago_id) is None
    assert client.invoices.lose_dispute(invoice.lago_id).payment_dispute_lost_at
    options = {"generate_credit_note": True, "credit_amount": 500, "refund_amount": 1000}
    assert client.invoices.void_invoice(one_off(client).lago_id).status == "voided"
    assert client.invoices.void_invoice(invoice.lago_id, options).status == "voided"
    assert len(client.credit_notes.find_all()["credit_notes"]) == 2


def test_credit_notes(client: Client) -> None:
    invoice = one_off(client)
    items = Items(__root__=[Item(fee_id=invoice.fees.__root__[0].lago_id, amount_cents=2000)])
    estimate = client.credit_notes.estimate(CreditNoteEstimate(invoice_id=invoice.lago_id, items=items))
    assert (estimate.max_creditable_amount_cents, estimate.max_refundable_amount_cents) == (2000, 0)
    note = client.credit_notes.create(
        CreditNote(invoice_id=invoice.lago_id, reason="other", items=items, credit_amount_cents=2000)
    )
    assert client.credit_notes.find(note.lago_id).balance_amount_cents == 2000
    assert client.credit_notes.merge_metadata(note.lago_id, {"case": "7"}) == {"case": "7"}
    assert client.credit_notes.delete_all_metadata(note.lago_id) is None
    assert client.credit_notes.void(note.lago_id).credit_status == "voided"
    work()
    assert [each.lago_id for each in client.credit_notes.find_all()["credit_notes"]] == [note.lago_id]
