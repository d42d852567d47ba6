"""The customer's item collection: the key of all that billing reads consistently, and the base of rows under it.

Stores of the rooms above put rows of their own under this key; `customers/store.py` reads them all in one query.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.platform.dynamodb import RawItem
from chalicelib.platform.ids import CustomerId, OrganizationId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.values import Item, from_item


class CustomerItem(Row):
    """Base of all rows under a customer's key, whichever room owns them: read by one consistent query. `begins`: how the
    sort keys of a class of rows begin, and those of no other."""

    begins: ClassVar[str]


ItemT = TypeVar("ItemT", bound=CustomerItem)


@dataclass(frozen=True, slots=True)
class CustomerItems:
    """The customer's item collection: everything that decides its money, read consistently by one query. Rooms that own
    items in it take theirs out by their class of row."""

    customer: Customer | None
    state: BillingState
    items: Sequence[RawItem]

    def of(self, row: type[ItemT]) -> list[ItemT]:
        """The rows of a class, in the order of their keys."""
        return rows_of(self.items, row)

    def values(self, sort_key: str) -> Item:
        """The plain values of an item whose attributes' names are data; none where it is not there."""
        return next((from_item(item) for item in self.items if item["sk"]["S"] == sort_key), {})


def customer_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """The key under which a customer's items stand."""
    return key(organization_id, "customer", customer_id)


def rows_of(items: Sequence[RawItem], row: type[ItemT]) -> list[ItemT]:
    """The rows of a class among a customer's items, in the order of their keys."""
    return [row.read(item) for item in items if item["sk"]["S"].startswith(row.begins)]
