"""What is told of payments: one task, written with the change, makes all its messages and orders the receipt.

So a payment that is collected waits neither for whoever listens, nor for its invoices to be read whole.

Source: rules/webhooks 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import whole
from chalicelib.features.payments.requests import reading as requests
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, PaymentReceiptId, PaymentRequestId
from chalicelib.platform.unit import Unit

# Makes the messages of what became of a payment. In real time, as the outside world is.
TELL = agenda.kind("tell_of_payment", rank=86, real_time=True)
# Prints a receipt. In real time, also for organizations with a test clock.
PRINT = agenda.kind("print_payment_receipt", rank=97, real_time=True, queue="documents")


@dataclass(frozen=True, slots=True)
class Told:
    """A message to be made. `subject` names what happened, so that it is told once; `payload`: the object as it is shown, None
    for an invoice or a payment request, which is read under `object_id` when the message is made."""

    webhook_type: str
    object_type: str
    subject: str
    payload: Mapping[str, Any] | None = None
    object_id: str = ""

    def announced(self, organization: OrganizationRef, *, now: datetime) -> list[Task]:
        """The task that announces it; none where nobody listens."""
        return webhooks.announcement(
            organization,
            self.webhook_type,
            self.object_type,
            lambda: self.payload or _shown(organization, self, now=now),
            subject=f"{self.webhook_type}#{self.subject}",
            now=now,
        )


def task(
    organization: OrganizationRef, subject: str, told: Sequence[Told], *, receipt_id: PaymentReceiptId | None = None
) -> list[Task]:
    """The task that makes these messages, and has a new receipt printed; none where there is nothing to do."""
    if not told and receipt_id is None:
        return []
    detail = {"told": [asdict(each) for each in told], "receipt_id": receipt_id}
    return [agenda.task(TELL, organization, subject, clock.utc_now(), detail)]


def run(task: Task) -> None:
    """Make the messages of a task. Idempotent."""
    organization, now, real_now = task.organization, clock.now(task.organization), clock.utc_now()
    tasks = [each for told in task.detail["told"] for each in Told(**told).announced(organization, now=now)]
    receipt_id = task.detail["receipt_id"]
    if receipt_id is not None:
        tasks.append(agenda.task(PRINT, organization, str(receipt_id), real_now))
    Unit(agenda.done(task), [agenda.put(each, now=real_now) for each in tasks]).commit()
    agenda.push(tasks)


def _shown(organization: OrganizationRef, told: Told, *, now: datetime) -> Mapping[str, Any]:
    """An object as it stands when the message is made."""
    if told.object_type == "invoice":
        invoice = invoices.get(organization.id, InvoiceId(told.object_id))
        assert invoice is not None, "invoices that are paid for stay"
        return whole.show(organization.id, invoice, now=now)
    request = requests.find(organization.id, PaymentRequestId(told.object_id))
    return requests.show(organization.id, request, now=now)
