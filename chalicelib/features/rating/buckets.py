"""Buckets of a charge: the filters and groups by which its events are billed, and the source of their units.

From rollups, whose reading costs the same at any number of events: plain counts and sums, and what rollup dimensions
keep by dimensions and for other aggregations. Only units that depend on single events or stretches of time come from
raw events: shares of days, prices of single transactions, distinct values.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.aggregation import dimensions
from chalicelib.domain.aggregation.dimensions import ALL_VALUES, Bucket, Filter
from chalicelib.domain.aggregation.readings import Reading, text_of
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.aggregation.summaries import NOTHING, Summary, can_aggregate, merged
from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.metering import definitions
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.metering.distinct_counters import Spec
from chalicelib.features.plans.records import Charge
from chalicelib.features.usage.totals import RollupTotals


@dataclass(frozen=True, slots=True)
class Buckets:
    """A charge with its metric. `only`: of events with these properties, by which they are not grouped then."""

    charge: Charge
    metric: Metric
    only: Mapping[str, str]

    @property
    def rule(self) -> MetricRule:
        """The metric's rule."""
        return MetricRule(self.metric.aggregation_type, self.metric.field_name, self.metric.recurring)

    @property
    def adds_up(self) -> bool:
        """Whether rollups suffice for the units."""
        needs_days = self.charge.prorated and self.metric.recurring
        is_kept = can_aggregate(self.rule) and not needs_days and not self._looks_at_events
        # Properties that a caller filters by now and then are not kept.
        listed, groups = self._listed, self._open_keys
        return is_kept and all(key in groups or value in listed.get(key, ()) for key, value in self.only.items())

    @property
    def dimension(self) -> RollupDimension | None:
        """Rollup dimension that the charge needs; None where plain counts and sums do."""
        keys = self._open_keys
        if ChargeModel(self.charge.charge_model) is ChargeModel.DYNAMIC and not keys:
            return definitions.priced_dimension_of(self.metric)
        needs_dimensions = keys or self.charge.filters or self.only
        if not needs_dimensions and self.rule.aggregation in (Aggregation.COUNT, Aggregation.SUM):
            return None
        return definitions.dimension_of(self.metric, keys)

    @property
    def spec(self) -> Spec | None:
        """The distinct values that are counted; None where distinct counters do not know them (groups, shares of days,
        ...)."""
        is_counted = self.rule.aggregation is Aggregation.UNIQUE_COUNT and not self.only and not any(self._keys)
        if not is_counted or (self.charge.prorated and self.metric.recurring) or self._looks_at_events:
            return None
        filters = [dimensions.listed(each, self._listed) for each in self._dimensions[0]]
        of_filters = tuple({key: tuple(sorted(values)) for key, values in each.items()} for each in filters)
        return Spec(self.rule.property_name, of_filters, self.charge.default_fee)

    def of_numbers(self, numbers: Mapping[str, int]) -> dict[Bucket, int]:
        """Numbers of distinct values, by fee."""
        indexes: list[int | None] = [*range(len(self.charge.filters)), *([None] if self.charge.default_fee else [])]
        return {Bucket(n): numbers.get("-" if n is None else str(n), 0) for n in indexes}

    @property
    def _looks_at_events(self) -> bool:
        model = self.charge.charge_model
        own = (self.charge.properties, *(each.properties for each in self.charge.filters))
        return any(charge_properties.needs_values(model, parsed(self.charge, each)) for each in own)

    @property
    def _keys(self) -> list[tuple[str, ...]]:
        """The keys of groups, of each filter and of the default."""
        return [_group_keys(each.properties) for each in self.charge.filters] + [_group_keys(self.charge.properties)]

    def split(self, readings: Sequence[Reading]) -> dict[Bucket, list[Reading]]:
        """Raw events by fee."""
        return dimensions.split((r for r in readings if self._keeps(r.properties)), *self._dimensions)

    def summaries(self, *ranges: RollupTotals) -> dict[Bucket, tuple[Summary, ...]]:
        """Summaries by fee, one for each range. The ranges have to hold the charge's rollup dimension."""
        dimension = self.dimension
        if dimension is None:
            return {Bucket(None): tuple(self._plain(counted) for counted in ranges)}
        of_ranges = [counted.summaries(self.metric.code, dimension) for counted in ranges]
        combinations = dict.fromkeys(combination for found in of_ranges for combination in found)
        seen = [
            (dimension.properties_of(combination), tuple(found.get(combination, NOTHING) for found in of_ranges))
            for combination in combinations
        ]
        kept = [each for each in seen if self._keeps(each[0])]
        by_bucket = dimensions.split_summaries(kept, *self._dimensions)
        return {
            bucket: tuple(merged(each[n] for each in members) for n in range(len(ranges)))
            for bucket, members in by_bucket.items()
        }

    def _plain(self, counted: RollupTotals) -> Summary:
        if self.rule.aggregation is Aggregation.COUNT:
            return Summary(events=counted.events(self.metric.code))
        return counted.sum(self.metric.code, self.rule.property_name)

    def properties_of(self, bucket: Bucket) -> Mapping[str, Any]:
        """The properties that price a fee."""
        index = bucket.filter_index
        return self.charge.properties if index is None else self.charge.filters[index].properties

    def _keeps(self, properties: Mapping[str, Any]) -> bool:
        return all(text_of(properties.get(key)) == value for key, value in self.only.items())

    @property
    def _dimensions(self) -> tuple[list[Filter], Sequence[str] | None, Mapping[str, Sequence[str]]]:
        *of_filters, of_default = (tuple(key for key in keys if key not in self.only) for keys in self._keys)
        filters = [Filter(each.values, keys) for each, keys in zip(self.charge.filters, of_filters, strict=True)]
        return filters, of_default if self.charge.default_fee else None, self._listed

    @property
    def _listed(self) -> Mapping[str, Sequence[str]]:
        return {each.key: each.values for each in self.metric.filters}

    @property
    def _open_keys(self) -> set[str]:
        """The properties of which more values count than the metric lists: those of groups, and what a filter names
        still after it has left the metric."""
        named = {
            (key, value) for each in self.charge.filters for key, values in each.values.items() for value in values
        }
        listed = {key: {*values, ALL_VALUES} for key, values in self._listed.items()}
        unlisted = {key for key, value in named if value not in listed.get(key, ())}
        return unlisted | {key for keys in self._keys for key in keys}


def dimensions_of(buckets: Iterable[Buckets]) -> dict[str, list[RollupDimension]]:
    """The rollup dimensions that charges need, by event code."""
    found: dict[str, list[RollupDimension]] = {}
    for each in buckets:
        dimension = each.dimension
        if dimension is not None:
            found.setdefault(each.metric.code, []).append(dimension)
    return found


def _group_keys(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """The properties by which a charge, or a filter of it, makes a fee for each combination of values."""
    return tuple(properties.get("pricing_group_keys") or properties.get("grouped_by") or ())


def parsed(charge: Charge, properties: Mapping[str, Any]) -> Any:
    """The properties of a charge, or of a filter of it, as its model has them."""
    return charge_properties.parse(charge.charge_model, properties)
