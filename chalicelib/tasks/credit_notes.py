"""The effects of a credit note's issue: its message to the webhooks, the order to print it, and its refund."""

from datetime import datetime

from chalicelib.features.credit_notes import service
from chalicelib.features.payments.refunds import service as refunds
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import CreditNoteId
from chalicelib.platform.timestamps import unstamp
from chalicelib.platform.unit import Unit

_MESSAGE = "credit_note.created"


@runner.handles(service.ISSUED)
def issued(task: Task, now: datetime) -> None:
    """Send the event to every endpoint, order the print and begin the refund, together with the end of the task."""
    organization_id = task.organization.id
    note = service.get(organization_id, CreditNoteId(task.subject))
    if note is None or not note.visible:
        agenda.done(task).alone()
        return
    told = webhooks.announcement(
        task.organization,
        _MESSAGE,
        "credit_note",
        lambda: service.show(organization_id, note),
        subject=f"{_MESSAGE}#{note.id}",
        now=unstamp(task.detail["issued_at"]),
    )
    printing = agenda.task(service.PRINT, task.organization, note.id, now)
    tasks = [*told, printing, *refunds.tasks(task.organization, note)]
    Unit([agenda.put(each, now=now) for each in tasks], agenda.done(task)).commit()
    agenda.push(tasks)
