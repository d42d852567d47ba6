"""The form that issues a credit note: fees with what is left of each, how it is given, and beside it what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from chalicelib.console import format, forms, pairs, texts
from chalicelib.console.forms import Form
from chalicelib.console.texts import Refusal, label
from chalicelib.console.views import invoice_parts
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import BillingError, Invalid
from chalicelib.features.credit_notes import by_hand, service
from chalicelib.features.credit_notes.by_hand import CreditedInvoice
from chalicelib.features.credit_notes.records import CreditNote, Reason
from chalicelib.features.credit_notes.schemas import METADATA_KEYS_MAX
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import serializer
from chalicelib.features.sandbox import service as sandbox
from chalicelib.platform.ids import CreditNoteId, InvoiceId, derived_id

# Fees to choose from at once; an invoice may have thousands.
_FEES_MAX = 100

_PARTS = ("credit_amount_cents", "refund_amount_cents", "offset_amount_cents")


@dataclass(frozen=True, slots=True)
class _Line:
    """One fee: as the API shows it, and what may still be credited of it."""

    fee: Mapping[str, Any]
    left_cents: int
    name: str


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Amounts of the note, or the reasons why it cannot be. `parts`: how it is given, by the names of the API."""

    shown: Mapping[str, Any] | None
    parts: Mapping[str, int]
    refusals: Sequence[Refusal] = ()

    @property
    def total_cents(self) -> int:
        """The note's total."""
        return _total(self.shown) if self.shown else 0


def show(visit: Visit) -> Page | Redirect:
    """The form for the invoice of the query; without one, the way to invoices."""
    invoice_id = visit.form.one("invoice_id") or visit.query.one("invoice")
    if not invoice_id:
        return Page("credit_notes/choose.html")
    source = by_hand.offered(visit.organization.id, InvoiceId(invoice_id), now=visit.now)
    lines = _lines(source)
    if visit.method == "GET":
        return _page(visit, source, lines, _begun(source, lines))
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, {"metadata": pairs.BLANK}):
        body = _body(form, source)
        body |= {
            "reason": form.value("reason") or None,
            "description": form.value("description") or None,
            "metadata": pairs.read_object(form),
        }
        made = None if form.errors else forms.submit(form, lambda: _create(visit, form, source, body))
        _placed(form, source, lines)
        if made is not None:
            return Redirect(visit.link("credit_notes", made.id), said=f"Issued credit note {made.number}")
    return _page(visit, source, lines, form)


def _lines(source: CreditedInvoice) -> list[_Line]:
    """The fees of which something is left, in their order."""
    left = source.creditable.remaining
    found = [(fee, int(left[fee.id])) for fee in source.fees]
    shown = [(serializer.fee(fee, source.invoice.payment_status), cents) for fee, cents in found]
    filtered = invoice_parts.filtered(fee for fee, _ in shown)
    return [_Line(fee, cents, invoice_parts.line(fee, filtered).name) for fee, cents in shown if cents > 0]


def _begun(source: CreditedInvoice, lines: Sequence[_Line]) -> Form:
    """A note of all that is left."""
    items = [
        {"fee_id": line.fee["lago_id"], "chosen": "true", "amount_cents": _typed(source, line.left_cents)}
        for line in lines[:_FEES_MAX]
    ]
    return forms.filled({"invoice_id": source.invoice.id, "reason": "other", "items": items})


def _page(visit: Visit, source: CreditedInvoice, lines: Sequence[_Line], form: Form) -> Page:
    customer = customers.get(visit.organization.id, source.invoice.customer_id)
    assert customer is not None, "an invoice has a customer, deleted or not"
    values = {
        "form": form,
        "invoice": source.invoice,
        "customer": {"id": customer.id, "name": customer.name or customer.external_id},
        "lines": {line.fee["lago_id"]: line for line in lines},
        "others": max(0, len(lines) - _FEES_MAX),
        "reasons": [(each, label(each)) for each in get_args(Reason)],
        "closed": _closed(source),
        "estimate": _estimate(visit, source, form),
        "most": METADATA_KEYS_MAX,
    }
    return Page("credit_notes/new.html", values, form.status)


