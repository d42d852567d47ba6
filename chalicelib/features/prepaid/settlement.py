"""The settlement of a purchase: once its invoice is paid its credits are added, and given up when the payment fails.

Source: rules/invoices 8.2; rules/money 2, row 12.
"""

from dataclasses import replace
from datetime import datetime

from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoicing import issue_transaction
from chalicelib.features.organizations import service as organizations
from chalicelib.features.rating import billing_context
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.wallets import ledger
from chalicelib.features.wallets import reading as wallet_reading
from chalicelib.features.wallets import writing as wallet_writing
from chalicelib.features.wallets.ledger import WalletChange
from chalicelib.features.wallets.records import Wallet, WalletTransaction
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.unit import Unit

_GIVEN_UP = ("voided", "closed")


def settle(task: Task, now: datetime) -> None:
    """Carry out what a credit invoice's payment status calls for. A purchase that is settled stays so; one that failed is
    settled when its invoice is paid after all."""
    organization = task.organization
    invoice = invoices.get(organization.id, InvoiceId(task.subject.split("#")[0]))
    if invoice is None or invoice.purchase_id is None:
        agenda.done(task).alone()
        return
    entry = wallet_reading.transaction(organization.id, invoice.purchase_id)
    items = customers.items_of(organization.id, entry.customer_id)
    context = billing_context.read(organizations.get(organization.id), items)
    change = _change(wallet_reading.of_id(items, entry.wallet_id), entry, invoice, now=now)
    if change is None:
        agenda.done(task).alone()
    elif invoice.status == "open" and invoice.payment_status == "succeeded":
        _show(context, invoice, change, task, now=now)
    else:
        tasks = wallet_writing.tasks(organization, change, now=now)
        actions = wallet_writing.writes(organization, change, now=now)
        # A void of the invoice, or another status, at this instant makes the task run again.
        Unit(
            actions,
            invoices.check_action(organization.id, invoice),
            agenda.done(task),
            (agenda.put(each, now=now) for each in tasks),
        ).commit()
        agenda.push([each for each in tasks if not each.in_clock])


def _change(wallet: Wallet, entry: WalletTransaction, invoice: Invoice, *, now: datetime) -> WalletChange | None:
    is_paid = invoice.payment_status == "succeeded" and invoice.status not in _GIVEN_UP
    if is_paid and entry.status != "settled":
        return ledger.settled(wallet, entry, now=now)
    is_lost = invoice.payment_status == "failed" or invoice.status in _GIVEN_UP
    return ledger.failed(wallet, entry, now=now) if is_lost and entry.status == "pending" else None


def _show(context: BillingContext, invoice: Invoice, change: WalletChange, task: Task, *, now: datetime) -> None:
    """Make an open invoice final together with the settlement, now that it is paid."""
    ref = context.organization.ref
    issue = issue_transaction.finalized(
        replace(context, credits=()), invoice, invoices.fees_of(ref.id, invoice), now=now
    )
    assert issue.invoice is not None, "a purchase has an amount"
    final = issue.invoice.model_copy(update={"payment_status": "succeeded"})
    actions = [*issue.actions, *wallet_writing.writes(ref, change, now=now), agenda.done(task)]
    tasks = [*issue.tasks, *wallet_writing.tasks(ref, change, now=now)]
    issue_transaction.carry_out(replace(issue, invoice=final, replaces=invoice, actions=actions, tasks=tasks), now=now)
