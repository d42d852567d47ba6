"""Where billable metrics are kept.

Items
    pk                              sk          what it is
    <org>#billable_metric#<id> ...  -           platform/collection.py
    <org>#metric-plans#<id>         <plan id>   a live plan uses the metric (written with the plan)

Access patterns
    1 METRICS.*                 platform/collection.py
    2 attached(org, id)         Query     consistent
    3 usage_actions(...)        part of the plan's own transaction
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.platform.collection import Collection, Record
from chalicelib.platform.ids import key
from chalicelib.platform.table import Action, core

# The first API's name of a recurring unique count, whose charges are prorated. Source: usage.md section 3.
SEED_RECURRING_COUNT = "recurring_count_agg"


class MetricFilter(BaseModel):
    """One dimension: a property and the values that count."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    key: str
    values: tuple[str, ...]


class Metric(Record):
    """A billable metric. `seed_type`: the first API's name of its aggregation, where it was declared by that; `group`: the
    first API's form of its filters, where they were given so (features/billable_metrics/groups.py)."""

    name: str
    code: str
    aggregation_type: str
    description: str | None = None
    field_name: str | None = None
    recurring: bool = False
    rounding_function: str | None = None
    rounding_precision: int | None = None
    weighted_interval: str | None = None
    expression: str | None = None
    filters: tuple[MetricFilter, ...] = ()
    seed_type: str | None = None
    group: dict[str, Any] | None = None

    @property
    def declared_type(self) -> str:
        """Its aggregation by the name under which it was declared."""
        return self.seed_type or self.aggregation_type


METRICS = Collection("billable_metric", Metric, code=lambda m: m.code, search=lambda m: f"{m.name}\n{m.code}")


def attached(organization_id: str, metric_id: str) -> bool:
    """Whether a live plan uses the metric."""
    page, _ = core.page(_plans(organization_id, metric_id), limit=1)
    return bool(page.items)


def usage_actions(organization_id: str, plan_id: str, *, before: Iterable[str], after: Iterable[str]) -> list[Action]:
    """Bring the lists of the metrics in line with what a plan uses now."""
    old, new = set(before), set(after)
    entered = [core.put({"pk": _plans(organization_id, m), "sk": plan_id}) for m in sorted(new - old)]
    return entered + [core.delete((_plans(organization_id, m), plan_id)) for m in sorted(old - new)]


def _plans(organization_id: str, metric_id: str) -> str:
    return key(organization_id, "metric-plans", metric_id)
