"""The discounts of coupons on one invoice: on the fees before tax, or on the amount left to pay after tax.

A base is exact, a discount is rounded once, and its shares of the fees add up to it.
Source: rules/invoices 3, 5; rules/money 1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from math import floor

from chalicelib.domain.money import round_half_up


class Limit(IntEnum):
    """The kind of a coupon's limitation, in the order of use."""

    METRICS = 0
    PLANS = 1
    NONE = 2


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon as one invoice sees it: an amount (what is left of it, when it may be used once) or a rate in percent.

    `fees`: the indexes of the fees that it is limited to; None covers the whole invoice.
    """

    id: str
    amount_cents: int | None = None
    rate: Decimal | None = None
    fees: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if (self.amount_cents is None) == (self.rate is None):
            raise ValueError("a coupon has either an amount or a rate")

    def discount(self, base_cents: Fraction) -> Fraction:
        """The exact discount on a base, never more than the base."""
        if self.rate is not None:
            return min(base_cents, base_cents * Fraction(self.rate) / 100)
        assert self.amount_cents is not None, "a coupon without a rate has an amount"
        return min(base_cents, Fraction(self.amount_cents))

    def covered(self, fees: int) -> list[int]:
        """The indexes of the covered fees of an invoice with so many fees."""
        return [index for index in range(fees) if self.fees is None or index in self.fees]


@dataclass(frozen=True, slots=True)
class Discount:
    """The discount that a coupon gave, more than 0. `shares`: the exact cents taken off each fee, which add up to
    it."""

    coupon_id: str
    amount_cents: int
    shares: tuple[Fraction, ...]


def in_order(applied: Iterable[tuple[Limit, datetime, Coupon]]) -> tuple[Coupon, ...]:
    """Coupons in the order of use: limited to metrics, to plans, unlimited; the oldest application first in each."""
    return tuple(coupon for _, _, coupon in sorted(applied, key=lambda each: (each[0], each[1], each[2].id)))


def before_tax(coupons: Sequence[Coupon], fees: Sequence[int]) -> tuple[Discount, ...]:
    """The discounts on fees, in cents before tax. A base is what earlier coupons left of the covered fees."""
    left = [Fraction(cents) for cents in fees]
    found = []
    for coupon in coupons:
        covered = coupon.covered(len(fees))
        base = _sum(left, covered)
        # A base has fractions of a cent where an earlier coupon went over more fees.
        amount = min(round_half_up(coupon.discount(base)), floor(base))
        if amount > 0:
            found.append(Discount(coupon.id, amount, _spread(amount, left, covered)))
    return tuple(found)


def after_tax(coupons: Sequence[Coupon], gross_fees: Sequence[Fraction], total_cents: int) -> tuple[Discount, ...]:
    """Discounts on the amount left to pay. `gross_fees`: each fee with its exact tax; `total_cents`: after credit
    notes.

    The base is the amount left to pay; for a limited coupon at most its fees with tax less earlier coupons.
    """
    left = list(gross_fees)
    left_cents = total_cents
    found = []
    for coupon in coupons:
        covered = coupon.covered(len(gross_fees))
        base = Fraction(left_cents)
        if coupon.fees is not None:
            base = min(_sum(left, covered), base)
        amount = min(round_half_up(coupon.discount(base)), left_cents)
        if amount > 0:
            found.append(Discount(coupon.id, amount, _spread(amount, left, covered)))
            left_cents -= amount
    return tuple(found)


def shares_of_fees(discounts: Sequence[Discount], fees: int) -> list[Fraction]:
    """The cents that all discounts together took off each fee."""
    return [sum((discount.shares[index] for discount in discounts), Fraction()) for index in range(fees)]


def _spread(amount_cents: int, left: list[Fraction], covered: Sequence[int]) -> tuple[Fraction, ...]:
    """Share an amount in proportion to the rests of the covered fees, and subtract the shares from them.

    The rounded total of an invoice may be up to half a cent more than its exact fees: nothing goes below zero.
    """
    base = _sum(left, covered)
    shares = [Fraction()] * len(left)
    for index in covered:
        shares[index] = amount_cents * left[index] / base
        left[index] = max(Fraction(), left[index] - shares[index])
    return tuple(shares)


def _sum(left: Sequence[Fraction], covered: Sequence[int]) -> Fraction:
    return sum((left[index] for index in covered), Fraction())
