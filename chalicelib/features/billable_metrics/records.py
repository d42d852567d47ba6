"""A billable metric as it is kept, and what it asks of events."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import BillableMetricId

# The legacy API's name of a recurring unique count, whose charges are prorated. Source: rules/usage 3.
SEED_RECURRING_COUNT = "recurring_count_agg"


Rounding = Literal["round", "ceil", "floor"]


class Check(NamedTuple):
    """The check that a metric makes of each event that is ingested.

    It sets the property that a formula makes of the event, or requires an operation that the event's value can take (`keys`:
    of its dimensions).
    """

    code: str
    field_name: str
    expression: str | None
    keys: Sequence[str] | None


class MetricFilter(BaseModel):
    """One dimension: a property and the values that count."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    key: str
    values: tuple[str, ...]


class Metric(Record):
    """A billable metric. `seed_type`: the legacy API's name of its aggregation, where it was declared by that; `group`: the
    legacy API's form of its filters, where they were given so (features/billable_metrics/groups.py)."""

    id: BillableMetricId
    name: str
    code: str
    aggregation_type: Aggregation
    description: str | None = None
    field_name: str | None = None
    recurring: bool = False
    rounding_function: Rounding | None = None
    rounding_precision: int | None = None
    weighted_interval: Literal["seconds"] | None = None
    expression: str | None = None
    filters: tuple[MetricFilter, ...] = ()
    seed_type: str | None = None
    group: dict[str, Any] | None = None

    @property
    def declared_type(self) -> str:
        """Its aggregation by the name under which it was declared."""
        return self.seed_type or self.aggregation_type

    @property
    def ingest_checks(self) -> dict[str, Any] | None:
        """The check that it makes of each event that is ingested, None for most: it sets the property that a formula makes of
        the event, or requires an operation that the value can take (`keys`: of its dimensions, in which values stand apart)."""
        if self.deleted_at is not None or self.field_name is None:
            return None
        if self.expression is None and self.seed_type is None:
            return None
        keys = None if self.seed_type is None else [each.key for each in self.filters]
        return {"field_name": self.field_name, "expression": self.expression, "keys": keys}
