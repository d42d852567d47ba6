"""Lists as files: how many rows it would have, the file itself where it is short, else a work that makes it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib import limits
from chalicelib.console import acts, forms
from chalicelib.console.pages import Bare
from chalicelib.console.views import credit_notes, customers, invoices, payments, subscriptions
from chalicelib.console.visit import Page, Redirect, Values, Visit
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.exports import service
from chalicelib.features.exports.columns import EXPORTS

# What each list asks the API for, by the filters of a visit.
_ASKED: Mapping[str, Callable[[Visit], Mapping[str, Any]]] = {
    "invoices": invoices.asked,
    "customers": customers.asked,
    "subscriptions": subscriptions.asked,
    "credit_notes": credit_notes.asked,
    "payments": payments.asked,
}


def show(visit: Visit) -> Page | Redirect:
    """Say what the file will hold, and make it."""
    name = _name(visit)
    source = _source(visit, name)
    query = _query(source, name)
    total = service.total(visit.api, name, query)
    form = forms.Form()
    if total > limits.EXPORT_ROWS_MAX:
        form.mark("", ErrorCode.REQUEST_TOO_LARGE)
    elif visit.method == "POST" and total:
        title = f"Export of {total:,} {_words(name)}"
        return acts.begin(visit, "export", title, name, number=total, query=query)
    kept = [(each, value) for each, values in source.query.items() for value in values]
    values = {
        "name": name,
        "words": _words(name),
        "total": total,
        "is_short": total <= limits.EXPORT_AT_ONCE,
        "columns": service.columns(name),
        "file": visit.link("export", name, "file", **source.query),
        "kept": [(each, value) for each, value in kept if each not in ("page", "per_page", "csrf", "request_id")],
        "form": form,
    }
    return Page("exports/show.html", values, form.status)


def file(visit: Visit) -> Bare:
    """The file of a short list, at once.

    Raises: Invalid, for a long one.
    """
    name = _name(visit)
    piece = service.piece(visit.api, name, _query(visit, name), 1)
    if piece.next_page is not None:
        raise Invalid.field("base", ErrorCode.REQUEST_TOO_LARGE)
    return Bare(service.head(name) + piece.text, headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    return {"Content-Type": service.CONTENT_TYPE, "Content-Disposition": f'attachment; filename="{name}.csv"'}


def _name(visit: Visit) -> str:
    name = visit.path["list"]
    if name not in EXPORTS:
        raise NotFound(Resource.ORGANIZATION)
    return name


def _words(name: str) -> str:
    return name.replace("_", " ")


def _source(visit: Visit, name: str) -> Visit:
    """The visit of the list that is exported: as the form says, or as the page shows it above which the dialog opens."""
    if visit.method == "POST":
        return dataclasses.replace(visit, query=visit.form)
    page = urlsplit(visit.headers.get("hx-current-url") or "")
    if visit.is_htmx and page.path == visit.link(name):
        return dataclasses.replace(visit, query=Values(parse_qs(page.query)))
    return visit


def _query(source: Visit, name: str) -> dict[str, Sequence[str]]:
    """The query for the API, as texts."""
    return texts_of(_ASKED[name](source))


def texts_of(query: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """A query with all values as lists of texts, as a work keeps it."""
    return {
        name: [str(each) for each in (value if isinstance(value, list | tuple) else [value])]
        for name, value in query.items()
        if value not in (None, "", [])
    }
