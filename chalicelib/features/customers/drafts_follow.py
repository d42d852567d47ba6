"""Tasks after which drafts agree with changed settings of their customer or organization."""

from datetime import datetime
from decimal import Decimal

from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations.records import Organization
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task

# Drafts follow the settings of their customer (dates, term, taxes): those of one customer, or of all.
FOLLOW = agenda.kind("drafts_follow_customer", rank=12)
FOLLOW_ALL = agenda.kind("drafts_follow_organization", rank=12)


def tasks(organization: Organization, old: Customer, new: Customer, *, now: datetime) -> list[Task]:
    """Tasks that bring a customer's drafts in line after a change of its own grace period, payment term or taxes; none after
    other changes."""
    dates = _dates_of(old) != _dates_of(new)
    if not dates and old.tax_ids == new.tax_ids:
        return []
    detail = {"customer_id": new.id, "taxes": old.tax_ids != new.tax_ids}
    return [agenda.task(FOLLOW, organization.ref, f"{new.id}#{new.version}", now, detail)]


def _dates_of(customer: Customer) -> tuple[int | None, int | None]:
    return customer.billing_configuration.invoice_grace_period, customer.net_payment_term


def tasks_of_all(old: Organization, new: Organization, *, now: datetime) -> list[Task]:
    """After a change of the organization's grace period, payment term or tax: the task that brings drafts in line (none, where
    nothing of it changed). The caller writes it together with the change."""
    before, after = old.billing_configuration, new.billing_configuration
    dates = (before.invoice_grace_period, old.net_payment_term) != (after.invoice_grace_period, new.net_payment_term)
    taxes = Decimal(before.vat_rate) != Decimal(after.vat_rate)
    if not dates and not taxes:
        return []
    return [agenda.task(FOLLOW_ALL, new.ref, str(new.version), now, {"taxes": taxes})]
