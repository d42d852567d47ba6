"""Settings of the organization: its own data, invoicing, and about the installation. Members have a module of their own."""

from collections.abc import Mapping
from typing import Any

from chalicelib.console import format, forms, pages
from chalicelib.console.forms import Form
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.customers import organization_settings
from chalicelib.features.invoicing import following
from chalicelib.features.organizations import logos, schemas
from chalicelib.platform import schema

_CONFIGURATION = "billing_configuration"
_GRACE = f"{_CONFIGURATION}.invoice_grace_period"
# Languages of documents, each by its own name.
LANGUAGES = (
    ("en", "English"),
    ("fr", "Français"),
    ("de", "Deutsch"),
    ("nb", "Norsk bokmål"),
    ("it", "Italiano"),
    ("es", "Español"),
    ("sv", "Svenska"),
    ("pt-BR", "Português (Brasil)"),
    ("zh-TW", "繁體中文"),
)
_SWITCHES = ("finalize_zero_amount_invoice", "eu_tax_management")


def show(visit: Visit) -> Page | Redirect:
    """One tab."""
    tab = visit.path.get("tab", "organization")
    if tab == "organization":
        return _organization(visit)
    if tab == "invoicing":
        return _invoicing(visit)
    if tab == "about" and visit.method == "GET":
        api = visit.api.get("/organizations")["organization"]
        return Page("settings/about.html", {"tabs": tabs(visit), "organization": api})
    return pages.not_found(visit)


def tabs(visit: Visit) -> list[tuple[str, str, None]]:
    """The tabs of settings."""
    words = (
        ("Organization", ""),
        ("Invoicing", "invoicing"),
        ("Members", "members"),
        ("Integrations", "integrations"),
        ("About", "about"),
    )
    return [(text, visit.link("settings", name) if name else visit.link("settings"), None) for text, name in words]


def _organization(visit: Visit) -> Page | Redirect:
    if visit.method == "POST":
        form = forms.posted(visit)
        made = forms.submit(form, lambda: visit.api.put("/organizations", {"organization": _organization_body(form)}))
        if made is not None:
            return Redirect(visit.link("settings"), said="Saved")
    else:
        form = forms.filled(visit.api.get("/organizations")["organization"])
    values = {
        "form": form,
        "tabs": tabs(visit),
        "logo": logos.data_address(visit.organization),
        "currencies": [(each, each) for each in sorted(CURRENCIES)],
        "countries": [("", "–"), *country_options()],
        "zone_hint": _zone_hint(visit),
    }
    return Page("settings/organization.html", values, form.status)


def _organization_body(form: Form) -> dict[str, Any]:
    values = dict(form.values)
    removed = form.is_on("remove_logo")
    values.pop("remove_logo", None)
    if not form.value("logo"):
        values.pop("logo", None)
    body = forms.blank_to_none(forms.nested(values))
    return body | ({"logo": None} if removed else {})


def _zone_hint(visit: Visit) -> str:
    """Whom another time zone concerns."""
    text = "Periods that begin after now follow it"
    number = organization_settings.customers_without_zone(visit.organization.ref.id)
    if number is None:
        return f"{text}, for all customers without a zone of their own."
    return f"{text}. The customers without a zone of their own: {format.count(number)}."


def _invoicing(visit: Visit) -> Page | Redirect:
    if visit.method == "GET" and visit.is_htmx and _GRACE in visit.query:
        return Page("settings/grace.html", _preview(visit, visit.query.one(_GRACE)))
    if visit.method == "POST":
        form = forms.posted(visit)
        body = invoicing_body(form.values)
        made = forms.submit(form, lambda: visit.api.put("/billing_entities/default", {"billing_entity": body}))
        if made is not None:
            return Redirect(visit.link("settings", "invoicing"), said="Saved")
    else:
        entity = visit.api.get("/billing_entities/default")["billing_entity"]
        organization = schemas.show(visit.organization, urls=[], taxes=[])
        form = forms.filled({**entity, **organization, "tax_codes": [tax["code"] for tax in entity["taxes"]]})
    taxes = visit.api.get("/taxes", {"per_page": 100})["taxes"]
    values = {
        "form": form,
        "tabs": tabs(visit),
        "languages": LANGUAGES,
        "taxes": [(tax["code"], f"{tax['name']}, {tax['rate']}%") for tax in taxes],
        **_preview(visit, visit.form.one(_GRACE)),
    }
    return Page("settings/invoicing.html", values, form.status)


def invoicing_body(values: Mapping[str, list[str]]) -> dict[str, Any]:
    """The body of the request that the form means."""
    body = forms.nested(values, several=("email_settings", "tax_codes"))
    configuration = body.get(_CONFIGURATION)
    if isinstance(configuration, dict):
        body[_CONFIGURATION] = forms.blank_to_none(configuration)
        if configuration.get("vat_rate") == "":
            body[_CONFIGURATION]["vat_rate"] = "0"
    for name in _SWITCHES:
        if name in body:
            body[name] = body[name] == "true"
    return forms.blank_to_none(body)


def _preview(visit: Visit, typed: str) -> dict[str, Any]:
    """Effects of another grace period on present drafts."""
    if not typed.isdecimal() or len(typed) > 4:
        return {"ending": None}
    return {"ending": following.ending_with(visit.organization, grace_days=int(typed), now=visit.now)}


def country_options() -> list[tuple[str, str]]:
    """Countries by name."""
    from babel import Locale

    names = Locale("en").territories
    return sorted(((code, str(names[code])) for code in schema.countries()), key=lambda each: each[1])
