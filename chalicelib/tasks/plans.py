"""After a change of a plan that its children shall follow: each of them, one after the other."""

from datetime import datetime

from chalicelib.features.plans import changes
from chalicelib.features.plans.overrides import passing_on
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import PlanId
from chalicelib.platform.unit import Unit


@runner.handles(changes.CASCADE)
def pass_on(task: Task, now: datetime) -> None:
    """Let all children follow the plan's changes up to the task's version."""
    plan_id, version = PlanId(task.detail["plan_id"]), task.detail["version"]
    for pushed in passing_on.pass_on(task.organization, plan_id, until=version, now=now):
        agenda.push(pushed)
    Unit(agenda.done(task)).commit()
