"""After a change of a plan that its children shall follow: each of them, one after the other."""

from collections.abc import Iterator
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.errors import Conflict
from chalicelib.features.plans import cascade, changes, store
from chalicelib.features.plans.store import PLANS, Plan
from chalicelib.platform import agenda, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.table import transact

_TRIES = 6


@jobs.handles(changes.CASCADE)
def pass_on(task: Task, now: datetime) -> None:
    """Let all children follow the plan's changes up to the task's version, in their order; twice is harmless, as each
    child knows what it has followed."""
    organization_id, plan_id = task.organization.id, task.detail["plan_id"]
    for before, after in store.steps(organization_id, plan_id, until=task.detail["version"]):
        for child in _children(organization_id, plan_id):
            agenda.push(_follow(task.organization, child, before, after, now))
        transact(store.step_done_actions(organization_id, after))
    transact([agenda.done(task)])


def _children(organization_id: str, plan_id: str) -> Iterator[Plan]:
    ids = store.children_ids(organization_id, plan_id)
    for start in range(0, len(ids), limits.CHILDREN_READ_AT_ONCE):
        yield from PLANS.get_many(organization_id, ids[start : start + limits.CHILDREN_READ_AT_ONCE]).values()


def _follow(organization: OrganizationRef, child: Plan | None, before: Plan, after: Plan, now: datetime) -> list[Task]:
    """Raises: Conflict, when somebody else keeps writing the child."""
    for _ in range(_TRIES):
        if child is None or child.deleted_at is not None or child.parent_version >= after.version:
            return []
        new = cascade.followed(child, before, after, now=now)
        tasks = changes.following(organization, new.model_copy(update={"version": child.version + 1}), now=now)
        extra = [
            *changes.usage_actions(organization.id, child, new),
            *(agenda.put(task, now=now) for task in tasks),
        ]
        try:
            PLANS.replace(organization.id, child, new, extra)
        except Conflict:
            child = PLANS.get(organization.id, child.id)
            continue
        return tasks
    raise Conflict("plan_changed_meanwhile")
