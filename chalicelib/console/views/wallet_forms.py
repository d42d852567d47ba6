"""The forms that create and change a wallet: each field is one of the API's body."""

from collections.abc import Mapping
from typing import Any, get_args

from chalicelib import limits
from chalicelib.console import format, forms, pairs
from chalicelib.console.forms import Form
from chalicelib.console.texts import label
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotFound
from chalicelib.domain.intervals import Interval
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.prepaid import top_ups
from chalicelib.features.sandbox import service as sandbox
from chalicelib.features.wallets import serializer
from chalicelib.features.wallets.records import FeeTypeLimit, Method, Trigger, Wallet
from chalicelib.features.wallets.worth import worth_of
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId, WalletId, derived_id

_RULE = "recurring_transaction_rules"
_BLANK_RULE = {
    "trigger": "interval",
    "method": "fixed",
    "interval": "monthly",
    "paid_credits": "",
    "granted_credits": "",
}
_BLANKS: Mapping[str, Mapping[str, str]] = {
    _RULE: _BLANK_RULE,
    f"{_RULE}.*.transaction_metadata": pairs.BLANK,
    "metadata": pairs.BLANK,
    "transaction_metadata": pairs.BLANK,
}
# Fields by the kind of value that the API takes.
_TEXTS = ("name", "code")
_LIMITS = ("paid_top_up_min_amount_cents", "paid_top_up_max_amount_cents")
_RULE_NUMBERS = ("threshold_credits", "paid_credits", "granted_credits", "target_ongoing_balance")
_RULE_SWITCHES = ("grants_target_top_up", "invoice_requires_successful_payment", "ignore_paid_top_up_limits")
# Fields for which the API has another name.
_NAMES = {"customer": ""}
# So many credits are an example of a rate.
_EXAMPLE = 100
# Metrics to choose from.
_METRICS_MAX = 100


def holder(visit: Visit, customer_id: str) -> dict[str, Any]:
    """The customer of a wallet, and their time zone.

    Raises: NotFound.
    """
    return named(visit, customers.get(visit.organization.id, CustomerId(customer_id)))


def named(visit: Visit, customer: Customer | None) -> dict[str, Any]:
    """The same of a customer that was read.

    Raises: NotFound, where there is none.
    """
    if customer is None:
        raise NotFound(Resource.CUSTOMER)
    return {"customer": customer, "zone": customer.zone(visit.organization.timezone).key}


def worth(rate: str, currency: str) -> str:
    """The worth of credits in words; nothing while the rate is no price."""
    cents = worth_of(rate, currency, _EXAMPLE) if currency in CURRENCIES else None
    if cents is None:
        return ""
    many = f"{_EXAMPLE} credits = {format.as_typed(cents, currency)} {currency}"
    return f"1 credit = {format.coded(rate, currency)}, {many}"


def new(visit: Visit) -> Page | Redirect:
    """Create a wallet for the customer of the address."""
    of = holder(visit, visit.path["id"])
    customer: Customer = of["customer"]
    if customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    own = customer.currency or str(visit.organization.default_currency)
    if visit.method == "GET":
        form = forms.filled({"rate_amount": "1", "currency": own, "priority": 50, "transaction_priority": 50})
        return _page(visit, form, of)
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, _BLANKS):
        body = _body(visit, form, form.value("currency") or own, None) | _first(form, customer)
        made = None if form.errors else forms.submit(form, lambda: _create(visit, form, body), names=_NAMES)
        if made is not None:
            return Redirect(visit.link("wallets", made.id), said=f"Created {made.name or made.code}")
    return _page(visit, form, of)


def edit(visit: Visit, wallet: Wallet) -> Page | Redirect:
    """Change a wallet."""
    of = holder(visit, wallet.customer_id)
    shown = serializer.wallet(wallet, 0)  # Its settings; the usage that it will have to pay is none of them.
    if visit.method == "GET":
        return _page(visit, _filled(shown, visit.organization.timezone), of, shown)
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, _BLANKS):
        body = {"wallet": _body(visit, form, wallet.currency, shown)}
        path = path_of("wallets", wallet.id)
        if not form.errors and forms.submit(form, lambda: visit.api.put(path, body)) is not None:
            return Redirect(visit.link("wallets", wallet.id), said="Saved")
    return _page(visit, form, of, shown)


def _filled(wallet: Mapping[str, Any], zone: str) -> Form:
    """The form of a wallet as it is: instants in a zone, limits in currency units."""
    rules = [
        {
            **{name: rule[name] for name in ("lago_id", "trigger", "method", "interval", *_RULE_SWITCHES)},
            **{name: _digits(rule[name]) for name in _RULE_NUMBERS},
            "started_at": format.local_text(rule["started_at"], zone),
            "expiration_at": format.local_text(rule["expiration_at"], zone),
            "transaction_name": rule["transaction_name"],
            "transaction_metadata": rule["transaction_metadata"],
        }
        for rule in wallet[_RULE]
    ]
    return forms.filled(
        {
            **{name: wallet[name] for name in (*_TEXTS, "priority", "currency", "applies_to")},
            "rate_amount": _digits(wallet["rate_amount"]),
            "invoice_requires_successful_payment": wallet["invoice_requires_successful_payment"],
            "expiration_at": format.local_text(wallet["expiration_at"], zone),
            **{name: format.as_typed(wallet[name], wallet["currency"]) for name in _LIMITS},
            "metadata": pairs.shown(wallet.get("metadata")),
            _RULE: rules,
        }
    )


