"""After a change of a plan that its children shall follow: each of them, one after the other."""

from collections.abc import Iterator
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.features.plans import changes, store
from chalicelib.features.plans.overrides import cascade
from chalicelib.features.plans.store import PLANS, Plan
from chalicelib.platform import agenda, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, PlanId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


@jobs.handles(changes.CASCADE)
def pass_on(task: Task, now: datetime) -> None:
    """Let all children follow the plan's changes up to the task's version, in their order. Idempotent: each child knows
    the version that it follows."""
    organization_id, plan_id = task.organization.id, task.detail["plan_id"]
    for before, after in store.steps(organization_id, plan_id, until=task.detail["version"]):
        for child in _children(organization_id, plan_id):
            agenda.push(_follow(task.organization, child, before, after, now))
        Unit(store.step_done_actions(organization_id, after)).commit()
    Unit(agenda.done(task)).commit()


def _children(organization_id: OrganizationId, plan_id: PlanId) -> Iterator[Plan]:
    ids = store.children_ids(organization_id, plan_id)
    for start in range(0, len(ids), limits.CHILDREN_READ_AT_ONCE):
        yield from PLANS.get_many(organization_id, ids[start : start + limits.CHILDREN_READ_AT_ONCE]).values()


def _follow(organization: OrganizationRef, child: Plan, before: Plan, after: Plan, now: datetime) -> list[Task]:
    """Raises: ChangedMeanwhile, when other writers of the child do not end."""
    read_before = [child]

    def attempt() -> list[Task]:
        old = read_before.pop() if read_before else PLANS.get(organization.id, child.id)
        if old is None or old.deleted_at is not None or old.parent_version >= after.version:
            return []
        new = cascade.followed(old, before, after, now=now)
        tasks = changes.following(organization, new.model_copy(update={"version": old.version + 1}), now=now)
        extra = [
            *changes.usage_actions(organization.id, old, new),
            *(agenda.put(task, now=now) for task in tasks),
        ]
        PLANS.replace(organization.id, old, new, extra)
        return tasks

    return retrying(attempt, Resource.PLAN)
