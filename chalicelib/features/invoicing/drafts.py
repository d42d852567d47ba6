"""Drafts: computing one again from its boundaries."""

from datetime import datetime

from chalicelib.domain.error_codes import Resource
from chalicelib.features.customers import store as customer_store
from chalicelib.features.invoices import store
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import service as plans
from chalicelib.features.rating import billing_context, line_items
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.platform.ids import CustomerId, OrganizationId, PlanId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def recomputed(
    organization_id: OrganizationId, old: Invoice, *, now: datetime
) -> tuple[BillingContext, Invoice, list[Fee]]:
    """A draft computed again from its boundaries, under a new fee revision; nothing is written yet."""
    own = organizations.get(organization_id)
    items = customer_store.everything_of(organization_id, old.customer_id)
    context = billing_context.read(own, items)
    by_id = {s.id: s for s in subscription_store.among(items)}
    known = plans.by_ids(organization_id, [period.plan_id for period in old.periods])
    lines = [InvoicedSubscription(by_id[p.subscription_id], known[p.plan_id], p) for p in old.periods]
    found = line_items.fees_of(context, lines, invoice_id=old.id, now=old.created_at)
    amounts = compose.amounts(compose.sums_of(found), old.id)
    return context, old.model_copy(update={**amounts, "build": new_id(), "updated_at": now}), found


def refresh(organization_id: OrganizationId, draft: Invoice, *, now: datetime) -> Invoice:
    """Draft computed again, with all events of its period so far, under a new fee revision. A draft that has become
    final meanwhile stays as it is.

    Raises: ChangedMeanwhile.
    """
    read_before = [draft]

    def attempt() -> Invoice:
        old = read_before.pop() if read_before else store.get(organization_id, draft.id)
        assert old is not None, "invoices stay"
        if old.status != "draft":
            return old
        _, fresh, found = recomputed(organization_id, old, now=now)
        store.write_fees(organization_id, old.id, fresh.build, found)
        Unit(store.replace_actions(organization_id, old, fresh)).commit()
        return fresh

    return retrying(attempt, Resource.INVOICE)


def refresh_all(organization_id: OrganizationId, customer_id: CustomerId, *, plan_id: PlanId, now: datetime) -> None:
    """Compute those of a customer's drafts again that bill a plan."""
    for draft in store.drafts_of(organization_id, customer_id):
        if stands_on(draft, plan_id):
            refresh(organization_id, draft, now=now)


def stands_on(draft: Invoice, plan_id: PlanId) -> bool:
    """Whether a draft bills a plan."""
    return any(period.plan_id == plan_id for period in draft.periods)
