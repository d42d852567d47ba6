"""The fields by which one subscription's plan differs from its catalog's: price, name and the plain prices of its charges."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from chalicelib.console import format
from chalicelib.console.forms import Form

_LABELS = {
    "amount": "Price per unit",
    "free_units": "Free units",
    "package_size": "Package size",
    "rate": "Rate",
    "fixed_amount": "Fixed amount per event",
    "free_units_per_events": "Free events",
    "free_units_per_total_aggregation": "Free amount",
    "per_transaction_min_amount": "Minimum per event",
    "per_transaction_max_amount": "Maximum per event",
}
_WHOLE = {"free_units", "package_size", "free_units_per_events"}


class Field(NamedTuple):
    """A price of a charge: its field's name, its words, and what the plan has."""

    name: str
    label: str
    value: str


def fields_of(plan: Mapping[str, Any]) -> list[Field]:
    """The plain prices of a plan's charges."""
    return [
        Field(f"charges.{charge['lago_id']}.{name}", f"{_name(charge)}: {_LABELS[name]}", str(value))
        for charge in plan["charges"]
        for name, value in charge["properties"].items()
        if name in _LABELS and value is not None
    ]


def of_form(form: Form, plan: Mapping[str, Any]) -> dict[str, Any]:
    """`plan_overrides` of what was typed and differs from the plan; empty where nothing does."""
    found: dict[str, Any] = {}
    amount = form.value("override_amount")
    if amount:
        cents = format.as_minor(amount, plan["amount_currency"])
        found["amount_cents"] = amount if cents is None else cents
    for name in ("name", "description", "invoice_display_name"):
        if form.value(f"override_{name}"):
            found[name] = form.value(f"override_{name}")
    charges = [changed for charge in plan["charges"] if (changed := _changed(form, charge)) is not None]
    return found | ({"charges": charges} if charges else {})


def _changed(form: Form, charge: Mapping[str, Any]) -> dict[str, Any] | None:
    typed = {
        name: form.value(f"charges.{charge['lago_id']}.{name}") for name in charge["properties"] if name in _LABELS
    }
    changed = {name: text for name, text in typed.items() if text and text != str(charge["properties"][name])}
    if not changed:
        return None
    values = {name: _value(name, text) for name, text in changed.items()}
    return {"id": charge["lago_id"], "properties": {**charge["properties"], **values}}


def _value(name: str, text: str) -> Any:
    return int(text) if name in _WHOLE and text.isdecimal() else text


def _name(charge: Mapping[str, Any]) -> str:
    return str(charge["invoice_display_name"] or charge["billable_metric_code"])
