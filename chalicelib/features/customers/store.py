"""Storage of customers. The customer's item collection holds everything that billing reads consistently.

Items
    pk                              sk          what it is
    <org>#customer#<id>             -           the customer (platform/collection.py)
    <org>#customer#<id>             billing     its billing state, the lock of everything that decides its money
    <org>#customer#<id>             sub#<id>    its subscriptions (features/subscriptions/store.py)
    <org>#customer#<id>             coupon#<id> its active coupons (features/coupons/store.py)
    <org>#customer#<id>             note#...    its credit notes with a balance (features/credit_notes/store.py)
    <org>#customer#<id>             figures#... its figures, for showing only (features/customers/figures.py)
    <org>#customer-code#<external>  -           uniqueness item: one live customer per external id

Access patterns
    1 CUSTOMERS.*                 platform/collection.py
    2 everything_of(org, id)      Query     consistent: all that decides the customer's money, at once
    3 state_of(org, id)           GetItem   consistent
    4 billing_action(...)         Put       conditional on the version read; part of a decision's transaction
    5 listed(org), listed_after(org, place)   Query   index list: all live ones
    6 heads(org, ids)             BatchGet  consistent: customers, their billing states and figures
    7 without_zone(org)           Query     the list's counters
    8 overdue_among(org, ids)     BatchGet  consistent: the figures of their invoices
"""

from collections.abc import Iterator, Sequence

from chalicelib.features.customers import figures
from chalicelib.features.customers.figures import CustomerHead
from chalicelib.features.customers.items import CustomerItem, CustomerItems, customer_pk, rows_of
from chalicelib.features.customers.records import NOT_WRITTEN, BillingState, Customer
from chalicelib.platform import counters, dynamodb, rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection, RecordRow
from chalicelib.platform.dynamodb import RawItem
from chalicelib.platform.ids import CustomerId, OrganizationId, key
from chalicelib.platform.unit import Write


class CustomerRow(CatalogRow, CustomerItem):
    """A customer."""

    begins = "-"
    record = RecordAttribute(Customer)


class BillingStateRow(RecordRow, CustomerItem):
    """The billing state of a customer."""

    begins = "billing"
    record = RecordAttribute(BillingState)


CUSTOMERS = Collection(
    "customer",
    Customer,
    CustomerRow,
    code=lambda customer: customer.external_id,
    search=lambda c: "\n".join(
        part or "" for part in (c.name, c.firstname, c.lastname, c.legal_name, c.external_id, c.email)
    ),
    code_field="external_id",
    parts=lambda customer: ("zone=own" if customer.timezone else "zone=organization",),
)


def without_zone(organization_id: OrganizationId) -> int | None:
    """Customers without a time zone of their own; None where some are from before these were counted."""
    found = counters.totals(organization_id, CUSTOMERS.name)
    number = found.get("zone=organization", 0)
    # A customer from before is in the list's own total alone, and stays missing here whatever becomes of it.
    return number if number + found.get("zone=own", 0) == found.get("all", 0) else None


def everything_of(organization_id: OrganizationId, customer_id: CustomerId) -> CustomerItems:
    """The customer, its billing state, and the items of the rooms above, read consistently in one query."""
    items = list(rows.walk(customer_pk(organization_id, customer_id)))
    customer = next((row.value for row in rows_of(items, CustomerRow)), None)
    state = next((row.value for row in rows_of(items, BillingStateRow)), _no_state(customer_id))
    return CustomerItems(customer, state, items)


def state_of(organization_id: OrganizationId, customer_id: CustomerId) -> BillingState:
    """The billing state, read consistently."""
    found = BillingStateRow.find(customer_pk(organization_id, customer_id), BillingStateRow.begins)
    state: BillingState = _no_state(customer_id) if found is None else found.value
    return state


def heads(organization_id: OrganizationId, ids: Sequence[CustomerId]) -> dict[CustomerId, CustomerHead]:
    """Customers with their billing states and figures, deleted or not, by id."""
    places = {customer_pk(organization_id, each): each for each in ids}
    wanted = [(pk, sk) for pk in places for sk in (CustomerRow.begins, BillingStateRow.begins, *figures.SORT_KEYS)]
    found: dict[str, list[RawItem]] = {}
    for item in dynamodb.get_many(rows.table(), wanted):
        found.setdefault(item["pk"]["S"], []).append(item)
    return {places[pk]: head for pk, items in found.items() if (head := _head(places[pk], items)) is not None}


def overdue_among(organization_id: OrganizationId, ids: Sequence[CustomerId]) -> set[CustomerId]:
    """Those of some customers who have overdue invoices, by their figures."""
    places = {customer_pk(organization_id, each): each for each in ids}
    found = dynamodb.get_many(rows.table(), [(pk, figures.INVOICES) for pk in places])
    return {places[item["pk"]["S"]] for item in found if figures.has_overdue(item)}


def _head(customer_id: CustomerId, items: Sequence[RawItem]) -> CustomerHead | None:
    customer = next((row.value for row in rows_of(items, CustomerRow)), None)
    state = next((row.value for row in rows_of(items, BillingStateRow)), _no_state(customer_id))
    own = figures.among(CustomerItems(customer, state, items))
    return None if customer is None else CustomerHead(customer, state, own)


def listed(organization_id: OrganizationId) -> Iterator[Customer]:
    """All live customers, from the index of the list."""
    for row in CustomerRow.select(key(organization_id, CUSTOMERS.name), index="list"):
        yield row.value


def listed_after(organization_id: OrganizationId, place: str) -> Iterator[tuple[str, Customer]]:
    """Those of all live customers that follow a place of the list, each with its own, from the index of the list."""
    within = CustomerRow.list_sk > place if place else None
    for row in CustomerRow.select(key(organization_id, CUSTOMERS.name), index="list", within=within):
        yield str(row.list_sk), row.value


def billing_action(organization_id: OrganizationId, old: BillingState, new: BillingState) -> Write:
    """Write a new billing state over the one read; refused if anything of the customer's money was decided meanwhile."""
    pk = customer_pk(organization_id, new.customer_id)
    row = BillingStateRow(pk=pk, sk=BillingStateRow.begins, version=old.version + 1, record=new)
    return row.create() if old.version == NOT_WRITTEN else row.replace(old.version)


def _no_state(customer_id: CustomerId) -> BillingState:
    return BillingState(customer_id=customer_id, version=NOT_WRITTEN)
