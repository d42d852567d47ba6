"""After a change of the organization's time zone: every customer without a zone of its own is planned anew."""

from datetime import datetime
from functools import partial

from chalicelib.domain.error_codes import Resource
from chalicelib.features.customers import service, store
from chalicelib.platform import agenda, clock, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import CustomerId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


@jobs.handles(service.REPLAN)
def replan(task: Task, now: datetime) -> None:
    """Let billing look at each of them now; it finds the next billing instant of the new zone. Twice is harmless."""
    at = clock.now(task.organization)
    for customer in store.listed(task.organization.id):
        if customer.timezone is None:
            agenda.push(retrying(partial(_look_now, task, customer.id, at), Resource.CUSTOMER))
    agenda.done(task).alone()


def _look_now(task: Task, customer_id: CustomerId, at: datetime) -> list[Task]:
    state = store.state_of(task.organization.id, customer_id)
    if state.due_at is None or state.due_at <= at:
        return []
    sooner = state.model_copy(update={"due_at": at})
    actions = service.due_actions(task.organization, state, sooner, now=at)
    Unit(store.billing_action(task.organization.id, state, sooner), actions).commit()
    return [agenda.task(service.BILL, task.organization, customer_id, at)]
