"""One-off invoices: add-ons sold to a customer, final at once. The total stands beside the form while one types."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.console import format, forms
from chalicelib.console.forms import Form
from chalicelib.console.views import invoice_parts
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import BillingError, Invalid
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.customers import service as customers
from chalicelib.features.invoicing import one_off
from chalicelib.features.sandbox import service as sandbox
from chalicelib.platform.ids import CustomerId, InvoiceId, derived_id

_BLANK = {
    "add_on_code": "",
    "units": "",
    "unit_amount_cents": "",
    "description": "",
    "invoice_display_name": "",
    "from_datetime": "",
    "to_datetime": "",
}
_MORE = ("invoice_display_name", "from_datetime", "to_datetime", "tax_codes", "boundaries")
_FIELDS = {ErrorCode.CUSTOMER_NOT_FOUND: "external_customer_id", "fees_not_found": "fees"}
_OPTIONS_MAX = 100  # Add-ons and taxes to choose from; suggestions of customers are searched.


def new(visit: Visit) -> Page | Redirect:
    """A new one-off invoice."""
    if visit.query.one("options") == "customers":
        return _suggestions(visit)
    add_ons = visit.api.get("/add_ons", {"per_page": _OPTIONS_MAX})["add_ons"]
    if visit.method == "GET":
        return _page(visit, _begun(visit), add_ons)
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, {"fees": _BLANK}):
        body = _body(visit, form, add_ons)
        made = None if form.errors else forms.submit(form, lambda: _create(visit, form, body))
        _placed(form)
        if made is not None:
            return Redirect(visit.link("invoices", made), said="Issued the invoice")
    return _page(visit, form, add_ons)


def _suggestions(visit: Visit) -> Page:
    term = visit.query.one("external_customer_id")
    found = visit.api.get("/customers", {"per_page": 20, "search_term": term or None})["customers"]
    return Page("invoices/customer_options.html", {"customers": found})


def _begun(visit: Visit) -> Form:
    """An empty form with one fee, for the customer or the add-on of the address."""
    fee = {**_BLANK, "add_on_code": visit.query.one("add_on")}
    return forms.filled({"external_customer_id": _asked_customer(visit), "currency": "", "fees": [fee]})


def _asked_customer(visit: Visit) -> str:
    customer_id = visit.query.one("customer")
    customer = customers.get(visit.organization.id, CustomerId(customer_id)) if customer_id else None
    return customer.external_id if customer is not None and customer.deleted_at is None else ""


def _page(visit: Visit, form: Form, add_ons: list[dict[str, Any]]) -> Page:
    taxes = visit.api.get("/taxes", {"per_page": _OPTIONS_MAX})["taxes"]
    estimate = None if visit.method == "GET" else _estimate(visit, form, add_ons)
    priced = [(each, format.money(each["amount_cents"], each["amount_currency"])) for each in add_ons]
    values = {
        "form": form,
        "add_ons": add_ons,
        "options": [("", "Choose…"), *((each["code"], f"{each['name']} · {price}") for each, price in priced)],
        "taxes": [(each["code"], f"{each['name']} ({format.percent(each['rate'])})") for each in taxes],
        "currencies": [("", "The customer's"), *((each, each) for each in sorted(CURRENCIES))],
        "shown_currency": _currency(form, add_ons),
        "locked": bool(visit.query.one("customer")) and bool(form.value("external_customer_id")),
        "estimate": estimate,
        "sums": invoice_parts.sums(estimate) if estimate else [],
        "more_open": lambda form, at: any(form.value(at + name) or form.errors_of(at + name) for name in _MORE),
    }
    return Page("invoices/new.html", values, form.status)


def _estimate(visit: Visit, form: Form, add_ons: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The invoice that the form would make; None while something is missing or wrong, which only the sent form says."""
    trial = Form(values=form.values)
    body = _body(visit, trial, add_ons)
    body["fees"] = [fee for fee in body["fees"] if fee["add_on_code"]]
    if trial.errors or not body["fees"] or not body["external_customer_id"]:
        return None
    try:
        return one_off.preview(visit.api.organization, body, now=visit.now)
    except BillingError:
        return None


