"""The list of invoices and its filters. Source: rules/invoices 1."""

from collections.abc import Callable, Sequence
from typing import get_args

from chalicelib import limits
from chalicelib.features.customers import owned_lists
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import figures, store
from chalicelib.features.invoices.figures import LIST, LIST_PARTS
from chalicelib.features.invoices.records import VISIBLE, Invoice, InvoiceType, PaymentStatus
from chalicelib.features.invoices.store import InvoiceRow
from chalicelib.platform import counters, listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, OrganizationId, key

# Means by which an invoice was settled, and the field that tells how much of it.
_SETTLED_BY = {"payment": "total_paid_amount_cents", "credit_note": "offset_amount_cents"}


def page(call: Call, customer_id: CustomerId | None = None) -> tuple[list[Invoice], dict[str, int | None]]:
    """One page of the visible invoices, newest issuing date first.

    Raises: Invalid, for values outside the enumerations.
    """
    organization_id = call.organization.id
    owner_id = customer_id or owned_lists.owner_of(call, "external_customer_id", "customer_external_id")
    statuses = parameters.words(call, ("status", "statuses"), VISIBLE)
    payment_statuses = parameters.words(call, ("payment_status", "payment_statuses"), get_args(PaymentStatus))
    chosen = _filters(call)
    narrowed = bool(chosen.conditions) or _dates(call) is not None
    if statuses:
        chosen.one_of("status", statuses)
    if payment_statuses:
        chosen.one_of("payment_status", payment_statuses)
    total: Callable[[], int] | None = None
    if owner_id is None and not narrowed:
        total = _total(organization_id, statuses, payment_statuses)
    elif owner_id is not None and not (narrowed or statuses or payment_statuses):
        total = _total_of_owner(organization_id, owner_id)
    pk, between = key(organization_id, LIST), _dates(call)
    filters = chosen.conditions
    whole = listing.Listing(organization_id, InvoiceRow, pk, LIST_PARTS, between=between, where=filters, total=total)
    found, meta = owned_lists.page(call, whole, owner_id, store.owner_pk)
    return [row.value for row in found], meta


def _total_of_owner(organization_id: OrganizationId, customer_id: CustomerId) -> Callable[[], int] | None:
    """The total of a customer's list from its figures; None for one that does not have them yet."""
    head = None if customer_id == owned_lists.NOBODY else customers.heads(organization_id, [customer_id])[customer_id]
    if head is None or head.figures is None:
        return None
    number = head.figures.invoices
    return lambda: number


def _total(
    organization_id: OrganizationId, statuses: Sequence[str], payment_statuses: Sequence[str]
) -> Callable[[], int] | None:
    """The total of a list by status, from counters; None where there are none of it."""
    if statuses and payment_statuses:
        finals = figures.finals(organization_id) if statuses == ["finalized"] else None
        if finals is None:
            return None
        number = sum(finals[each] for each in payment_statuses)
        return lambda: number
    names = [f"status={s}" for s in statuses] or [f"payment_status={s}" for s in payment_statuses] or ["all"]
    return lambda: sum(counters.totals(organization_id, LIST).get(name, 0) for name in names)


def _filters(call: Call) -> listing.Filter:
    chosen = listing.Filter()
    types = parameters.words(call, ("invoice_type",), get_args(InvoiceType))
    if types:
        chosen.one_of("invoice_type", types)
    for field, chosen_value in (
        ("currency", parameters.currency(call)),
        ("payment_overdue", parameters.switch(call, "payment_overdue")),
    ):
        if chosen_value is not None:
            chosen.one_of(field, [chosen_value])
    disputed = parameters.switch(call, "payment_dispute_lost")
    if disputed is not None:
        chosen.present("payment_dispute_lost_at", is_there=disputed)
    # No invoice is self-billed or has a purchase order number, and there is one billing entity.
    entities = parameters.texts(call, "billing_entity_codes")
    foreign = bool(entities) and "default" not in entities
    if parameters.switch(call, "self_billed") or call.one("purchase_order_number") or foreign:
        chosen.nothing()
    _settlement(call, chosen)
    for name, value in parameters.nested(call, "metadata").items():
        chosen.pair("metadata", name, value, most=limits.METADATA_PAIRS_MAX)
    for parameter, bound in (("amount_from", chosen.least), ("amount_to", chosen.most)):
        cents = parameters.cents(call, parameter)
        if cents is not None:
            bound("total_amount_cents", cents)
    chosen.words(call.one("search_term"))
    return chosen


def _settlement(call: Call, chosen: listing.Filter) -> None:
    partly = parameters.switch(call, "partially_paid")
    if partly is not None:
        chosen.started("total_paid_amount_cents", "total_amount_cents", is_so=partly)
    settlements = parameters.words(call, ("settlements",), tuple(_SETTLED_BY))
    if settlements:
        chosen.any_positive([_SETTLED_BY[each] for each in settlements])


def _dates(call: Call) -> tuple[str, str] | None:
    """The range of places in the list that begin with these issuing dates; None: all."""
    low, high = (parameters.day(call, name) for name in ("issuing_date_from", "issuing_date_to"))
    return None if low is None and high is None else (low or "0", f"{high}$" if high else "A")
