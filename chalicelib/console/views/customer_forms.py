"""Forms of customers: new, edit, settings, metadata, delete."""

from collections.abc import Mapping
from typing import Any

from chalicelib import limits
from chalicelib.console import acts, choices, format, forms, texts
from chalicelib.console.forms import Form
from chalicelib.console.views import customer_overview
from chalicelib.console.views.customers import framed, head_of
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.features.customers import adding, schemas, serializer
from chalicelib.features.customers.figures import CustomerHead
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId, derived_id

_BLANK_PAIR = {"key": "", "value": "", "display_in_invoice": "false"}
_ROWS = {"metadata": _BLANK_PAIR}
_SEVERAL = ("tax_codes", "provider_payment_methods")
_FLAGS = ("skip_invoice_custom_sections",)
_CONFIGURATION_FLAGS = ("sync", "sync_with_provider")


def new(visit: Visit) -> Page | Redirect:
    """Add a customer; `external_id` and `name` of the query: what the form begins with."""
    begun = {name: [visit.query.one(name)] for name in ("external_id", "name") if name in visit.query}
    form = Form(values=begun) if visit.method == "GET" else forms.posted(visit)
    if visit.method == "GET" or forms.asked_rows(visit, form, _ROWS):
        return _page(visit, form, None)
    chosen = CustomerId(derived_id(visit.organization.id, "customer-form", forms.request_id(visit) or visit.request_id))
    body = _body(form)
    made = forms.submit(
        form, lambda: acts.carry_out(visit, lambda: adding.create(visit.organization.ref, body, chosen, now=visit.now))
    )
    if made is not None:
        return Redirect(visit.link("customers", made.id), said="Customer added")
    _place_pairs(form, body)
    return _page(visit, form, None)


def edit(visit: Visit) -> Page | Redirect:
    """Change a customer."""
    head = head_of(visit)
    if visit.method == "GET":
        return _page(visit, forms.filled(_values(visit, head)), head)
    form = forms.posted(visit)
    form.values["external_id"] = [head.customer.external_id]
    if forms.asked_rows(visit, form, _ROWS):
        return _page(visit, form, head)
    if _saved(visit, form, _body(form)):
        return Redirect(visit.link("customers", head.customer.id, "information"), said="Customer saved")
    return _page(visit, form, head)


def settings(visit: Visit) -> Page | Redirect:
    """The tab of settings: a customer's own values, or the organization's."""
    head = head_of(visit)
    if visit.method == "GET":
        form = forms.filled(_values(visit, head))
    else:
        form = forms.posted(visit)
        body = _body(form) | {"external_id": head.customer.external_id}
        if _saved(visit, form, body):
            return Redirect(visit.link("customers", head.customer.id, "settings"), said="Settings saved")
    return Page("customers/settings.html", framed(visit, head) | _offers(visit) | {"form": form}, form.status)


def metadata(visit: Visit) -> Page | Redirect:
    """Change a customer's metadata."""
    head = head_of(visit)
    customer = serializer.base(visit.organization, head.customer)
    if visit.method == "GET":
        form = forms.filled({"metadata": _pairs(customer)})
    else:
        form = forms.posted(visit)
        body = {"external_id": head.customer.external_id, "metadata": _body(form).get("metadata", [])}
        if not forms.asked_rows(visit, form, _ROWS) and _saved(visit, form, body):
            return Redirect(visit.link("customers", head.customer.id), said="Metadata saved")
    values = {"form": form, "customer": customer, "most": limits.METADATA_PAIRS_MAX}
    return Page("customers/metadata.html", values, form.status)


