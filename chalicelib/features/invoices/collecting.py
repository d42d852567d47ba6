"""Invoices that are overdue, and disputes of their payments. Source: rules/invoices 1, 10."""

from datetime import datetime

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotAllowed
from chalicelib.features.invoices import overdue, service, store, whole
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def lose_dispute(organization: OrganizationRef, invoice_id: InvoiceId, *, now: datetime) -> tuple[Invoice, list[Task]]:
    """Keep that the dispute of a final invoice's payment was lost: it is no longer overdue. Idempotent.

    Raises: NotFound; NotAllowed, `not_disputable`; ChangedMeanwhile.
    """

    def attempt() -> tuple[Invoice, list[Task]]:
        old = service.find(organization.id, invoice_id)
        if old.status != "finalized":
            raise NotAllowed(ErrorCode.NOT_DISPUTABLE)
        if old.payment_dispute_lost_at is not None:
            return old, []
        lost = old.changed(now=now, payment_dispute_lost_at=now)
        new, followed = overdue.followed(organization, old, lost, now=now)
        told = webhooks.announcement(
            organization,
            "invoice.payment_dispute_lost",
            "payment_dispute_lost",
            lambda: {"invoice": whole.show(organization.id, new, now=now), "provider_error": None},
            subject=f"invoice.payment_dispute_lost#{old.id}",
            now=now,
        )
        replaced = store.replace_actions(organization.id, old, new)
        Unit(replaced, followed, (agenda.put(each, now=now) for each in told)).commit()
        return new, told

    return retrying(attempt, Resource.INVOICE)


def become_overdue(task: Task, *, now: datetime) -> list[Task]:
    """Mark the task's invoice as overdue where its payment is still awaited. Returns the tasks to push."""
    old = store.get(task.organization.id, InvoiceId(task.subject))
    if old is None or old.payment_overdue or not overdue.is_awaited(old):
        agenda.done(task).alone()
        return []
    new: Invoice = old.changed(now=now, payment_overdue=True)
    own = organizations.get(task.organization.id)
    subject = f"{old.id}#{old.version}"
    told = service.announced(own, new, "invoice.payment_overdue", subject=subject, now=now)
    replaced = store.replace_actions(own.id, old, new)
    Unit(replaced, agenda.done(task), (agenda.put(each, now=now) for each in told)).commit()
    return told
