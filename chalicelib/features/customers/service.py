"""Creating and changing customers by their external id."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, existing
from chalicelib.features.customers import drafts_follow, eu_tax, provider, schemas, serializer, store
from chalicelib.features.customers.figures import CustomerHead
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.customers.schemas import CustomerInput
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.taxes import service as taxes
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, OrganizationId, TaxId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# The billing of a customer: starts, changes and ends of its subscriptions, and its invoices. Reads usage, so it waits
# for events still queued. Ranks: nothing of one instant relies on their order but that invoices end after billing began.
BILL = agenda.kind("bill_customer", rank=10, reads_usage=True)
REPLAN = agenda.kind("replan_customers", rank=5, real_time=True)
# The end of a deleted customer's coupons and wallets, after its billing of the same instant. Source: rules/catalog 2.2.
CLOSE = agenda.kind("close_customer", rank=15, reads_usage=True)


def upsert(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> tuple[Customer, list[Task]]:
    """Create the customer of this external id, or change the fields present; returns it and the tasks to push.

    Raises: Invalid; NotFound for an unknown tax; ChangedMeanwhile.
    """
    request = schema.parse(CustomerInput, values)
    own = organizations.get(organization.id)
    tax_ids = (
        tuple(taxes.ids_of(organization.id, request.tax_codes)) if "tax_codes" in request.model_fields_set else None
    )
    number = numbering(organization.id)

    def attempt() -> tuple[Customer, list[Task]]:
        old = find_live(organization.id, request.external_id)
        if old is None:
            blank = with_given(new_customer(request.external_id, now=now), request, tax_ids, now=now)
            customer, actions, tasks = creation(own, blank, number, now=now)
            Unit([*actions, *(agenda.put(task, now=now) for task in tasks)]).commit()
            return customer, tasks
        return _change(
            own, old, eu_tax.of_changed(own, old, with_given(old, request, tax_ids, now=now), tax_ids), now=now
        )

    return retrying(attempt, Resource.CUSTOMER)


def find(organization_id: OrganizationId, external_id: str) -> Customer:
    """The live customer of an external id.

    Raises: NotFound.
    """
    return existing(find_live(organization_id, external_id), Resource.CUSTOMER)


def find_live(organization_id: OrganizationId, external_id: str) -> Customer | None:
    """The live customer of an external id, None where nobody has it."""
    return CUSTOMERS.find(organization_id, external_id)


def get(organization_id: OrganizationId, customer_id: CustomerId) -> Customer | None:
    """The customer under an id, deleted or not."""
    return CUSTOMERS.get(organization_id, customer_id)


def get_many(organization_id: OrganizationId, ids: Sequence[CustomerId]) -> dict[str, Customer]:
    """The customers under these ids, deleted or not."""
    return CUSTOMERS.get_many(organization_id, ids)


def key_of(organization_id: OrganizationId, customer_id: CustomerId) -> Key:
    """The key of a customer, for who reads it together with other items."""
    return CUSTOMERS.key(organization_id, customer_id)


def heads(organization_id: OrganizationId, ids: Sequence[CustomerId]) -> dict[CustomerId, CustomerHead]:
    """Heads of these customers, deleted or not, as pages show them; 25 in one request."""
    return store.heads(organization_id, ids)


def items_of(organization_id: OrganizationId, customer_id: CustomerId) -> CustomerItems:
    """Everything that decides the customer's money, read consistently in one query."""
    return store.everything_of(organization_id, customer_id)


def numbering(organization_id: OrganizationId) -> Callable[[], int]:
    """Draws the next number of the organization's customers when it is first called, and returns that one from then on: a
    change that begins again keeps its number."""
    return cache(lambda: organizations.next_customer_number(organization_id))


def new_customer(external_id: str, *, now: datetime, customer_id: CustomerId | None = None) -> Customer:
    """A bare customer, not yet written and without a number."""
    return Customer(
        id=customer_id or CustomerId(new_id()),
        external_id=external_id,
        sequential_id=0,
        created_at=now,
        updated_at=now,
        counted=True,
    )


