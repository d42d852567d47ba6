"""Payment receipts as pages. Source: rules/invoices 12."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from chalicelib.features.documents.page import Line, Look, Page, Sum, Table, metadata


def page(receipt: Mapping[str, Any], invoices: Sequence[Mapping[str, Any]], look: Look, *, paid_on: date) -> Page:
    """The page of a receipt as the API shows it, with the invoices that its payment is for. `paid_on`: the day of the
    payment, which may have been recorded much later."""
    words, payment = look.words, receipt["payment"]
    show, customer = look.formats(payment["amount_currency"]), invoices[0]["customer"]
    paid_at = show.day(paid_on.isoformat())
    rows = [
        Line(invoice["number"], (show.day(invoice["issuing_date"]), show.cents(invoice["total_amount_cents"])))
        for invoice in invoices
    ]
    return Page(
        locale=look.locale,
        title=words["receipt"],
        number=receipt["number"],
        sender=look.sender,
        facts=[
            (words["receipt_number"], receipt["number"]),
            (words["payment_date"], paid_at),
            *([(words["reference"], payment["reference"])] if payment["reference"] else []),
            *metadata(customer),
        ],
        parties=look.parties(customer, show, heading="issued_to"),
        amount=show.cents(payment["amount_cents"]),
        amount_note=words["paid_on"].format(date=paid_at),
        table=Table(
            columns=(words["invoice_number"], words["issue_date"], words["invoice_total"]), widths=(45, 40), lines=rows
        ),
        sums=[Sum(words["amount_paid"], show.cents(payment["amount_cents"]), grand=True)],
        page_of=words["page_of"],
        logo=look.logo,
    )
