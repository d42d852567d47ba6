"""Dimensions: to which filter of a charge, and to which group in it, an event belongs. Source: rules/usage 4.2."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.domain.aggregation.readings import Reading, ordered, text_of
from chalicelib.domain.aggregation.summaries import Summary

_T = TypeVar("_T")

ALL_VALUES = "__ALL_FILTER_VALUES__"

Group = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """A charge's filter: the values that each key may have, and the keys by which its own events are grouped."""

    values: Mapping[str, Sequence[str]]
    group_keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """Filter and group of one fee. `filter_index`: None for events that match no filter. `group`: key and value as
    text, with null where an event lacks the key; empty without group keys."""

    filter_index: int | None
    group: Group = ()


class Matcher:
    """Finds the filter of an event. `filters`: the oldest first; `metric_values`: what the metric lists, by key."""

    def __init__(self, filters: Sequence[Filter], metric_values: Mapping[str, Sequence[str]]) -> None:
        self._listed = [listed(each, metric_values) for each in filters]
        keys = dict.fromkeys(key for own in self._listed for key in own)
        self._known = {key: frozenset().union(*(own.get(key, ()) for own in self._listed)) for key in keys}
        self._found: dict[tuple[str | None, ...], int | None] = {}

    def index_of(self, properties: Mapping[str, Any]) -> int | None:
        """The index of the most specific filter that takes an event with these properties; None: no filter does."""
        texts = {key: text_of(properties.get(key)) for key in self._known}
        # Values that no filter lists are all alike, so that there are few combinations to decide.
        shown = tuple(texts[key] if texts[key] in known else None for key, known in self._known.items())
        if shown not in self._found:
            self._found[shown] = self._decide(dict(zip(self._known, shown, strict=True)))
        return self._found[shown]

    def _decide(self, texts: Mapping[str, str | None]) -> int | None:
        matching = [
            index for index, own in enumerate(self._listed) if all(texts[key] in values for key, values in own.items())
        ]
        most_keys = max((len(self._listed[index]) for index in matching), default=0)
        closest = [index for index in matching if len(self._listed[index]) == most_keys]
        return next(
            (one for one in closest if not any(_is_narrower(self._listed[n], self._listed[one]) for n in closest)), None
        )


def split(
    readings: Iterable[Reading],
    filters: Sequence[Filter],
    default_group_keys: Sequence[str] | None,
    metric_values: Mapping[str, Sequence[str]],
) -> dict[Bucket, list[Reading]]:
    """The readings by the fee that they are billed with: the filters in their order, then the default.

    Each filter and the default has an entry, even without readings: then with one group whose values are null. Events
    that no filter takes are in the default. `default_group_keys` None: there is no default (rules/usage 4.3), and they
    are left out.
    """
    seen = [(reading.properties, reading) for reading in ordered(readings)]
    return _split(seen, filters, default_group_keys, metric_values)


def split_summaries(
    summaries: Iterable[tuple[Mapping[str, Any], tuple[Summary, ...]]],
    filters: Sequence[Filter],
    default_group_keys: Sequence[str] | None,
    metric_values: Mapping[str, Sequence[str]],
) -> dict[Bucket, list[tuple[Summary, ...]]]:
    """Split, as by `split`, of summaries instead of events. Each entry has the properties that filters and groups look
    at, and one summary for each range of time."""
    seen = sorted(summaries, key=lambda each: min((one.first for one in each[1] if one.first is not None), default=""))
    return _split(seen, filters, default_group_keys, metric_values)


def _split(
    seen: Iterable[tuple[Mapping[str, Any], _T]],
    filters: Sequence[Filter],
    default_group_keys: Sequence[str] | None,
    metric_values: Mapping[str, Sequence[str]],
) -> dict[Bucket, list[_T]]:
    matcher = Matcher(filters, metric_values)
    keys_of: dict[int | None, Sequence[str]] = {index: each.group_keys for index, each in enumerate(filters)}
    if default_group_keys is not None:
        keys_of[None] = default_group_keys
    found: dict[int | None, dict[Group, list[_T]]] = {index: {} for index in keys_of}
    for properties, each in seen:
        index = matcher.index_of(properties)
        if index in keys_of:
            found[index].setdefault(group_of(properties, keys_of[index]), []).append(each)
    return {
        Bucket(index, group): members
        for index, groups in found.items()
        for group, members in (groups or {group_of({}, keys_of[index]): []}).items()
    }


def group_of(properties: Mapping[str, Any], keys: Sequence[str]) -> Group:
    """The values of the group keys as text, null where there is none."""
    return tuple((key, text_of(properties.get(key))) for key in keys)


def listed(fltr: Filter, metric_values: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """The values that a filter takes, by key."""
    return {
        key: frozenset(metric_values.get(key, ()) if ALL_VALUES in values else values)
        for key, values in fltr.values.items()
    }


def _is_narrower(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> bool:
    """Whether a filter has the same keys as another and only some of its values."""
    return one != other and one.keys() == other.keys() and all(values <= other[key] for key, values in one.items())
