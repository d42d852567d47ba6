"""Credit notes: the list, one note with its items and uses, its document, and acts on it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

from chalicelib.console import format, forms, lists, pairs
from chalicelib.console.forms import Form
from chalicelib.console.lists import Filter, Tab
from chalicelib.console.texts import label
from chalicelib.console.views import credit_note_form
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.credit_notes import listings, service
from chalicelib.features.credit_notes.records import CreditNote, CreditStatus, Reason, RefundStatus
from chalicelib.features.credit_notes.schemas import METADATA_KEYS_MAX
from chalicelib.features.documents import addresses, orders
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CreditNoteId, CustomerId


def _choices(values: Sequence[str]) -> list[tuple[str, str]]:
    return [(each, label(each)) for each in values]


_TABS = (Tab("All", {}), *(Tab(label(each), {"credit_status": each}) for each in get_args(CreditStatus)))
_FILTERS = (
    Filter("Reason", ("reason",), "choices", _choices(get_args(Reason))),
    Filter("Refund status", ("refund_status",), "choices", _choices(get_args(RefundStatus))),
    Filter("Issuing date", ("issuing_date_from", "issuing_date_to"), "days"),
    Filter("Invoice", ("invoice_number",), placeholder="Number"),
    Filter("Customer", ("external_customer_id",), placeholder="External ID"),
    Filter("Currency", ("currency",), "select", [(each, each) for each in sorted(CURRENCIES)]),
    Filter("Amount", ("amount_from", "amount_to"), "amounts"),
)


def asked(visit: Visit) -> dict[str, Any]:
    """What a visit asks of the API's list of credit notes."""
    return _asked(visit, lists.asked(visit, _FILTERS, _TABS))


def index(visit: Visit) -> Page:
    """All credit notes, newest first."""

    fetch = partial(heads, visit)
    listed = lists.gather(visit, "/credit_notes", "credit_notes", filters=_FILTERS, tabs=_TABS, fetch=fetch)
    return Page("credit_notes/index.html", {"listed": listed})


def heads(visit: Visit, query: Mapping[str, Any], *, customer_id: CustomerId | None = None) -> dict[str, Any]:
    """A page of the API's list without the items of the notes, each of which would be one more query."""
    found, meta = listings.page(visit.api.asking(_asked(visit, query)), customer_id)
    return {"credit_notes": service.show_heads(visit.organization.id, found), "meta": meta}


def _asked(visit: Visit, query: Mapping[str, Any]) -> dict[str, Any]:
    """The query as the API takes it: amounts in minor units."""
    asked = dict(query)
    currency = visit.query.one("currency") or str(visit.organization.default_currency)
    for name in ("amount_from", "amount_to"):
        text = visit.query.one(name)
        cents = format.as_minor(text, currency) if text and currency in CURRENCIES else None
        if cents is not None:
            asked[name] = cents
    return asked


def new(visit: Visit) -> Page | Redirect:
    """Issue a note on an invoice."""
    return credit_note_form.show(visit)


def show(visit: Visit) -> Page:
    """One note, with the invoices that used it."""
    note = visit.api.get(path_of("credit_notes", visit.path["id"]))["credit_note"]
    uses = service.uses(visit.organization.id, _record(visit))
    return Page("credit_notes/show.html", {"note": note, "uses": uses})


def pdf(visit: Visit) -> Page | Redirect:
    """Lead to the document, or say that it is being printed; the page asks again."""
    note = service.download(visit.organization.ref, CreditNoteId(visit.path["id"]))
    if orders.ready(note.file_key):
        return Redirect(str(addresses.link(note)))
    template = "credit_notes/printing_part.html" if visit.is_htmx else "credit_notes/printing.html"
    return Page(template, {"note": {"lago_id": note.id, "number": note.number}})


def void(visit: Visit) -> Page | Redirect:
    """Give up what is left of a note."""
    record = _record(visit)
    form = Form()
    if visit.method == "POST":
        made = forms.submit(form, lambda: visit.api.put(path_of("credit_notes", record.id, "void")))
        # The second click of two finds nothing left, and nothing to complain about.
        if made is not None or record.credit_status == "voided":
            return Redirect(visit.link("credit_notes", record.id), said=f"Voided {record.number}")
    return _dialog(visit, "credit_notes/void.html", record, form)


def refund_status(visit: Visit) -> Page | Redirect:
    """Say how a refund went that was made elsewhere."""
    record = _record(visit)
    if visit.method == "GET":
        form = forms.filled({"refund_status": record.refund_status or "pending"})
        return _dialog(visit, "credit_notes/refund_status.html", record, form)
    form = forms.posted(visit)
    body = {"credit_note": {"refund_status": form.value("refund_status")}}
    act = _put(visit, record, body)
    if forms.submit(form, act) is None:
        return _dialog(visit, "credit_notes/refund_status.html", record, form)
    said = f"The refund of {record.number} is {label(form.value('refund_status')).lower()}"
    return Redirect(visit.link("credit_notes", record.id), said=said)


def metadata(visit: Visit) -> Page | Redirect:
    """Change the pairs of a note."""
    record = _record(visit)
    if visit.method == "GET":
        form = forms.filled({"metadata": pairs.shown(record.metadata)})
        return _dialog(visit, "credit_notes/metadata.html", record, form)
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, {"metadata": pairs.BLANK}):
        body = {"metadata": pairs.read_object(form)}
        path = path_of("credit_notes", record.id, "metadata")
        if not form.errors and forms.submit(form, lambda: visit.api.post(path, body)) is not None:
            return Redirect(visit.link("credit_notes", record.id), said="Saved the metadata")
    return _dialog(visit, "credit_notes/metadata.html", record, form)


def _put(visit: Visit, record: CreditNote, body: Any) -> Callable[[], Any]:
    return lambda: visit.api.put(path_of("credit_notes", record.id), body)


def _record(visit: Visit) -> CreditNote:
    """The note of the address.

    Raises: NotFound.
    """
    return service.find(visit.organization.id, CreditNoteId(visit.path["id"]))


def _dialog(visit: Visit, template: str, record: CreditNote, form: Form) -> Page:
    note = service.show_heads(visit.organization.id, [record])[0]
    values = {"note": note, "form": form, "states": _choices(get_args(RefundStatus)), "most": METADATA_KEYS_MAX}
    return Page(template, values, form.status)
