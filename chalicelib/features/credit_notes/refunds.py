"""Refunds of credit notes by the provider that collected the payment. Source: rules/invoices 7.3; rules/catalog 10."""

from datetime import datetime

from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.invoices.records import Invoice
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef


def tasks(organization: OrganizationRef, invoice: Invoice, note: CreditNote, *, now: datetime) -> list[Task]:
    """The tasks that pay a note's refund back, written in the note's transaction. None: no provider collects payments yet,
    so the client refunds, and sets `refund_status`."""
    return []
