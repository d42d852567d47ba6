"""Collecting what customers owe."""

from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import reading
from chalicelib.features.payments.collection import again
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef


def submit_unpaid(organization: OrganizationRef, customer: Customer, method_id: str | None = None) -> None:
    """Submit a customer's final, unpaid invoices that are ready for it, the oldest first; idempotent. Pushes its tasks.
    `method_id`: the way to pay that is charged, as long as it can be; else the default. One that was refused is not tried again
    when the customer leaves another, whichever is the default."""
    now = clock.now(organization)
    for invoice in reversed(reading.of_customer(organization.id, customer.id)):
        if invoice.status == "finalized" and invoice.collectable:
            tasks = again.submit(organization, customer, invoice.id, method_id, now=now)
            agenda.push([task for task in tasks if not task.in_clock])
