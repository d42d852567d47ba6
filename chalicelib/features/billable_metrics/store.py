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

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from chalicelib.features.billable_metrics.records import Check, Metric
from chalicelib.platform import rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, TextsAttribute
from chalicelib.platform.collection import CatalogRow, Collection
from chalicelib.platform.ids import BillableMetricId, OrganizationId, PlanId, key, key_part
from chalicelib.platform.rows import Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write


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
