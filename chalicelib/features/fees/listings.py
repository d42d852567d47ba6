"""The list of fees and its filters. Source: rules/catalog 11.2.

It holds fees of final invoices and those without invoice; those of drafts come with the end of their grace period.
"""

from collections.abc import Callable, Sequence
from typing import get_args

from chalicelib.features.customers import owned_lists
from chalicelib.features.fees import service, store
from chalicelib.features.fees.store import FeeRow
from chalicelib.features.invoices.records import Fee, FeePaymentStatus
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.listing import Listing
from chalicelib.platform.timestamps import stamp

_TYPES = ("charge", "add_on", "subscription", "credit", "commitment", "fixed_charge")
_INSTANTS = (FeeRow.succeeded_at, FeeRow.failed_at, FeeRow.refunded_at)


def page(call: Call) -> tuple[list[Fee], dict[str, int | None]]:
    """One page, newest first.

    Raises: Invalid, for values outside the enumerations and for what is no instant.
    """
    organization_id = call.organization.id
    chosen = _filters(call)
    status = parameters.word(call, "payment_status", get_args(FeePaymentStatus))
    whole = Listing(
        organization_id,
        FeeRow,
        key(organization_id, store.LIST),
        between=_created(call),
        where=chosen.conditions,
        sieve=None if status is None else _with_status(organization_id, status),
        sieved_by=status or "",
    )
    owner_id = owned_lists.owner_of(call, "external_customer_id")
    found, meta = owned_lists.page(call, whole, owner_id, store.owner_pk, counted=store.LIST)
    return [row.record for row in found], meta


def _with_status(organization_id: OrganizationId, status: str) -> Callable[[Sequence[FeeRow]], list[FeeRow]]:
    """Leaves fees with a payment status. It stands on the invoice for all its fees at once, so that none of them need change
    with it: fees are read with their invoices."""

    def kept(found: Sequence[FeeRow]) -> list[FeeRow]:
        statuses = service.payment_statuses(organization_id, [row.record for row in found])
        return [row for row in found if statuses[row.record.id] == status]

    return kept


def _created(call: Call) -> tuple[str, str] | None:
    """The range of places in the list, which begin with the instant of creation; None: all."""
    low, high = (
        None if (at := parameters.instant(call, parameter)) is None else stamp(at)
        for parameter in ("created_at_from", "created_at_to")
    )
    return None if low is None and high is None else (low or "0", f"{high}$" if high else "A")


def _filters(call: Call) -> listing.Filter:
    chosen = listing.Filter()
    for parameter, name in (
        ("external_subscription_id", "external_subscription_id"),
        ("event_transaction_id", "event_transaction_id"),
        ("billable_metric_code", "item_code"),
    ):
        text = call.one(parameter)
        if text is not None:
            chosen.one_of(name, [text])
    if call.one("billable_metric_code") is not None:
        chosen.one_of("item_type", ["BillableMetric"])
    for name, chosen_value in (
        ("type", parameters.word(call, "fee_type", _TYPES)),
        ("currency", parameters.currency(call)),
    ):
        if chosen_value is not None:
            chosen.one_of(name, [chosen_value])
    for attribute in _INSTANTS:
        low, high = (parameters.instant(call, f"{attribute.attr_name}_{end}") for end in ("from", "to"))
        if low is not None:
            chosen.conditions.append(attribute >= low)
        if high is not None:
            chosen.conditions.append(attribute <= high)
    return chosen
