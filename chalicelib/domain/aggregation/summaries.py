"""Additive summaries of events, for hours, days and dimensions. Source: rules/usage 3.

Rollups keep summaries. Aggregating summaries gives the same units as aggregating single events (`aggregate`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from chalicelib.domain.aggregation.aggregated import Aggregated, ceiling
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.money import CONTEXT, total

# Instants are weighed in whole milliseconds since 1970.
MS_PER_DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Summary:
    """Additive summary of some events. Only the fields that an aggregation needs are filled in.

    `events`: number of events. `first`: place in time of the first. The others regard events with a quantity in the
    aggregated property: `numeric` their number, `negative` the number below 0, `total` the sum, `maximum` the greatest
    (None without any), `latest` the last by place in time, `moment` the sum of quantity times milliseconds since 1970,
    `precise_total_cents` the sum of the prices that they carry.
    """

    events: int = 0
    numeric: int = 0
    negative: int = 0
    total: Decimal = Decimal(0)
    maximum: Decimal | None = None
    latest: tuple[str, Decimal] | None = None
    moment: Decimal = Decimal(0)
    precise_total_cents: Decimal = Decimal(0)
    first: str | None = None


NOTHING = Summary()


def place_in_time(at_ms: int, order: str) -> str:
    """Sort key of an event: by instant, then by reception. Shape: 15 digits, `#`, the order of reception."""
    return f"{at_ms:015d}#{order}"


def merged(summaries: Iterable[Summary]) -> Summary:
    """Sum of some summaries."""
    found = list(summaries)
    if len(found) < 2:
        return found[0] if found else NOTHING
    return Summary(
        events=sum(each.events for each in found),
        numeric=sum(each.numeric for each in found),
        negative=sum(each.negative for each in found),
        total=total(each.total for each in found),
        maximum=max((each.maximum for each in found if each.maximum is not None), default=None),
        latest=max((each.latest for each in found if each.latest is not None), default=None),
        moment=total(each.moment for each in found),
        precise_total_cents=total(each.precise_total_cents for each in found),
        first=min((each.first for each in found if each.first is not None), default=None),
    )


def can_aggregate(rule: MetricRule) -> bool:
    """Whether units can be made of summaries: distinct values do not add up."""
    return rule.aggregation is not Aggregation.UNIQUE_COUNT


def aggregate(rule: MetricRule, inside: Summary, window: Window, *, before: Summary = NOTHING) -> Aggregated:
    """The units of a window, not prorated, as `aggregate.aggregate` gives them, but for the single `values`.

    `inside`: the events of the window's span; `before`: all earlier ones, of a recurring metric.
    """
    match rule.aggregation:
        case Aggregation.COUNT:
            return _found(Decimal(inside.events), inside.events, inside)
        case Aggregation.SUM:
            seen = merged((before, inside)) if rule.recurring else inside
            return _found(seen.total, seen.numeric, seen)
        case Aggregation.MAX:
            return _found(inside.maximum or Decimal(0), inside.numeric, inside)
        case Aggregation.LATEST:
            last = inside.latest[1] if inside.latest else Decimal(0)
            return _found(max(Decimal(0), last), inside.numeric, inside)
        case Aggregation.WEIGHTED_SUM:
            return _weighted(before.total if rule.recurring else Decimal(0), inside, window)
        case _:
            raise AssertionError(f"{rule.aggregation} is not made of summaries")


def _found(units: Decimal, events_count: int, summary: Summary) -> Aggregated:
    return Aggregated(
        units=units,
        events_count=events_count,
        values=(),
        total_aggregated_units=units,
        precise_total_cents=summary.precise_total_cents,
        only_grew=not summary.negative,
    )


def _weighted(held: Decimal, inside: Summary, window: Window) -> Aggregated:
    """Each change of the level lasts from its instant to the end of the span, so that changes can be weighed one by
    one."""
    start, end = _milliseconds(window.span.start), _milliseconds(window.span.end)
    weighed = CONTEXT.multiply(held, CONTEXT.subtract(end, start))
    weighed = CONTEXT.add(weighed, CONTEXT.subtract(CONTEXT.multiply(inside.total, end), inside.moment))
    level = CONTEXT.add(held, inside.total)
    return Aggregated(
        units=ceiling(weighed, window.of_days * MS_PER_DAY, 20),
        events_count=inside.numeric,
        values=(),
        total_aggregated_units=level,
        precise_total_cents=inside.precise_total_cents,
    )


def _milliseconds(at: datetime) -> Decimal:
    """Since 1970, exactly: spans may be finer than events."""
    return CONTEXT.divide(Decimal((at - _EPOCH) // timedelta(microseconds=1)), Decimal(1000))
