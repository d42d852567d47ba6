"""The list of fees and its filters. Source: api-inventory.md, Fees.

It holds fees of final invoices and those without invoice; those of drafts come with the end of their grace period.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.fees import service, store
from chalicelib.features.invoices.records import Fee, FeePaymentStatus, FeeType
from chalicelib.platform import counters, listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.listing import Listing
from chalicelib.platform.table import Item
from chalicelib.platform.timestamps import stamp

_INSTANTS = ("succeeded_at", "failed_at", "refunded_at")


@dataclass(slots=True)
class _Filter:
    """Conditions as they gather, with their values and names."""

    where: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def equals(self, name: str, value: str) -> None:
        """The record's field has this value."""
        self.where.append(f"#record.#{name} = :{name}")
        self.values[f":{name}"] = value
        self.names |= {"#record": "record", f"#{name}": name}

    def bounds(self, name: str, sign: str, value: str, place: str) -> None:
        """The item's instant lies on this side of another."""
        self.where.append(f"#{name} {sign} :{place}")
        self.values[f":{place}"] = value
        self.names[f"#{name}"] = name


def page(call: Call) -> tuple[list[Fee], dict[str, int | None]]:
    """One page, newest first.

    Raises: Invalid, for values outside the enumerations and for what is no instant.
    """
    organization_id = call.organization.id
    wanted = listing.wanted(call)
    chosen = _filters(call)
    status = parameters.word(call, "payment_status", get_args(FeePaymentStatus))
    place, index = key(organization_id, store.LIST), "list"
    external_id = call.one("external_customer_id")
    if external_id is not None:
        customer = CUSTOMERS.find(organization_id, external_id)
        if customer is None:
            return [], listing.meta(wanted, 0)
        place, index = store.owner_pk(organization_id, customer.id), "owner"
    total: Callable[[], int] | None = None
    created = _created(call)
    if index == "list" and not chosen.where and created is None and status is None:
        total = lambda: counters.total(organization_id, store.LIST)  # noqa: E731
    found = Listing(
        organization_id,
        place,
        index=index,
        between=created,
        where=chosen.where,
        values=chosen.values,
        names=chosen.names,
        total=total,
        sieve=None if status is None else _with_status(organization_id, status),
        sieved_by=status or "",
    )
    items, meta = listing.read(found, wanted)
    return [store.read(item) for item in items], meta


def _with_status(organization_id: OrganizationId, status: str) -> Callable[[Sequence[Item]], list[Item]]:
    """Leaves fees with a payment status. It stands on the invoice for all its fees at once, so that none of them need change
    with it: fees are read with their invoices."""

    def kept(items: Sequence[Item]) -> list[Item]:
        fees = [store.read(item) for item in items]
        statuses = service.payment_statuses(organization_id, fees)
        return [item for item, fee in zip(items, fees, strict=True) if statuses[fee.id] == status]

    return kept


def _created(call: Call) -> tuple[str, str] | None:
    """The range of places in the list, which begin with the instant of creation; None: all."""
    low, high = (
        None if (at := parameters.instant(call, parameter)) is None else stamp(at)
        for parameter in ("created_at_from", "created_at_to")
    )
    return None if low is None and high is None else (low or "0", f"{high}$" if high else "A")


def _filters(call: Call) -> _Filter:
    chosen = _Filter()
    for parameter, name in (
        ("external_subscription_id", "external_subscription_id"),
        ("event_transaction_id", "event_transaction_id"),
        ("billable_metric_code", "item_code"),
    ):
        text = call.one(parameter)
        if text is not None:
            chosen.equals(name, text)
    if call.one("billable_metric_code") is not None:
        chosen.equals("item_type", "BillableMetric")
    for name, wish in (
        ("type", parameters.word(call, "fee_type", get_args(FeeType))),
        ("currency", parameters.currency(call)),
    ):
        if wish is not None:
            chosen.equals(name, wish)
    for name in _INSTANTS:
        for parameter, sign in ((f"{name}_from", ">="), (f"{name}_to", "<=")):
            at = parameters.instant(call, parameter)
            if at is not None:
                chosen.bounds(name, sign, stamp(at), parameter)
    return chosen
