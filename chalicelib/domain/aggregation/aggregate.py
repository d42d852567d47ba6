"""From events to units, by a metric's rule. Source: rules/usage 1.4, 3."""

from collections.abc import Iterable
from typing import assert_never

from chalicelib.domain.aggregation import count, latest, maximum, sums, unique, weighted
from chalicelib.domain.aggregation.aggregated import Aggregated
from chalicelib.domain.aggregation.readings import Reading, ordered
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.aggregation.window import Window


def aggregate(rule: MetricRule, readings: Iterable[Reading], window: Window, *, prorated: bool) -> Aggregated:
    """Units of a window. The readings, each once, may come in any order.

    For a recurring metric they must be its whole history: those before the window make the level held at its begin. For
    any other metric only those within the window count. The window's end belongs to the next one.
    """
    seen = [each for each in readings if each.at < window.span.end]
    if not rule.recurring:
        seen = [each for each in seen if each.at >= window.span.start]
    seen = ordered(seen)
    if prorated:
        return _prorated(rule, seen, window)
    match rule.aggregation:
        case Aggregation.COUNT:
            return count.aggregate(seen)
        case Aggregation.SUM:
            return sums.aggregate(seen, rule.property_name)
        case Aggregation.MAX:
            return maximum.aggregate(seen, rule.property_name)
        case Aggregation.UNIQUE_COUNT:
            return unique.aggregate(seen, rule.property_name)
        case Aggregation.LATEST:
            return latest.aggregate(seen, rule.property_name)
        case Aggregation.WEIGHTED_SUM:
            return weighted.aggregate(seen, rule.property_name, window)
        case _:
            assert_never(rule.aggregation)


def _prorated(rule: MetricRule, seen: list[Reading], window: Window) -> Aggregated:
    assert rule.recurring, "only what stays from period to period is held for days"
    assert rule.aggregation.may_prorate, f"{rule.aggregation} is not prorated"
    if rule.aggregation is Aggregation.SUM:
        return sums.prorated(seen, rule.property_name, window)
    return unique.prorated(seen, rule.property_name, window)
