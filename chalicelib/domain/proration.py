"""Parts of a period's price, by calendar days. Source: rules/billing-periods 4, 7."""

from decimal import ROUND_DOWN, Decimal

from chalicelib.domain.intervals import Interval
from chalicelib.domain.money import CONTEXT


def prorated(amount_cents: int | Decimal, *, days: int, period_days: int) -> Decimal:
    """The exact part of an amount owed for `days` of a whole of `period_days`; all of them give the amount itself.

    The result is exact: it is rounded once, where it becomes a fee.
    """
    assert days >= 0, "days must not be negative"
    assert period_days > 0, "a period has a length"
    return CONTEXT.divide(CONTEXT.multiply(Decimal(amount_cents), Decimal(days)), Decimal(period_days))


def annual_cents(amount_cents: int, interval: Interval) -> int:
    """A plan's base amount per year: the scale on which plans are compared."""
    return amount_cents * interval.annual_factor


def is_upgrade(*, current: tuple[int, Interval], new: tuple[int, Interval]) -> bool:
    """Whether a new plan (base amount, interval) costs as much as the current one or more. Equal counts as an
    upgrade."""
    return annual_cents(*new) >= annual_cents(*current)


def unused_cents(
    plan_amount_cents: int, *, days_left: int, period_days: int, fee_cents: int, credited_cents: int | Decimal
) -> Decimal:
    """Cents that a credit note gives back for the days left of a period paid in advance, exact, cut to five decimals.

    Never more than the last fee less the amount credited on it; 0 where no days are left. Source: rules/billing-periods
    7.4.
    """
    whole = min(prorated(plan_amount_cents, days=days_left, period_days=period_days), Decimal(fee_cents))
    unused = CONTEXT.subtract(whole, Decimal(credited_cents))
    return max(Decimal(0), unused).quantize(Decimal("0.00001"), rounding=ROUND_DOWN, context=CONTEXT)
