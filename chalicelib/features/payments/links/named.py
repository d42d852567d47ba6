"""Customers of a connection that comes or goes: those who named it before are brought in line, those of one that was removed
name no provider any more. Source: rules/catalog 2, 10.4."""

from datetime import datetime

from chalicelib.domain.error_codes import Resource
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.links.sync import SYNC
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.agenda.walk import place_of, walk
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, PaymentProviderId
from chalicelib.platform.retry import retrying


def run(task: Task, *, now: datetime) -> None:
    """Ask for the sync of each customer who means the connection of a task, in slices of time. Idempotent: a customer has at
    most one task of that kind, and one who is in line needs no call."""
    organization = task.organization
    connection = connections.get(organization.id, PaymentProviderId(task.subject))
    if connection is None or not connection.live:
        agenda.done(task).alone()
        return
    meant: dict[str | None, bool] = {}

    def one(customer: Customer) -> None:
        if _asks(organization, customer, connection, meant):
            wanted = agenda.task(SYNC, organization, customer.id, clock.utc_now())
            agenda.put(wanted, now=now).alone()
            agenda.push([wanted])

    if walk(task, customers.listed(organization.id, after=place_of(task)), one, now=now):
        agenda.done(task).alone()


def forget(task: Task, *, now: datetime) -> None:
    """Let each customer who meant the connection of a task, which was removed, name no provider, in slices of time.
    Idempotent."""
    organization = task.organization
    connection = connections.get(organization.id, PaymentProviderId(task.subject))
    assert connection is not None, "connections are deleted softly"

    def one(customer: Customer) -> None:
        if _meant(customer, connection):
            retrying(lambda: _forgotten(organization, connection, customer.id, now=now), Resource.CUSTOMER)

    if walk(task, customers.listed(organization.id, after=place_of(task)), one, now=now):
        agenda.done(task).alone()


def _forgotten(
    organization: OrganizationRef, connection: ProviderConnection, customer_id: CustomerId, *, now: datetime
) -> None:
    customer = customers.get(organization.id, customer_id)
    if customer is None or customer.deleted_at is not None or not _meant(customer, connection):
        return
    own = customer.billing_configuration
    found, others = connections.chosen(organization.id, connection.payment_provider, own.payment_provider_code)
    if found is not None or others:
        return  # Another connection took its place.
    none = {"payment_provider": None, "payment_provider_code": None, "provider_customer_id": None}
    new = customer.changed(now=now, billing_configuration=own.model_copy(update=none))
    customers.replace_action(organization.id, customer, new).alone()


def _meant(customer: Customer, connection: ProviderConnection) -> bool:
    """Whether a customer named a connection, by its code or as the only one."""
    own = customer.billing_configuration
    is_coded = own.payment_provider_code in (None, "", connection.code)
    return own.payment_provider == connection.payment_provider and is_coded


def _asks(
    organization: OrganizationRef, customer: Customer, connection: ProviderConnection, meant: dict[str | None, bool]
) -> bool:
    """Whether a customer means a connection. `meant`: what is known of codes; without one it is meant while it is the only
    one."""
    own = customer.billing_configuration
    if own.payment_provider != connection.payment_provider or not (own.sync_with_provider or own.provider_customer_id):
        return False
    code = own.payment_provider_code or None
    if code not in meant:
        found, _ = connections.chosen(organization.id, connection.payment_provider, code)
        meant[code] = found is not None and found.id == connection.id
    return meant[code]
