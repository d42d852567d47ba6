"""One subscription on one invoice: its ranges, their days, and the reason for which it is there. Source:
rules/billing-periods 3 to 7."""

from dataclasses import dataclass
from datetime import date

from chalicelib.domain.periods import Period, Span

PERIODIC = "subscription_periodic"
STARTING = "subscription_starting"
TERMINATING = "subscription_terminating"
IN_ADVANCE_CHARGE = "in_advance_charge"
IN_ADVANCE_CHARGE_PERIODIC = "in_advance_charge_periodic"


@dataclass(frozen=True, slots=True)
class Days:
    """Local days from `first` to `last`, both included, of a `whole` period; `span` as it is shown."""

    span: Span
    first: date
    last: date
    whole: Period

    @property
    def number(self) -> int:
        """Number of days, from `first` to `last`, both included; never below 0."""
        return max(0, (self.last - self.first).days + 1)


@dataclass(frozen=True, slots=True)
class FeeRange:
    """The range of a subscription fee: `days` of `of_days` are owed; `whole` is the period it lies in."""

    span: Span
    days: int
    of_days: int
    whole: Period


@dataclass(frozen=True, slots=True)
class BillingLine:
    """One subscription on one invoice. `period`: the range shown for the subscription even without a fee;
    `charges`: the range shown for usage (None where months bill fixed charges only); `bills_usage`: whether usage of
    it is billed. `exact_end`: the ranges end at the instant at which the subscription ended, and are shown so.

    `usage_days`: the days of `charges`, by which units are prorated. `fixed`: the range shown for fixed charges;
    `fixed_arrears`, `fixed_advance`: the days that they are billed for. `commitment`: the days of the period whose
    minimum is settled here. `renewed`: the days of the usage period that begins, for which recurring metrics are paid
    in advance."""

    reason: str
    period: Span
    fee: FeeRange | None
    charges: Span | None
    bills_usage: bool
    exact_end: bool = False
    usage_days: Days | None = None
    fixed: Span | None = None
    fixed_arrears: Days | None = None
    fixed_advance: Days | None = None
    commitment: Days | None = None
    renewed: Days | None = None