def _create(visit: Visit, form: Form, body: Mapping[str, Any]) -> str:
    """The answer of `POST /invoices`, under an id that a second click has as well."""
    visit.api.check_may_change()
    organization, mark = visit.api.organization, forms.request_id(visit)
    invoice_id = InvoiceId(derived_id("one-off", organization.id, mark)) if mark else None
    try:
        invoice = one_off.create(organization, body, now=visit.now, invoice_id=invoice_id)
    except Invalid as error:
        raise Invalid(_by_row(form, body, error)) from error
    sandbox.run_due(organization, now=visit.now)
    return str(invoice.id)


def _by_row(form: Form, body: Mapping[str, Any], error: Invalid) -> dict[str, Any]:
    """The refusals, those of fees under the names of their rows."""
    found: dict[str, Any] = {}
    for number, fee in zip(form.rows("fees"), body["fees"], strict=True):
        wrong = one_off.findings(fee)
        found |= {f"fees.{number}.{name}": codes for name, codes in wrong.items()}
    known = {name.rpartition(".")[2] for name in found}
    return found | {name: codes for name, codes in error.details.items() if name not in known}


def _placed(form: Form) -> None:
    """Show at the fields what the API refuses by a code alone."""
    for each in form.errors.pop("", []):
        form.errors.setdefault(_FIELDS.get(each.code, ""), []).append(each)


def _body(visit: Visit, form: Form, add_ons: list[dict[str, Any]]) -> dict[str, Any]:
    """The form as the API's body; what cannot be read is refused at its field."""
    given = forms.nested(form.values, several=("tax_codes",))
    currency = _currency(form, add_ons)
    fees = [
        _fee(visit, form, n, fee, currency) for n, fee in zip(form.rows("fees"), given.get("fees", []), strict=True)
    ]
    body = {"external_customer_id": form.value("external_customer_id"), "fees": fees}
    return body | ({"currency": form.value("currency")} if form.value("currency") else {})


def _fee(visit: Visit, form: Form, number: int, given: Mapping[str, Any], currency: str) -> dict[str, Any]:
    at = f"fees.{number}."
    fee: dict[str, Any] = {"add_on_code": given.get("add_on_code", "")}
    fee |= {name: given[name] for name in ("description", "invoice_display_name", "units") if given.get(name)}
    fee["tax_codes"] = given.get("tax_codes", [])
    if given.get("unit_amount_cents"):
        fee["unit_amount_cents"] = format.as_minor(given["unit_amount_cents"], currency)
        if fee["unit_amount_cents"] is None:
            form.mark(f"{at}unit_amount_cents", ErrorCode.INVALID_AMOUNT)
    zone = ZoneInfo(visit.organization.timezone)
    for name, days in (("from_datetime", 0), ("to_datetime", 1)):
        if given.get(name):
            try:
                begin = periods.start_of_day(format.day_of(given[name]) + timedelta(days=days), zone)
            except (ValueError, OverflowError):
                form.mark(at + name, ErrorCode.INVALID_DATE)
            else:
                fee[name] = begin - timedelta(seconds=days)  # The last day is inclusive.
    return fee


def _currency(form: Form, add_ons: list[dict[str, Any]]) -> str:
    """The currency in which prices are typed: the chosen one, or that of the first add-on."""
    if form.value("currency") in CURRENCIES:
        return form.value("currency")
    known = {each["code"]: str(each["amount_currency"]) for each in add_ons}
    codes = [form.value(f"fees.{n}.add_on_code") for n in form.rows("fees")]
    return next(
        (known[code] for code in codes if code in known), str(add_ons[0]["amount_currency"]) if add_ons else "USD"
    )
