"""Percentage: a rate of the amounts used and a fixed amount per event, after free events or a free amount, each
transaction within bounds. Source: rules/usage 6.4."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.amounts import amount_per_unit, decimal_text, is_whole
from chalicelib.domain.charges.percentage_tally import PercentageProperties, Tally, percent
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.money import CONTEXT, decimal_string, total

_ERRORS = {
    "rate": ErrorCode.INVALID_RATE,
    "fixed_amount": ErrorCode.INVALID_FIXED_AMOUNT,
    "free_units_per_total_aggregation": ErrorCode.INVALID_FREE_UNITS_PER_TOTAL_AGGREGATION,
    "per_transaction_min_amount": ErrorCode.INVALID_AMOUNT,
    "per_transaction_max_amount": ErrorCode.INVALID_AMOUNT,
}


@dataclass(frozen=True, slots=True)
class Parts:
    """A price by its parts: units and events, and amounts in currency units: the rate's, the fixed amounts', and what
    the bounds of single transactions add to them (or take from them)."""

    units: Decimal = Decimal(0)
    paid_units: Decimal = Decimal(0)
    free_events: int = 0
    paid_events: int = 0
    for_units: Decimal = Decimal(0)
    fixed: Decimal = Decimal(0)
    adjustment: Decimal = Decimal(0)

    @property
    def amount(self) -> Decimal:
        """Sum of the parts, in currency units."""
        return total((self.for_units, self.fixed, self.adjustment))

    def minus(self, before: "Parts") -> "Parts":
        """Difference to an earlier state."""
        return Parts(
            units=CONTEXT.subtract(self.units, before.units),
            paid_units=CONTEXT.subtract(self.paid_units, before.paid_units),
            free_events=self.free_events - before.free_events,
            paid_events=self.paid_events - before.paid_events,
            for_units=CONTEXT.subtract(self.for_units, before.for_units),
            fixed=CONTEXT.subtract(self.fixed, before.fixed),
            adjustment=CONTEXT.subtract(self.adjustment, before.adjustment),
        )


def read(given: Mapping[str, Any]) -> tuple[PercentageProperties | None, dict[str, list[str]]]:
    """The properties, or None and everything wrong with them: field -> codes."""
    amounts = {name: decimal_text(given.get(name)) for name in _ERRORS}
    rate, lowest, highest = (
        amounts[name] for name in ("rate", "per_transaction_min_amount", "per_transaction_max_amount")
    )
    wrong: dict[str, list[str]] = {
        name: [error]
        for name, error in _ERRORS.items()
        if amounts[name] is None and (name == "rate" or given.get(name) is not None)
    }
    free_events = given.get("free_units_per_events")
    if free_events is not None and not (is_whole(free_events) and free_events):
        wrong["free_units_per_events"] = [ErrorCode.INVALID_FREE_UNITS_PER_EVENTS]
    if lowest is not None and highest is not None and highest < lowest:
        wrong["per_transaction_max_amount"] = [ErrorCode.PER_TRANSACTION_MAX_LOWER_THAN_PER_TRANSACTION_MIN]
    if wrong or rate is None:
        return None, wrong
    return PercentageProperties(
        rate=rate,
        fixed_amount=amounts["fixed_amount"] or Decimal(0),
        free_events=free_events,
        # An amount of 0 frees nothing: it is none.
        free_total=amounts["free_units_per_total_aggregation"] or None,
        lowest=lowest,
        highest=highest,
    ), {}


def price(usage: ChargeUsage, properties: PercentageProperties) -> Priced:
    """The rate of the units that are not free, and the fixed amount of the events that are not."""
    found = parts(usage, properties)
    return Priced(found.amount, amount_per_unit(found.amount, usage.units), details(found, properties))


def amount(usage: ChargeUsage, properties: PercentageProperties) -> Decimal:
    """Price alone, as `parts` adds it up; cheap enough to compute after each event."""
    if not usage.units:
        return Decimal(0)
    tally = _tally(usage, properties)
    if properties.bounds_transactions:
        return max(Decimal(0), tally.by_transaction)
    free_units, free_events = _free(tally, properties)
    for_units = percent(max(Decimal(0), CONTEXT.subtract(usage.units, free_units)), properties.rate)
    paid_events = Decimal(max(0, usage.events_count - free_events))
    return CONTEXT.add(for_units, CONTEXT.multiply(paid_events, properties.fixed_amount))


def parts(usage: ChargeUsage, properties: PercentageProperties) -> Parts:
    """The price by its parts; nothing at all without units. Source: rules/usage 6.8."""
    if not usage.units:
        return Parts()
    tally = _tally(usage, properties)
    free_units, free_events = _free(tally, properties)
    paid_units = max(Decimal(0), CONTEXT.subtract(usage.units, free_units))
    paid_events = max(0, usage.events_count - free_events)
    plain = Parts(
        units=usage.units,
        paid_units=paid_units,
        free_events=usage.events_count - paid_events,
        paid_events=paid_events,
        for_units=percent(paid_units, properties.rate),
        fixed=CONTEXT.multiply(Decimal(paid_events), properties.fixed_amount),
    )
    if not properties.bounds_transactions:
        return plain
    by_transaction = max(Decimal(0), tally.by_transaction)
    return plain.minus(Parts(adjustment=CONTEXT.subtract(plain.amount, by_transaction)))


def details(found: Parts, properties: PercentageProperties, *, paid_events: int | None = None) -> dict[str, Any]:
    """The parts as `amount_details`. `paid_events`: those of the whole period, where the parts are one event's."""
    paid = found.paid_events if paid_events is None else paid_events
    return {
        "units": decimal_string(found.units),
        "free_units": decimal_string(CONTEXT.subtract(found.units, found.paid_units)),
        "paid_units": decimal_string(found.paid_units),
        "free_events": found.free_events,
        "paid_events": found.paid_events,
        "rate": decimal_string(properties.rate),
        "per_unit_total_amount": decimal_string(found.for_units),
        "fixed_fee_unit_amount": decimal_string(properties.fixed_amount if paid else Decimal(0)),
        "fixed_fee_total_amount": decimal_string(found.fixed),
        "min_max_adjustment_total_amount": decimal_string(found.adjustment),
    }


def _free(tally: Tally, properties: PercentageProperties) -> tuple[Decimal, int]:
    """(units, events) that are free, by the running totals of the events."""
    if not properties.frees_usage:
        return Decimal(0), 0
    events, limit = properties.free_events, properties.free_total
    if limit is None:
        return tally.first, events or 0
    below = tally.below
    if events is not None:
        # No total below the limit leaves the number of events as it is.
        below = min(events, below or events)
    return min(tally.first, limit), below


def _tally(usage: ChargeUsage, properties: PercentageProperties) -> Tally:
    if usage.tally is not None:
        return usage.tally
    if not (properties.frees_usage or properties.bounds_transactions):
        return Tally()
    assert usage.values is not None, "what is free and what one transaction costs is counted by the events"
    return Tally.of(usage.values, properties)
