"""Amount owed by a period of a charge in advance: the sum of the amounts that its events add, each by its place in
time.

Current usage shows that sum, and the fees of a period never exceed it (decisions/0018). Where events only add units, it
equals the price of the period's units. An event that removes units gives nothing back. Source: rules/usage 7, 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation.advance import Change, Paid
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.charges import in_advance
from chalicelib.domain.charges.in_advance import EventFee
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.charges.percentage_tally import PercentageProperties, Tally
from chalicelib.domain.charges.properties import needs_values
from chalicelib.domain.money import CONTEXT

# Charged sums are cut to 15 decimals. The rest that this leaves of many fees is far below this, and is no money.
_DUST = Decimal("1E-9")
# Their prices depend on units alone, so that a single event adds the difference of two prices of levels.
_BY_UNITS_ALONE = (
    ChargeModel.STANDARD,
    ChargeModel.GRADUATED,
    ChargeModel.PACKAGE,
    ChargeModel.GRADUATED_PERCENTAGE,
)


@dataclass(frozen=True, slots=True)
class Tariff:
    """Price of a charge in advance. `properties`: parsed by `properties.parse`. `window`: the period of a prorated
    charge, else None."""

    model: ChargeModel
    properties: Any
    window: Window | None = None

    @property
    def begin(self) -> Paid:
        """State of a period before its first event."""
        return Paid(tally=Tally.begin(self.properties) if needs_values(self.model, self.properties) else None)

    def after(self, before: Paid, change: Change) -> Paid:
        """State of a period after one more event."""
        return before.after(change, self._of_percentage)

    def owed(self, by: Paid) -> Decimal:
        """Price of all units paid for by then, in full units."""
        return in_advance.owed(self.model, self.properties, by.usage)

    def added(self, before: Paid, change: Change) -> Decimal:
        """Amount that an event adds at its place in time; never below 0."""
        if self.window is not None:
            growth = before.level.growth(change.units)
            days, of_days = self._days(self.window, change)
            return in_advance.prorated_added(self.properties, growth=growth, days=days, of_days=of_days)
        after = self.after(before, change).usage
        return in_advance.added(self.model, self.properties, change=change.units, before=before.usage, after=after)

    def fee(self, before: Paid, change: Change, *, at_most: Decimal | None = None) -> EventFee:
        """Fee of an event: the amount that it adds at its place, capped at `at_most`."""
        if self.window is not None:
            growth = before.level.growth(change.units)
            days, of_days = self._days(self.window, change)
            return in_advance.prorated_event_fee(
                self.properties, change=change.units, growth=growth, days=days, of_days=of_days, at_most=at_most
            )
        after = self.after(before, change).usage
        return in_advance.event_fee(
            self.model, self.properties, change=change.units, before=before.usage, after=after, at_most=at_most
        )

    def fee_of_rest(self, before: Paid, change: Change, *, whole: Decimal, charged: Decimal) -> EventFee:
        """Fee of an event that may follow charged later ones: the amount that it adds at its place, capped at `whole`
        (owed by all events) less `charged` (charged by now); never below 0."""
        left = CONTEXT.subtract(whole, charged)
        if left < _DUST and left < self.added(before, change):
            left = Decimal(0)
        return self.fee(before, change, at_most=left)

    def is_the_same_in_any_order(self, aggregation: Aggregation) -> bool:
        """Whether each event adds the same wherever it stands: of counts at one price for each."""
        if aggregation is not Aggregation.COUNT or self.window is not None:
            return False
        of_percentage = self._of_percentage
        return self.model is ChargeModel.STANDARD or (of_percentage is not None and not of_percentage.frees_usage)

    @property
    def prices_units_alone(self) -> bool:
        """Whether the amounts that events add sum up to the price at the end less the price at the beginning."""
        return self.window is None and self.model in _BY_UNITS_ALONE

    @property
    def _of_percentage(self) -> PercentageProperties | None:
        return self.properties if isinstance(self.properties, PercentageProperties) else None

    @staticmethod
    def _days(window: Window, change: Change) -> tuple[int, int]:
        return window.days(window.day_of(change.reading.at), None), window.of_days


@dataclass(frozen=True, slots=True)
class Walk:
    """Walk through a period's events in order. `opened`: the state when the period began. `amount`: the sum of the
    amounts that the counting events add. `place`: the state before the requested event, and the change that this event
    makes."""

    opened: Paid
    amount: Decimal
    place: tuple[Paid, Change] | None = None


def walk(
    tariff: Tariff,
    changes: Sequence[Change],
    *,
    opens_at: datetime,
    counts_from: datetime,
    event: Reading | None = None,
) -> Walk:
    """Go through changes in order of time. The period began at `opens_at`; those from `counts_from` on are charged by
    the subscription in question (a recurring metric was charged by the plan before an upgrade)."""
    place: tuple[Paid, Change] | None = None
    opened: Paid | None = None
    first: Paid | None = None
    amounts = Decimal(0)
    now = tariff.begin
    for change in changes:
        at = change.reading.at
        if opened is None and at >= opens_at:
            opened = now = now.opened()
        if first is None and at >= counts_from:
            first = now
        if event is not None and (at, change.reading.order) == (event.at, event.order):
            place = (now if opened is not None else now.opened(), change)
        if first is not None and not tariff.prices_units_alone:
            amounts = CONTEXT.add(amounts, tariff.added(now, change))
        now = tariff.after(now, change)
    if opened is None:
        opened = now = now.opened()
    if first is not None and tariff.prices_units_alone:
        amounts = CONTEXT.subtract(tariff.owed(now), tariff.owed(first))
    return Walk(opened, amounts, place)
