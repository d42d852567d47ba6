"""Payment requests as the API shows them, one by one and by pages. Source: rules/collection 6."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import existing
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import whole
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments.requests import store
from chalicelib.features.payments.requests.records import PaymentRequest
from chalicelib.features.payments.requests.store import PaymentRequestRow
from chalicelib.platform import counters, listing
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, OrganizationId, PaymentRequestId, key
from chalicelib.platform.timestamps import iso


def get(organization_id: OrganizationId, request_id: PaymentRequestId) -> PaymentRequest | None:
    """The payment request under an id."""
    return store.get(organization_id, request_id)


def find(organization_id: OrganizationId, request_id: PaymentRequestId) -> PaymentRequest:
    """A payment request.

    Raises: NotFound.
    """
    return existing(store.get(organization_id, request_id), Resource.PAYMENT_REQUEST)


def show(organization_id: OrganizationId, request: PaymentRequest, *, now: datetime) -> dict[str, Any]:
    """A payment request with its customer and its invoices as they are now."""
    return show_many(organization_id, [request], now=now)[0]


def show_many(
    organization_id: OrganizationId, requests: Sequence[PaymentRequest], *, now: datetime
) -> list[dict[str, Any]]:
    """The same of several, in as many reads as of one."""
    own = organizations.get(organization_id)
    known = customers.get_many(organization_id, list({each.customer_id for each in requests}))
    shown = dict(zip(known, customer_serializer.show_all(own, list(known.values())), strict=True))
    found = invoices.get_many(organization_id, list({part.invoice_id for each in requests for part in each.shares}))
    of_id = dict(zip(found, whole.show_many(organization_id, list(found.values()), now=now), strict=True))
    return [
        {
            "lago_id": request.id,
            "email": request.email,
            "amount_cents": request.amount_cents,
            "amount_currency": request.currency,
            "payment_status": request.payment_status,
            "created_at": iso(request.created_at),
            "customer": shown[request.customer_id],
            "invoices": [of_id[part.invoice_id] for part in request.shares if part.invoice_id in of_id],
        }
        for request in requests
    ]


def page(
    call: Call, customer_id: CustomerId | None = None
) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, int | None]]:
    """One page of payment requests, newest first, of one customer where one is named."""
    organization_id = call.organization.id
    external_id = call.one("external_customer_id")
    if customer_id is None and external_id is not None:
        customer = customers.find_live(organization_id, external_id)
        if customer is None:
            return [], listing.meta(listing.wanted(call), 0)
        customer_id = customer.id
    chosen = listing.Filter()
    for name in ("payment_status", "currency"):
        if (value := call.one(name)) is not None:
            chosen.one_of(name, [value])
    total: Callable[[], int] | None = None
    if customer_id is None and call.one("payment_status") is None and call.one("currency") is None:
        total = lambda: counters.total(organization_id, store.LIST)  # noqa: E731
    found, meta = listing.read(
        listing.Listing(
            organization_id,
            PaymentRequestRow,
            key(organization_id, store.LIST) if customer_id is None else store.owner_pk(organization_id, customer_id),
            index="list" if customer_id is None else "owner",
            where=chosen.conditions,
            total=total,
        ),
        listing.wanted(call),
    )
    return show_many(organization_id, [each.value for each in found], now=call.now), meta
