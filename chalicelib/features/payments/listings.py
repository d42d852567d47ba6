"""The lists of payments and of receipts, newest first, with their filters. Source: rules/invoices 10."""

from collections.abc import Callable
from typing import Any

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.features.payments import store
from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.features.payments.store import PaymentReceiptRow, PaymentRow
from chalicelib.platform import counters, listing
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, key

Meta = dict[str, int | None]


def payments(call: Call, customer_id: CustomerId | None = None) -> tuple[list[Payment], Meta]:
    """One page of payments, of one customer where one is named."""
    external_id = call.one("external_customer_id")
    if customer_id is None and external_id is not None:
        customer = customers.find_live(call.organization.id, external_id)
        if customer is None:
            return [], listing.meta(listing.wanted(call), 0)
        customer_id = customer.id
    return _page(call, PaymentRow, store.PAYMENTS, customer_id)


def receipts(call: Call) -> tuple[list[PaymentReceipt], Meta]:
    """One page of receipts."""
    return _page(call, PaymentReceiptRow, store.RECEIPTS, None)


def _page(
    call: Call, row: type[PaymentRow] | type[PaymentReceiptRow], name: str, customer_id: CustomerId | None
) -> tuple[list[Any], Meta]:
    organization_id = call.organization.id
    chosen = listing.Filter()
    invoice_id = call.one("invoice_id")
    if invoice_id is not None:
        chosen.one_among("invoice_id", invoice_id, parts="shares", most=limits.REQUESTED_INVOICES_MAX)
    total: Callable[[], int] | None = None
    if customer_id is None and invoice_id is None:
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
