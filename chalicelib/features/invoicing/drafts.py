"""Drafts: computing one again from its boundaries, deleting one, and the task that makes one final."""

from datetime import datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotAllowed
from chalicelib.features.customers import store as customer_store
from chalicelib.features.invoices import amounts, store
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import service as plans
from chalicelib.features.rating import billing_context, line_items
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, InvoiceId, OrganizationId, PlanId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit

FINALIZE = agenda.kind("finalize_invoice", rank=20, reads_usage=True)


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
    sums = compose.sums_of(found)
    return context, old.model_copy(update={**amounts.of(sums, old.id), "build": new_id(), "updated_at": now}), found


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


def planned(organization: OrganizationRef, draft: Invoice) -> Task:
    """The task that makes a draft final, as its dates plan it."""
    due_at = periods.start_of_day(draft.finalize_on, ZoneInfo(draft.timezone))
    return agenda.task(FINALIZE, organization, draft.id, due_at)


def standing(organization: OrganizationRef, draft: Invoice, *, now: datetime) -> Task | None:
    """The task of a draft as it stands: where it was planned, or moved to an instant that has come."""
    task = planned(organization, draft)
    if task.in_clock:
        for each in agenda.tasks_of_clock(organization, until=now):
            if (each.kind, each.subject) == (task.kind, task.subject):
                return each
    return agenda.find(task.key)


def remove(organization: OrganizationRef, invoice_id: InvoiceId, *, now: datetime) -> tuple[Invoice, list[Task]]:
    """Delete a draft: it leaves reads and lists, and its period is not billed again. Returns it and the tasks to push.

    Raises: NotFound; NotAllowed, `not_deletable`; ChangedMeanwhile.
    """

    def attempt() -> tuple[Invoice, list[Task]]:
        old = invoices.find(organization.id, invoice_id)
        if old.status != "draft":
            raise NotAllowed(ErrorCode.NOT_DELETABLE)
        new = old.changed(now=now, status="deleted")
        own = organizations.get(organization.id)
        told = invoices.announced(own, new, "invoice.deleted", subject=old.id, now=now)
        task = standing(organization, old, now=now)
        Unit(
            store.replace_actions(organization.id, old, new),
            [agenda.remove(task)] if task else [],
            (agenda.put(each, now=now) for each in told),
        ).commit()
        return new, told

    return retrying(attempt, Resource.INVOICE)
