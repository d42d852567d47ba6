"""Drafts follow the settings that they were made under: grace period, payment term and taxes. Source: rules/invoices 2, 10."""

from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.domain.invoicing import dates
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.invoices import reading, store
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoicing import drafts
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


class Ending(NamedTuple):
    """So many drafts end; `at_least`: more drafts were not looked at."""

    number: int
    at_least: bool


def follow(organization: OrganizationRef, draft: Invoice, *, taxes: bool, now: datetime) -> None:
    """Shift a draft's dates by what the grace period became shorter or longer, and take the payment term as it is now; one
    that is due then becomes final at once. `taxes`: compute it again as well. Idempotent.

    Raises: ChangedMeanwhile.
    """
    agenda.push(retrying(lambda: _shift(organization, draft, now=now), Resource.INVOICE))
    if taxes:
        drafts.refresh(organization.id, draft, now=now)


def ending_with(organization: Organization, *, grace_days: int, now: datetime) -> Ending:
    """The drafts that would become final now if this were the organization's grace period. From an index, for showing only."""
    found, is_cut = reading.some_drafts(organization.id, limits.DRAFTS_PREVIEWED_MAX)
    known = customers.get_many(organization.id, list({draft.customer_id for draft in found}))
    ending = [draft for draft in found if _ends(organization, known.get(draft.customer_id), draft, grace_days, now)]
    return Ending(len(ending), is_cut)


def _ends(
    organization: Organization, customer: Customer | None, draft: Invoice, grace_days: int, now: datetime
) -> bool:
    if customer is None or customer.deleted_at is not None:
        return False
    if customer.billing_configuration.invoice_grace_period is not None:
        return False
    new = draft.model_copy(update={"finalize_on": draft.billed_on + timedelta(days=grace_days)})
    return drafts.planned(organization.ref, new).due_at <= now


def _shift(organization: OrganizationRef, draft: Invoice, *, now: datetime) -> list[Task]:
    old = store.get(organization.id, draft.id)
    if old is None or old.status != "draft":
        return []
    context = _context(organization, old)
    if context.customer.deleted_at is not None:
        return []  # Its drafts become final in minutes.
    new = _shifted(context, old, now=now)
    if new is None:
        return []
    writes = store.replace_actions(organization.id, old, new)
    if new.finalize_on == old.finalize_on:
        Unit(writes).commit()
        return []
    standing = drafts.standing(organization, old, now=now)
    if standing is None:
        raise ChangedMeanwhile(Resource.INVOICE)  # The task was moved between two reads.
    due_at = max(now, drafts.planned(organization, new).due_at)
    moved = agenda.task(standing.kind, organization, old.id, due_at)
    Unit(writes, agenda.move(standing, due_at, now=now)).commit()
    return [] if moved.in_clock else [moved]


def _shifted(context: BillingContext, old: Invoice, *, now: datetime) -> Invoice | None:
    """The draft with the dates of these settings; None where they are the same."""
    finalize_on = old.billed_on + timedelta(days=context.grace_days)
    adjustment = context.customer.billing_configuration.subscription_invoice_issuing_date_adjustment
    shift = timedelta() if adjustment == dates.KEEP else finalize_on - old.finalize_on
    issuing_date = old.issuing_date + shift
    values = {
        "finalize_on": finalize_on,
        "issuing_date": issuing_date,
        "net_payment_term": context.net_payment_term,
        "payment_due_date": issuing_date + timedelta(days=context.net_payment_term),
    }
    if old.model_dump(include=set(values)) == values:
        return None
    shifted: Invoice = old.changed(now=now, **values)
    return shifted


def _context(organization: OrganizationRef, draft: Invoice) -> BillingContext:
    customer = customers.get(organization.id, draft.customer_id)
    assert customer is not None, "an invoice has a customer, deleted or not"
    return BillingContext(organizations.get(organization.id), customer, BillingState(customer_id=customer.id))
