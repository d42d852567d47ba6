"""Drafts: computing one again, and making it final before its grace period is over."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.domain.invoicing import dates
from chalicelib.domain.invoicing.totals import VERSION_NUMBERS
from chalicelib.features.customers import store as customer_store
from chalicelib.features.invoices import store
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose, run
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import service as plans
from chalicelib.features.rating import line_items
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, OrganizationId, PlanId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.table import transact


def recomputed(
    organization_id: OrganizationId, old: Invoice, *, now: datetime
) -> tuple[BillingContext, Invoice, list[Fee]]:
    """A draft computed again from its boundaries, under a new build; nothing is written yet."""
    own = organizations.get(organization_id)
    everything = customer_store.everything_of(organization_id, old.customer_id)
    account = run.account_of(own, everything)
    by_id = {s.id: s for s in map(subscription_store.read, everything.subscriptions)}
    known = plans.by_ids(organization_id, [period.plan_id for period in old.periods])
    lines = [InvoicedSubscription(by_id[p.subscription_id], known[p.plan_id], p) for p in old.periods]
    found = line_items.fees_of(account, lines, invoice_id=old.id, now=old.created_at)
    amounts = compose.amounts(compose.sums_of(found), old.id)
    return account, old.model_copy(update={**amounts, "build": new_id(), "updated_at": now}), found


def refresh(organization_id: OrganizationId, draft: Invoice, *, now: datetime) -> Invoice:
    """The draft computed again, with all events of its period so far, under a new build. One that has become final
    meanwhile stays as it is.

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
        transact(store.replace_actions(organization_id, old, fresh))
        return fresh

    return retrying(attempt, Resource.INVOICE)


def finalize_now(organization: OrganizationRef, draft: Invoice, *, now: datetime) -> list[Task]:
    """Move the draft's finalization to now; it is carried out like at the end of the grace period. Returns the task to push;
    none for a draft that has become final meanwhile. Asking twice asks once.

    Raises: ChangedMeanwhile.
    """
    due_at = periods.start_of_day(draft.finalize_on, ZoneInfo(draft.timezone))
    planned = agenda.task(run.FINALIZE, organization, draft.id, due_at)

    def attempt() -> list[Task]:
        standing = _standing(planned, now=now)
        if standing is None:
            current = store.get(organization.id, draft.id)
            if current is not None and current.status == "draft":
                raise ChangedMeanwhile(Resource.INVOICE)  # The task was moved between two reads.
            return []
        if standing.due_at <= now and not standing.parked:
            return [standing]
        transact(agenda.move(standing, now, now=now))
        return [agenda.task(run.FINALIZE, organization, draft.id, now)]

    return retrying(attempt, Resource.INVOICE)


def _standing(planned: Task, *, now: datetime) -> Task | None:
    """The task as it stands: where it was planned, or moved to an instant that has come."""
    if planned.in_clock:
        for each in agenda.tasks_of_clock(planned.organization, until=now):
            if (each.kind, each.subject) == (planned.kind, planned.subject):
                return each
    return agenda.find(planned.key)


def dates_at_end(account: BillingContext, draft: Invoice, on: date) -> dict[str, object]:
    """The dates of a draft that becomes final on a day. Source: invoices.md section 2."""
    adjustment = account.customer.billing_configuration.subscription_invoice_issuing_date_adjustment
    issuing = draft.issuing_date if adjustment == dates.KEEP else on
    return {
        "issuing_date": issuing,
        "payment_due_date": issuing + timedelta(days=draft.net_payment_term),
        "finalize_on": on,
        "version_number": VERSION_NUMBERS[account.organization.billing_configuration.coupon_application],
    }


def refresh_all(organization_id: OrganizationId, customer_id: CustomerId, *, plan_id: PlanId, now: datetime) -> None:
    """Compute a customer's drafts again that stand on a plan."""
    for draft in store.drafts_of(organization_id, customer_id):
        if _stands_on(draft, plan_id):
            refresh(organization_id, draft, now=now)


def finalize_all(
    organization: OrganizationRef, customer_id: CustomerId, *, now: datetime, plan_id: PlanId | None = None
) -> list[Task]:
    """Move the finalization of a customer's drafts (only those on a plan, where one is named) to now."""
    tasks: list[Task] = []
    for draft in store.drafts_of(organization.id, customer_id):
        if plan_id is None or _stands_on(draft, plan_id):
            tasks += finalize_now(organization, draft, now=now)
    return tasks


def _stands_on(draft: Invoice, plan_id: PlanId) -> bool:
    return any(period.plan_id == plan_id for period in draft.periods)
