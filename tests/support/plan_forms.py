"""The form of a plan as a member fills it."""

import re
from typing import Any

from chalicelib.console.plans import plan_form
from tests.support.charging import tiers
from tests.support.console import Shown, Visitor

# The fields of one charge's price, by model; what they say in the API; events; the total.
PRICES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "standard": ({"amount": "0.333"}, {"amount": "0.333"}),
    "graduated": (
        {
            "graduated_ranges.0.to_value": "10",
            "graduated_ranges.0.per_unit_amount": "10",
            "graduated_ranges.0.flat_amount": "2",
            "graduated_ranges.1.per_unit_amount": "0.5",
            "graduated_ranges.1.flat_amount": "3",
        },
        {"graduated_ranges": tiers((0, 10, "10", "2"), (11, None, "0.5", "3"))},
    ),
    "volume": (
        {
            "volume_ranges.0.to_value": "10.5",
            "volume_ranges.0.per_unit_amount": "1",
            "volume_ranges.0.flat_amount": "0",
            "volume_ranges.1.per_unit_amount": "0.80",
            "volume_ranges.1.flat_amount": "7",
        },
        {"volume_ranges": tiers((0, 10.5, "1", "0"), (10.5, None, "0.80", "7"))},  # type: ignore[arg-type]
    ),
    "package": (
        {"amount": "5", "package_size": "10", "free_units": "5"},
        {"amount": "5", "package_size": 10, "free_units": 5},
    ),
    "percentage": (
        {
            "rate": "1.5",
            "fixed_amount": "0.30",
            "free_units_per_events": "1",
            "free_units_per_total_aggregation": "3",
            "per_transaction_min_amount": "0.4",
            "per_transaction_max_amount": "20",
        },
        {
            "rate": "1.5",
            "fixed_amount": "0.30",
            "free_units_per_events": 1,
            "free_units_per_total_aggregation": "3",
            "per_transaction_min_amount": "0.4",
            "per_transaction_max_amount": "20",
        },
    ),
    "graduated_percentage": (
        {
            "graduated_percentage_ranges.0.to_value": "10",
            "graduated_percentage_ranges.0.rate": "10",
            "graduated_percentage_ranges.0.flat_amount": "2",
            "graduated_percentage_ranges.1.rate": "5",
            "graduated_percentage_ranges.1.flat_amount": "3",
        },
        {"graduated_percentage_ranges": tiers((0, 10, "10", "2"), (11, None, "5", "3"), price="rate")},
    ),
}


def drawn(visitor: Visitor, form: dict[str, Any], do: str, path: tuple[str, ...] = ("plans", "new")) -> dict[str, Any]:
    """The fields of the form after a button that draws it again."""
    shown = visitor.post(*path, form=form | {"_do": do})
    assert shown.status == 200, shown.words
    return dict(shown.fields)


def with_charge(
    visitor: Visitor, metric: Any, model: str = "standard", number: int = 0, **fields: Any
) -> dict[str, Any]:
    """The fields of a new plan with a charge."""
    form: dict[str, Any] = dict(fields) or dict(visitor.get("plans", "new").fields)
    form = drawn(visitor, form, "add:charges")
    at = f"charges.{number}."
    form |= {at + "billable_metric_id": metric["lago_id"], at + "charge_model": model}
    form = drawn(visitor, form, "draw")
    return form | {"name": "Plan", "code": "plan", "amount_cents": "0"}


def typed(visitor: Visitor, form: dict[str, Any], model: str) -> dict[str, Any]:
    """The fields with the price of a model in the first charge."""
    at = "charges.0.properties."
    if model in plan_form.TIERED:
        form = drawn(visitor, form, f"add:{at}{plan_form.TIERED[model]}")
    return form | {at + name: text for name, text in PRICES[model][0].items()}


def created(shown: Shown, visitor: Visitor) -> Any:
    """The plan that a form made, in the API's form."""
    assert shown.status == 303, shown.words[-1500:]
    lago_id = shown.location.rpartition("/")[2]
    plans = visitor.story.ok("GET", "/plans")["plans"]
    return next(plan for plan in plans if plan["lago_id"] == lago_id)


def errors(shown: Shown) -> set[str]:
    """The fields at which a page shows refusals."""
    return set(re.findall(r'class="field-error" id="f-([^"]+)-error"', shown.text))
