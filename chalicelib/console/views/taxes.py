"""Taxes."""

from collections.abc import Mapping
from typing import Any

from chalicelib.console.forms import Form, blank_to_none, filled
from chalicelib.console.views import catalog
from chalicelib.console.views.catalog import Kind
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.features.taxes import service

_FIELDS = ("name", "code", "rate", "description")


def _body(visit: Visit, form: Form, record: Any) -> dict[str, Any]:
    texts = blank_to_none({name: form.value(name).strip() for name in _FIELDS})
    return {**texts, "applied_to_organization": form.is_on("applied_to_organization")}


def _fill(visit: Visit, tax: Mapping[str, Any]) -> Form:
    return filled({name: tax[name] for name in (*_FIELDS, "applied_to_organization")})


_TAX = Kind("tax", "taxes", "tax", service.CATALOG, body=_body, fill=_fill, blank=lambda visit: {})


def index(visit: Visit) -> Page:
    """All taxes, newest first."""
    return catalog.index(visit, _TAX)


def new(visit: Visit) -> Page | Redirect:
    """A new tax."""
    return catalog.new(visit, _TAX)


def show(visit: Visit) -> Page:
    """One tax."""
    return Page("taxes/show.html", {"tax": catalog.shown(visit, _TAX, catalog.found(visit, _TAX))})


def edit(visit: Visit) -> Page | Redirect:
    """Change a tax."""
    return catalog.edit(visit, _TAX)


def delete(visit: Visit) -> Page | Redirect:
    """Delete a tax."""
    return catalog.delete(visit, _TAX, lambda record: {})
