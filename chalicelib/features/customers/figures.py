"""Figures of a customer: counters that change in the transactions of the invoices and subscriptions that they count. They are
for showing: no rule rests on them.

Customers that were made before there were such counters have none: `Customer.counted` marks the others.

Items
    pk                    sk                      what it is
    <org>#customer#<id>   figures#invoices        `all`, `drafts`: visible invoices; `invoiced#<year>#<currency>`: totals of
                                                  final ones issued that year; `overdue#<currency>`: what is overdue
    <org>#customer#<id>   figures#subscriptions   `active`: subscriptions

Access patterns
    1 moved(...)            Update    part of the transaction that changes an invoice, or subscriptions
    2 among(items)          -         what customers.store read, of one customer or of many
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chalicelib.features.customers.items import CustomerItems, customer_pk
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.platform import counters
from chalicelib.platform.dynamodb import RawItem
from chalicelib.platform.ids import CustomerId, OrganizationId, key
from chalicelib.platform.unit import Write

Part = Literal["invoices", "subscriptions"]
INVOICES = "figures#invoices"
SORT_KEYS = (INVOICES, "figures#subscriptions")


@dataclass(frozen=True, slots=True)
class CustomerFigures:
    """Figures of one customer. `invoices`: visible ones, `drafts` of them; amounts are minor units by currency."""

    invoices: int = 0
    drafts: int = 0
    active_subscriptions: int = 0
    invoiced_in: Mapping[tuple[int, str], int] = field(default_factory=dict)
    overdue: Mapping[str, int] = field(default_factory=dict)

    def invoiced(self, year: int) -> dict[str, int]:
        """The totals of the final invoices of a year, by currency."""
        return {currency: cents for (of, currency), cents in self.invoiced_in.items() if of == year}


@dataclass(frozen=True, slots=True)
class CustomerHead:
    """Head of a customer, as pages show it wherever they name one. `figures`: None where they were not kept from the
    beginning."""

    customer: Customer
    state: BillingState
    figures: CustomerFigures | None


def invoiced_name(year: int, currency: str) -> str:
    """The name of the counter of what was invoiced in a year."""
    return key("invoiced", str(year), currency)


def overdue_name(currency: str) -> str:
    """The name of the counter of what is overdue."""
    return key("overdue", currency)


def has_overdue(item: RawItem) -> bool:
    """Whether the figures of a customer's invoices have an amount that is overdue."""
    return any(name.startswith(overdue_name("")) and int(value["N"]) > 0 for name, value in item.items())


def moved(
    organization_id: OrganizationId, customer_id: CustomerId, part: Part, changes: Mapping[str, int]
) -> list[Write]:
    """The action (none, when nothing changes) that adds `changes` to a customer's figures."""
    return counters.moved_at((customer_pk(organization_id, customer_id), key("figures", part)), changes)


def among(items: CustomerItems) -> CustomerFigures | None:
    """The figures among a customer's items; None for a customer that has none."""
    if items.customer is None or not items.customer.counted:
        return None
    return _figures(*map(items.values, SORT_KEYS))


def _figures(invoices: Mapping[str, object], subscriptions: Mapping[str, object]) -> CustomerFigures:
    numbers = {name: int(str(value)) for name, value in invoices.items() if name not in ("pk", "sk")}
    invoiced: dict[tuple[int, str], int] = {}
    overdue: dict[str, int] = {}
    for name, number in numbers.items():
        kind, *rest = name.split("#")
        if kind == "invoiced":
            invoiced[int(rest[0]), rest[1]] = number
        elif kind == "overdue" and number:
            overdue[rest[0]] = number
    active = int(str(subscriptions.get("active", 0)))
    return CustomerFigures(numbers.get("all", 0), numbers.get("drafts", 0), active, invoiced, overdue)
