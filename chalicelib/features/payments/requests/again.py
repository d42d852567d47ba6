"""Asking for the money of a payment request again, and its page. Source: rules/collection 6."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotAllowed
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import service as invoice_service
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments.collection import again, pages, starting
from chalicelib.features.payments.collection.pages import Payable
from chalicelib.features.payments.requests import following, reading, store
from chalicelib.features.payments.requests.records import PaymentRequest
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, PaymentRequestId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


def retry_payment(
    organization: OrganizationRef, request_id: PaymentRequestId, values: Mapping[str, Any], *, now: datetime
) -> list[Task]:
    """Begin a new payment of what is still due of a request's invoices; without a provider `payment_request.payment_failure` is
    sent. `values`: may name the payment method. Returns the tasks to push.

    Raises: NotFound; NotAllowed, also while a payment of one of them is under way; Invalid, for an unknown method;
        ChangedMeanwhile.
    """
    method_id, occasion = again.method_id_in(values), new_id()

    def attempt() -> list[Task]:
        request = reading.find(organization.id, request_id)
        owed = _owed(organization.id, request)
        if any(each.payment_under_way is not None for each in owed):
            raise NotAllowed(ErrorCode.PAYMENT_PROCESSOR_IS_CURRENTLY_HANDLING_PAYMENT)
        left = [each for each in owed if each.collectable]
        if request.payment_status == "succeeded" or not left:
            raise NotAllowed(ErrorCode.INVALID_STATUS)
        customer = _customer(organization.id, request)
        if customer.billing_configuration.payment_provider is None:
            told = following.nobody_collects(request, customer, subject=occasion)
            tasks = told.announced(organization, now=now)
            Unit([agenda.put(task, now=now) for task in tasks]).commit()
            return tasks
        if method_id is not None:
            again.check_method(organization, customer, method_id)
        return _begun(organization, customer, request, left, method_id, now=now)

    return retrying(attempt, Resource.PAYMENT_REQUEST)


def payment_url(organization: OrganizationRef, request_id: PaymentRequestId, *, now: datetime) -> dict[str, Any]:
    """A page for paying what is still due of a request's invoices, as `pages.payment_url` of one. An invoice that is paid by
    now is left out.

    Raises: NotFound; Invalid, also while a payment of one of them is under way; ChangedMeanwhile.
    """

    def attempt() -> dict[str, Any]:
        request = reading.find(organization.id, request_id)
        customer = _customer(organization.id, request)
        owed = [each for each in _owed(organization.id, request) if each.payment_status != "succeeded"]
        account = pages.account_for(organization, customer, owed)

        def numbered(number: int) -> Sequence[Write]:
            return [store.replace(organization.id, request, request.changed(now=now, pages=number))]

        name = f"{len(owed)} invoices" if len(owed) > 1 else f"Invoice {owed[0].number}"
        description = starting.described_together(organizations.get(organization.id).name, owed)
        payable = Payable(request.id, name, description, tuple(owed), request.pages, numbered)
        return {
            "lago_customer_id": customer.id,
            "lago_payment_request_id": request.id,
            "external_customer_id": customer.external_id,
            "payment_provider": account.connection.payment_provider,
            "payment_url": pages.url_of(organization, account, customer, payable, now=now),
        }

    return retrying(attempt, Resource.PAYMENT_REQUEST)


def _begun(
    organization: OrganizationRef,
    customer: Customer,
    request: PaymentRequest,
    left: Sequence[Invoice],
    method_id: str | None,
    *,
    now: datetime,
) -> list[Task]:
    name = organizations.get(organization.id).name
    begun = starting.begun_together(organization, name, customer, request.id, left, now=now, method_id=method_id)
    if begun is None:
        return []
    writes, told = following.followed(organization, begun.payment, "pending", now=now)
    unit, tasks = Unit(writes, begun.writes), [begun.task]
    tasks += [task for each in told for task in each.announced(organization, now=now)]
    for old, new in zip(left, begun.invoices, strict=True):
        change = invoice_service.changed(organization.id, old, new, now=now)
        unit.add(change.actions)
        tasks += change.tasks
    unit.add(agenda.put(task, now=now) for task in tasks)
    unit.commit()
    return tasks


def _owed(organization_id: OrganizationId, request: PaymentRequest) -> list[Invoice]:
    """The invoices of a request of which something is due."""
    ids = [share.invoice_id for share in request.shares]
    found = invoices.get_many(organization_id, ids)
    return [found[each] for each in ids if each in found and found[each].due_amount_cents > 0]


def _customer(organization_id: OrganizationId, request: PaymentRequest) -> Customer:
    customer = customers.get(organization_id, request.customer_id)
    assert customer is not None, "a request has a customer, deleted or not"
    return customer
