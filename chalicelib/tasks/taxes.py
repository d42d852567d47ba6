"""After a change of a tax: drafts that it touches are computed again."""

from datetime import datetime

from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoicing import drafts
from chalicelib.features.taxes import service
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.agenda.walk import place_of, walk


@runner.handles(service.REFRESH)
def refresh_drafts(task: Task, now: datetime) -> None:
    """Compute the drafts again that have the tax, or all where it became one of the organization's. Idempotent."""
    organization_id, tax_id = task.organization.id, task.detail["tax_id"]

    def one(draft: Invoice) -> None:
        if task.detail["everywhere"] or any(part.tax_id == tax_id for part in draft.applied_taxes):
            drafts.refresh(organization_id, draft, now=now)

    if walk(task, invoices.drafts(organization_id, before=place_of(task)), one, now=now):
        agenda.done(task).alone()
