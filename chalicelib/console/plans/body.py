"""The fields of a plan's form as the body that the API takes."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chalicelib.console import forms
from chalicelib.console.format import as_minor
from chalicelib.console.forms import Form
from chalicelib.console.plans.plan_form import LONG_INTERVALS, TIERED, filled, key_of
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.money import CURRENCIES

_AMOUNTS = {
    "standard": ("amount",),
    "package": ("amount",),
    "percentage": (
        "rate",
        "fixed_amount",
        "free_units_per_total_aggregation",
        "per_transaction_min_amount",
        "per_transaction_max_amount",
    ),
}
_NUMBERS = {"package": ("package_size", "free_units"), "percentage": ("free_units_per_events",)}
# A text that the API refuses as an amount, in place of one that is none in this currency.
_NO_AMOUNT = 0


def of_form(form: Form) -> dict[str, Any]:
    """The whole body, of a form whose rows are numbered anew. Amounts that are none are refused in the form, and 0 in the
    body."""
    values = _nested(form)
    currency = currency_of(form)
    interval = _text(values, "interval")
    body: dict[str, Any] = {
        "name": values.get("name", ""),
        "code": values.get("code", "") or proposed_code(values.get("name", "")),
        "description": _text(values, "description"),
        "interval": interval,
        "amount_cents": _cents(form, "amount_cents", currency),
        "amount_currency": _text(values, "amount_currency"),
        "pay_in_advance": _is_on(values, "pay_in_advance"),
        "trial_period": _text(values, "trial_period"),
        "invoice_display_name": _text(values, "invoice_display_name"),
        "tax_codes": values.get("tax_codes", []),
        "charges": [
            _charge(form, f"charges.{number}", each, currency)
            for number, each in enumerate(_list(values.get("charges")))
        ],
        "fixed_charges": [_fixed_charge(each) for each in _list(values.get("fixed_charges"))],
        "minimum_commitment": _commitment(form, values.get("minimum_commitment") or {}, currency),
        "metadata": {
            row["key"]: _text(row, "value") for row in _list(values.get("metadata")) if row.get("key", "").strip()
        },
    }
    if interval in LONG_INTERVALS:
        body["bill_charges_monthly"] = _is_on(values, "bill_charges_monthly")
        body["bill_fixed_charges_monthly"] = _is_on(values, "bill_fixed_charges_monthly")
    if "cascade_updates" in values:
        body["cascade_updates"] = _is_on(values, "cascade_updates")
    return body


def currency_of(form: Form, default: str = "EUR") -> str:
    """The currency that a form's amounts are typed in."""
    chosen = form.value("amount_currency")
    return chosen if chosen in CURRENCIES else default


def proposed_code(name: str) -> str:
    """A code like a name: lower case, words joined by underscores."""
    return "_".join(re.findall(r"[a-z0-9]+", name.lower()))


def properties_at(form: Form, place: str, model: str) -> dict[str, Any]:
    """The properties of a charge model at a place of the form, such as `charges.0.filters.1`, as the API takes them."""
    start = f"{place}.properties."
    values = forms.nested({name[len(start) :]: texts for name, texts in form.values.items() if name.startswith(start)})
    return _properties(model, values)


def numbered_anew(form: Form) -> None:
    """Number the rows of all groups from 0, as the body's lists are: rows may have been removed."""
    form.values = filled(_nested(form))


def _charge(form: Form, place: str, values: Mapping[str, Any], currency: str) -> dict[str, Any]:
    model = values.get("charge_model", "")
    properties = _properties(model, values.get("properties") or {})
    body = {
        "billable_metric_id": _text(values, "billable_metric_id"),
        "code": _text(values, "code"),
        "charge_model": model,
        "pay_in_advance": _is_on(values, "pay_in_advance"),
        "prorated": _is_on(values, "prorated"),
        "invoiceable": _is_on(values, "invoiceable"),
        "regroup_paid_fees": "invoice" if _is_on(values, "regroup_paid_fees") else None,
        "min_amount_cents": _cents(form, f"{place}.min_amount_cents", currency),
        "invoice_display_name": _text(values, "invoice_display_name"),
        "tax_codes": values.get("tax_codes", []),
        "filters": [_filter(model, each) for each in _list(values.get("filters"))],
    }
    priced = any(text not in ("", "0", None) for text in _leaves(values.get("properties") or {}))
    # A price that only filters have stays theirs alone.
    with_price = {} if values.get("bare") and not priced else {"properties": properties}
    return body | with_price | _id(values)


