"""Acts on many invoices: those that are ticked, or all that match. A few are done at once; more are a work."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib import limits
from chalicelib.console import acts, texts
from chalicelib.console.forms import Form
from chalicelib.console.views import exports, invoices
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain import errors
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.invoices import listings, reading
from chalicelib.features.works.records import Act
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import InvoiceId

# As many as one page of the list has.
SELECTED_MAX = 100
# More are not done within one request.
AT_ONCE_MAX = 20

_ACTS: Mapping[Act, Callable[[Visit, InvoiceId], Any]] = {
    "retry_payment": lambda visit, each: visit.api.post(path_of("invoices", each, "retry_payment")),
    "finalize": lambda visit, each: visit.api.put(path_of("invoices", each, "finalize")),
}
# Of all that match, those on which the act is allowed.
_ALLOWED: Mapping[Act, Mapping[str, Sequence[str]]] = {
    "retry_payment": {"status": ["finalized"], "payment_status": ["pending", "failed"]},
    "finalize": {"status": ["draft"]},
    "pdf": {"status": ["finalized", "voided"]},
}


def show(visit: Visit) -> Page | Redirect:
    """An act on the invoices that are ticked, or the confirmation of one on all that match."""
    asked = (visit.query if visit.method == "GET" else visit.form).one("act")
    act: Act | None = next((each for each in _ALLOWED if each == asked), None)
    if visit.method == "POST" and not visit.form.one("all") and act:
        return _ticked(visit, None if act == "pdf" else act)
    if act is None:
        raise NotFound(Resource.INVOICE)
    return _all(visit, act)


def _ticked(visit: Visit, act: Act | None) -> Page | Redirect:
    """One after the other; what was refused is shown by invoice. Without an act: links to their documents."""
    ids = list(dict.fromkeys(InvoiceId(each) for each in visit.form.get("ids", [])))
    known = reading.get_many(visit.organization.id, ids[:SELECTED_MAX])
    names = {each: known[each].number for each in ids if each in known}
    values: dict[str, Any] = {"act": act or "pdf", "names": names, "refused": {}, "most": SELECTED_MAX}
    if not names or len(ids) > SELECTED_MAX:
        return Page("invoices/bulk.html", values | {"is_count_wrong": True}, 422)
    if act is None:
        return Page("invoices/bulk.html", values | {"is_count_wrong": False})
    if len(names) > AT_ONCE_MAX:
        visit.api.check_may_change()
        return acts.begin(visit, act, _title(act, len(names)), "invoices", number=len(names), ids=list(names))
    refused: dict[str, list[texts.Refusal]] = {}
    for each in names:
        try:
            _ACTS[act](visit, each)
        except errors.BillingError as error:
            refused[each] = texts.all_refusals(error.details if isinstance(error, Invalid) else {"base": [error.code]})
    if refused:
        return Page("invoices/bulk.html", values | {"refused": refused, "is_count_wrong": False}, 422)
    said = {"retry_payment": f"Resent {len(names)} for collection", "finalize": f"Finalized {len(names)}"}
    return Redirect(visit.link("invoices"), said=said[act])


def _all(visit: Visit, act: Act) -> Page | Redirect:
    """Say how many it would be, then begin."""
    source = visit if visit.method == "GET" else dataclasses.replace(visit, query=visit.form)
    query = _allowed(invoices.asked(source), act)
    number = 0
    if query is not None:
        number = int(listings.page(visit.api.asking({**query, "per_page": 1}))[1]["total_count"] or 0)
    too_many = act == "pdf" and number > limits.WORK_DOCUMENTS_MAX
    if query is not None and not too_many and visit.form.one("confirmed"):
        kept_query = exports.texts_of(query)
        before = acts.begun(visit, act, "invoices", kept_query)
        if before is not None or number:
            visit.api.check_may_change()
            return before or acts.begin(visit, act, _title(act, number), "invoices", number=number, query=kept_query)
    kept = [(name, each) for name, values in source.query.items() for each in values if name in invoices.NAMES and each]
    values = {"act": act, "number": number, "kept": kept, "form": Form()}
    values |= {"too_many": too_many, "most": limits.WORK_DOCUMENTS_MAX}
    return Page("invoices/bulk_all.html", values, 422 if too_many and visit.method == "POST" else 200)


def _allowed(query: Mapping[str, Any], act: Act) -> dict[str, Any] | None:
    """The query narrowed to invoices in a state that allows the act; None where it asks for others only."""
    narrowed = dict(query)
    for name, allowed in _ALLOWED[act].items():
        asked = [each for key in (name, f"{name}es") for each in narrowed.pop(key, None) or []]
        narrowed[name] = [each for each in allowed if each in asked or not asked]
        if not narrowed[name]:
            return None
    return narrowed


def _title(act: Act, number: int) -> str:
    invoices_ = f"{number:,} invoice{'' if number == 1 else 's'}"
    return {
        "retry_payment": f"Resending {invoices_} for collection",
        "finalize": f"Finalizing {invoices_}",
        "pdf": f"Collecting the PDFs of {invoices_}",
    }[act]
