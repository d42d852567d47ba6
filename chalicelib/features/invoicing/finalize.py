"""Finalizing of drafts: at the end of the grace period, or earlier on request."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from chalicelib import limits
from chalicelib.domain import periods
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import ChangedMeanwhile, NotFound
from chalicelib.domain.invoicing import dates
from chalicelib.domain.invoicing.steps import VERSION_NUMBERS
from chalicelib.features.credits import service as credits
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import store
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoicing import drafts, issue_transaction
from chalicelib.features.invoicing.drafts import FINALIZE
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, InvoiceId, PlanId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def finalize(task: Task, now: datetime) -> None:
    """Compute the task's draft again, with all events of its period, and issue it as final."""
    old = store.get(task.organization.id, InvoiceId(task.subject))
    if old is None or old.status != "draft":
        agenda.done(task).alone()
        return
    context, refreshed, fees = drafts.recomputed(task.organization.id, old, now=now)
    dated = refreshed.model_copy(update=_dates(context, refreshed, periods.local_date(now, context.zone)))
    issue = issue_transaction.finalized(context, dated, fees, now=now)
    issue_transaction.carry_out(replace(issue, replaces=old, actions=[agenda.done(task)]), now=now)


def finalize_now(organization: OrganizationRef, draft: Invoice, *, now: datetime) -> list[Task]:
    """Move the draft's finalization to now; it is carried out as at the end of the grace period. Returns the task to
    push; none for a draft that has become final meanwhile. Idempotent.

    Raises: ChangedMeanwhile.
    """

    def attempt() -> list[Task]:
        standing = drafts.standing(organization, draft, now=now)
        if standing is not None:
            return _moved_to_now(standing, now=now)
        current = store.get(organization.id, draft.id)
        if current is not None and current.status == "draft":
            raise ChangedMeanwhile(Resource.INVOICE)  # The task was moved between two reads.
        return []

    return retrying(attempt, Resource.INVOICE)


def finalize_asked(organization: OrganizationRef, invoice_id: InvoiceId, *, now: datetime) -> list[Task]:
    """Make a draft final because somebody asks for it: of several requests at once, one is served.
    Source: rules/money 5, row 30.

    Raises: NotFound, in a sandbox also where another request is finalizing it; ChangedMeanwhile.
    """

    def attempt() -> list[Task]:
        draft = invoices.find(organization.id, invoice_id)
        standing = drafts.standing(organization, draft, now=now) if draft.status == "draft" else None
        if standing is None:
            raise NotFound(Resource.INVOICE)
        is_taken = standing.due_at != drafts.planned(organization, draft).due_at and not standing.parked
        if standing.in_clock and is_taken:
            raise NotFound(Resource.INVOICE)  # The request that moved it makes the draft final before its answer.
        return _moved_to_now(standing, now=now)

    return retrying(attempt, Resource.INVOICE)


def _moved_to_now(standing: Task, *, now: datetime) -> list[Task]:
    if standing.due_at <= now and not standing.parked:
        return [standing]
    Unit(agenda.move(standing, now, now=now)).commit()
    return [agenda.task(FINALIZE, standing.organization, standing.subject, now)]


def finalize_before_end(organization: OrganizationRef, customer_id: CustomerId, *, now: datetime) -> None:
    """Issue the drafts of a deleted customer as final, the oldest first, before its last invoices take what it has left.

    Source: rules/money 5, row 33.
    """
    for draft in sorted(store.drafts_of(organization.id, customer_id), key=lambda each: (each.created_at, each.id)):
        for task in finalize_now(organization, draft, now=now):
            finalize(task, now)


def finalize_all(
    organization: OrganizationRef, customer_id: CustomerId, *, now: datetime, plan_id: PlanId | None = None
) -> list[Task]:
    """Move the finalization of a customer's drafts (only those on a plan, where one is named) to now."""
    tasks: list[Task] = []
    for draft in store.drafts_of(organization.id, customer_id):
        if plan_id is None or drafts.stands_on(draft, plan_id):
            tasks += finalize_now(organization, draft, now=now)
    return tasks


def close(task: Task, now: datetime) -> None:
    """End the credits of a deleted customer, once it is billed; drafts that are left become final before.

    Source: rules/money 5, row 33.
    """
    organization_id, customer_id = task.organization.id, CustomerId(task.subject)
    tasks = finalize_all(task.organization, customer_id, now=now)
    if tasks or customers.items_of(organization_id, customer_id).state.due_at is not None:
        # Open billing may use them: look again.
        Unit(agenda.move(task, now + limits.CLOSED_CUSTOMER_AGAIN, now=now)).commit()
        agenda.push([each for each in tasks if not each.in_clock])
        return
    ends = credits.end_all(task.organization, customer_id, now=now)
    Unit(agenda.done(task), *(agenda.put(each, now=now) for each in ends)).commit()
    agenda.push([each for each in ends if not each.in_clock])


def _dates(context: BillingContext, draft: Invoice, on: date) -> dict[str, object]:
    """The dates of a draft that becomes final on a day. Source: rules/invoices 2."""
    adjustment = context.customer.billing_configuration.subscription_invoice_issuing_date_adjustment
    issuing = draft.issuing_date if adjustment == dates.KEEP else on
    return {
        "issuing_date": issuing,
        "payment_due_date": issuing + timedelta(days=draft.net_payment_term),
        "finalize_on": on,
        "version_number": VERSION_NUMBERS[context.organization.billing_configuration.coupon_application],
    }
