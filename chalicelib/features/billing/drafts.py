"""Drafts by hand: computing one again, and making it final before its grace period is over."""

from datetime import datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.features.billing import jobs
from chalicelib.features.invoices import store
from chalicelib.features.invoices.records import Invoice
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import new_id
from chalicelib.platform.table import transact


def refresh(organization_id: str, draft: Invoice, *, now: datetime) -> Invoice:
    """The draft computed again, with all events of its period so far, under a new build."""
    _, fresh, fees = jobs.recomputed(organization_id, draft, now=now)
    fresh = fresh.model_copy(update={"build": new_id()})
    store.write_fees(organization_id, draft.id, fresh.build, fees)
    transact(store.replace_actions(organization_id, draft, fresh))
    return fresh


def finalize_now(organization: OrganizationRef, draft: Invoice, *, now: datetime) -> list[Task]:
    """Move the draft's finalization to now; it is carried out like at the end of the grace period."""
    due_at = periods.start_of_day(draft.finalize_on, ZoneInfo(draft.timezone))
    task = agenda.task(jobs.FINALIZE, organization, draft.id, due_at)
    transact(agenda.move(task, now, now=now))
    return [agenda.task(jobs.FINALIZE, organization, draft.id, now)]
