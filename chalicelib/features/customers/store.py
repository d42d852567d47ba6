"""Where customers are kept. What billing must read consistently stands under the customer's own key.

Items
    pk                              sk          what it is
    <org>#customer#<id>             -           the customer (platform/collection.py)
    <org>#customer#<id>             billing     its billing state, the lock of all that decides its money
    <org>#customer#<id>             sub#<id>    its subscriptions (features/subscriptions/store.py)
    <org>#customer#<id>             note#...    its credit notes with a balance (features/credit_notes/store.py)
    <org>#customer-code#<external>  -           guard: one live customer per external id

Access patterns
    1 CUSTOMERS.*                 platform/collection.py
    2 everything_of(org, id)      Query     consistent: all that decides the customer's money, at once
    3 billing_action(...)         Put       conditional on the version read; part of a decision's transaction
"""

from dataclasses import dataclass

from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.platform.collection import Collection, dump
from chalicelib.platform.ids import CustomerId, OrganizationId
from chalicelib.platform.table import core
from chalicelib.platform.unit import Write
from chalicelib.platform.values import Item

# The version of a billing state that no item holds yet.
NOT_WRITTEN = -1

CUSTOMERS = Collection(
    "customer",
    Customer,
    code=lambda customer: customer.external_id,
    search=lambda c: "\n".join(
        part or "" for part in (c.name, c.firstname, c.lastname, c.legal_name, c.external_id, c.email)
    ),
    code_field="external_id",
)


@dataclass(frozen=True, slots=True)
class CustomerItems:
    """What stands under a customer's key: all that decides its money. Items are read by the features that own them."""

    customer: Customer | None
    state: BillingState
    subscriptions: list[Item]
    notes: list[Item]


def everything_of(organization_id: OrganizationId, customer_id: CustomerId) -> CustomerItems:
    """The customer, its billing state, the items of its subscriptions and of its credit notes with a balance, read
    consistently in one query."""
    pk, _ = CUSTOMERS.key(organization_id, customer_id)
    customer: Customer | None = None
    state = BillingState(customer_id=customer_id, version=NOT_WRITTEN)
    subscriptions: list[Item] = []
    notes: list[Item] = []
    for item in core.query(pk):
        if item["sk"] == "-":
            customer = CUSTOMERS.read(item)
        elif item["sk"] == "billing":
            state = _state(item)
        elif item["sk"].startswith("sub#"):
            subscriptions.append(item)
        elif item["sk"].startswith("note#"):
            notes.append(item)
    return CustomerItems(customer, state, subscriptions, notes)


def state_of(organization_id: OrganizationId, customer_id: CustomerId) -> BillingState:
    """The billing state, read consistently."""
    item = core.get(CUSTOMERS.key(organization_id, customer_id)[0], "billing")
    return BillingState(customer_id=customer_id, version=NOT_WRITTEN) if item is None else _state(item)


def billing_action(organization_id: OrganizationId, old: BillingState, new: BillingState) -> Write:
    """Write a new billing state over the one read; refused if anything of the customer's money was decided meanwhile."""
    written = new.model_copy(update={"version": old.version + 1})
    if old.version == NOT_WRITTEN:
        return core.create(_item(organization_id, written))
    return core.put(_item(organization_id, written), condition="version = :version", values={":version": old.version})


def _state(item: Item) -> BillingState:
    return BillingState.model_validate(item["record"] | {"version": item["version"]})


def _item(organization_id: OrganizationId, state: BillingState) -> Item:
    pk, _ = CUSTOMERS.key(organization_id, state.customer_id)
    return {"pk": pk, "sk": "billing", "version": state.version, "record": dump(state)}
