"""Making payment requests. Source: rules/collection 6."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import service as invoice_service
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments.collection import starting
from chalicelib.features.payments.requests import reading, store
from chalicelib.features.payments.requests.records import PaymentRequest
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, OrganizationId, PaymentRequestId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


class PaymentRequestInput(schema.Request):
    """The body of a payment request. Without an e-mail it is sent to the customer's."""

    external_customer_id: schema.Name
    lago_invoice_ids: Annotated[tuple[schema.Name, ...], Field(min_length=1, max_length=limits.REQUESTED_INVOICES_MAX)]
    email: schema.Email | None = None


def create(
    organization: OrganizationRef,
    values: Mapping[str, Any],
    *,
    now: datetime,
    own_id: PaymentRequestId | None = None,
) -> tuple[PaymentRequest, list[Task]]:
    """Ask a customer for the payment of overdue invoices, and begin it where there is a way to pay. Returns the tasks to push.
    `own_id`: of the request, where a second one under it shall be the same.

    Raises: Invalid; NotFound; NotAllowed, also while a payment of one of them is under way; ChangedMeanwhile.
    """
    wanted = schema.parse(PaymentRequestInput, values)
    repeated, own_id = own_id, own_id or PaymentRequestId(new_id())

    def attempt() -> tuple[PaymentRequest, list[Task]]:
        made = store.get(organization.id, repeated) if repeated else None
        if made is not None:
            return made, []
        customer = customers.find(organization.id, wanted.external_customer_id)
        chosen = _chosen(organization.id, customer, list(dict.fromkeys(wanted.lago_invoice_ids)))
        request = _made(own_id, customer, chosen, wanted.email, now=now)
        name = "payment_request.created"
        tasks = webhooks.announcement(
            organization,
            name,
            "payment_request",
            lambda: reading.show(organization.id, request, now=now),
            subject=f"{name}#{own_id}",
            now=now,
        )
        unit = Unit(store.create(organization.id, request))
        title = organizations.get(organization.id).name
        begun = starting.begun_together(organization, title, customer, request.id, chosen, now=now)
        if begun is not None:
            unit.add(begun.writes)
            tasks = [*tasks, begun.task]
            for old, new in zip(chosen, begun.invoices, strict=True):
                change = invoice_service.changed(organization.id, old, new, now=now)
                unit.add(change.actions)
                tasks += change.tasks
        else:
            unit.add(invoices.check_action(organization.id, each) for each in chosen)
        unit.add(agenda.put(task, now=now) for task in tasks)
        unit.commit()
        return request, tasks

    return retrying(attempt, Resource.PAYMENT_REQUEST)


def _chosen(organization_id: OrganizationId, customer: Customer, ids: Sequence[str]) -> list[Invoice]:
    """The invoices of a request, in its order.

    Raises: NotFound; NotAllowed; Invalid.
    """
    found = invoices.get_many(organization_id, [InvoiceId(each) for each in ids])
    chosen = [found[InvoiceId(each)] for each in ids if InvoiceId(each) in found]
    if len(chosen) < len(ids) or any(each.customer_id != customer.id or not each.visible for each in chosen):
        raise NotFound(Resource.INVOICE)
    if any(not each.payment_overdue for each in chosen):
        raise NotAllowed(ErrorCode.INVOICES_NOT_OVERDUE)
    if any(not each.collectable for each in chosen):
        raise NotAllowed(ErrorCode.PAYMENT_PROCESSOR_IS_CURRENTLY_HANDLING_PAYMENT)
    if len({each.currency for each in chosen}) > 1:
        raise Invalid.field("currencies", ErrorCode.CURRENCIES_DOES_NOT_MATCH)
    return chosen


def _made(
    own_id: PaymentRequestId, customer: Customer, chosen: Sequence[Invoice], email: str | None, *, now: datetime
) -> PaymentRequest:
    shares = starting.shares_of(chosen)
    return PaymentRequest(
        id=own_id,
        created_at=now,
        updated_at=now,
        customer_id=customer.id,
        external_customer_id=customer.external_id,
        email=email or customer.email or "",
        amount_cents=sum(each.amount_cents for each in shares),
        currency=chosen[0].currency,
        shares=shares,
    )
