"""Running tally of a percentage charge, event by event. Source: rules/usage 6.4."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from chalicelib.domain.money import CONTEXT


@dataclass(frozen=True, slots=True)
class PercentageProperties:
    """Properties of a percentage price: `rate` in percent, amounts in currency units. `free_events` and `free_total`:
    free usage of each period, by number of events and by their total. `lowest` and `highest`: bounds of one
    transaction's cost."""

    rate: Decimal
    fixed_amount: Decimal = Decimal(0)
    free_events: int | None = None
    free_total: Decimal | None = None
    lowest: Decimal | None = None
    highest: Decimal | None = None

    @property
    def bounds_transactions(self) -> bool:
        """Whether each transaction is priced by itself."""
        return self.lowest is not None or self.highest is not None

    @property
    def frees_usage(self) -> bool:
        """Whether some of the usage is free."""
        return self.free_events is not None or self.free_total is not None


class Tally(NamedTuple):
    """Running state of the events in order, as far as a percentage price depends on single events. It makes pricing one
    more event cost the same after any number of events.

    `first`: total of the events that free usage looks at: the first free events, or else all up to the one that exceeds
    the free amount. `looked_at`: their number. `below`: the number of events after which the total was below the free
    amount. `closed`: no further event is looked at. `events_left`, `amount_left`: free usage left where each
    transaction is priced by itself. `by_transaction`: cost of the transactions so far, each within its bounds.
    """

    first: Decimal = Decimal(0)
    looked_at: int = 0
    below: int = 0
    closed: bool = False
    events_left: int = 0
    amount_left: Decimal = Decimal(0)
    by_transaction: Decimal = Decimal(0)

    @classmethod
    def begin(cls, properties: PercentageProperties) -> "Tally":
        """The tally before any event."""
        return cls(events_left=properties.free_events or 0, amount_left=properties.free_total or Decimal(0))

    @classmethod
    def of(cls, values: Iterable[Decimal], properties: PercentageProperties) -> "Tally":
        """The tally after these events, in order of time."""
        tally = cls.begin(properties)
        for value in values:
            tally = tally.after(value, properties)
        return tally

    def after(self, value: Decimal, properties: PercentageProperties) -> "Tally":
        """The tally after one more event."""
        tally = self
        if properties.frees_usage and not self.closed:
            tally = tally._freed(value, properties)
        if properties.bounds_transactions:
            tally = tally._charged(value, properties)
        return tally

    def _freed(self, value: Decimal, properties: PercentageProperties) -> "Tally":
        first, looked_at, limit = CONTEXT.add(self.first, value), self.looked_at + 1, properties.free_total
        below = self.below + (limit is not None and first < limit)
        if properties.free_events is not None:
            closed = looked_at >= properties.free_events
        else:
            closed = limit is not None and first > limit
        return Tally(first, looked_at, below, closed, *self[4:])

    def _charged(self, value: Decimal, properties: PercentageProperties) -> "Tally":
        events_left, amount_left = self.events_left, self.amount_left
        if events_left > 0 or amount_left > 0:
            if not amount_left or value < amount_left:
                left = CONTEXT.subtract(amount_left, value) if amount_left else amount_left
                return Tally(*self[:4], events_left - 1, left, self.by_transaction)
            # The event that uses up the free amount ends all that is free, and pays for its rest.
            value = CONTEXT.subtract(value, amount_left)
            events_left, amount_left = 0, Decimal(0)
        cost = _within(CONTEXT.add(percent(value, properties.rate), properties.fixed_amount), properties)
        return Tally(*self[:4], events_left, amount_left, CONTEXT.add(self.by_transaction, cost))


def percent(base: Decimal, rate: Decimal) -> Decimal:
    """`rate` percent of `base`, exact."""
    return CONTEXT.multiply(base, rate.scaleb(-2, context=CONTEXT))


def _within(amount: Decimal, properties: PercentageProperties) -> Decimal:
    if properties.lowest is not None:
        amount = max(amount, properties.lowest)
    return amount if properties.highest is None else min(amount, properties.highest)
