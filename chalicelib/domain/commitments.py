"""Minimum commitments: an amount that each period must reach.

Source: rules/billing-periods 12.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.money import round_half_up
from chalicelib.domain.periods import Period
from chalicelib.domain.proration import prorated


def committed_cents(amount_cents: int, *, days: int, of_days: int) -> int:
    """The part of a commitment that `days` of a period of `of_days` must reach, rounded once."""
    return round_half_up(prorated(amount_cents, days=min(days, of_days), period_days=of_days))


def true_up_cents(amount_cents: int, *, days: int, of_days: int, fees_cents: int) -> int:
    """The cents missing of a commitment, 0 where fees reach it. `fees_cents`: all that was billed for the period, before
    taxes, coupons and credits."""
    return max(0, committed_cents(amount_cents, days=days, of_days=of_days) - fees_cents)


def counts_for(whole: Period, start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    """Whether a fee for the range [start, end) counts for a period. The middle of the range decides, which a change of time
    zone does not move out of its period."""
    middle = periods.local_date(start + (end - start) / 2, zone)
    return whole.start <= middle < whole.end
