"""Spending minimums: the amount that a charge's fees must reach in a period. Source: rules/usage 8.1."""

from decimal import Decimal

from chalicelib.domain.money import CONTEXT, round_half_up
from chalicelib.domain.proration import prorated


def true_up_cents(min_amount_cents: int, *, days: int, of_days: int, fees_cents: int) -> int:
    """Cents that a charge's fees lack of its minimum for `days` of a period of `of_days`, rounded once; 0 where they
    reach it.

    `fees_cents`: the fees of all its filters and groups. `days`: without the day of an upgrade, in the part of a period
    that the upgrade closes.
    """
    due = prorated(min_amount_cents, days=days, period_days=of_days)
    return max(0, round_half_up(CONTEXT.subtract(due, Decimal(fees_cents))))
