"""A naive recount: units of events, one by one and in fractions, by rules/usage alone (their prices:
recount_prices.py).

It shares no code with Tollgate, on purpose: not even its numbers, its matching of filters or its days.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.support import recount_prices as prices

ALL = "__ALL_FILTER_VALUES__"
_MICROSECOND = timedelta(microseconds=1)

Group = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Fact:
    """An event as it was accepted. `order`: what decides between events of one instant, the reception of its request,
    its place in that and then its id; `cents`: the price that it brings along."""

    at: datetime
    order: tuple[str, int, str]
    properties: Mapping[str, Any]
    cents: str | None = None


@dataclass(frozen=True)
class Gauge:
    """A metric as its request has it. `rounding`: function and precision; `listed`: the values of its filters by
    key."""

    kind: str
    field_name: str | None = None
    recurring: bool = False
    rounding: tuple[str, int] | None = None
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Price:
    """A charge as its request has it. `filters`: (values by key, properties), the oldest first."""

    model: str
    properties: Mapping[str, Any]
    filters: Sequence[tuple[Mapping[str, Sequence[str]], Mapping[str, Any]]] = ()
    prorated: bool = False


@dataclass(frozen=True)
class Range:
    """From `start` up to but not including `end`, both aware; `of_days`: the length of the whole charges period. Its
    days are those of the zone that begin with that of `start` and end with that of the last instant before `end`;
    `upgraded`: it is the part that an upgrade closes."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    of_days: int
    upgraded: bool = False

    @property
    def first_day(self) -> date:
        """The day in which it starts."""
        return self.day(self.start)

    @property
    def last_day(self) -> date:
        """The day in which it ends."""
        return self.day(self.end - _MICROSECOND)

    def day(self, at: datetime) -> date:
        """The customer's day."""
        return at.astimezone(self.zone).date()

    def days(self, first: date, last: date) -> int:
        """Number of days of the range between two, both included."""
        return max(0, (min(last, self.last_day) - max(first, self.first_day)).days + 1)


@dataclass(frozen=True)
class Line:
    """Key of one fee: the filter by its place in the charge (None: none of them) and the group; the exact price in
    currency units. `level`: of a weighted sum the level at the end, else the units."""

    filter: int | None
    group: Group
    units: Fraction
    level: Fraction
    events_count: int
    amount: Fraction

    @property
    def cents(self) -> int:
        """The amount of its fee."""
        return half_up(self.amount * 100)


def lines(
    gauge: Gauge, price: Price, facts: Iterable[Fact], of: Range, only: Mapping[str, str] | None = None
) -> list[Line]:
    """A charge's lines, in any order: each filter and what no filter takes, used or not, by group. `only`: of events
    with these properties, by which they are not grouped then."""
    seen = [fact for fact in facts if fact.at < of.end and (gauge.recurring or fact.at >= of.start)]
    seen = [fact for fact in seen if all(text(fact.properties.get(key)) == own for key, own in (only or {}).items())]
    seen.sort(key=lambda fact: (fact.at, fact.order))
    properties: dict[int | None, Mapping[str, Any]] = {n: own for n, (_, own) in enumerate(price.filters)}
    properties = {
        n: {**own, "pricing_group_keys": [key for key in own.get("pricing_group_keys", ()) if key not in (only or {})]}
        for n, own in (properties | {None: price.properties}).items()
    }
    members: dict[tuple[int | None, Group], list[Fact]] = {}
    for fact in seen:
        chosen = filter_of(fact, [values for values, _ in price.filters], gauge.listed)
        members.setdefault((chosen, group_of(fact.properties, properties[chosen])), []).append(fact)
    for chosen in set(properties) - {chosen for chosen, _ in members}:
        members[(chosen, group_of({}, properties[chosen]))] = []
    return [_line(gauge, price, chosen, group, own, properties[chosen], of) for (chosen, group), own in members.items()]


# Numbers, texts, filters and groups.


def number(value: Any) -> Fraction | None:
    """The quantity in a property, as text or as a number; None for what is none.

    Source: rules/usage 3; decisions/0017 (below 10^23 and brought to 15 decimals).
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return None
    exact = Fraction(value)
    if abs(exact) >= 10**23:
        return None
    return Fraction(half_up(exact * 10**15), 10**15)


def text(value: Any) -> str | None:
    """A property as text; null, lists and objects are no value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, str | int) else None


