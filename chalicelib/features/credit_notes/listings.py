"""The list of credit notes and its filters. Source: api-inventory.md, Credit notes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, get_args

from chalicelib.features.credit_notes import store
from chalicelib.features.credit_notes.records import CreditNote, CreditStatus, Reason, RefundStatus
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.platform import counters, listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, key

# Behind it there is no day to add.
_LATEST = date(9990, 1, 1)
_CHOICES = {
    "reason": get_args(Reason),
    "credit_status": get_args(CreditStatus),
    "refund_status": get_args(RefundStatus),
}


@dataclass(slots=True)
class _Filter:
    """Conditions on the fields of the record as they gather, with their values and names."""

    where: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def one_of(self, name: str, wanted: Sequence[str]) -> None:
        places = [f":{name}{i}" for i in range(len(wanted))]
        self._add(name, f"IN ({', '.join(places)})", dict(zip(places, wanted, strict=True)))

    def compare(self, name: str, sign: str, value: Any, place: str) -> None:
        self._add(name, f"{sign} :{place}", {f":{place}": value})

    def _add(self, name: str, condition: str, values: dict[str, Any]) -> None:
        self.where.append(f"#record.#{name} {condition}")
        self.values |= values
        self.names |= {"#record": "record", f"#{name}": name}


def page(call: Call, customer_id: CustomerId | None = None) -> tuple[list[CreditNote], dict[str, int | None]]:
    """One page of the final notes, newest first.

    Raises: Invalid, for values outside the enumerations.
    """
    organization_id = call.organization.id
    chosen = _filters(call)
    external_id = call.one("external_customer_id")
    nobody = _of_another_entity(call)
    if customer_id is None and external_id is not None:
        customer = CUSTOMERS.find(organization_id, external_id)
        nobody = nobody or customer is None
        customer_id = customer.id if customer else None
    if nobody:
        return [], listing.meta(listing.wanted(call), 0)
    total: Callable[[], int] | None = None
    if customer_id is None and not chosen.where:
        total = lambda: counters.total(organization_id, store.LIST)  # noqa: E731
    wanted = listing.Listing(
        organization_id,
        key(organization_id, store.LIST) if customer_id is None else store.owner_pk(organization_id, customer_id),
        index="list" if customer_id is None else "owner",
        between=_created(call),
        where=chosen.where,
        values=chosen.values,
        names=chosen.names,
        total=total,
    )
    items, meta = listing.read(wanted, listing.wanted(call))
    return [store.read(item) for item in items], meta


def _filters(call: Call) -> _Filter:
    chosen = _Filter()
    for name, known in _CHOICES.items():
        wanted = parameters.words(call, [name], known)
        if wanted:
            chosen.one_of(name, wanted)
    for name, text in (("currency", parameters.currency(call)), ("invoice_number", call.one("invoice_number"))):
        if text is not None:
            chosen.one_of(name, [text])
    for parameter, name, sign, read in (
        ("issuing_date_from", "issuing_date", ">=", parameters.day),
        ("issuing_date_to", "issuing_date", "<=", parameters.day),
        ("amount_from", "total_amount_cents", ">=", parameters.cents),
        ("amount_to", "total_amount_cents", "<=", parameters.cents),
    ):
        bound = read(call, parameter)
        if bound is not None:
            chosen.compare(name, sign, bound, parameter)
    term = call.one("search_term")
    if term:
        chosen.where.append("contains(words, :term)")
        chosen.values[":term"] = term.lower()
    return chosen


def _created(call: Call) -> tuple[str, str] | None:
    """The range of places in the list, which begin with the instant of creation: no note is created after its issuing date,
    by whatever time zone; one made for a draft may be long before it."""
    day = parameters.day(call, "issuing_date_to")
    last = None if day is None else date.fromisoformat(day)
    return None if last is None or last > _LATEST else ("0", f"{(last + timedelta(days=2)).isoformat()}$")


def _of_another_entity(call: Call) -> bool:
    """Whether only notes are wanted that nobody has: all are of the one default entity, and none is self-billed."""
    self_billed = parameters.switch(call, "self_billed")
    entities = call.many("billing_entity_codes")
    return self_billed is True or (bool(entities) and "default" not in entities)
