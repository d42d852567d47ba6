"""A plan as a form shows it. Names of fields are paths into the body of the API; amounts in minor units are typed in
currency units.

Keys of filter values may hold any character, which paths may not: they are written as `k:` and the key, with its dots and
percent signs encoded.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from chalicelib.console import forms
from chalicelib.console.format import as_typed
from chalicelib.console.forms import Form
from chalicelib.console.texts import Refusal

TIERED = {
    "graduated": "graduated_ranges",
    "volume": "volume_ranges",
    "graduated_percentage": "graduated_percentage_ranges",
}
LONG_INTERVALS = ("semiannual", "yearly")
_PLAN = (
    "name",
    "code",
    "description",
    "interval",
    "amount_currency",
    "pay_in_advance",
    "bill_charges_monthly",
    "bill_fixed_charges_monthly",
    "invoice_display_name",
)
_CHARGE = ("code", "charge_model", "pay_in_advance", "prorated", "invoiceable", "invoice_display_name")
_FIXED_CHARGE = ("code", "charge_model", "units", "pay_in_advance", "prorated")
_RANGE = {"from_value": "0", "to_value": "", "per_unit_amount": "", "rate": "", "flat_amount": "0"}

# The fields of rows that are added, by their group.
BLANKS: Mapping[str, Mapping[str, str]] = {
    "charges": {"charge_model": "standard", "billable_metric_id": "", "invoiceable": "true"},
    "charges.*.filters": {"invoice_display_name": ""},
    "fixed_charges": {"charge_model": "standard", "add_on_id": "", "units": "1"},
    "metadata": {"key": "", "value": ""},
    **{f"{part}.properties.{name}": _RANGE for part in ("charges.*", "fixed_charges.*") for name in TIERED.values()},
    **{f"charges.*.filters.*.properties.{name}": _RANGE for name in TIERED.values()},
}


class PlanForm(Form):
    """A form whose refusals stand at their very field: names of a plan's parts repeat, so the last part of one says
    nothing."""

    def errors_of(self, name: str) -> list[Refusal]:
        """The refusals to show at a field."""
        self.drawn.add(name)
        return self.errors.get(name, [])


def new(currency: str) -> PlanForm:
    """The form of a plan that does not exist yet."""
    return PlanForm(values={"interval": ["monthly"], "amount_currency": [currency]})


def of_plan(shown: Mapping[str, Any], names: Mapping[str, str | None], *, is_copy: bool = False) -> PlanForm:
    """The form of a plan in the API's form. `names`: display names of fixed charges by id, as they were given; `is_copy`:
    it makes another plan, whose name and code are to be chosen."""
    currency = shown["amount_currency"]
    values: dict[str, Any] = {name: shown.get(name) for name in _PLAN}
    if is_copy:
        values |= {"name": "", "code": ""}
    days, commitment = Decimal(shown.get("trial_period") or 0), shown.get("minimum_commitment")
    values |= {
        "amount_cents": as_typed(shown["amount_cents"], currency),
        "trial_period": format(days, "f") if days else "",
        "tax_codes": _tax_codes(shown),
        "charges": [_charge(each, currency, is_copy=is_copy) for each in shown["charges"]],
        "fixed_charges": [_fixed_charge(each, names, is_copy=is_copy) for each in shown.get("fixed_charges", [])],
        "metadata": [{"key": key, "value": value} for key, value in shown.get("metadata", {}).items()],
    }
    if commitment is not None:
        values["minimum_commitment"] = {
            "amount_cents": as_typed(commitment["amount_cents"], currency),
            "invoice_display_name": commitment["invoice_display_name"],
            "tax_codes": _tax_codes(commitment),
        }
    return PlanForm(values=filled(values))


def filled(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """The fields of a form with these nested values; lists of nothing have none."""
    return {name: texts for name, texts in forms.flat(values).items() if texts}


def prepare(form: Form) -> None:
    """Complete a form before it is drawn: tiered prices have at least one range, and each range begins where the one above
    ends."""
    for group in ("charges", "fixed_charges"):
        for number in form.rows(group):
            part = f"{group}.{number}"
            places = [part, *(f"{part}.filters.{each}" for each in form.rows(f"{part}.filters"))]
            name = TIERED.get(form.value(f"{part}.charge_model"))
            for place in places:
                if name is not None:
                    _complete(form, f"{place}.properties.{name}")


def _complete(form: Form, place: str) -> None:
    if not form.rows(place):
        form.values |= {f"{place}.0.{name}": [value] for name, value in _RANGE.items()}
    above = ""
    for order, number in enumerate(form.rows(place)):
        low = f"{place}.{number}.from_value"
        form.values[low] = ["0" if not order else begin_after(above, form.value(low))]
        above = form.value(f"{place}.{number}.to_value").strip()


def begin_after(above: str, present: str) -> str:
    """The lower bound of a range: what follows the upper one of the range above, or that very number where it is so already
    or is a fraction."""
    if present and present == above:
        return present
    return str(int(above) + 1) if above.isascii() and above.isdecimal() else above


def key_field(key: str) -> str:
    """The part of a field's name that stands for a key of filter values."""
    return "k:" + key.replace("%", "%25").replace(".", "%2E")


