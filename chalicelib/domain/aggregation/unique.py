"""Unique count: the values that are active at the end. Source: rules/usage 3.1, 3.2, 6.9."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from chalicelib.domain.aggregation.aggregated import Aggregated, Changes, ceiling
from chalicelib.domain.aggregation.levels import Stretch, stretches, walk
from chalicelib.domain.aggregation.readings import Reading, precise_total
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.charges.prorated import Step, prorated_units

_ONE = Decimal(1)


def aggregate(readings: Sequence[Reading], field_name: str) -> Aggregated:
    """Units and events count: the number of distinct values added and not removed again."""
    moves = walk(readings, field_name)
    active = sum(move.change for move in moves)
    return Aggregated(
        units=Decimal(active),
        events_count=active,
        values=(_ONE,) * active,
        total_aggregated_units=Decimal(active),
        precise_total_cents=precise_total(move.reading for move in moves),
    )


def counted(active: int) -> Aggregated:
    """Result for `active` distinct values that a distinct counter holds."""
    return Aggregated(Decimal(active), active, (), Decimal(active), Decimal(0))


def prorated(readings: Sequence[Reading], field_name: str, window: Window) -> Aggregated:
    """The values active at the end, and for the price each stretch of activity by its days within the range."""
    active = stretches(readings, field_name, window)
    held = [each for each in active if each.added.at < window.span.start]
    days = sum(each.days(window) for each in active)
    return replace(
        aggregate(readings, field_name),
        prorated_units=ceiling(Decimal(days), window.of_days, 5),
        changes=Changes(Decimal(len(held)), (*(_added(each, window) for each in held), *_steps(active, window))),
    )


def _steps(active: Sequence[Stretch], window: Window) -> list[Step]:
    """Steps within the span. A removal frees its place; its price is in the stretch that it ends."""
    changes: list[tuple[Reading, Step]] = []
    for each in active:
        if each.added.at >= window.span.start:
            changes.append((each.added, _added(each, window)))
        if each.removed is not None:
            changes.append((each.removed, Step(-_ONE, Decimal(0))))
    return [step for _, step in sorted(changes, key=lambda change: (change[0].at, change[0].order))]


def _added(stretch: Stretch, window: Window) -> Step:
    return Step(_ONE, prorated_units(_ONE, days=stretch.days(window), of_days=window.of_days))