def filter_of(
    fact: Fact, filters: Sequence[Mapping[str, Sequence[str]]], listed: Mapping[str, Sequence[str]]
) -> int | None:
    """The most specific filter that takes an event: most keys, then a subset of the other's values, then the oldest."""
    sets = [
        {key: set(listed.get(key, ())) if ALL in values else set(values) for key, values in each.items()}
        for each in filters
    ]
    taking = [
        n
        for n, each in enumerate(sets)
        if all(text(fact.properties.get(key)) in values for key, values in each.items())
    ]
    taking = [n for n in taking if len(sets[n]) == max(len(sets[m]) for m in taking)]
    for n in taking:
        if not any(
            sets[m] != sets[n] and sets[m].keys() == sets[n].keys() and all(sets[m][k] <= sets[n][k] for k in sets[m])
            for m in taking
        ):
            return n
    return None


def group_of(properties: Mapping[str, Any], of: Mapping[str, Any]) -> Group:
    """The values of the group keys in the properties of a charge or a filter, null where an event has none."""
    return tuple((key, text(properties.get(key))) for key in of.get("pricing_group_keys", ()))


def half_up(exact: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    whole = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return -whole if exact < 0 else whole


def raised(exact: Fraction, places: int) -> Fraction:
    """Brought up to some decimals."""
    return Fraction(-((-exact * 10**places) // 1), 10**places)


def rounded(exact: Fraction, rounding: tuple[str, int] | None) -> Fraction:
    """As the metric says."""
    if rounding is None:
        return exact
    function, places = rounding
    step = Fraction(1, 10) ** places
    whole = {"round": half_up, "ceil": lambda n: -((-n) // 1), "floor": lambda n: n // 1}[function](exact / step)
    return whole * step


# Units.


@dataclass(frozen=True)
class _Counted:
    """`values`: what each event contributes, in order of time; `steps`: (units, share) where days are priced."""

    units: Fraction
    level: Fraction
    events_count: int
    values: list[Fraction]
    cents: Fraction
    prorated: Fraction | None = None
    steps: Sequence[tuple[Fraction, Fraction]] = ()


def _line(
    gauge: Gauge,
    price: Price,
    chosen: int | None,
    group: Group,
    own: Sequence[Fact],
    properties: Mapping[str, Any],
    of: Range,
) -> Line:
    counted = _counted(gauge, own, of, prorated=price.prorated)
    amount = Fraction(0)
    if counted.units >= 0:  # Below 0 nothing is owed, flat amounts included. Source: rules/usage 3.
        amount = _amount(gauge, price.model, properties, counted)
    units, level = (rounded(max(Fraction(0), each), gauge.rounding) for each in (counted.units, counted.level))
    return Line(chosen, group, units, level, counted.events_count, amount)


def _counted(gauge: Gauge, own: Sequence[Fact], of: Range, *, prorated: bool) -> _Counted:
    if gauge.kind == "count_agg":
        ones = [Fraction(1)] * len(own)
        return _Counted(sum(ones, Fraction(0)), Fraction(len(own)), len(own), ones, _cents(own))
    assert gauge.field_name is not None
    if gauge.kind == "unique_count_agg":
        return _unique(gauge.field_name, own, of, prorated=prorated)
    numeric = [(fact, n) for fact in own if (n := number(fact.properties.get(gauge.field_name))) is not None]
    if gauge.kind == "weighted_sum_agg":
        return _weighted(numeric, of)
    values = [n for _, n in numeric]
    units = {
        "sum_agg": sum(values, Fraction(0)),
        "max_agg": max(values, default=Fraction(0)),
        "latest_agg": max(Fraction(0), values[-1]) if values else Fraction(0),
    }[gauge.kind]
    found = _Counted(units, units, len(values), values, _cents(fact for fact, _ in numeric))
    return _prorated_sum(found, numeric, of) if prorated else found


def _cents(facts: Iterable[Fact]) -> Fraction:
    return sum((Fraction(fact.cents) for fact in facts if fact.cents is not None), Fraction(0))


def _weighted(numeric: Sequence[tuple[Fact, Fraction]], of: Range) -> _Counted:
    """Each value lasts from its instant, or from the start, to the end. Source: rules/usage 3.4."""
    weighed = sum((n * ((of.end - max(fact.at, of.start)) // _MICROSECOND) for fact, n in numeric), Fraction(0))
    inside = [(fact, n) for fact, n in numeric if fact.at >= of.start]
    units = raised(weighed / (of.of_days * 86_400_000_000), 20)
    level = sum((n for _, n in numeric), Fraction(0))
    return _Counted(units, level, len(inside), [n for _, n in inside], _cents(fact for fact, _ in inside))


def _prorated_sum(found: _Counted, numeric: Sequence[tuple[Fact, Fraction]], of: Range) -> _Counted:
    """Level held for the days of the range, each later value from its day on. Source: rules/usage 3.3."""
    held = sum((n for fact, n in numeric if fact.at < of.start), Fraction(0))
    held_days = of.days(of.first_day, of.last_day) - (1 if of.upgraded else 0)
    steps = [(held, Fraction(held_days, of.of_days))]
    steps += [
        (n, Fraction(of.days(of.day(fact.at), of.last_day), of.of_days)) for fact, n in numeric if fact.at >= of.start
    ]
    by_days = raised(sum((n * share for n, share in steps), Fraction(0)), 5)
    return _Counted(found.units, found.level, found.events_count, found.values, found.cents, by_days, steps)


@dataclass
class _Stretch:
    """A value's time of activity."""

    added: Fact
    removed: Fact | None = None

    def is_over(self, at: datetime) -> bool:
        return self.removed is not None and self.removed.at < at

    def days(self, of: Range) -> int:
        return of.days(of.day(self.added.at), of.day(self.removed.at) if self.removed else of.last_day)


def _unique(name: str, own: Sequence[Fact], of: Range, *, prorated: bool) -> _Counted:
    """Distinct values that are active at the end. Source: rules/usage 3.1, 3.2, 6.9."""
    stretches: dict[str, list[_Stretch]] = {}
    moving: list[Fact] = []
    for fact in own:
        value, said = text(fact.properties.get(name)), fact.properties.get("operation_type")
        operation = "add" if said is None else said
        if value is None or operation not in ("add", "remove"):
            continue
        moving.append(fact)
        known = stretches.setdefault(value, [])
        active = bool(known) and known[-1].removed is None
        if operation == "add" and not active:
            known.append(_Stretch(fact))
        elif operation == "remove" and active:
            known[-1].removed = fact
    active_now = sum(1 for known in stretches.values() if known and known[-1].removed is None)
    units = Fraction(active_now)
    found = _Counted(units, units, active_now, [Fraction(1)] * active_now, _cents(moving))
    if not prorated:
        return found
    days = [each for known in stretches.values() for each in _by_day(known, of) if not each.is_over(of.start)]
    steps: list[tuple[tuple[datetime, tuple[str, str]], tuple[Fraction, Fraction]]] = []
    for each in days:
        share = raised(Fraction(each.days(of), of.of_days), 5)
        steps.append(((each.added.at, each.added.order), (Fraction(1), share)))
        if each.removed is not None:
            steps.append(((each.removed.at, each.removed.order), (Fraction(-1), Fraction(0))))
    part = raised(Fraction(sum(each.days(of) for each in days), of.of_days), 5)
    in_order = [step for _, step in sorted(steps, key=lambda each: each[0])]
    return _Counted(units, units, active_now, found.values, found.cents, part, in_order)


def _by_day(known: Sequence[_Stretch], of: Range) -> list[_Stretch]:
    """Removed and added again on one day: never removed; but what was gone when the range began is another's."""
    joined: list[_Stretch] = []
    for each in known:
        last = joined[-1] if joined else None
        again = last is not None and last.removed is not None and of.day(last.removed.at) == of.day(each.added.at)
        if last is not None and again and not (last.is_over(of.start) and each.added.at >= of.start):
            last.removed = each.removed
        else:
            joined.append(_Stretch(each.added, each.removed))
    return joined


# Prices.


def _amount(gauge: Gauge, model: str, properties: Mapping[str, Any], counted: _Counted) -> Fraction:
    if counted.prorated is not None:
        part = max(Fraction(0), rounded(counted.prorated, gauge.rounding) if counted.prorated > 0 else Fraction(0))
        if model == "graduated":
            return prices.graduated_by_steps(properties["graduated_ranges"], counted.steps)
        if model == "volume":
            of_tier = prices.volume_tier(properties["volume_ranges"], rounded(counted.units, gauge.rounding))
            return part * Fraction(of_tier["per_unit_amount"]) + Fraction(of_tier["flat_amount"])
        assert model == "standard"
        return part * Fraction(properties["amount"])
    return prices.price_of(
        model,
        properties,
        rounded(counted.units, gauge.rounding),
        values=counted.values,
        events_count=counted.events_count,
        cents=counted.cents,
    )
