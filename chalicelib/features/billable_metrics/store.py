"""Storage of billable metrics.

Items
    pk                              sk          what it is
    <org>#billable_metric#<id> ...  -           platform/collection.py
    <org>#metric-plans#<id>         <plan id>   a live plan uses the metric (written with the plan)
    <org>#metric-formulas           <code>      {code, field_name, expression, keys} of a live metric that checks each
                                                incoming event
    <org>#metric-deleted            <code>      {code, until}: the latest deletion of a metric of this code, in real time

Access patterns
    1 METRICS.*                 platform/collection.py
    2 attached(org, id)         Query     consistent
    3 usage_actions(...)        part of the plan's own transaction
    4 formulas(org)             Query     consistent
    5 formula_actions(...)      part of the metric's own transaction
    6 plans_of(org, id)         Query     consistent
    7 deleted_action(...)       part of the deletion's transaction
    8 deleted_at(org, code)     GetItem   consistent
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict
from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.platform import rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, TextsAttribute
from chalicelib.platform.collection import CatalogRow, Collection, Record
from chalicelib.platform.ids import BillableMetricId, OrganizationId, PlanId, key, key_part
from chalicelib.platform.rows import Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

# The legacy API's name of a recurring unique count, whose charges are prorated. Source: rules/usage 3.
SEED_RECURRING_COUNT = "recurring_count_agg"


Rounding = Literal["round", "ceil", "floor"]


class Check(NamedTuple):
    """Check that a metric makes of each incoming event: the property that a formula writes, or that the operation is
    valid for its value (`keys`: of the metric's dimensions)."""

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
        """Checks of each incoming event; None for most metrics: the property that a formula writes, or that the
        operation is valid for its value (`keys`: of the metric's dimensions, in which values count apart)."""
        if self.deleted_at is not None or self.field_name is None:
            return None
        if self.expression is None and self.seed_type is None:
            return None
        keys = None if self.seed_type is None else [each.key for each in self.filters]
        return {"field_name": self.field_name, "expression": self.expression, "keys": keys}


class MetricRow(CatalogRow):
    """A billable metric."""

    record = RecordAttribute(Metric)


class MetricPlanRow(Row):
    """A live plan that uses a metric; its sort key is the plan's id."""


class FormulaRow(Row):
    """Check that a live metric makes of each incoming event. `keys`: of its dimensions; None where all values count
    together."""

    code = UnicodeAttribute()
    field_name = UnicodeAttribute()
    expression = UnicodeAttribute(null=True)
    keys = TextsAttribute(null=True)


class DeletedCodeRow(Row):
    """The latest deletion of a metric of a code, in real time."""

    code = UnicodeAttribute()
    until = InstantAttribute()


METRICS = Collection(
    "billable_metric", Metric, MetricRow, code=lambda m: m.code, search=lambda m: f"{m.name}\n{m.code}"
)


def attached(organization_id: OrganizationId, metric_id: BillableMetricId) -> bool:
    """Whether a live plan uses the metric."""
    return bool(rows.page(_plans(organization_id, metric_id), limit=1).items)


def usage_actions(
    organization_id: OrganizationId, plan_id: PlanId, *, before: Iterable[str], after: Iterable[str]
) -> list[Write]:
    """Bring the lists of the metrics in line with the metrics that a plan uses."""
    old, new = set(before), set(after)

    def row(metric_id: str) -> MetricPlanRow:
        return MetricPlanRow(pk=_plans(organization_id, BillableMetricId(metric_id)), sk=plan_id)

    return [row(m).put() for m in sorted(new - old)] + [row(m).remove() for m in sorted(old - new)]


def plans_of(organization_id: OrganizationId, metric_id: BillableMetricId, *, after: str = "") -> Iterator[str]:
    """The ids of the live plans that use a metric, those of single subscriptions too, in order. `after`: only those that
    follow an id."""
    within = MetricPlanRow.sk.between(f"{after}\0" if after else "\0", "\U0010ffff")
    for row in MetricPlanRow.select(_plans(organization_id, metric_id), within=within):
        yield row.sk


def formulas(organization_id: OrganizationId) -> list[Check]:
    """Checks that an organization's metrics make of each incoming event."""
    found = FormulaRow.select(_formulas(organization_id))
    return [Check(row.code, row.field_name, row.expression, row.keys) for row in found]


def formula_actions(organization_id: OrganizationId, old: Metric | None, new: Metric | None) -> list[Write]:
    """Bring the stored checks in line with a metric before and after a change (None: no metric)."""
    before = {m.code: m.ingest_checks for m in (old,) if m is not None and m.ingest_checks}
    after = {m.code: m.ingest_checks for m in (new,) if m is not None and m.ingest_checks}

    def row(code: str, **asked: Any) -> FormulaRow:
        return FormulaRow(pk=_formulas(organization_id), sk=key_part(code), code=code, **asked)

    left = [row(code).remove() for code in before if code not in after]
    return left + [row(code, **asked).put() for code, asked in after.items() if before.get(code) != asked]


def deleted_action(organization_id: OrganizationId, code: str, *, until: datetime) -> Write:
    """Remember that a metric of this code was deleted. `until`: the real instant."""
    return DeletedCodeRow(pk=_deleted(organization_id), sk=key_part(code), code=code, until=until).put()


def deleted_at(organization_id: OrganizationId, code: str) -> str | None:
    """The stamp of the latest real instant at which a metric of this code was deleted."""
    found = DeletedCodeRow.find(_deleted(organization_id), key_part(code))
    return None if found is None else stamp(found.until)


def _plans(organization_id: OrganizationId, metric_id: BillableMetricId) -> str:
    return key(organization_id, "metric-plans", metric_id)


def _formulas(organization_id: OrganizationId) -> str:
    return key(organization_id, "metric-formulas")


def _deleted(organization_id: OrganizationId) -> str:
    return key(organization_id, "metric-deleted")