def _closed(source: CreditedInvoice) -> dict[str, str]:
    """The parts that the note cannot have, with the reason."""
    invoice = source.creditable
    closed: dict[str, str] = {}
    if source.wallet is not None:
        closed = dict.fromkeys(("credit_amount_cents", "offset_amount_cents"), "Purchased credits are only refunded.")
    elif not invoice.due_cents:
        closed["offset_amount_cents"] = "Nothing of this invoice is due any more."
    if not invoice.paid_cents:
        closed["refund_amount_cents"] = "Nothing of this invoice was paid, so nothing can be refunded."
    elif not invoice.refundable_cents:
        closed["refund_amount_cents"] = "All that can be refunded of this invoice is refunded."
    return closed


def _estimate(visit: Visit, source: CreditedInvoice, form: Form) -> _Estimate:
    """The note that the form would issue as it stands."""
    trial = Form(values=form.values)
    body = _body(trial, source)
    if trial.errors:
        return _Estimate(None, {}, [each for found in trial.errors.values() for each in found][:1])
    try:
        shown = _estimated(visit, body)
    except BillingError as error:
        details = error.details if isinstance(error, Invalid) else {"": [error.code]}
        return _Estimate(None, {}, texts.all_refusals(details))
    return _Estimate(shown, _split(trial, source, shown))


def _estimated(visit: Visit, body: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = {"invoice_id": body["invoice_id"], "items": body["items"]}
    found: Mapping[str, Any] = visit.api.post("/credit_notes/estimate", {"credit_note": asked})["estimated_credit_note"]
    return found


def _body(form: Form, source: CreditedInvoice) -> dict[str, Any]:
    """The invoice and the items that are ticked; what is no amount is refused at its field."""
    items = []
    for n in form.rows("items"):
        at = f"items.{n}."
        if form.is_on(f"{at}chosen"):
            cents = _minor(form, source, f"{at}amount_cents")
            items.append({"fee_id": form.value(f"{at}fee_id"), "amount_cents": cents})
    for name in _PARTS:
        if form.value(name):
            _minor(form, source, name)
    return {"invoice_id": source.invoice.id, "items": items}


def _split(form: Form, source: CreditedInvoice, estimate: Mapping[str, Any]) -> dict[str, int]:
    """Parts in which the note is given: as it is typed, and the rest as credit; of purchased credits all is refunded."""
    given = {name: format.as_minor(form.value(name), source.invoice.currency) or 0 for name in _PARTS}
    rest = "credit_amount_cents" if source.wallet is None else "refund_amount_cents"
    if not form.value(rest):
        given[rest] = max(0, _total(estimate) - sum(given.values()))
    return given


def _total(estimate: Mapping[str, Any]) -> int:
    return int(estimate["sub_total_excluding_taxes_amount_cents"]) + int(estimate["taxes_amount_cents"])


def _create(visit: Visit, form: Form, source: CreditedInvoice, body: Mapping[str, Any]) -> CreditNote:
    """The answer of `POST /credit_notes`, under an id that a second click has as well."""
    organization, mark = visit.organization.ref, forms.request_id(visit)
    note_id = CreditNoteId(derived_id("credit-note", organization.id, mark)) if mark else None
    made = service.get(organization.id, note_id) if note_id else None
    if made is not None:
        return made
    whole = {**body, **_split(form, source, _estimated(visit, body))}
    visit.api.check_may_change()
    note, tasks = by_hand.create(organization, whole, now=visit.now, note_id=note_id)
    sandbox.run_due(organization, now=visit.now, tasks=tasks)
    return note


def _placed(form: Form, source: CreditedInvoice, lines: Sequence[_Line]) -> None:
    """Show at its row what the API refuses of an item: it names the field, and the form knows which fee has too much."""
    found = form.errors.pop("amount_cents", [])
    left = {line.fee["lago_id"]: line.left_cents for line in lines}
    for n in form.rows("items") if found else []:
        name = f"items.{n}.amount_cents"
        cents = format.as_minor(form.value(name), source.invoice.currency) or 0
        if form.is_on(f"items.{n}.chosen") and not 0 <= cents <= left.get(form.value(f"items.{n}.fee_id"), 0):
            form.errors[name] = found
            return
    if found:
        form.errors["items"] = found


def _minor(form: Form, source: CreditedInvoice, name: str) -> int:
    cents = format.as_minor(form.value(name), source.invoice.currency)
    if cents is None:
        form.mark(name, ErrorCode.INVALID_AMOUNT)
    return cents or 0


def _typed(source: CreditedInvoice, cents: int) -> str:
    return format.as_typed(cents, source.invoice.currency)
