"""The jobs of payment providers: customers are brought in line there, events applied, old endpoints removed."""

from datetime import datetime

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.collection import service as collection
from chalicelib.features.payments.connections import retiring
from chalicelib.features.payments.connections import service as connections
from chalicelib.features.payments.inbound import applying
from chalicelib.features.payments.inbound.receiving import APPLY
from chalicelib.features.payments.links import named, pages, sync
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import CustomerId


@runner.handles(retiring.RETIRE)
def retire(task: Task, now: datetime) -> None:
    """Remove an endpoint at a provider."""
    retiring.retire(task)


@runner.handles(sync.SYNC)
def sync_customer(task: Task, now: datetime) -> None:
    """Create, link or tell a customer at its provider."""
    sync.run(task)


@runner.handles(connections.NAMED)
def sync_named(task: Task, now: datetime) -> None:
    """Bring the customers in line who named a provider before it was connected."""
    named.run(task, now=now)


@runner.handles(connections.FORGET)
def forget_provider(task: Task, now: datetime) -> None:
    """Let the customers of a removed connection name no provider any more."""
    named.forget(task, now=now)


@runner.handles(sync.PAGE)
def make_page(task: Task, now: datetime) -> None:
    """Make a page for leaving a way to pay, and announce it."""
    pages.run(task)


@runner.handles(sync.SUBMIT)
def submit(task: Task, now: datetime) -> None:
    """Submit what a customer owes, now that it can be charged."""
    customer = customers.get(task.organization.id, CustomerId(task.subject))
    if customer is not None and customer.deleted_at is None:
        collection.submit_unpaid(task.organization, customer, task.detail.get("method_id"))
    agenda.done(task).alone()


@runner.handles(APPLY)
def apply(task: Task, now: datetime) -> None:
    """Apply an event of a provider."""
    applying.run(task)
