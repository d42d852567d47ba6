"""Asking for an invoice's money again. Source: rules/invoices 13; rules/collection 4."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments.collection import starting
from chalicelib.features.payments.collection.messages import NO_PROVIDER
from chalicelib.features.payments.links import reading as links
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


def retry_payment(
    organization: OrganizationRef,
    invoice_id: InvoiceId,
    values: Mapping[str, Any] | None = None,
    *,
    now: datetime,
    done: Sequence[Write] = (),
) -> list[Task]:
    """Send the message of an unpaid invoice's issue again, and collect it: through the customer's provider by a new payment,
    without one by the message of a failed one: clients without a provider collect from that. `values`: may name the payment
    method; `done`: written with it, by whom it is part of a work. Returns the tasks to push.

    Raises: NotFound; NotAllowed, also while a payment is under way; Invalid, for an unknown method; ChangedMeanwhile.
    """
    method_id, again = method_id_in(values or {}), new_id()

    def attempt() -> list[Task]:
        invoice = invoices.find(organization.id, invoice_id)
        if invoice.status != "finalized" or invoice.payment_status == "succeeded":
            raise NotAllowed(ErrorCode.INVALID_STATUS)
        if invoice.payment_under_way is not None:
            raise NotAllowed(ErrorCode.PAYMENT_PROCESSOR_IS_CURRENTLY_HANDLING_PAYMENT)
        own = organizations.get(organization.id)
        customer = customers.get(organization.id, invoice.customer_id)
        assert customer is not None, "an invoice has a customer, deleted or not"
        subject = f"{invoice.id}#{again}"
        name = invoices.message_of(invoice, invoice.status)
        tasks = invoices.announced(own, invoice, name, subject=subject, now=now)
        unit = Unit(done)
        if customer.billing_configuration.payment_provider is None:
            tasks += _payment_failure(organization, invoice, customer, subject, now=now)
        else:
            if method_id is not None:
                check_method(organization, customer, method_id)
            tasks += _begin(organization, own.name, customer, invoice, method_id, unit, now=now)
        unit.add(agenda.put(task, now=now) for task in tasks)
        unit.commit()
        return tasks

    return retrying(attempt, Resource.INVOICE)


def _begin(
    organization: OrganizationRef,
    name: str,
    customer: Customer,
    invoice: Invoice,
    method_id: str | None,
    unit: Unit,
    *,
    now: datetime,
) -> list[Task]:
    begun = starting.begun(organization, name, customer, invoice, now=now, method_id=method_id)
    if begun is None:
        return []
    change = invoices.changed(organization.id, invoice, begun.invoice, now=now)
    unit.add(change.actions, begun.writes)
    return [*change.tasks, begun.task]


def submit(
    organization: OrganizationRef,
    customer: Customer,
    invoice_id: InvoiceId,
    method_id: str | None = None,
    *,
    now: datetime,
) -> list[Task]:
    """Begin the payment of an invoice that waited for a way to pay, by the method of an id or else by the default; nothing
    where it is not ready. Returns the tasks to push.

    Raises: ChangedMeanwhile.
    """

    def attempt() -> list[Task]:
        invoice = invoices.find(organization.id, invoice_id)
        unit = Unit()
        own = organizations.get(organization.id)
        tasks = _begin(organization, own.name, customer, invoice, method_id, unit, now=now)
        if not tasks and method_id is not None:
            tasks = _begin(organization, own.name, customer, invoice, None, unit, now=now)
        if tasks:
            unit.add(agenda.put(task, now=now) for task in tasks)
            unit.commit()
        return tasks

    return retrying(attempt, Resource.INVOICE)


def method_id_in(values: Mapping[str, Any]) -> str | None:
    """The payment method that a request names.

    Raises: Invalid.
    """
    named = values.get("payment_method")
    if named is None:
        return None
    if not isinstance(named, Mapping):
        raise Invalid.field("payment_method", ErrorCode.INVALID_TYPE)
    own_id = named.get("payment_method_id")
    if own_id is not None and not isinstance(own_id, str):
        raise Invalid.field("payment_method", ErrorCode.INVALID_TYPE)
    return own_id


def check_method(organization: OrganizationRef, customer: Customer, method_id: str) -> None:
    """Refuse a method that the customer cannot be charged by.

    Raises: Invalid.
    """
    account = links.account_of(organization, customer)
    method = account.link.method(method_id) if account else None
    if method is None or method.state != "usable":
        raise Invalid.field("payment_method", ErrorCode.VALUE_IS_INVALID)


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
        "provider_error": NO_PROVIDER.shown(),
        "error_details": {},
    }
    name = "invoice.payment_failure"
    kind = "payment_provider_invoice_payment_error"
    return webhooks.announcement(organization, name, kind, payload, subject=f"{name}#{again}", now=now)
