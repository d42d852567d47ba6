"""Where billable metrics are kept.

Items
    pk                              sk          what it is
    <org>#billable_metric#<id> ...  -           platform/collection.py
    <org>#metric-plans#<id>         <plan id>   a live plan uses the metric (written with the plan)
    <org>#metric-formulas           <code>      {code, field_name, expression} of a live metric with a formula

Access patterns
    1 METRICS.*                 platform/collection.py
    2 attached(org, id)         Query     consistent
    3 usage_actions(...)        part of the plan's own transaction
    4 formula_items(org)        Query     consistent
    5 formula_actions(...)      part of the metric's own transaction
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.platform.collection import Collection, Record
from chalicelib.platform.ids import key, key_part
from chalicelib.platform.table import Action, Item, core

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

    @property
    def formula(self) -> tuple[str, str] | None:
        """The property that it makes of each event, and the formula; None for most."""
        if self.deleted_at is not None or self.expression is None or self.field_name is None:
            return None
        return self.field_name, self.expression


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


def formula_items(organization_id: str) -> list[Item]:
    """The formulas of an organization."""
    return list(core.query(key(organization_id, "metric-formulas")))


def formula_actions(organization_id: str, old: Metric | None, new: Metric | None) -> list[Action]:
    """Bring the formulas in line with a metric before and after a change (None: it is not there)."""
    pk = key(organization_id, "metric-formulas")
    before = {m.code: m.formula for m in (old,) if m is not None and m.formula}
    after = {m.code: m.formula for m in (new,) if m is not None and m.formula}
    actions = [core.delete((pk, key_part(code))) for code in before if code not in after]
    for code, formula in after.items():
        if before.get(code) != formula:
            field_name, expression = formula
            item = {"code": code, "field_name": field_name, "expression": expression}
            actions.append(core.put({"pk": pk, "sk": key_part(code), **item}))
    return actions


def _plans(organization_id: str, metric_id: str) -> str:
    return key(organization_id, "metric-plans", metric_id)