def _filter(model: str, values: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {key_of(field): texts for field, texts in (values.get("values") or {}).items() if texts}
    return {
        "invoice_display_name": _text(values, "invoice_display_name"),
        "values": chosen,
        "properties": _properties(model, values.get("properties") or {}),
        **_id(values),
    }


def _fixed_charge(values: Mapping[str, Any]) -> dict[str, Any]:
    model = values.get("charge_model", "")
    return {
        "add_on_id": _text(values, "add_on_id"),
        "code": _text(values, "code"),
        "charge_model": model,
        "units": _text(values, "units"),
        "apply_units_immediately": _is_on(values, "apply_units_immediately"),
        "pay_in_advance": _is_on(values, "pay_in_advance"),
        "prorated": _is_on(values, "prorated"),
        "invoice_display_name": _text(values, "invoice_display_name"),
        "tax_codes": values.get("tax_codes", []),
        "properties": _properties(model, values.get("properties") or {}),
        **_id(values),
    }


def _commitment(form: Form, values: Mapping[str, Any], currency: str) -> dict[str, Any] | None:
    """None where no amount is typed: there is no commitment then."""
    if not values.get("amount_cents", "").strip():
        return None
    return {
        "amount_cents": _cents(form, "minimum_commitment.amount_cents", currency),
        "invoice_display_name": _text(values, "invoice_display_name"),
        "tax_codes": values.get("tax_codes", []),
    }


def _properties(model: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    name = TIERED.get(model)
    if name is not None:
        price = "rate" if model == "graduated_percentage" else "per_unit_amount"
        found[name] = [_range(row, price) for row in _list(values.get(name))]
    required = ("amount", "rate", "package_size", "free_units")
    for field in (*_AMOUNTS.get(model, ()), *_NUMBERS.get(model, ())):
        text = str(values.get(field, "")).strip()
        if text or field in required:
            found[field] = number(text) if field in _NUMBERS.get(model, ()) else text
    keys = [key.strip() for key in str(values.get("pricing_group_keys", "")).splitlines() if key.strip()]
    return found | ({"pricing_group_keys": keys} if keys else {})


def _range(row: Mapping[str, Any], price: str) -> dict[str, Any]:
    bounds = {name: number(str(row.get(name, "")).strip()) for name in ("from_value", "to_value")}
    return bounds | {name: str(row.get(name, "")).strip() for name in (price, "flat_amount")}


def number(text: str) -> int | Decimal | str | None:
    """A bound or count as the API takes it: a number where it is one, null where it is empty, else the text, which the API
    refuses."""
    if not text:
        return None
    if not re.fullmatch(r"\d{1,15}(\.\d{1,15})?", text, re.ASCII):
        return text
    return Decimal(text) if "." in text else int(text)


def _cents(form: Form, name: str, currency: str) -> int | None:
    text = form.value(name)
    if not text.strip():
        return None
    cents = as_minor(text, currency)
    if cents is None:
        if name not in form.errors:
            form.mark(name, ErrorCode.INVALID_AMOUNT)
        return _NO_AMOUNT
    return cents


def _nested(form: Form) -> dict[str, Any]:
    keys = {name.rpartition(".")[2] for name in form.values if ".values.k:" in name}
    return forms.nested(form.values, several=("tax_codes", *keys))


def _list(values: Any) -> list[Mapping[str, Any]]:
    return [each for each in values if isinstance(each, Mapping)] if isinstance(values, list) else []


def _leaves(values: Any) -> list[Any]:
    if isinstance(values, Mapping):
        return [leaf for name, each in values.items() if name != "from_value" for leaf in _leaves(each)]
    if isinstance(values, list):
        return [leaf for each in values for leaf in _leaves(each)]
    return [values]


def _text(values: Mapping[str, Any], name: str) -> str | None:
    return values.get(name) or None


def _is_on(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) in ("true", "on", "1")


def _id(values: Mapping[str, Any]) -> dict[str, str]:
    return {"id": values["id"]} if values.get("id") else {}
