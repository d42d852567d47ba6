"""Active parts of a plan: all but those whose metric or add-on was deleted. Source: rules/catalog 2.2."""

from collections.abc import Mapping, Sequence

from chalicelib.features.add_ons import service as add_ons
from chalicelib.features.add_ons.records import AddOn
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans.records import Charge, FixedCharge, Plan
from chalicelib.platform.ids import OrganizationId


def live_charges(plan: Plan, known: Mapping[str, Metric]) -> list[tuple[Charge, Metric]]:
    """The charges that count, each with its metric: those of deleted metrics have left the plan."""
    pairs = [(charge, known.get(charge.metric_id)) for charge in plan.charges]
    return [(charge, metric) for charge, metric in pairs if metric is not None and metric.deleted_at is None]


def metrics_of(organization_id: OrganizationId, plans: Sequence[Plan]) -> dict[str, Metric]:
    """The metrics of the plans' charges, in one request."""
    return metrics.by_ids(organization_id, [charge.metric_id for plan in plans for charge in plan.charges])


def live_fixed_charges(plan: Plan, known: Mapping[str, AddOn]) -> list[tuple[FixedCharge, AddOn]]:
    """The fixed charges that count, each with its add-on: those of deleted add-ons have left the plan."""
    pairs = [(charge, known.get(charge.add_on_id)) for charge in plan.fixed_charges]
    return [(charge, add_on) for charge, add_on in pairs if add_on is not None and add_on.deleted_at is None]


def add_ons_of(organization_id: OrganizationId, plans: Sequence[Plan]) -> dict[str, AddOn]:
    """The add-ons of the plans' fixed charges, in one request (none, where there are no fixed charges)."""
    return add_ons.by_ids(organization_id, [charge.add_on_id for plan in plans for charge in plan.fixed_charges])
