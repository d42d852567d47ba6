"""Creating and changing customers by their external id."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from chalicelib.domain.errors import Conflict, Invalid, NotFound
from chalicelib.features.customers import schemas, serializer, store
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.customers.schemas import CustomerInput
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations import store as organization_store
from chalicelib.features.organizations.records import Organization
from chalicelib.features.taxes import service as taxes
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import new_id
from chalicelib.platform.table import Action, Cancelled, transact

# The billing of a customer: starts, changes and ends of its subscriptions, and its invoices. Reads usage, so it waits
# for events still queued. Ranks: nothing of one instant relies on their order but that invoices end after billing began.
BILL = agenda.kind("bill_customer", rank=10, reads_usage=True)
REPLAN = agenda.kind("replan_customers", rank=5, wall_clock=True)
# A deleted customer's drafts are made final a little later. Source: catalog.md section 2.2.
CLOSE = agenda.kind("close_customer", rank=15)
_DRAFTS_KEPT = timedelta(minutes=5)

_TRIES = 6

T = TypeVar("T")


def upsert(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> tuple[Customer, list[Task]]:
    """Create the customer of this external id, or change the fields present; returns it and the tasks to push.

    Raises: Invalid; NotFound for an unknown tax; Conflict.
    """
    request = schema.parse(CustomerInput, values)
    own = organizations.get(organization.id)
    tax_ids = (
        tuple(taxes.ids_of(organization.id, request.tax_codes)) if "tax_codes" in request.model_fields_set else None
    )

    def attempt() -> tuple[Customer, list[Task]]:
        old = CUSTOMERS.find(organization.id, request.external_id)
        if old is None:
            blank = new_customer(own, request.external_id, now=now)
            customer = _with(blank, request, tax_ids, now=now)
            actions, tasks = creation(own, customer, now=now)
            transact([*actions, *(agenda.put(task, now=now) for task in tasks)])
            return customer, tasks
        return _change(own, old, _with(old, request, tax_ids, now=now), now=now)

    return retrying(attempt, "customer")


def retrying(attempt: Callable[[], T], name: str) -> T:
    """Read, decide and write again when somebody else wrote in between; a handful of times.

    Raises: Conflict, `<name>_changed_meanwhile`.
    """
    for _ in range(_TRIES):
        try:
            return attempt()
        except Cancelled:
            continue
        except Conflict as error:
            if not error.code.endswith("_changed_meanwhile"):
                raise
    raise Conflict(f"{name}_changed_meanwhile")


def find(organization_id: str, external_id: str) -> Customer:
    """The live customer of an external id.

    Raises: NotFound.
    """
    customer = CUSTOMERS.find(organization_id, external_id)
    if customer is None:
        raise NotFound("customer")
    return customer


def new_customer(organization: Organization, external_id: str, *, now: datetime) -> Customer:
    """A bare customer, not yet written, with the organization's next number."""
    seen = organization_store.numbers(organization.id)["customers"]
    return Customer(id=new_id(), external_id=external_id, sequential_id=seen + 1, created_at=now, updated_at=now)


def creation(organization: Organization, customer: Customer, *, now: datetime) -> tuple[list[Action], list[Task]]:
    """The actions that store a new customer, and the tasks that go with them. Refused if its number or external id was
    taken meanwhile."""
    shown = serializer.show_all(organization, [customer])[0]
    subject = f"customer.created#{customer.id}"
    task = webhooks.announcement(organization.ref, "customer.created", "customer", shown, subject=subject, now=now)
    actions = [
        *CUSTOMERS.create_actions(organization.id, customer),
        organization_store.number_action(organization.id, "customers", seen=customer.sequential_id - 1),
    ]
    return actions, [task]


def remove(organization: OrganizationRef, external_id: str, *, now: datetime) -> tuple[Customer, list[Task]]:
    """Delete a customer: gone at once; its subscriptions end, with their documents, by its billing task, due now.

    Raises: NotFound; Conflict.
    """

    def attempt() -> tuple[Customer, list[Task]]:
        old = find(organization.id, external_id)
        state = store.state_of(organization.id, old.id)
        new_state = state.model_copy(update={"due_at": now})
        actions = [
            store.billing_action(organization.id, state, new_state),
            *due_actions(organization, state, new_state, now=now),
        ]
        close = agenda.task(CLOSE, organization, old.id, now + _DRAFTS_KEPT)
        gone = CUSTOMERS.remove(organization.id, old, now=now, extra=[*actions, agenda.put(close, now=now)])
        return gone, [agenda.task(BILL, organization, old.id, now), close]

    return retrying(attempt, "customer")


def due_actions(
    organization: OrganizationRef, old: BillingState, new: BillingState, *, now: datetime, at_once: bool = False
) -> list[Action]:
    """The move of the customer's billing task that a change of its billing state calls for. `at_once`: what is due then
    bills no usage, so that it need not wait for events."""
    return agenda.reschedule(
        BILL,
        organization,
        old.customer_id,
        old_due_at=old.due_at,
        new_due_at=new.due_at,
        now=now,
        at_once=at_once,
    )


def check_currency(customer: Customer, currency: str) -> Customer:
    """The customer with this currency, taken over where it has none. Source: catalog.md section 4.

    Raises: Invalid, `currencies_does_not_match`.
    """
    if customer.currency is None:
        return customer.model_copy(update={"currency": currency})
    if customer.currency != currency:
        raise Invalid.field("currency", "currencies_does_not_match")
    return customer


def replan_all(organization: Organization, *, now: datetime) -> None:
    """After a change of the organization's time zone: a job that brings every customer's next billing instant in line."""
    task = agenda.task(REPLAN, organization.ref, f"{organization.timezone}#{organization.version}", now)
    transact([agenda.put(task, now=now)])
    agenda.push([task])


def _change(organization: Organization, old: Customer, new: Customer, *, now: datetime) -> tuple[Customer, list[Task]]:
    state = store.state_of(organization.id, old.id)
    if new.currency != old.currency and state.attached:
        raise Invalid.field("currency", "currencies_does_not_match")
    extra: list[Action] = []
    tasks: list[Task] = []
    if new.timezone != old.timezone and state.due_at is not None:
        # Billing itself knows when the next billing day begins in the new zone: let it look now.
        earlier = state.model_copy(update={"due_at": min(now, state.due_at)})
        extra = [
            store.billing_action(organization.id, state, earlier),
            *due_actions(organization.ref, state, earlier, now=now),
        ]
        tasks.append(agenda.task(BILL, organization.ref, old.id, now))
    shown = serializer.show_all(organization, [new])[0]
    subject = f"customer.updated#{old.id}#{old.version + 1}"
    announced = webhooks.announcement(organization.ref, "customer.updated", "customer", shown, subject=subject, now=now)
    written = CUSTOMERS.replace(organization.id, old, new, [*extra, agenda.put(announced, now=now)])
    return written, [*tasks, announced]


def _with(old: Customer, request: CustomerInput, tax_ids: tuple[str, ...] | None, *, now: datetime) -> Customer:
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
    return old.model_copy(update={**fields, "updated_at": now})
