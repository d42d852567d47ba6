"""Which days the units of a prorated charge are made of, as an invoice's document lists them.

Source: usage.md section 3.2 (one row per date).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from chalicelib.domain.aggregation.levels import stretches
from chalicelib.domain.aggregation.readings import Reading, numeric, ordered
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.money import CONTEXT


class Action(StrEnum):
    """What happened to units; what was held all along was added on the first day."""

    ADD = "add"
    REMOVE = "remove"
    ADD_AND_REMOVED = "add_and_removed"


@dataclass(frozen=True, slots=True)
class Row:
    """`units` that came or went on a local day, and were used `days` of `of_days`."""

    on: date
    action: Action
    units: Decimal
    days: int
    of_days: int


def of_unique_count(readings: Iterable[Reading], field_name: str, window: Window) -> list[Row]:
    """The stretches of active values, by date. Readings as for `unique.prorated`."""
    counted: dict[tuple[date, Action, int], Decimal] = {}
    for each in stretches(_until_end(readings, window), field_name, window):
        held = each.added.at < window.span.start
        on = max(each.added_on, window.first_day)
        action = Action.ADD
        if each.removed_on is not None:
            action = Action.REMOVE if held else Action.ADD_AND_REMOVED
            on = each.removed_on if held else on
        _add(counted, (on, action, each.days(window)), Decimal(1))
    return _rows(counted, window)


def of_sum(readings: Iterable[Reading], field_name: str, window: Window) -> list[Row]:
    """The sum held before, and the changes of each day. Readings as for `sums.prorated`."""
    by_day: dict[tuple[date, int], Decimal] = {}
    for reading, value in numeric(_until_end(readings, window), field_name):
        on = max(window.day_of(reading.at), window.first_day)
        held = reading.at < window.span.start
        days = window.days_of_held_sum if held else window.days(on, None)
        key = (window.first_day if held else on, days)
        by_day[key] = CONTEXT.add(by_day.get(key, Decimal(0)), value)
    counted = {
        (on, Action.REMOVE if units < 0 else Action.ADD, days): units for (on, days), units in by_day.items() if units
    }
    return _rows(counted, window)


def _until_end(readings: Iterable[Reading], window: Window) -> list[Reading]:
    return ordered(each for each in readings if each.at < window.span.end)


def _add(counted: dict[tuple[date, Action, int], Decimal], key: tuple[date, Action, int], units: Decimal) -> None:
    counted[key] = CONTEXT.add(counted.get(key, Decimal(0)), units)


def _rows(counted: dict[tuple[date, Action, int], Decimal], window: Window) -> list[Row]:
    return [Row(on, action, units, days, window.of_days) for (on, action, days), units in sorted(counted.items())]