def key_of(field: str) -> str:
    """The key that a part of a name stands for."""
    return unquote(field.removeprefix("k:"))


def _charge(shown: Mapping[str, Any], currency: str, *, is_copy: bool) -> dict[str, Any]:
    filters, properties = shown.get("filters", []), shown.get("properties", {})
    least = shown.get("min_amount_cents")
    values = {name: shown.get(name) for name in _CHARGE} | {
        "invoiceable": shown.get("invoiceable", True),
        "billable_metric_id": shown["lago_billable_metric_id"],
        "regroup_paid_fees": shown.get("regroup_paid_fees") == "invoice",
        "min_amount_cents": as_typed(least, currency) if least else "",
        "tax_codes": _tax_codes(shown),
        "properties": _properties(properties),
        "filters": [_filter(each, is_copy=is_copy) for each in filters],
    }
    # Only its filters have a price (rules/usage 4.3): that stays so unless one is typed.
    bare = filters and not properties and shown["charge_model"] != "dynamic"
    return values | ({"bare": "true"} if bare else {}) | _id(shown, is_copy=is_copy)


def _filter(shown: Mapping[str, Any], *, is_copy: bool) -> dict[str, Any]:
    return {
        "invoice_display_name": shown.get("invoice_display_name"),
        "values": {key_field(key): list(values) for key, values in shown["values"].items()},
        "properties": _properties(shown["properties"]),
        **_id(shown, is_copy=is_copy),
    }


def _fixed_charge(shown: Mapping[str, Any], names: Mapping[str, str | None], *, is_copy: bool) -> dict[str, Any]:
    return {
        **{name: shown.get(name) for name in _FIXED_CHARGE},
        "units": format(Decimal(shown["units"]).normalize(), "f"),
        "add_on_id": shown["lago_add_on_id"],
        "invoice_display_name": names.get(shown["lago_id"]),
        "tax_codes": _tax_codes(shown),
        "properties": _properties(shown["properties"]),
        **_id(shown, is_copy=is_copy),
    }


def _properties(shown: Mapping[str, Any]) -> dict[str, Any]:
    keys: Sequence[str] = shown.get("pricing_group_keys") or shown.get("grouped_by") or ()
    own = {name: value for name, value in shown.items() if name not in ("pricing_group_keys", "grouped_by")}
    return {**own, "pricing_group_keys": "\n".join(keys)}


def _tax_codes(shown: Mapping[str, Any]) -> list[str]:
    return [tax["code"] for tax in shown.get("taxes", [])]


def _id(shown: Mapping[str, Any], *, is_copy: bool) -> dict[str, str]:
    return {} if is_copy or "lago_id" not in shown else {"id": shown["lago_id"]}