def with_given(old: Customer, request: CustomerInput, tax_ids: tuple[TaxId, ...] | None, *, now: datetime) -> Customer:
    """The customer with the fields that a request gives, not yet written.

    Raises: Invalid, for wrong metadata.
    """
    fields = request.given()
    for name in ("tax_codes", "metadata", "billing_configuration", "shipping_address", "external_id"):
        fields.pop(name, None)
    for name, default in (
        ("account_type", "customer"),
        ("finalize_zero_amount_invoice", "inherit"),
        ("skip_invoice_custom_sections", False),
    ):
        if name in fields and fields[name] is None:
            fields[name] = default
    if tax_ids is not None:
        fields["tax_ids"] = tax_ids
    if "metadata" in request.model_fields_set:
        fields["metadata"] = schemas.merged_metadata(old.metadata, request.metadata, now=now)
    for name in ("billing_configuration", "shipping_address"):
        if name in request.model_fields_set:
            fields[name] = getattr(old, name).model_copy(update=getattr(request, name).given())
    if "billing_configuration" in fields:
        given = frozenset(request.billing_configuration.given())
        fields["billing_configuration"] = provider.settled(
            old.billing_configuration, fields["billing_configuration"], given
        )
    return old.model_copy(update={**fields, "updated_at": now})


def creation(
    organization: Organization, blank: Customer, number: Callable[[], int], *, now: datetime
) -> tuple[Customer, list[Write], list[Task]]:
    """A new customer with its number, the actions that store it, and the tasks that go with them. Refused if its
    external id came into use meanwhile. Call it after all checks of the request, so that no number is drawn for
    nothing."""
    if organization.eu_tax_management:
        blank = blank.model_copy(update={"tax_ids": eu_tax.added(organization, blank, blank.tax_ids)})
    customer = blank.model_copy(update={"sequential_id": number()})
    told = _told(organization, customer, "customer.created", subject=customer.id, now=now)
    tasks = [*told, *provider.tasks(organization.ref, customer)]
    return customer, CUSTOMERS.create_actions(organization.id, customer), tasks


def remove(organization: OrganizationRef, external_id: str, *, now: datetime) -> tuple[Customer, list[Task]]:
    """Delete a customer: gone at once; its drafts become final and its subscriptions end, with their documents, by its
    billing task, due now.

    Raises: NotFound; ChangedMeanwhile.
    """

    def attempt() -> tuple[Customer, list[Task]]:
        old = find(organization.id, external_id)
        state = store.state_of(organization.id, old.id)
        new_state = state.model_copy(update={"due_at": now})
        actions = billing_actions(organization, state, new_state, now=now)
        close = agenda.task(CLOSE, organization, old.id, now)
        gone = CUSTOMERS.remove(organization.id, old, now=now, extra=[*actions, agenda.put(close, now=now)])
        return gone, [agenda.task(BILL, organization, old.id, now), close]

    return retrying(attempt, Resource.CUSTOMER)


def billing_actions(
    organization: OrganizationRef, old: BillingState, new: BillingState, *, now: datetime, at_once: bool = False
) -> list[Write]:
    """Write a new billing state over the one read, and move the billing task as it calls for. Refused if anything of
    the customer's money was decided meanwhile. `at_once`: what is due then bills no usage, so that it need not wait for
    events."""
    written = store.billing_action(organization.id, old, new)
    moved = agenda.reschedule(
        BILL,
        organization,
        old.customer_id,
        old_due_at=old.due_at,
        new_due_at=new.due_at,
        now=now,
        at_once=at_once,
    )
    return [written, *moved]


def listed(organization_id: OrganizationId, *, after: str = "") -> Iterator[tuple[str, Customer]]:
    """All live customers, the oldest first, each with its place; from an index. `after`: only those that follow a place."""
    return store.listed_after(organization_id, after)


