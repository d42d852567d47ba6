"""What was to collect an invoice, once less is due of it: its pages are closed, and a payment under way is withdrawn.

Source: rules/collection 2.
"""

from collections.abc import Set

from chalicelib.domain.error_codes import Resource
from chalicelib.features.invoices import reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import store, waiting
from chalicelib.features.payments.collection import adopting, closing, starting
from chalicelib.features.payments.providers.errors import Unknown
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def tidy(task: Task) -> None:
    """Bring what is to collect an invoice in line with what is due of it; while the provider gives no answer, it waits."""
    organization, invoice_id = task.organization, InvoiceId(task.subject)
    invoice = reading.get(organization.id, invoice_id)
    if invoice is None:
        agenda.done(task).alone()
        return
    try:
        for connection, paid in closing.close_all(organization, invoice):
            adopting.adopt(organization, connection, paid, now=clock.now(organization))
    except Unknown as failure:
        waiting.for_answer(task, failure)
        return
    closed = {(page.request_id, page.number) for page in invoice.payment_pages}
    agenda.push(retrying(lambda: _tidied(task, invoice_id, closed), Resource.INVOICE))


def _tidied(task: Task, invoice_id: InvoiceId, closed: Set[tuple[str | None, int]]) -> list[Task]:
    """Write it, with the end of the task; the tasks to push."""
    organization = task.organization
    invoice = reading.get(organization.id, invoice_id)
    assert invoice is not None
    now = clock.now(organization)
    unit = Unit(agenda.done(task))
    left = tuple(page for page in invoice.payment_pages if (page.request_id, page.number) not in closed)
    if left != invoice.payment_pages:
        new = invoice.changed(now=now, payment_pages=left)
        unit.add(invoices.changed(organization.id, invoice, new, now=now).actions)
    tasks = _withdrawn(organization, invoice, unit)
    unit.commit()
    return tasks


def _withdrawn(organization: OrganizationRef, invoice: Invoice, unit: Unit) -> list[Task]:
    if invoice.payment_under_way is None:
        return []
    payment = store.get(organization.id, invoice.payment_under_way)
    is_owed = invoice.status in ("finalized", "open") and invoice.payment_status != "succeeded"
    if payment is None or not payment.under_way or payment.collected.withdrawn:
        return []
    asked = sum(part.amount_cents for part in payment.parts if part.invoice_id == invoice.id)
    if is_owed and invoice.due_amount_cents >= asked:
        return []
    task = agenda.task(starting.COLLECT, organization, payment.id, clock.utc_now())
    gone = payment.model_copy(update={"collection": payment.collected.after(withdrawn=True)})
    unit.add(store.replace(organization.id, payment, gone), agenda.put(task, now=task.due_at))
    return [task]
