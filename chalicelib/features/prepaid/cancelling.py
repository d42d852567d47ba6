"""The purchases of a wallet that has ended: they fail, and nobody pays them any more.

A final invoice is voided, and what was paid of it refunded by the void; an open one that nobody paid is never shown. Since the
wallet's end no payment is taken for them (`invoices/purchases.receiving`). Source: rules/invoices 8.4.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.errors import NotAllowed
from chalicelib.domain.money import CONTEXT
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import purchases
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import service as invoice_service
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoicing import issue_transaction
from chalicelib.features.invoicing.void import void
from chalicelib.features.organizations import service as organizations
from chalicelib.features.rating import billing_context
from chalicelib.features.wallets import reading as wallets
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import WalletId
from chalicelib.platform.unit import Unit


def cancel(task: Task, now: datetime) -> None:
    """Give up the unpaid purchases of a wallet that has ended. It looks again where the index does not show all of them."""
    organization, wallet_id = task.organization, WalletId(task.subject)
    expected = wallets.find(organization.id, wallet_id).pending_credits
    found = wallets.unsettled_purchases(organization.id, wallet_id)
    known = invoices.get_many(organization.id, [each.invoice_id for each in found if each.invoice_id is not None])
    for invoice in known.values():
        if invoice.payment_status != "succeeded":
            _cancel(organization, invoice, now=now)
    pending = CONTEXT.create_decimal(0)
    for each in found:
        pending = CONTEXT.add(pending, each.credits) if each.status == "pending" else pending
    if pending < expected and not task.in_clock:
        agenda.wait(task, run_at=clock.utc_now() + limits.WALLET_WATCH_WINDOW)
        return
    agenda.done(task).alone()


def _cancel(organization: OrganizationRef, invoice: Invoice, *, now: datetime) -> None:
    """Void, or close, the invoice of a purchase. One that was settled or voided meanwhile stays as it is."""
    if invoice.status == "open":
        if not invoice.total_paid_amount_cents:
            _close(organization, invoice, now=now)
            return
        _show(organization, invoice, now=now)
    options: dict[str, Any] = {}
    if invoice.total_paid_amount_cents:
        options = {"generate_credit_note": True, "refund_amount": invoice.total_paid_amount_cents}
    with suppress(NotAllowed):
        _, tasks = void(organization, invoice.id, options, now=now)
        agenda.push([each for each in tasks if not each.in_clock])


def _close(organization: OrganizationRef, invoice: Invoice, *, now: datetime) -> None:
    is_settled, held = purchases.settled(organization.id, invoice)
    if is_settled:
        return
    change = invoice_service.given_up(organization, invoice, now=now)
    Unit(change.actions, held, [agenda.put(each, now=now) for each in change.tasks]).commit()
    agenda.push([each for each in change.tasks if not each.in_clock])


def _show(organization: OrganizationRef, invoice: Invoice, *, now: datetime) -> None:
    """Make an open invoice final of which a part was paid: only a document with a number can be refunded."""
    items = customers.items_of(organization.id, invoice.customer_id)
    context = replace(billing_context.read(organizations.get(organization.id), items), credits=())
    issue = issue_transaction.finalized(context, invoice, invoices.fees_of(organization.id, invoice), now=now)
    issue_transaction.carry_out(replace(issue, replaces=invoice), now=now)
