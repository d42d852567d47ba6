"""Collecting what customers owe."""

from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import reading
from chalicelib.features.payments.collection import again
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef


def submit_unpaid(organization: OrganizationRef, customer: Customer) -> None:
    """Submit a customer's final, unpaid invoices that are ready for it, the oldest first; idempotent. Pushes its tasks."""
    now = clock.now(organization)
    for invoice in reversed(reading.of_customer(organization.id, customer.id)):
        if invoice.status == "finalized" and invoice.collectable:
            tasks = again.submit(organization, customer, invoice.id, now=now)
            agenda.push([task for task in tasks if not task.in_clock])
