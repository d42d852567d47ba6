"""The credits that a recurring rule adds to a wallet.

All figures are credits. `level` is the ongoing balance and all purchases on their way.
Source: rules/invoices 8.4; rules/money 2.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from chalicelib.domain.money import CONTEXT
from chalicelib.domain.wallets.credits import CreditPrice


@dataclass(frozen=True, slots=True)
class Limits:
    """The least and the most that one purchase may cost, in cents. A rule that ignores the limits has none."""

    least_cents: int | None = None
    most_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Refill:
    """The credits to purchase and to grant."""

    paid: Decimal = Decimal(0)
    granted: Decimal = Decimal(0)


NOTHING = Refill()


def is_due(level: Decimal, threshold: Decimal) -> bool:
    """Whether a threshold rule fires."""
    return level <= threshold


def fixed(level: Decimal, threshold: Decimal, increment: Refill, price: CreditPrice, limits: Limits) -> Refill:
    """Number of whole increments that lift the level above the threshold and fit into one purchase, as one refill."""
    size = CONTEXT.add(increment.paid, increment.granted)
    if size <= 0 or not is_due(level, threshold):
        return NOTHING
    times = floor(Fraction(CONTEXT.subtract(threshold, level)) / Fraction(size)) + 1
    if limits.most_cents is not None and increment.paid > 0:
        times = min(times, _fitting(price.precise_cents(increment.paid), limits.most_cents))
    return Refill(CONTEXT.multiply(increment.paid, Decimal(times)), CONTEXT.multiply(increment.granted, Decimal(times)))


def target(level: Decimal, wanted: Decimal, price: CreditPrice, limits: Limits, *, grants: bool = False) -> Refill:
    """The gap up to the level that is wanted: a purchase is raised to the least and cut to the most, a grant is as it
    is."""
    gap = CONTEXT.subtract(wanted, level)
    if gap <= 0:
        return NOTHING
    if grants:
        return Refill(granted=gap)
    cents = price.cents(gap)
    if limits.least_cents is not None and cents < limits.least_cents:
        gap, cents = price.least_credits(limits.least_cents), limits.least_cents
    if limits.most_cents is not None and cents > limits.most_cents:
        gap = price.most_credits(limits.most_cents)
    return Refill(paid=gap)


def _fitting(increment_cents: Fraction, most_cents: int) -> int:
    """The largest number of increments that together, rounded once, cost no more."""
    return ceil((most_cents + Fraction(1, 2)) / increment_cents) - 1