def delete(visit: Visit) -> Page | Redirect:
    """Delete a customer, after what ends with it was told."""
    head = head_of(visit)
    customer, ending = head.customer, customer_overview.consequences(visit, head.customer)
    form = Form() if visit.method == "GET" else forms.posted(visit)
    if visit.method == "POST":
        if ending["active"] and form.value("confirmation") != customer.external_id:
            form.mark("confirmation", texts.CONFIRMATION_DOES_NOT_MATCH)
        elif forms.submit(form, lambda: visit.api.delete(path_of("customers", customer.external_id))) is not None:
            return Redirect(visit.link("customers"), said="Customer deleted")
    shown = serializer.base(visit.organization, customer)
    return Page("customers/delete.html", {"form": form, "customer": shown, "ending": ending}, form.status)


def _saved(visit: Visit, form: Form, body: dict[str, Any]) -> bool:
    """Whether the API took the change; else the form has its refusals."""
    if forms.submit(form, lambda: visit.api.post("/customers", {"customer": body})) is not None:
        return True
    _place_pairs(form, body)
    return False


def _page(visit: Visit, form: Form, head: CustomerHead | None) -> Page:
    values = {
        "form": form,
        "customer": None if head is None else serializer.base(visit.organization, head.customer),
        "locked_currency": head is not None and head.state.attached,
        "most": limits.METADATA_PAIRS_MAX,
    }
    return Page("customers/form.html", values | _offers(visit), form.status)


def _offers(visit: Visit) -> dict[str, Any]:
    """Choices of the fields."""
    taxes = visit.api.get("/taxes", {"per_page": 100})["taxes"]
    return {
        "own": visit.organization,
        "currencies": choices.currencies(),
        "countries": choices.countries(),
        "languages": choices.or_organizations(
            choices.LANGUAGES, visit.organization.billing_configuration.document_locale
        ),
        "providers": choices.PROVIDERS,
        "methods": choices.METHODS,
        "offered_taxes": [(tax["code"], f"{tax['name']} · {format.percent(tax['rate'])}") for tax in taxes],
    }


def _values(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    """The customer in the form of the API's body."""
    shown: dict[str, Any] = visit.api.get(path_of("customers", head.customer.external_id))["customer"]
    return shown | {"tax_codes": [tax["code"] for tax in shown["taxes"]], "metadata": _pairs(shown)}


def _pairs(customer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": each["lago_id"],
            "key": each["key"],
            "value": each["value"],
            "display_in_invoice": each["display_in_invoice"],
        }
        for each in customer["metadata"]
    ]


def _body(form: Form) -> dict[str, Any]:
    """The API's body: null for what is empty, true or false for tick boxes."""
    body = forms.nested(form.values, several=_SEVERAL)
    body = _typed(body, _FLAGS)
    for name in ("billing_configuration", "shipping_address"):
        if isinstance(body.get(name), dict):
            body[name] = _typed(body[name], _CONFIGURATION_FLAGS)
    pairs = body.get("metadata")
    if isinstance(pairs, list):
        body["metadata"] = [_pair(each) for each in pairs if isinstance(each, dict)]
    elif "metadata_shown" in body:
        body["metadata"] = []
    body.pop("metadata_shown", None)
    return body


def _typed(values: dict[str, Any], flags: tuple[str, ...]) -> dict[str, Any]:
    return {name: value == "true" if name in flags else value for name, value in forms.blank_to_none(values).items()}


def _pair(values: dict[str, Any]) -> dict[str, Any]:
    shown = values.get("display_in_invoice") in ("true", "on")
    named = {name: values.get(name, "") for name in ("key", "value")} | {"display_in_invoice": shown}
    return named | {"id": values["id"]} if values.get("id") else named


def _place_pairs(form: Form, body: Mapping[str, Any]) -> None:
    """Bring refusals of pairs to the rows that they are about: the API names the field only."""
    entries = body.get("metadata")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        return  # No form of ours posts that; the API has refused it.
    found = schemas.metadata_findings(entries)
    if not found or not {"key", "value"} & set(form.errors):
        return
    for name in ("key", "value"):
        form.errors.pop(name, None)
    numbers = form.rows("metadata")
    for place, codes in found.items():
        _, index, name = place.split(".")
        for code in codes:
            form.mark(f"metadata.{numbers[int(index)]}.{name}", code)
