"""Collecting what customers owe."""

from chalicelib.features.customers.records import Customer
from chalicelib.platform.clock import OrganizationRef


def submit_unpaid(organization: OrganizationRef, customer: Customer) -> None:
    """Submit a customer's final, unpaid invoices that are ready for it, the oldest first; idempotent. Pushes its tasks."""
