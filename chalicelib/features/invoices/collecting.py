"""Asking for an invoice's money again, and disputes. Source: rules/invoices 1, 13; rules/catalog 7.3."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer, PaymentProvider
from chalicelib.features.invoices import overdue, service, store, whole
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, OrganizationId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

_NO_PROVIDER = {
    "message": "The customer has no payment provider",
    "error_code": "customer_must_have_payment_provider",
}


def retry_payment(
    organization: OrganizationRef, invoice_id: InvoiceId, *, now: datetime, done: Sequence[Write] = ()
) -> list[Task]:
    """Send the message of an unpaid invoice's issue again. Without a provider that of a failed payment goes with it: clients
    without one collect from the message. `done`: written with it, by whom it is part of a work. Returns the tasks to push.

    Raises: NotFound; NotAllowed, `invalid_status`.
    """
    invoice = service.find(organization.id, invoice_id)
    if invoice.status != "finalized" or invoice.payment_status == "succeeded":
        raise NotAllowed(ErrorCode.INVALID_STATUS)
    own = organizations.get(organization.id)
    customer = _customer_of(organization.id, invoice)
    again = f"{invoice.id}#{new_id()}"
    tasks = service.announced(own, invoice, service.message_of(invoice, invoice.status), subject=again, now=now)
    if customer.billing_configuration.payment_provider is None:
        tasks += _payment_failure(organization, invoice, customer, again, now=now)
    Unit([agenda.put(task, now=now) for task in tasks], done).commit()
    return tasks


def check_payment_page(organization_id: OrganizationId, invoice_id: InvoiceId) -> None:
    """Refuse a payment page: without a provider, and until one is connected, no invoice has any.

    Raises: NotFound; Invalid.
    """
    invoice = service.find(organization_id, invoice_id)
    provider = _customer_of(organization_id, invoice).billing_configuration.payment_provider
    raise Invalid.field("base", _page_refusal(provider, invoice))


def _page_refusal(provider: PaymentProvider | None, invoice: Invoice) -> ErrorCode:
    """The first reason why an invoice has no payment page."""
    if provider is None:
        return ErrorCode.NO_LINKED_PAYMENT_PROVIDER
    if provider == "gocardless":
        return ErrorCode.INVALID_PAYMENT_PROVIDER
    if invoice.status != "finalized" or invoice.payment_status == "succeeded":
        return ErrorCode.INVALID_INVOICE_STATUS_OR_PAYMENT_STATUS
    return ErrorCode.MISSING_PAYMENT_PROVIDER


def lose_dispute(organization: OrganizationRef, invoice_id: InvoiceId, *, now: datetime) -> tuple[Invoice, list[Task]]:
    """Keep that the dispute of a final invoice's payment was lost: it is no longer overdue. Idempotent.

    Raises: NotFound; NotAllowed, `not_disputable`; ChangedMeanwhile.
    """

    def attempt() -> tuple[Invoice, list[Task]]:
        old = service.find(organization.id, invoice_id)
        if old.status != "finalized":
            raise NotAllowed(ErrorCode.NOT_DISPUTABLE)
        if old.payment_dispute_lost_at is not None:
            return old, []
        lost = old.changed(now=now, payment_dispute_lost_at=now)
        new, followed = overdue.followed(organization, old, lost, now=now)
        told = webhooks.announcement(
            organization,
            "invoice.payment_dispute_lost",
            "payment_dispute_lost",
            lambda: {"invoice": whole.show(organization.id, new, now=now), "provider_error": None},
            subject=f"invoice.payment_dispute_lost#{old.id}",
            now=now,
        )
        replaced = store.replace_actions(organization.id, old, new)
        Unit(replaced, followed, (agenda.put(each, now=now) for each in told)).commit()
        return new, told

    return retrying(attempt, Resource.INVOICE)


def become_overdue(task: Task, *, now: datetime) -> list[Task]:
    """Mark the task's invoice as overdue where its payment is still awaited. Returns the tasks to push."""
    old = store.get(task.organization.id, InvoiceId(task.subject))
    if old is None or old.payment_overdue or not overdue.is_awaited(old):
        agenda.done(task).alone()
        return []
    new: Invoice = old.changed(now=now, payment_overdue=True)
    own = organizations.get(task.organization.id)
    subject = f"{old.id}#{old.version}"
    told = service.announced(own, new, "invoice.payment_overdue", subject=subject, now=now)
    replaced = store.replace_actions(own.id, old, new)
    Unit(replaced, agenda.done(task), (agenda.put(each, now=now) for each in told)).commit()
    return told


def _customer_of(organization_id: OrganizationId, invoice: Invoice) -> Customer:
    customer = customers.get(organization_id, invoice.customer_id)
    assert customer is not None, "an invoice has a customer, deleted or not"
    return customer


def _payment_failure(
    organization: OrganizationRef, invoice: Invoice, customer: Customer, again: str, *, now: datetime
) -> list[Task]:
    configuration = customer.billing_configuration
    payload: dict[str, Any] = {
        "lago_invoice_id": invoice.id,
        "lago_customer_id": customer.id,
        "external_customer_id": customer.external_id,
        "provider_customer_id": configuration.provider_customer_id,
        "payment_provider": configuration.payment_provider,
        "payment_provider_code": configuration.payment_provider_code,
        "provider_error": _NO_PROVIDER,
        "error_details": {},
    }
    name = "invoice.payment_failure"
    kind = "payment_provider_invoice_payment_error"
    return webhooks.announcement(organization, name, kind, payload, subject=f"{name}#{again}", now=now)
