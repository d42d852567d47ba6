"""The effects of an invoice's issue: its message to the webhooks, its fees in their list, and the order to print it; and the
end of its due day."""

from datetime import datetime

from chalicelib.features.audit import late
from chalicelib.features.fees import service as fees_room
from chalicelib.features.invoices import collecting, overdue, reading, service
from chalicelib.features.invoices import whole as invoice_whole
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.unit import Unit


@runner.handles(service.ISSUED)
def issued(task: Task, now: datetime) -> None:
    """Fan out, all together with the end of the task: messages to every endpoint, of a final one the print order, and its
    fees among all others."""
    organization_id = task.organization.id
    invoice_id, _, status = task.subject.partition("#")
    invoice = reading.get(organization_id, InvoiceId(invoice_id))
    if invoice is None:
        agenda.done(task).alone()
        return
    name = service.message_of(invoice, status)
    told: list[Task] = []
    if webhooks.listening(organization_id, name):
        whole = invoice_whole.read_whole(organization_id, invoice)
        shown = invoice_whole.show_whole(whole, now=clock.now(task.organization))
        subject = f"{name}#{invoice_id}"
        told = webhooks.announcement(task.organization, name, "invoice", shown, subject=subject, now=invoice.created_at)
        entered = whole.fees
    else:
        entered = reading.fees_of(organization_id, invoice) if status == "finalized" else []
    actions, tasks = [agenda.put(each, now=now) for each in told], [*told]
    if status == "finalized":
        # Charges in advance are entered by the transactions that make them.
        fees = [f for f in entered if not (f.type == "charge" and f.pay_in_advance)]
        actions += fees_room.enter(organization_id, fees)
        order = agenda.task(service.PRINT, task.organization, invoice_id, now)
        actions.append(agenda.put(order, now=now))
        tasks.append(order)
    Unit(actions, agenda.done(task)).commit()
    agenda.push(tasks)
    if status == "finalized":
        late.watch(task.organization, now=now)


@runner.handles(overdue.OVERDUE)
def become_overdue(task: Task, now: datetime) -> None:
    """Mark an invoice that was not paid by its due day."""
    agenda.push(collecting.become_overdue(task, now=now))
