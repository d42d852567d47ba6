"""Add-ons: what one-off invoices and fixed charges bill."""

from collections.abc import Mapping
from typing import Any

from chalicelib.console.format import as_typed
from chalicelib.console.forms import Form, blank_to_none, filled
from chalicelib.console.views import catalog
from chalicelib.console.views.catalog import Kind
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.features.add_ons import service
from chalicelib.features.taxes import service as taxes

_FIELDS = ("name", "code", "invoice_display_name", "amount_currency", "description")


def _body(visit: Visit, form: Form, record: Any) -> dict[str, Any]:
    texts = blank_to_none({name: form.value(name).strip() for name in _FIELDS})
    amount = catalog.cents(form, "amount_cents", form.value("amount_currency"))
    return {**texts, "amount_cents": amount, "tax_codes": [each for each in form.all("tax_codes") if each]}


def _fill(visit: Visit, add_on: Mapping[str, Any]) -> Form:
    typed = as_typed(add_on["amount_cents"], add_on["amount_currency"])
    chosen = [each["code"] for each in add_on["taxes"]]
    return filled({**{name: add_on[name] for name in _FIELDS}, "amount_cents": typed, "tax_codes": chosen})


def _more(visit: Visit, form: Form, record: Any) -> dict[str, Any]:
    named = catalog.options(visit, taxes.CATALOG, form.all("tax_codes"))
    return {"taxes": named, "currencies": catalog.currencies()}


_ADD_ON = Kind(
    "add_on",
    "add_ons",
    "add-on",
    service.CATALOG,
    body=_body,
    fill=_fill,
    blank=lambda visit: {"amount_currency": visit.organization.default_currency},
    more=_more,
)


def index(visit: Visit) -> Page:
    """All add-ons, newest first."""
    return catalog.index(visit, _ADD_ON)


def new(visit: Visit) -> Page | Redirect:
    """A new add-on."""
    return catalog.new(visit, _ADD_ON)


def show(visit: Visit) -> Page:
    """One add-on."""
    return Page("add_ons/show.html", {"add_on": catalog.shown(visit, _ADD_ON, catalog.found(visit, _ADD_ON))})


def edit(visit: Visit) -> Page | Redirect:
    """Change an add-on."""
    return catalog.edit(visit, _ADD_ON)


def delete(visit: Visit) -> Page | Redirect:
    """Delete an add-on."""
    return catalog.delete(visit, _ADD_ON, lambda record: {})
