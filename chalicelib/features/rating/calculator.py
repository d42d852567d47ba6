"""Trying a price: what units of one charge cost, before anything was used. By the rules that bill."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic_core import PydanticCustomError

from chalicelib.domain import money
from chalicelib.domain.charges import minimum, package
from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.percentage_tally import PercentageProperties
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import CONTEXT
from chalicelib.platform import schema

_EVENTS_MAX = 10_000  # Each is priced by itself, where their bounds say so.
_PLACES = Decimal("1E-15")
Kind = Literal["units", "tier", "free", "packages", "rate", "fixed", "bounds"]


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a price. Amounts exact, in currency units; `price`: of a unit, of a package or an event, or a rate in
    percent, by `kind`."""

    kind: Kind
    quantity: Decimal
    amount: Decimal
    price: Decimal | None = None
    flat: Decimal | None = None
    from_value: Any = None
    to_value: Any = None


@dataclass(frozen=True, slots=True)
class Calculated:
    """The fee of so much usage in a whole period, without tax. `unit_amount` in currency units, exact; `true_up_cents`: what
    the charge's spending minimum adds."""

    amount_cents: int
    unit_amount: Decimal
    steps: tuple[Step, ...]
    true_up_cents: int = 0

    @property
    def total_cents(self) -> int:
        """The fee with its true-up."""
        return self.amount_cents + self.true_up_cents


def calculate(
    charge_model: str,
    properties: Mapping[str, Any],
    currency: str,
    *,
    units: str,
    events: str = "1",
    min_amount_cents: int = 0,
) -> Calculated:
    """The price of units under a charge model, step by step. `events`: how many brought them, of equal size.

    Raises: Invalid, where the properties, units or events are wrong.
    """
    model, own = _read(charge_model, properties)
    quantity, number = _quantity("units", units), _quantity("events_count", events)
    if number != number.to_integral_value() or number > _EVENTS_MAX or (quantity and not number):
        raise Invalid.field("events_count", ErrorCode.VALUE_IS_OUT_OF_RANGE)
    values = _spread(quantity, int(number)) if charge_properties.needs_values(model, own) else None
    priced = price(model, ChargeUsage(quantity, int(number), values), own)
    amount_cents = money.round_half_up(money.to_cents(priced.amount, currency))
    added = minimum.true_up_cents(min_amount_cents, days=1, of_days=1, fees_cents=amount_cents)
    return Calculated(amount_cents, priced.unit_amount, _steps(model, own, quantity, int(number), priced), added)


def _read(charge_model: str, properties: Mapping[str, Any]) -> tuple[ChargeModel, Any]:
    try:
        model = ChargeModel(charge_model)
    except ValueError as error:
        raise Invalid.field("charge_model", ErrorCode.VALUE_IS_INVALID) from error
    if model is ChargeModel.DYNAMIC:  # Its price is in the events.
        raise Invalid.field("charge_model", ErrorCode.INVALID_CHARGE_MODEL)
    try:
        return model, charge_properties.parse(model, properties)
    except charge_properties.PropertyErrors as error:
        raise Invalid(error.details) from error


def _quantity(name: str, text: str) -> Decimal:
    if not text.strip():
        raise Invalid.field(name, ErrorCode.VALUE_IS_MANDATORY)
    try:
        number = schema.exact(text.replace(",", ""))
    except PydanticCustomError as error:
        raise Invalid.field(name, ErrorCode.VALUE_IS_INVALID) from error
    if number < 0:
        raise Invalid.field(name, ErrorCode.VALUE_IS_OUT_OF_RANGE)
    return number


def _spread(units: Decimal, events: int) -> tuple[Decimal, ...]:
    """Units in events of equal size; the last one takes what does not divide."""
    if not events:
        return ()
    each = CONTEXT.quantize(CONTEXT.divide(units, Decimal(events)), _PLACES)
    last = CONTEXT.subtract(units, CONTEXT.multiply(each, Decimal(events - 1)))
    return (*[each] * (events - 1), last)


def _steps(model: ChargeModel, own: Any, units: Decimal, events: int, priced: Priced) -> tuple[Step, ...]:
    details = priced.details
    if model is ChargeModel.STANDARD:
        return (Step("units", units, priced.amount, price=own.amount),)
    if model is ChargeModel.PACKAGE:
        return _packages(own, units, priced)
    if model is ChargeModel.PERCENTAGE:
        return _percentage(own, details, units)
    if model is ChargeModel.VOLUME:
        tier = next(tier for tier in own.tiers if not tier.ends_before(units))
        bounds = {"from_value": tier.from_value, "to_value": tier.to_value}
        return (Step("tier", units, priced.amount, tier.per_unit_amount, tier.flat_amount, **bounds),)
    name = "rate" if model is ChargeModel.GRADUATED_PERCENTAGE else "per_unit_amount"
    return tuple(
        Step(
            "tier",
            Decimal(row["units"]),
            Decimal(row["total_with_flat_amount"]),
            price=Decimal(row[name]),
            flat=Decimal(row["flat_unit_amount"]),
            from_value=row["from_value"],
            to_value=row["to_value"],
        )
        for row in details[f"{model}_ranges"]
    )


def _packages(own: package.PackageProperties, units: Decimal, priced: Priced) -> tuple[Step, ...]:
    paid = package.paid_units(units, own)
    free = CONTEXT.subtract(units, paid)
    first = (Step("free", free, Decimal(0)),) if free else ()
    return (*first, Step("packages", package.begun(paid, own.package_size), priced.amount, price=own.amount))


def _percentage(own: PercentageProperties, details: Mapping[str, Any], units: Decimal) -> tuple[Step, ...]:
    if not units:
        return (Step("rate", units, Decimal(0), price=own.rate),)
    found = {name: Decimal(str(value)) for name, value in details.items()}
    steps = [Step("rate", found["paid_units"], found["per_unit_total_amount"], price=own.rate)]
    if found["free_units"]:
        steps.insert(0, Step("free", found["free_units"], Decimal(0)))
    if own.fixed_amount:
        steps.append(Step("fixed", found["paid_events"], found["fixed_fee_total_amount"], price=own.fixed_amount))
    if found["min_max_adjustment_total_amount"]:
        steps.append(Step("bounds", found["paid_events"], found["min_max_adjustment_total_amount"]))
    return tuple(steps)
