"""After a change of the organization's time zone: every customer without a zone of its own is planned anew."""

from datetime import datetime

from chalicelib.features.customers import service
from chalicelib.platform import agenda, clock, jobs
from chalicelib.platform.agenda import Task


@jobs.handles(service.REPLAN)
def replan(task: Task, now: datetime) -> None:
    """Let billing look at each of them now; it finds the next billing instant of the new zone. Twice is harmless."""
    for pushed in service.look_now(task.organization, now=clock.now(task.organization)):
        agenda.push(pushed)
    agenda.done(task).alone()