def look_now(organization: OrganizationRef, *, now: datetime) -> Iterator[list[Task]]:
    """Let billing look at each live customer without a time zone of its own; yields the tasks to push. Idempotent."""
    for customer in store.listed(organization.id):
        if customer.timezone is None:
            yield retrying(partial(_look_now, organization, customer.id, now), Resource.CUSTOMER)


def _look_now(organization: OrganizationRef, customer_id: CustomerId, now: datetime) -> list[Task]:
    state = store.state_of(organization.id, customer_id)
    if state.due_at is None or state.due_at <= now:
        return []
    Unit(billing_actions(organization, state, state.model_copy(update={"due_at": now}), now=now)).commit()
    return [agenda.task(BILL, organization, customer_id, now)]


def check_currency(customer: Customer, currency: str) -> Customer:
    """The customer with this currency, taken over where it has none. Source: rules/catalog 4.

    Raises: Invalid, `currencies_does_not_match`.
    """
    if customer.currency is None:
        return customer.model_copy(update={"currency": currency})
    if customer.currency != currency:
        raise Invalid.field("currency", ErrorCode.CURRENCIES_DOES_NOT_MATCH)
    return customer


def lock_currency(
    organization_id: OrganizationId, customer: Customer, state: BillingState, currency: str
) -> tuple[Customer, BillingState, list[Write]]:
    """Fix a customer's currency, as the first object with a currency does: the customer and its billing state afterwards,
    and the writes of the customer. The state is written by the caller (`billing_actions`), in the same transaction.

    Raises: Invalid, `currencies_does_not_match`. Source: rules/catalog 4.
    """
    locked = check_currency(customer, currency)
    writes = [] if locked == customer else [replace_action(organization_id, customer, locked)]
    return locked, state.model_copy(update={"attached": True}), writes


def replace_action(organization_id: OrganizationId, old: Customer, new: Customer) -> Write:
    """Write `new`, of the same external id, over `old`; refused if somebody else wrote in between."""
    return CUSTOMERS.replace_action(organization_id, old, new)


def replan_task(organization: Organization, *, now: datetime) -> Task:
    """After a change of the organization's time zone: the task that brings every customer's next billing instant in
    line. The caller writes it together with the change, and pushes it afterwards."""
    return agenda.task(REPLAN, organization.ref, f"{organization.timezone}#{organization.version}", now)


def _change(organization: Organization, old: Customer, new: Customer, *, now: datetime) -> tuple[Customer, list[Task]]:
    state = store.state_of(organization.id, old.id)
    if new.currency != old.currency and state.attached:
        raise Invalid.field("currency", ErrorCode.CURRENCIES_DOES_NOT_MATCH)
    extra: list[Write] = []
    tasks = drafts_follow.tasks(organization, old, new, now=now)
    extra += [agenda.put(task, now=now) for task in tasks]
    if tasks or (new.timezone, new.currency) != (old.timezone, old.currency):
        # Taking the billing state's lock excludes what is being written with the settings before.
        earlier = state
        if new.timezone != old.timezone and state.due_at is not None:
            # Billing itself knows when the next billing day begins in the new zone: let it look now.
            earlier = state.model_copy(update={"due_at": min(now, state.due_at)})
            tasks.append(agenda.task(BILL, organization.ref, old.id, now))
        extra += billing_actions(organization.ref, state, earlier, now=now)
    told = _told(organization, new, "customer.updated", subject=f"{old.id}#{old.version + 1}", now=now)
    told += provider.tasks(organization.ref, new)
    written = CUSTOMERS.replace(organization.id, old, new, [*extra, *(agenda.put(each, now=now) for each in told)])
    return written, [*tasks, *told]


def _told(organization: Organization, customer: Customer, name: str, *, subject: str, now: datetime) -> list[Task]:
    """The announcement of a change of a customer."""
    return webhooks.announcement(
        organization.ref,
        name,
        "customer",
        lambda: serializer.show_all(organization, [customer])[0],
        subject=f"{name}#{subject}",
        now=now,
    )
