"""After a change of settings: customers without a time zone of their own are planned anew, and drafts come in line."""

from datetime import datetime

from chalicelib.features.customers import drafts_follow, service
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoicing import following
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.agenda.walk import place_of, walk
from chalicelib.platform.ids import CustomerId


@runner.handles(service.REPLAN)
def replan(task: Task, now: datetime) -> None:
    """Let billing look at each of them now; it finds the next billing instant of the new zone. Idempotent."""
    for pushed in service.look_now(task.organization, now=clock.now(task.organization)):
        agenda.push(pushed)
    agenda.done(task).alone()


@runner.handles(drafts_follow.FOLLOW)
def follow_customer(task: Task, now: datetime) -> None:
    """Bring a customer's drafts in line with its settings."""
    for draft in invoices.drafts_of(task.organization.id, CustomerId(task.detail["customer_id"])):
        following.follow(task.organization, draft, taxes=bool(task.detail["taxes"]), now=now)
    agenda.done(task).alone()


@runner.handles(drafts_follow.FOLLOW_ALL)
def follow_organization(task: Task, now: datetime) -> None:
    """Bring all drafts in line with the settings of the organization."""

    def one(draft: Invoice) -> None:
        following.follow(task.organization, draft, taxes=bool(task.detail["taxes"]), now=now)

    # Drafts that move change their places in the list: they are all read before the first one moves.
    places = list(invoices.drafts(task.organization.id, before=place_of(task)))
    if walk(task, places, one, now=now):
        agenda.done(task).alone()
