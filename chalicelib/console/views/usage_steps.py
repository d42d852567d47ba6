"""How the amount of a charge comes about, step by step, beside its usage: by the calculator of plans, and only where that comes
to the amount that the API says (what was prorated or priced event by event does not)."""

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.console.plans.calculation import Shown
from chalicelib.domain.errors import Invalid
from chalicelib.features.plans.records import Charge, Plan
from chalicelib.features.rating import calculator

_Row = dict[str, Any]


def explain(usage: Mapping[str, Any], plan: Plan) -> None:
    """Give each row of usage in the API's form its steps, as `explained`; None where there is nothing to explain."""
    charges = {str(charge.id): charge for charge in plan.charges}
    for row in usage["charges_usage"]:
        row["explained"] = None
        charge = charges.get(row["charge"]["lago_id"])
        for part, properties in _parts(row, charge):
            part["explained"] = None if charge is None else _steps(part, charge, properties, usage["currency"])


def _parts(row: _Row, charge: Charge | None) -> Iterator[tuple[_Row, Mapping[str, Any]]]:
    """The rows of a charge that have a price of their own, with its properties."""
    own = {} if charge is None else charge.properties
    priced = {} if charge is None else {_key(each.values): each.properties for each in charge.filters}
    if row["grouped_usage"]:
        yield from ((group, own) for group in row["grouped_usage"] if not group["filters"])
    elif row["filters"]:
        yield from ((each, priced.get(_key(each["values"] or {}), own)) for each in row["filters"])
    else:
        yield row, own


def _key(values: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted((name, tuple(listed)) for name, listed in values.items()))


def _steps(row: _Row, charge: Charge, properties: Mapping[str, Any], currency: str) -> Shown | None:
    try:
        found = calculator.calculate(
            charge.charge_model,
            properties,
            currency,
            units=str(row["units"]),
            events=str(max(1, row["events_count"])),
        )
    except Invalid:
        return None
    if found.amount_cents != row["amount_cents"] or len(found.steps) < 2:
        return None
    return Shown("", charge.charge_model, currency, found, str(properties.get("package_size", "")))