def _page(visit: Visit, form: Form, of: Mapping[str, Any], wallet: Mapping[str, Any] | None = None) -> Page:
    found = visit.api.get("/billable_metrics", {"per_page": _METRICS_MAX})["billable_metrics"]
    names = {each["code"]: each["name"] for each in found}
    codes = [*names, *(each for each in form.all("applies_to.billable_metric_codes") if each and each not in names)]
    currency = form.value("currency") or of["customer"].currency or str(visit.organization.default_currency)
    values = {
        "form": form,
        "wallet": wallet,
        **of,
        "currency": currency,
        "currencies": [(each, each) for each in sorted(CURRENCIES)],
        "worth": worth(form.value("rate_amount"), currency),
        "fee_types": [(each, label(each)) for each in get_args(FeeTypeLimit)],
        "metrics": [(code, names.get(code, code)) for code in codes],
        "triggers": [(each, _TRIGGERS[each]) for each in get_args(Trigger)],
        "methods": [(each, _METHODS[each]) for each in get_args(Method)],
        "intervals": [(each.value, label(each.value)) for each in Interval],
        "most": limits.WALLET_TRANSACTION_PAIRS_MAX,
    }
    return Page("wallets/form.html", values, form.status)


_TRIGGERS = {"interval": "At every interval", "threshold": "At a threshold"}
_METHODS = {"fixed": "The same credits each time", "target": "Up to a target balance"}


def _create(visit: Visit, form: Form, body: Mapping[str, Any]) -> Wallet:
    """The answer of `POST /wallets`, under an id that a second click has as well."""
    organization, mark = visit.organization.ref, forms.request_id(visit)
    visit.api.check_may_change()
    wallet_id = WalletId(derived_id("wallet", organization.id, mark)) if mark else None
    wallet = top_ups.create(organization, body, now=visit.now, wallet_id=wallet_id)
    sandbox.run_due(organization, now=visit.now)
    return wallet


def _first(form: Form, customer: Customer) -> dict[str, Any]:
    """Fields of a new wallet alone: its rate, currency and first credits."""
    return {
        "external_customer_id": customer.external_id,
        "rate_amount": form.value("rate_amount"),
        "currency": form.value("currency") or None,
        "paid_credits": form.value("paid_credits"),
        "granted_credits": form.value("granted_credits"),
        "transaction_name": form.value("transaction_name") or None,
        "transaction_metadata": pairs.read(form, "transaction_metadata"),
        "ignore_paid_top_up_limits_on_creation": form.is_on("ignore_paid_top_up_limits_on_creation"),
        **_given(form, "transaction_priority"),
    }


def _body(visit: Visit, form: Form, currency: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Fields of new and present wallets. `before`: the wallet that is changed, whose instants stay where nobody touched
    them: the fields show minutes."""
    zone = visit.organization.timezone
    body: dict[str, Any] = {name: form.value(name) or None for name in _TEXTS}
    body |= _given(form, "priority")
    body["expiration_at"] = _instant(form.value("expiration_at"), zone, (before or {}).get("expiration_at"))
    body["invoice_requires_successful_payment"] = form.is_on("invoice_requires_successful_payment")
    for name in _LIMITS:
        body[name] = format.as_minor(form.value(name), currency)
        if form.value(name) and body[name] is None:
            form.mark(name, ErrorCode.INVALID_AMOUNT)
    scope = {name: form.all(f"applies_to.{name}") for name in ("fee_types", "billable_metric_codes")}
    body["applies_to"] = {name: [each for each in values if each] for name, values in scope.items()}
    body["metadata"] = pairs.read_object(form)
    known = {each["lago_id"]: each for each in (before or {}).get(_RULE, [])}
    body[_RULE] = [_rule(form, f"{_RULE}.{n}.", zone, known) for n in form.rows(_RULE)]
    return body


def _rule(form: Form, at: str, zone: str, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    before = known.get(form.value(f"{at}lago_id"), {})
    rule: dict[str, Any] = {name: form.value(at + name) or None for name in ("trigger", "method", "interval")}
    rule |= {name: form.value(at + name) for name in _RULE_NUMBERS if form.value(at + name)}
    rule |= {name: form.is_on(at + name) for name in _RULE_SWITCHES}
    rule |= {name: _instant(form.value(at + name), zone, before.get(name)) for name in ("started_at", "expiration_at")}
    rule["transaction_name"] = form.value(f"{at}transaction_name") or None
    rule["transaction_metadata"] = pairs.read(form, f"{at}transaction_metadata")
    return rule | ({"lago_id": before["lago_id"]} if before else {})


def _instant(text: str, zone: str, before: str | None) -> str | None:
    if before is not None and text == format.local_text(before, zone):
        return before
    return format.from_local(text, zone) if text else None


def _given(form: Form, name: str) -> dict[str, str]:
    return {name: form.value(name)} if form.value(name) else {}


def _digits(value: str | None) -> str:
    """A number as it is typed: without zeros at the end."""
    return "" if value is None else format.units(value).replace(",", "")
