"""Groups of a metric in the legacy API, each with its id: the units that a charge can price. Source: rules/usage 4.1,
4.3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.aggregation import groups as rules
from chalicelib.domain.aggregation.dimensions import ALL_VALUES
from chalicelib.domain.aggregation.groups import Choice
from chalicelib.features.billable_metrics.records import Metric, MetricFilter
from chalicelib.platform.ids import BillableMetricId, derived_id


@dataclass(frozen=True, slots=True)
class Group:
    """One group that a charge can price. `id` is derived, so that it stays when the metric changes beside it."""

    id: str
    choice: Choice

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The charge filter that stands for it."""
        return {key: (value,) for key, value in self.choice.path}

    def show(self) -> dict[str, Any]:
        """As the API shows it: `key` is the value on the first of two levels, null where there is one."""
        above = self.choice.path[0][1] if len(self.choice.path) > 1 else None
        return {"lago_id": self.id, "lago_group_id": self.id, "key": above, "value": self.choice.value}


def groups_of(metric: Metric) -> list[Group]:
    """The groups of a metric that was declared with them."""
    if metric.group is None:
        return []
    return [Group(_id(metric.id, choice), choice) for choice in rules.read(metric.group)]


def filters_of(group: Any) -> tuple[MetricFilter, ...]:
    """The filters that stand for a group as a request gives it.

    Raises: Invalid, `group: value_is_invalid`.
    """
    filters = rules.metric_filters(rules.read(group))
    return tuple(MetricFilter(key=key, values=tuple(values)) for key, values in filters.items())


class Dimensions:
    """Values that a metric's charge filters may name. With two levels of groups only certain pairs of values belong
    together."""

    def __init__(self, metric: Metric) -> None:
        self._listed = {each.key: {*each.values, ALL_VALUES} for each in metric.filters}
        self.groups = {group.id: group for group in groups_of(metric)}
        self._ids = {canonical(group.values): group.id for group in self.groups.values()}
        self._paths = [dict(group.choice.path) for group in self.groups.values()]

    def allow(self, values: Mapping[str, Sequence[str]]) -> bool:
        """Whether the metric lists all these values, and an event could have one of each key."""
        if not all(key in self._listed and set(wanted) <= self._listed[key] for key, wanted in values.items()):
            return False
        return not self._paths or any(
            all(key in path and (path[key] in wanted or ALL_VALUES in wanted) for key, wanted in values.items())
            for path in self._paths
        )

    def group_id(self, values: Mapping[str, Sequence[str]]) -> str | None:
        """The group that these values stand for."""
        return self._ids.get(canonical(values))


def canonical(values: Mapping[str, Sequence[str]]) -> frozenset[tuple[str, frozenset[str]]]:
    """Values of a filter in a form that does not depend on the order in which they are listed."""
    return frozenset((key, frozenset(listed)) for key, listed in values.items())


def _id(metric_id: BillableMetricId, choice: Choice) -> str:
    return derived_id("group", metric_id, *(part for pair in choice.path for part in pair))
