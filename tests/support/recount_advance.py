"""A naive recount of charges in advance: in fractions, each event priced anew with all before it, by the rules alone
(rules/usage 7; decisions/0018). It shares no code with Tollgate."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.support import recount, recount_prices

# Additions of an event to its charge, given all events of its period, filter and group in order of time.
Places = Callable[[Sequence["Sent"]], list[Fraction]]


@dataclass(frozen=True)
class Sent:
    """An event. `place`: where it stands in time; `change`: what it adds to the level (+1, -1, a value); None: it
    repeats what is so already, and is no event of the price. `value`, `removes`: of a unique count."""

    place: Any
    change: Fraction | None = None
    value: str | None = None
    removes: bool = False
    cents: Fraction = Fraction(0)
    days: Fraction = Fraction(1)  # The share of the period that is left, where that is priced.


@dataclass
class _Level:
    total: Fraction = Fraction(0)
    highest: Fraction = Fraction(0)
    values: list[Fraction] = field(default_factory=list)
    cents: Fraction = Fraction(0)


def added(model: str, properties: Mapping[str, Any], sent: Iterable[Sent], *, prorated: bool = False) -> list[Fraction]:
    """Amounts that the events add by their places in time, in that order; `prorated`: its new units for the days
    left."""
    level, active, found = _Level(), set[str](), list[Fraction]()
    for event in sorted(sent, key=lambda each: each.place):
        change = event.change
        if event.value is not None:
            is_active = event.value in active
            change = None if is_active is not event.removes else Fraction(-1 if event.removes else 1)
            active = active - {event.value} if event.removes else active | {event.value}
        if change is None:
            found.append(Fraction(0))
            continue
        before, highest = _price(model, properties, level), level.highest
        level.total += change
        level.highest = max(level.highest, level.total)
        level.values.append(change)
        level.cents += event.cents
        if prorated:
            share = recount.raised((level.highest - highest) * event.days, 5)
            found.append(share * Fraction(properties["amount"]))
        elif change and level.highest == highest:
            found.append(Fraction(0))
        else:
            found.append(max(Fraction(0), _price(model, properties, level) - before))
    return found


def _price(model: str, properties: Mapping[str, Any], level: _Level) -> Fraction:
    if not level.highest:
        return Fraction(0)
    return recount_prices.price_of(
        model,
        properties,
        level.highest,
        values=level.values,
        events_count=len(level.values),
        cents=level.cents,
    )


def fees(places: Places, arrivals: Iterable[Sent]) -> tuple[list[Fraction], Fraction]:
    """The fee of each event, charged as it arrives, and what all of them owe by their places."""
    known: list[Sent] = []
    charged: list[Fraction] = []
    whole = Fraction(0)
    for event in arrivals:
        known = sorted([*known, event], key=lambda each: each.place)
        by_place = places(known)
        whole = sum(by_place, Fraction(0))
        left = whole - sum(charged, Fraction(0))
        charged.append(max(Fraction(0), min(by_place[known.index(event)], left)))
    return charged, whole
