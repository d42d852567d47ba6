"""The effects of a metric's deletion: its charges leave their plans, its events of open periods go, drafts are computed
again. Source: rules/catalog 2.2.

Each is a resumable walk (`platform/agenda/walk.py`). It is idempotent: each step reads the present state.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from chalicelib.domain.error_codes import Resource
from chalicelib.features.billable_metrics import changes, service
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoicing import drafts
from chalicelib.features.metering import erase, log_reader
from chalicelib.features.metering.event import milliseconds_of
from chalicelib.features.plans import changes as plan_changes
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.agenda.walk import place_of, walk
from chalicelib.platform.ids import BillableMetricId, OrganizationId, PlanId
from chalicelib.platform.retry import retrying

T = TypeVar("T")


@runner.handles(changes.DETACH)
def detach(task: Task, now: datetime) -> None:
    """Take the metric's charges out of all plans, those of single subscriptions too."""
    organization_id, metric_id = task.organization.id, task.subject

    def one(plan_id: PlanId) -> None:
        plan_changes.detach_metric(organization_id, plan_id, metric_id, now=now)

    plans = service.plans_of(organization_id, BillableMetricId(metric_id), after=place_of(task))
    _to_the_end(
        task, ((each, each) for each in plans), lambda each: retrying(lambda: one(PlanId(each)), Resource.PLAN), now
    )


@runner.handles(changes.ERASE)
def erase_events(task: Task, now: datetime) -> None:
    """Erase the events of the metric's code that had come when it was deleted: those of current and draft periods, or,
    where the task says `whole`, all."""
    organization_id, detail = task.organization.id, task.detail
    has_drafts = any(True for _ in invoices.drafts(organization_id))

    def one(external_id: str) -> None:
        since_ms = 0 if detail["whole"] else _open_since_ms(organization_id, external_id, has_drafts=has_drafts)
        erase.erase(organization_id, external_id, detail["code"], since_ms=since_ms, received_until=detail["until"])

    of_late = log_reader.external_ids(organization_id, clock.utc_now())
    known = subscriptions.external_ids(organization_id) | of_late
    left = sorted(each for each in known if each > place_of(task))
    _to_the_end(task, ((each, each) for each in left), one, now)


def _open_since_ms(organization_id: OrganizationId, external_id: str, *, has_drafts: bool) -> int:
    """Since when usage under an external id is on no final invoice: from the start on where nothing was billed yet, and
    in milliseconds since 1970, as far back as events go where it never had a subscription."""
    known = subscriptions.history(organization_id, external_id)
    begins = [each.billed_until or each.started_at for each in known if each.live]
    for customer_id in {each.customer_id for each in known} if has_drafts else ():
        for draft in invoices.drafts_of(organization_id, customer_id):
            begins += [part.charges_start for part in draft.periods if part.external_subscription_id == external_id]
    # Usage after the end of the last subscription was on no invoice either.
    ends = [each.terminated_at for each in known if each.terminated_at is not None]
    since = min((at for at in begins if at is not None), default=max(ends, default=None))
    return 0 if since is None else milliseconds_of(since)


@runner.handles(changes.REFRESH)
def refresh_drafts(task: Task, now: datetime) -> None:
    """Compute the drafts again that hold fees of the metric."""
    organization_id, metric_id = task.organization.id, task.subject

    def one(draft: Invoice) -> None:
        if any(fee.item_id == metric_id for fee in invoices.fees_of(organization_id, draft)):
            drafts.refresh(organization_id, draft, now=now)

    _to_the_end(task, invoices.drafts(organization_id, before=place_of(task)), one, now)


def _to_the_end(task: Task, items: Iterable[tuple[str, T]], one: Callable[[T], object], now: datetime) -> None:
    if walk(task, items, one, now=now):
        agenda.done(task).alone()
