"""Overdue invoices: a task born with a final invoice looks at it when its due day is over.

Source: rules/invoices 10; rules/money 6.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.features.invoices.records import Invoice
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.unit import Write

OVERDUE = agenda.kind("invoice_overdue", rank=30)


def is_awaited(invoice: Invoice) -> bool:
    """Whether a payment is awaited, so that the invoice may become overdue."""
    unpaid = invoice.payment_status != "succeeded" and invoice.due_amount_cents > 0
    return invoice.status == "finalized" and unpaid and invoice.payment_dispute_lost_at is None


def task_of(organization: OrganizationRef, invoice: Invoice) -> Task:
    """The task that looks at a final invoice once its due day is over where the customer is."""
    due_at = periods.start_of_day(invoice.payment_due_date + timedelta(days=1), ZoneInfo(invoice.timezone))
    return agenda.task(OVERDUE, organization, invoice.id, due_at)


def followed(
    organization: OrganizationRef, old: Invoice, new: Invoice, *, now: datetime
) -> tuple[Invoice, list[Write]]:
    """A changed final invoice with its flag in line, and the writes that bring its task in line: neither outlives a payment,
    and a payment that is taken back makes the task again."""
    if not is_awaited(new):
        waits = is_awaited(old) and not old.payment_overdue
        removed = [agenda.remove(task_of(organization, old))] if waits else []
        return new.model_copy(update={"payment_overdue": False}), removed
    return new, [] if is_awaited(old) else [agenda.put(task_of(organization, new), now=now)]
