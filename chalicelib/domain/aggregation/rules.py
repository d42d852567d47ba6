"""Rules by which a billable metric turns events into units. Source: rules/usage 2, 3."""

from dataclasses import dataclass
from enum import StrEnum


class Aggregation(StrEnum):
    """The aggregations that are computed. The oldest API's `recurring_count_agg` is a recurring unique count."""

    COUNT = "count_agg"
    SUM = "sum_agg"
    MAX = "max_agg"
    UNIQUE_COUNT = "unique_count_agg"
    LATEST = "latest_agg"
    WEIGHTED_SUM = "weighted_sum_agg"

    @property
    def may_recur(self) -> bool:
        """Whether the level at the end of a period can be carried over to the next."""
        return self in (Aggregation.SUM, Aggregation.UNIQUE_COUNT, Aggregation.WEIGHTED_SUM)

    @property
    def may_prorate(self) -> bool:
        """Whether units can count for the days they were held; a weighted sum is a share of the period by itself."""
        return self in (Aggregation.SUM, Aggregation.UNIQUE_COUNT)


@dataclass(frozen=True, slots=True)
class MetricRule:
    """`field_name`: the property that is aggregated; None for a count only. `recurring`: units stay from period to
    period, instead of beginning at 0 in each."""

    aggregation: Aggregation
    field_name: str | None = None
    recurring: bool = False

    def __post_init__(self) -> None:
        assert self.field_name is not None or self.aggregation is Aggregation.COUNT, "a property is aggregated"
        assert not self.recurring or self.aggregation.may_recur, f"{self.aggregation} does not recur"

    @property
    def property_name(self) -> str:
        """The property, of an aggregation that has one."""
        assert self.field_name is not None, "a count has no property"
        return self.field_name
