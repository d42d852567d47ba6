"""The lists of payments and of receipts, newest first, with their filters. Source: rules/invoices 10."""

from collections.abc import Callable
from typing import Any

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import store
from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.features.payments.store import PaymentReceiptRow, PaymentRow
from chalicelib.platform import counters, listing
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, InvoiceId, OrganizationId, key

Meta = dict[str, int | None]


def payments(call: Call, customer_id: CustomerId | None = None) -> tuple[list[Payment], Meta]:
    """One page of payments, of one customer where one is named."""
    external_id = call.one("external_customer_id")
    if customer_id is None and external_id is not None:
        customer = customers.find_live(call.organization.id, external_id)
        if customer is None:
            return [], listing.meta(listing.wanted(call), 0)
        customer_id = customer.id
    return _page(call, PaymentRow, store.PAYMENTS, customer_id, invoices_max=limits.REQUESTED_INVOICES_MAX)


def last_of(organization_id: OrganizationId, invoice: Invoice) -> Payment | None:
    """The last payment that was begun or recorded of an invoice."""
    chosen = listing.Filter()
    chosen.one_among("invoice_id", invoice.id, parts="shares", most=limits.REQUESTED_INVOICES_MAX)
    pk = store.owner_pk(organization_id, store.PAYMENTS, invoice.customer_id)
    wanted = listing.Listing(organization_id, PaymentRow, pk, index="owner", where=chosen.conditions)
    how = wanted.how()
    return next((row.value for row in PaymentRow.select(pk, **how)), None)


def receipts(call: Call) -> tuple[list[PaymentReceipt], Meta]:
    """One page of receipts."""
    return _page(call, PaymentReceiptRow, store.RECEIPTS, None)


def _page(
    call: Call,
    row: type[PaymentRow] | type[PaymentReceiptRow],
    name: str,
    customer_id: CustomerId | None,
    *,
    invoices_max: int = 0,
) -> tuple[list[Any], Meta]:
    """`invoices_max`: of how many invoices one of them may be."""
    organization_id = call.organization.id
    chosen = listing.Filter()
    invoice_id = call.one("invoice_id")
    if invoice_id is not None:
        invoice = invoices.get(organization_id, InvoiceId(invoice_id))
        if invoice is None or customer_id not in (None, invoice.customer_id):
            return [], listing.meta(listing.wanted(call), 0)
        # Its customer's are few; the organization's are not.
        customer_id = invoice.customer_id
        chosen.one_among("invoice_id", invoice.id, parts="shares", most=invoices_max)
    total: Callable[[], int] | None = None
    if customer_id is None:
        total = lambda: counters.total(organization_id, name)  # noqa: E731
    wanted = listing.Listing(
        organization_id,
        row,
        key(organization_id, name) if customer_id is None else store.owner_pk(organization_id, name, customer_id),
        index="list" if customer_id is None else "owner",
        where=chosen.conditions,
        total=total,
    )
    found, meta = listing.read(wanted, listing.wanted(call))
    return [each.value for each in found], meta
