"""Writing a changed plan: with the lists of its metrics, its announcement, and what its children shall take over."""

from datetime import datetime

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.plans import advance_codes, serializer, store
from chalicelib.features.plans.records import Plan
from chalicelib.features.plans.store import PLANS
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.attributes import dump
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, PlanId
from chalicelib.platform.json import to_json
from chalicelib.platform.unit import Write

# Carries a change of a plan to its children. Before the billing of the same instant, which shall find it done.
CASCADE = agenda.kind("cascade_plan", rank=6)
# Carries a change of a plan, or its end, to the subscriptions that have it (tasks/subscriptions.py).
FOLLOW = agenda.kind("follow_plan", rank=7)
DELETE = agenda.kind("delete_plan", rank=7)


def replace(
    organization: OrganizationRef, old: Plan, new: Plan, *, cascade: bool, now: datetime
) -> tuple[Plan, list[Task]]:
    """Write `new` over `old`; returns it and the tasks to push. `cascade`: its children follow, in the background.

    Raises: Invalid, when it is too large or its new code is in use; ChangedMeanwhile.
    """
    check_size(new)
    written = new.model_copy(update={"version": old.version + 1})
    tasks = announcement(organization, written, "plan.updated", now=now)
    extra = usage_actions(organization.id, old, new)
    tasks += following(organization, written, now=now)
    if cascade:
        # The values passed on must not depend on when that happens: the plan may change again before.
        extra += store.step_actions(organization.id, old, written)
        detail = {"plan_id": old.id, "version": written.version}
        tasks.append(agenda.task(CASCADE, organization, f"{old.id}#{written.version}", now, detail))
    PLANS.replace(organization.id, old, new, [*extra, *(agenda.put(task, now=now) for task in tasks)])
    return written, tasks


def detach_metric(organization_id: OrganizationId, plan_id: PlanId, metric_id: str, *, now: datetime) -> None:
    """Take a metric's charges out of a plan that stands.

    Raises: ChangedMeanwhile.
    """
    plan = PLANS.get(organization_id, plan_id)
    if plan is None or plan.deleted_at is not None:
        return
    charges = tuple(charge for charge in plan.charges if charge.metric_id != metric_id)
    new = plan.changed(now=now, charges=charges)
    PLANS.replace(organization_id, plan, new, usage_actions(organization_id, plan, new))


def following(organization: OrganizationRef, plan: Plan, *, now: datetime) -> list[Task]:
    """Tasks that bring the subscriptions of a changed plan in line with it. `plan`: as it is written."""
    if not plan.taken:
        return []
    return [agenda.task(FOLLOW, organization, f"{plan.id}#{plan.version}", now, {"plan_id": plan.id})]


def announcement(organization: OrganizationRef, plan: Plan, name: str, *, now: datetime) -> list[Task]:
    """Announcement of a change of a plan."""
    subject = f"{name}#{plan.id}#{plan.version}"
    return webhooks.announcement(
        organization, name, "plan", lambda: serializer.show_all(organization.id, [plan])[0], subject=subject, now=now
    )


def usage_actions(organization_id: OrganizationId, old: Plan | None, new: Plan | None) -> list[Write]:
    """Bring the lists of the metrics, and the codes of charges in advance, in line with a plan before and after a
    change (None: no plan)."""
    before, after = (set() if plan is None else metric_ids(plan) for plan in (old, new))
    plan = new or old
    assert plan is not None, "a plan begins or ends"
    codes_before, codes_after = _codes_in_advance(organization_id, old, new)
    return [
        *billable_metrics.usage_actions(organization_id, plan.id, before=before, after=after),
        *advance_codes.actions(organization_id, before=codes_before, after=codes_after, real_now=clock.utc_now()),
    ]


def _codes_in_advance(organization_id: OrganizationId, *plans: Plan | None) -> list[set[str]]:
    """The codes of each plan's charges in advance; a metric in use keeps its code."""
    ids = [{c.metric_id for c in plan.charges if c.pay_in_advance} if plan else set() for plan in plans]
    wanted = set[str]().union(*ids)
    known = billable_metrics.by_ids(organization_id, sorted(wanted)) if wanted else {}
    return [{known[metric_id].code for metric_id in own if metric_id in known} for own in ids]


def metric_ids(plan: Plan) -> set[str]:
    """The metrics of a plan's charges."""
    return {charge.metric_id for charge in plan.charges}


def check_size(plan: Plan) -> None:
    """A plan is one item, and enters the lists of its metrics in one transaction.

    Raises: Invalid.
    """
    if len(metric_ids(plan)) > limits.METRICS_PER_PLAN_MAX or len(plan.charges) > limits.CHARGES_PER_PLAN_MAX:
        raise Invalid.field("charges", ErrorCode.INVALID_COUNT)
    if len(plan.fixed_charges) > limits.CHARGES_PER_PLAN_MAX:
        raise Invalid.field("fixed_charges", ErrorCode.INVALID_COUNT)
    if len(to_json(dump(plan)).encode()) > limits.ITEM_BYTES_MAX:
        raise Invalid.field("base", ErrorCode.VALUE_IS_TOO_LONG)
