"""Printing: the jobs that turn final invoices, credit notes and payment receipts into their files.

A file stands under a name of its object's own, so drawing it again replaces it; then the object names it. The link appears
only once the whole file is in the store.
"""

from collections.abc import Mapping
from datetime import datetime

from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.customers import service as customers
from chalicelib.features.documents import credit_notes as credit_note_pages
from chalicelib.features.documents import invoices as invoice_pages
from chalicelib.features.documents import orders, receipts, render
from chalicelib.features.documents.page import Look, Page
from chalicelib.features.invoices import reading as invoice_reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import whole as invoice_whole
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import schemas as organization_schemas
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.payments import service as payments
from chalicelib.features.wallets import reading as wallets
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock, files
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import CreditNoteId, InvoiceId, OrganizationId, PaymentReceiptId, SubscriptionId
from chalicelib.platform.unit import Unit


@runner.handles(invoices.PRINT)
def print_invoice(task: Task, now: datetime) -> None:
    """Print a final invoice, and tell that it is printed."""
    organization_id = task.organization.id
    invoice = invoice_reading.get(organization_id, InvoiceId(task.subject))
    if invoice is None or invoice.status not in ("finalized", "voided") or not _wanted(task, invoice.file_key):
        agenda.done(task).alone()
        return
    whole = invoice_whole.read_whole(organization_id, invoice)
    shown = invoice_whole.show_whole(whole, now=clock.now(task.organization))
    intervals = {subscription.id: plan.interval for subscription, plan in whole.subscriptions}
    look = _look(whole.organization, whole.customer.billing_configuration.document_locale, intervals)
    page = invoice_pages.page(shown, look, wallet=_wallet_name(organization_id, invoice))
    name = _stored(task, "invoices", page)
    if invoice.file_key is not None:
        agenda.done(task).alone()
        return
    printed = invoice.model_copy(update=_named(name))
    payload = shown | {"file_url": invoice_whole.file_url(printed)}
    told = webhooks.announcement(
        task.organization, "invoice.generated", "invoice", payload, subject=f"invoice.generated#{invoice.id}", now=now
    )
    actions = invoices.printed_actions(organization_id, invoice, printed)
    Unit(actions, (agenda.put(each, now=now) for each in told), agenda.done(task)).commit()
    agenda.push(told)


@runner.handles(credit_notes.PRINT)
def print_credit_note(task: Task, now: datetime) -> None:
    """Print a final credit note, and tell that it is printed."""
    organization_id = task.organization.id
    note = credit_notes.get(organization_id, CreditNoteId(task.subject))
    if note is None or not note.visible or not _wanted(task, note.file_key):
        agenda.done(task).alone()
        return
    customer = customers.get(organization_id, note.customer_id)
    assert customer is not None, "a credit note has a customer, deleted or not"
    look = _look(organizations.get(organization_id), customer.billing_configuration.document_locale)
    shown = credit_notes.show(organization_id, note)
    name = _stored(task, "credit_notes", credit_note_pages.page(shown, look))
    if note.file_key is not None:
        agenda.done(task).alone()
        return
    printed = note.model_copy(update=_named(name))
    payload = shown | {"file_url": credit_notes.file_url(printed)}
    subject = f"credit_note.generated#{note.id}"
    told = webhooks.announcement(
        task.organization, "credit_note.generated", "credit_note", payload, subject=subject, now=now
    )
    actions = credit_notes.printed_actions(organization_id, note, printed)
    Unit(actions, (agenda.put(each, now=now) for each in told), agenda.done(task)).commit()
    agenda.push(told)


@runner.handles(payments.PRINT)
def print_payment_receipt(task: Task, now: datetime) -> None:
    """Print a receipt, and tell that it is printed."""
    organization_id = task.organization.id
    receipt = payments.get_receipt(organization_id, PaymentReceiptId(task.subject))
    if receipt is None or receipt.file_key is not None:
        agenda.done(task).alone()
        return
    invoice = invoices.payable(organization_id, receipt.invoice_id)
    paid = invoice_whole.show_many(organization_id, [invoice], now=clock.now(task.organization))
    customer = customers.get(organization_id, receipt.customer_id)
    assert customer is not None, "a receipt has a customer, deleted or not"
    look = _look(organizations.get(organization_id), customer.billing_configuration.document_locale)
    shown = payments.show_receipts(organization_id, [receipt])[0]
    paid_on = payments.paid_on(payments.find(organization_id, receipt.payment_id), invoice)
    name = _stored(task, "payment_receipts", receipts.page(shown, paid, look, paid_on=paid_on))
    printed = receipt.model_copy(update=_named(name))
    payload = shown | {"file_url": payments.file_url(printed)}
    subject = f"payment_receipt.generated#{receipt.id}"
    told = webhooks.announcement(
        task.organization, "payment_receipt.generated", "payment_receipt", payload, subject=subject, now=now
    )
    named = payments.printed_action(organization_id, receipt, printed)
    Unit(named, (agenda.put(each, now=now) for each in told), agenda.done(task)).commit()
    agenda.push(told)


def _wallet_name(organization_id: OrganizationId, invoice: Invoice) -> str | None:
    """The name of the wallet whose credits an invoice sold."""
    if invoice.purchase_id is None:
        return None
    return wallets.find(organization_id, wallets.transaction(organization_id, invoice.purchase_id).wallet_id).name


def _wanted(task: Task, file_key: str | None) -> bool:
    return file_key is None or bool(task.detail.get(orders.AGAIN))


def _look(own: Organization, locale: str | None, intervals: Mapping[SubscriptionId, str] | None = None) -> Look:
    """The look of an organization's document, in its customer's language if there is one, else in its own."""
    return Look(
        organization=organization_schemas.show(own, urls=[], taxes=[]),
        locale=locale or own.billing_configuration.document_locale,
        logo=None if own.logo is None else files.get(own.logo),
        intervals={str(each): interval for each, interval in (intervals or {}).items()},
    )


def _named(name: str) -> dict[str, str]:
    """The fields by which an object names its document."""
    return {"file_key": name, "file_secret": files.new_secret()}


def _stored(task: Task, folder: str, page: Page) -> str:
    """Draw a document and store it; its name."""
    name = f"{task.organization.id}/{folder}/{task.subject}.pdf"
    files.put(name, render.pdf(page), "application/pdf")
    return name
