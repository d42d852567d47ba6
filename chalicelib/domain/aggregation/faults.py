"""Faults of an event with respect to its metric. Such an event is kept and counts as far as it can: faults are
reported, never refused. Source: rules/usage 1.5."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.domain.aggregation.numbers import is_countable
from chalicelib.domain.aggregation.readings import text_of
from chalicelib.domain.aggregation.rules import Aggregation

# One bit each, so that all faults of an event are one small number.
INVALID_CODE = 1
MISSING_AGGREGATION_PROPERTY = 2
MISSING_GROUP_KEY = 4
INVALID_FILTER_VALUES = 8

# By the names of the hourly message.
NAMES = {
    "invalid_code": INVALID_CODE,
    "missing_aggregation_property": MISSING_AGGREGATION_PROPERTY,
    "missing_group_key": MISSING_GROUP_KEY,
    "invalid_filter_values": INVALID_FILTER_VALUES,
}

# By the names of the list of events.
WARNINGS = {
    "unknown_code": INVALID_CODE,
    "property_mismatch": MISSING_AGGREGATION_PROPERTY,
    "dimension_mismatch": MISSING_GROUP_KEY | INVALID_FILTER_VALUES,
}

_NUMERIC = (Aggregation.SUM, Aggregation.MAX, Aggregation.LATEST, Aggregation.WEIGHTED_SUM)


def warnings_of(faults: int) -> list[str]:
    """The names of the warnings that faults are shown as."""
    return [name for name, bits in WARNINGS.items() if faults & bits]


class Expected:
    """Expectations that a metric has of its events. Checked once per event, so everything is prepared.

    `listed`: allowed values by key. `paths`: for a metric with groups of the legacy API, the (key, value) pairs that
    belong together. An event of such a metric needs all keys of one group, as no other fee takes it; a key of a filter
    may be absent.
    """

    def __init__(
        self,
        aggregation: str,
        field_name: str | None,
        listed: Mapping[str, Iterable[str]],
        paths: Sequence[Sequence[tuple[str, str]]] = (),
    ) -> None:
        self._field = None if aggregation == Aggregation.COUNT else field_name
        self._is_numeric = aggregation in _NUMERIC
        self._listed = {key: frozenset(values) for key, values in listed.items()}
        places: dict[str, dict[str, int]] = {}
        for path in paths:
            for key, value in path:
                places.setdefault(key, {}).setdefault(value, len(places[key]))
        self._places = places
        self._paths = [{key: places[key][value] for key, value in path} for path in paths]
        self._found: dict[tuple[int | None, ...], int] = {}

    def faults(self, properties: Mapping[str, Any]) -> int:
        """The faults of an event with these properties, 0 for none."""
        found = 0
        if self._field is not None:
            value = properties.get(self._field)
            if not (is_countable(value) if self._is_numeric else text_of(value) is not None):
                found = MISSING_AGGREGATION_PROPERTY
        if self._paths:
            return found | self._of_groups(properties)
        for key, values in self._listed.items():
            value = properties.get(key)
            if value is not None and text_of(value) not in values:
                return found | INVALID_FILTER_VALUES
        return found

    def _of_groups(self, properties: Mapping[str, Any]) -> int:
        # Values of no group are all alike, so that there are few combinations to decide.
        shown = tuple(_place(text_of(properties.get(key)), known) for key, known in self._places.items())
        if shown not in self._found:
            self._found[shown] = self._decide(dict(zip(self._places, shown, strict=True)))
        return self._found[shown]

    def _decide(self, shown: Mapping[str, int | None]) -> int:
        # An event's values may not contradict a group; values that it does not have are missing.
        possible = [path for path in self._paths if all(shown[key] in (None, place) for key, place in path.items())]
        if any(None not in (shown[key] for key in path) for path in possible):
            return 0
        return MISSING_GROUP_KEY if possible else INVALID_FILTER_VALUES


def _place(text: str | None, known: Mapping[str, int]) -> int | None:
    """Place of the text among the known values; None without a text, -1 for an unknown one."""
    return None if text is None else known.get(text, -1)
