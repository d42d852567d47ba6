"""Printing: the job that turns a finalized invoice into its file."""

from datetime import datetime

from chalicelib.features.documents.render import InvoiceDocument, invoice_pdf
from chalicelib.features.invoices import reading as invoice_reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.organizations import schemas as organization_schemas
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock, files, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.unit import Unit


@jobs.handles(invoices.PRINT)
def print_invoice(task: Task, now: datetime) -> None:
    """Draw the file under a name of the invoice's own (drawing it again replaces it), then let the invoice name it."""
    organization_id = task.organization.id
    invoice = invoice_reading.get(organization_id, InvoiceId(task.subject))
    if invoice is None or invoice.file_key is not None or invoice.status not in ("finalized", "voided"):
        agenda.done(task).alone()
        return
    whole = invoices.read_whole(organization_id, invoice)
    own, own_locale = whole.organization, whole.customer.billing_configuration.document_locale
    shown = invoices.show_whole(whole, now=clock.now(task.organization))
    document = InvoiceDocument(
        invoice=shown,
        organization=organization_schemas.show(own, urls=[], taxes=[]),
        locale=own_locale or own.billing_configuration.document_locale,
    )
    name = f"{organization_id}/invoices/{invoice.id}.pdf"
    files.put(name, invoice_pdf(document), "application/pdf")
    payload = shown | {"file_url": files.link(name, f"{invoice.number}.pdf")}
    generated = webhooks.announcement(
        own.ref, "invoice.generated", "invoice", payload, subject=f"invoice.generated#{invoice.id}", now=now
    )
    actions = invoices.printed_actions(organization_id, invoice, name)
    Unit([*actions, agenda.put(generated, now=now), agenda.done(task)]).commit()
    agenda.push([generated])
