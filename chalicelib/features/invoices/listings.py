"""The list of invoices and its filters. Source: api-inventory.md, Invoices."""

from collections.abc import Callable, Sequence
from typing import Any, get_args

from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices import store
from chalicelib.features.invoices.records import VISIBLE, Invoice, InvoiceType, PaymentStatus
from chalicelib.platform import counters, listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, key


class _Filter:
    """Conditions as they gather, with their values and names."""

    def __init__(self) -> None:
        self.where: list[str] = []
        self.values: dict[str, Any] = {}

    def one_of(self, field: str, wanted: Sequence[Any]) -> None:
        places = [f":{field}{i}" for i in range(len(wanted))]
        self.where.append(f"#record.#{field} IN ({', '.join(places)})")
        self.values |= dict(zip(places, wanted, strict=True))

    def compare(self, field: str, sign: str, value: Any, place: str) -> None:
        self.where.append(f"#record.#{field} {sign} :{place}")
        self.values[f":{place}"] = value

    def names(self) -> dict[str, str]:
        text = " ".join(self.where)
        fields = {part[1:] for part in text.replace(".", " ").replace("(", " ").split() if part.startswith("#")}
        return {f"#{field}": field for field in fields}


def page(call: Call, customer_id: CustomerId | None = None) -> tuple[list[Invoice], dict[str, int | None]]:
    """One page of the visible invoices, newest issuing date first.

    Raises: Invalid, for values outside the enumerations.
    """
    organization_id = call.organization.id
    external_id = call.one("external_customer_id") or call.one("customer_external_id")
    if customer_id is None and external_id is not None:
        customer = CUSTOMERS.find(organization_id, external_id)
        if customer is None:
            return [], listing.meta(listing.wanted(call), 0)
        customer_id = customer.id
    statuses = parameters.words(call, ("status", "statuses"), VISIBLE)
    payment_statuses = parameters.words(call, ("payment_status", "payment_statuses"), get_args(PaymentStatus))
    chosen = _filters(call)
    narrowed = bool(chosen.where) or _dates(call) is not None
    if statuses:
        chosen.one_of("status", statuses)
    if payment_statuses:
        chosen.one_of("payment_status", payment_statuses)
    total: Callable[[], int] | None = None
    if customer_id is None and not narrowed and not (statuses and payment_statuses):
        names = [f"status={s}" for s in statuses] or [f"payment_status={s}" for s in payment_statuses] or ["all"]
        total = lambda: sum(counters.total(organization_id, "invoice", name) for name in names)  # noqa: E731
    place = key(organization_id, "invoice") if customer_id is None else key(organization_id, "invoice-of", customer_id)
    wanted = listing.Listing(
        organization_id,
        place,
        index="list" if customer_id is None else "owner",
        between=_dates(call),
        where=chosen.where,
        values=chosen.values,
        names=chosen.names(),
        total=total,
    )
    items, meta = listing.read(wanted, listing.wanted(call))
    return [store.read(item) for item in items], meta


def _filters(call: Call) -> _Filter:
    chosen = _Filter()
    types = parameters.words(call, ("invoice_type",), get_args(InvoiceType))
    if types:
        chosen.one_of("invoice_type", types)
    for field, wish in (
        ("currency", parameters.currency(call)),
        ("payment_overdue", parameters.switch(call, "payment_overdue")),
    ):
        if wish is not None:
            chosen.one_of(field, [wish])
    # No payment of an invoice can be disputed yet, and none is self-billed.
    disputed, self_billed = (parameters.switch(call, name) for name in ("payment_dispute_lost", "self_billed"))
    if disputed or self_billed:
        chosen.where.append("attribute_not_exists(pk)")
    for parameter, sign in (("amount_from", ">="), ("amount_to", "<=")):
        bound = parameters.cents(call, parameter)
        if bound is not None:
            chosen.compare("total_amount_cents", sign, bound, parameter)
    term = call.one("search_term")
    if term:
        chosen.where.append("contains(words, :term)")
        chosen.values[":term"] = term.lower()
    return chosen


def _dates(call: Call) -> tuple[str, str] | None:
    """The range of places in the list that begin with these issuing dates; None: all."""
    low, high = (parameters.day(call, name) for name in ("issuing_date_from", "issuing_date_to"))
    return None if low is None and high is None else (low or "0", f"{high}$" if high else "A")
