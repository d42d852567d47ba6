"""The prices of a naive recount: in fractions, by rules/usage 6 alone. It shares no code with Tollgate."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any


def price_of(
    model: str,
    properties: Mapping[str, Any],
    units: Fraction,
    *,
    values: Sequence[Fraction] = (),
    events_count: int = 0,
    cents: Fraction = Fraction(0),
) -> Fraction:
    """Price of units in currency units, not rounded. Source: rules/usage 6.1 to 6.8."""
    if model == "standard":
        return units * Fraction(properties["amount"])
    if model == "package":
        paid = max(Fraction(0), units - properties["free_units"])
        return -((-paid) // properties["package_size"]) * Fraction(properties["amount"])
    if model == "volume":
        of_tier = volume_tier(properties["volume_ranges"], units)
        return units * Fraction(of_tier["per_unit_amount"]) + Fraction(of_tier["flat_amount"])
    if model == "graduated":
        return _tiered(properties["graduated_ranges"], units, lambda tier: Fraction(tier["per_unit_amount"]))
    if model == "graduated_percentage":
        return _tiered(properties["graduated_percentage_ranges"], units, lambda tier: Fraction(tier["rate"]) / 100)
    if not units:
        return Fraction(0)
    if model == "dynamic":
        return max(Fraction(0), cents / 100)
    assert model == "percentage", model
    return _percentage(properties, units, values, events_count)


def volume_tier(tiers: Sequence[Mapping[str, Any]], units: Fraction) -> Mapping[str, Any]:
    """The one tier that prices all units."""
    return next(tier for tier in tiers if tier["to_value"] is None or units <= tier["to_value"])


def _tiered(tiers: Sequence[Mapping[str, Any]], units: Fraction, price: Any) -> Fraction:
    amount, below = Fraction(0), 0
    for tier in tiers:
        top = units if tier["to_value"] is None else min(units, Fraction(tier["to_value"]))
        amount += (top - below) * price(tier) + Fraction(tier["flat_amount"])
        if tier["to_value"] is None or units <= tier["to_value"]:
            break
        below = tier["to_value"]
    return amount


def graduated_by_steps(tiers: Sequence[Mapping[str, Any]], steps: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
    """Price of changes of a level, each (units, share of the period). Source: rules/usage 6.9."""

    def cost(level: Fraction) -> Fraction:
        if level < 0:
            return level * Fraction(tiers[0]["per_unit_amount"])
        flatless = [{**tier, "flat_amount": "0"} for tier in tiers]
        return _tiered(flatless, level, lambda tier: Fraction(tier["per_unit_amount"]))

    level = highest = amount = Fraction(0)
    for units, share in steps:
        amount += (cost(level + units) - cost(level)) * share
        level += units
        highest = max(highest, level)
    return max(Fraction(0), amount) + _tiered([{**t, "per_unit_amount": "0"} for t in tiers], highest, lambda _: 0)


def _percentage(
    properties: Mapping[str, Any], units: Fraction, values: Sequence[Fraction], events_count: int
) -> Fraction:
    rate = Fraction(properties["rate"]) / 100
    fixed = Fraction(properties.get("fixed_amount") or "0")
    events = properties.get("free_units_per_events")
    total = Fraction(properties.get("free_units_per_total_aggregation") or "0")
    if properties.get("per_transaction_min_amount") or properties.get("per_transaction_max_amount"):
        return max(Fraction(0), sum(_transactions(properties, rate, fixed, events or 0, total, values), Fraction(0)))
    free_value, free_count = Fraction(0), 0
    if events or total:
        running: list[Fraction] = []
        for value in values[:events]:
            running.append((running[-1] if running else Fraction(0)) + value)
            if not events and running[-1] > total:
                break
        last = running[-1] if running else Fraction(0)
        below = sum(1 for each in running if each < total)
        if not total:
            free_value, free_count = last, events
        elif not events:
            free_value, free_count = min(last, total), below
        else:
            free_value, free_count = (last if last <= total else total), min(events, below or events)
    return max(Fraction(0), units - free_value) * rate + max(0, events_count - free_count) * fixed


def _transactions(
    properties: Mapping[str, Any],
    rate: Fraction,
    fixed: Fraction,
    events_left: int,
    total_left: Fraction,
    values: Sequence[Fraction],
) -> Iterable[Fraction]:
    low, high = properties.get("per_transaction_min_amount"), properties.get("per_transaction_max_amount")
    for value in values:
        paid = value
        if events_left > 0 or total_left > 0:
            events_left -= 1
            if not total_left:
                continue
            if value < total_left:
                total_left -= value
                continue
            paid, total_left, events_left = value - total_left, Fraction(0), 0
        cost = paid * rate + fixed
        cost = max(cost, Fraction(low)) if low else cost
        yield min(cost, Fraction(high)) if high else cost
