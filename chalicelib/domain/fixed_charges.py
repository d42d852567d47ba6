"""Fixed charges: units of an add-on that a plan bills per period, without events.

Units may change; a change holds from the subscription's next period, or at once. Amounts here are exact, in currency
units, unless a name says cents.

Source: rules/billing-periods 11.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from chalicelib.domain import periods, timeline
from chalicelib.domain.billing_line import Days
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.money import CONTEXT, round_half_up, total
from chalicelib.domain.timeline import SubscriptionTimeline, Terms

_SIX_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class UnitsChange:
    """From `at` on (the day of it, or the next period) the number of units is another."""

    units: Decimal
    at: datetime
    immediately: bool


@dataclass(frozen=True, slots=True)
class FixedCharge:
    """Billing's view of a fixed charge: its first units and every later change, oldest first."""

    model: ChargeModel
    properties: Any
    prorated: bool
    first_units: Decimal
    changes: tuple[UnitsChange, ...] = ()


@dataclass(frozen=True, slots=True)
class PricedFixedCharge:
    """Units as shown (the full number), and their price for the days."""

    units: Decimal
    priced: Priced


def billed(
    charge: FixedCharge, terms: Terms, life: SubscriptionTimeline, days: Days, *, known_at: datetime, zone: ZoneInfo
) -> PricedFixedCharge:
    """The price of a charge for days of a period. In arrears the units may have changed within them.

    `known_at`: when the days are billed; changes made later are not known then.
    """
    stretches = _stretches(charge, terms, life, days, known_at=known_at, zone=zone)
    full = stretches[-1][1] if stretches else Decimal(0)
    units = full
    if charge.prorated:
        exact = total(CONTEXT.multiply(units, Decimal(number)) for number, units in stretches)
        units = _six_places(CONTEXT.divide(exact, Decimal(days.whole.days)))
    return PricedFixedCharge(full, price(charge.model, ChargeUsage(units, 0), charge.properties))


def exceeding(
    charge: FixedCharge,
    terms: Terms,
    life: SubscriptionTimeline,
    days: Days,
    *,
    paid_units: Decimal,
    known_at: datetime,
    zone: ZoneInfo,
) -> PricedFixedCharge:
    """Price of the units beyond `paid_units` within a period that is already paid. Fewer units cost nothing and give
    nothing back."""
    now = billed(charge, terms, life, days, known_at=known_at, zone=zone)
    share = Decimal(days.number) / Decimal(days.whole.days) if charge.prorated else Decimal(1)
    before = price(charge.model, ChargeUsage(_six_places(CONTEXT.multiply(paid_units, share)), 0), charge.properties)
    if now.units <= paid_units:
        return PricedFixedCharge(now.units, Priced(Decimal(0), now.priced.unit_amount, {}))
    more = max(Decimal(0), CONTEXT.subtract(now.priced.amount, before.amount))
    return PricedFixedCharge(now.units, Priced(more, now.priced.unit_amount, now.priced.details))


def already_paid_cents(amount_cents: int, *, days_left: int, paid_days: int) -> int:
    """The part of an amount paid in advance that covers the days left: an upgrade to the same add-on deducts it."""
    assert paid_days > 0, "what was paid was paid for some days"
    left = min(max(0, days_left), paid_days)
    return round_half_up(CONTEXT.divide(CONTEXT.multiply(Decimal(amount_cents), Decimal(left)), Decimal(paid_days)))


class PaidUnits(Protocol):
    """Units of a fixed charge that were paid in advance for the local days from `first` up to, not including, `end`."""

    @property
    def charge_id(self) -> str:
        """The fixed charge."""

    @property
    def add_on_id(self) -> str:
        """The add-on of the fixed charge."""

    @property
    def units(self) -> str:
        """The units, exact text."""

    @property
    def amount_cents(self) -> int:
        """The amount paid."""

    @property
    def first(self) -> date:
        """The first day paid."""

    @property
    def end(self) -> date:
        """The day after the last day paid."""


def deductions_cents(paid: Iterable[PaidUnits], *, first: date) -> dict[str, int]:
    """Cents by add-on that an earlier plan was paid for the days from `first` on."""
    sums: dict[str, int] = {}
    for each in paid:
        left, paid_days = (each.end - first).days, (each.end - each.first).days
        cents = already_paid_cents(each.amount_cents, days_left=left, paid_days=paid_days)
        sums[each.add_on_id] = sums.get(each.add_on_id, 0) + cents
    return sums


def most_paid_units(paid: Iterable[PaidUnits], *, period_end: date) -> dict[str, Decimal]:
    """The most units paid for up to the end of a period, by fixed charge."""
    most: dict[str, Decimal] = {}
    for each in paid:
        if each.end == period_end:
            most[each.charge_id] = max(Decimal(each.units), most.get(each.charge_id, Decimal(0)))
    return most


def _stretches(
    charge: FixedCharge, terms: Terms, life: SubscriptionTimeline, days: Days, *, known_at: datetime, zone: ZoneInfo
) -> list[tuple[int, Decimal]]:
    """(days, units) through a range, in order."""
    if days.number == 0:
        return []
    found: list[tuple[date, Decimal]] = [(date.min, charge.first_units)]
    for change in charge.changes:
        if change.at > known_at:
            break
        effective = _effective(change, terms, life, zone)
        # The latest change counts: earlier ones that were to hold from then on or later are void.
        found = [(day, units) for day, units in found if day < effective or day == date.min]
        found.append((effective, change.units))
    stretches = []
    for (day, units), following in zip(
        found, [*(day for day, _ in found[1:]), days.last + timedelta(days=1)], strict=True
    ):
        first, end = max(day, days.first), min(following, days.last + timedelta(days=1))
        if first < end:
            stretches.append(((end - first).days, units))
    return stretches


def _effective(change: UnitsChange, terms: Terms, life: SubscriptionTimeline, zone: ZoneInfo) -> date:
    if change.at <= life.started_at:
        return date.min + timedelta(days=1)
    on = periods.local_date(change.at, zone)
    return on if change.immediately else timeline.fixed_period_on(terms, life, on, zone).end


def _six_places(units: Decimal) -> Decimal:
    return units.quantize(_SIX_PLACES, rounding=ROUND_HALF_UP, context=CONTEXT)
