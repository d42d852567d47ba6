"""Credit notes as pages. Source: rules/invoices 12."""

from collections.abc import Mapping
from typing import Any

from chalicelib.features.documents import lines
from chalicelib.features.documents.formats import Formats
from chalicelib.features.documents.page import Line, Look, Page, Sum, Table, metadata, tax_sums

_PARTS = {"credited": "credit", "refunded": "refund", "offset": "offset"}


def page(note: Mapping[str, Any], look: Look) -> Page:
    """The page of a credit note as the API shows it."""
    words, show, customer = look.words, look.formats(note["currency"]), note["customer"]
    return Page(
        locale=look.locale,
        title=words["credit_note"],
        number=note["number"],
        sender=look.sender,
        facts=[
            (words["credit_note_number"], note["number"]),
            (words["invoice_number"], note["invoice_number"]),
            (words["issue_date"], show.day(note["issuing_date"])),
            *metadata(customer),
        ],
        parties=look.parties(customer, show, heading="issued_to"),
        amount=show.cents(note["total_amount_cents"]),
        amount_note=_happened(note, words, show),
        table=_table(note, look, show),
        sums=_sums(note, look, show),
        note=note["description"] or "",
        page_of=words["page_of"],
        logo=look.logo,
    )


def _parts(note: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The parts of a note's total that are not zero."""
    cents = [(kind, note[f"{part}_amount_cents"]) for kind, part in _PARTS.items()]
    return [(kind, amount) for kind, amount in cents if amount]


def _happened(note: Mapping[str, Any], words: Mapping[str, str], show: Formats) -> str:
    """The day, and what became of the total on it; of several parts each with its amount."""
    date, parts = show.day(note["issuing_date"]), _parts(note)
    if len(parts) <= 1:
        kind = parts[0][0] if parts else "credited"
        return words[f"{kind}_on"].format(date=date)
    return " · ".join(
        words["labelled"].format(label=words[f"{kind}_on"].format(date=date), value=show.cents(cents))
        for kind, cents in parts
    )


def _table(note: Mapping[str, Any], look: Look, show: Formats) -> Table:
    zone = note["customer"]["applicable_timezone"]
    rows = []
    for item in note["items"]:
        # The fee's own units and price are not those of what is given back.
        (line, *_) = lines.lines([{**item["fee"], "events_count": None}], look.words, show, zone)
        cells = (show.rate(item["fee"]["taxes_rate"]), show.cents(item["amount_cents"]))
        rows.append(Line(line.title, cells, line.notes))
    return Table(columns=(look.words["item"], look.words["tax"], look.words["amount"]), widths=(24, 36), lines=rows)


def _sums(note: Mapping[str, Any], look: Look, show: Formats) -> list[Sum]:
    words = look.words
    coupons, net = note["coupons_adjustment_amount_cents"], note["sub_total_excluding_taxes_amount_cents"]
    return [
        *([Sum(words["coupon_adjustment"], show.taken(coupons))] if coupons else []),
        Sum(words["subtotal_excl"], show.cents(net)),
        *tax_sums(look, show, note["applied_taxes"], "base_amount_cents", note["total_amount_cents"] - net),
        *(Sum(words[kind], show.cents(cents)) for kind, cents in _parts(note)),
        Sum(words["credit_total"], show.cents(note["total_amount_cents"]), grand=True),
    ]
