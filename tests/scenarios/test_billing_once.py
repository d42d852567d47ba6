"""A billing task runs twice, in pieces, late or killed at any write: one invoice, one number."""

from datetime import UTC, datetime

import pytest

from chalicelib.features.customers import service as customers
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.unit import Unit
from chalicelib.tasks import billing
from tests.support.faults import Killed, Plan, failing
from tests.support.story import Story, meter

FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)


def subscribed(sandbox: bool = True) -> tuple[Story, OrganizationRef]:
    story = Story.begin()
    metric = story.metric()
    story.plan(
        amount_cents=1000,
        charges=[{"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}],
    )
    story.subscribe()
    story.use(at=1704300000)
    meter()
    return story, story.ref


def first_task(organization: OrganizationRef) -> Task:
    return next(agenda.tasks_of_clock(organization, until=FEBRUARY))


def summary(story: Story) -> list[tuple[str, int, int]]:
    found = story.invoices()
    assert story.ok("GET", "/invoices")["meta"]["total_count"] == len(found)
    return [(i["number"][-3:], i["total_amount_cents"], len(i["fees"])) for i in found]


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(3))
def test_a_worker_killed_at_any_write_of_an_issue_leaves_one_invoice(aws, at, after):
    story, organization = subscribed()
    task = first_task(organization)
    assert task.due_at == FEBRUARY
    with failing(Plan(at, after=after)) as plan:
        try:
            billing.bill(task, task.due_at)
        except Killed:
            assert plan.reached
    again = agenda.find(task.key)
    if again is not None:
        assert runner.run(again, now=again.due_at) is None
    assert summary(story) == [("001", 1100, 2)]
    story.travel("2024-03-01T00:00:00Z")
    assert summary(story) == [("001", 1100, 2), ("002", 1000, 1)]


def test_a_billing_task_run_five_times_makes_one_invoice(aws):
    story, organization = subscribed()
    task = first_task(organization)
    for _ in range(5):
        assert runner.run(task, now=task.due_at) is None
    assert summary(story) == [("001", 1100, 2)]


def test_two_workers_with_the_same_task_make_one_invoice(aws, monkeypatch):
    """The second worker has read everything before the first commits."""
    story, organization = subscribed()
    task = first_task(organization)
    real = Unit.commit
    once: list[int] = []

    def racing(unit):
        if not once:
            once.append(1)
            billing.bill(task, task.due_at)  # The other worker is quicker.
        real(unit)

    monkeypatch.setattr(Unit, "commit", racing)
    assert runner.run(task, now=task.due_at) is None
    assert summary(story) == [("001", 1100, 2)]


def test_a_failing_task_is_parked_listed_and_can_be_armed_again(aws, monkeypatch):
    story, _ = subscribed()

    def broken(*args, **how):
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setitem(runner._handlers, customers.BILL.name, broken)
        meter()
        clock = story.ok("PUT", "/test_clock", {"test_clock": {"now": "2024-02-10T00:00:00Z"}})["test_clock"]
    assert clock["status"] == "ready"
    (failed,) = clock["failed_tasks"]
    assert (failed["kind"], failed["due_at"]) == ("bill_customer", "2024-02-01T00:00:00Z")
    (parked,) = agenda.parked()
    from chalicelib.platform.clock import utc_now

    assert agenda.rearm(parked.key, real_now=utc_now()) is not None
    story.travel("2024-02-11T00:00:00Z")
    assert summary(story) == [("001", 1100, 2)]
    assert story.invoices()[0]["issuing_date"] == "2024-02-01"


def test_changes_are_refused_while_the_clock_moves(aws, monkeypatch):
    story, _ = subscribed()
    seen = []
    real = billing.bill

    def looking(task, now):
        seen.append(story.call("POST", "/customers", {"customer": {"external_id": "x"}}))
        seen.append(story.call("PUT", "/test_clock", {"test_clock": {"now": "2024-05-01"}}))
        seen.append(story.call("GET", "/test_clock"))
        real(task, now)

    monkeypatch.setitem(runner._handlers, customers.BILL.name, looking)
    story.travel("2024-02-02T00:00:00Z")
    customer, move, read = seen
    assert (customer.status, customer.body["code"]) == (409, "test_clock_advancing")
    assert (move.status, move.body["code"]) == (409, "test_clock_advancing")
    assert read.body["test_clock"] == {"now": "2024-02-01T00:00:00Z", "status": "advancing"}


def test_a_real_organizations_task_waits_for_events_still_queued(aws):
    from datetime import timedelta

    ref = OrganizationRef("o", sandbox=False)
    task = agenda.task(customers.BILL, ref, "c", FEBRUARY)
    assert (task.due_at, task.run_at) == (FEBRUARY, FEBRUARY + timedelta(minutes=5))


def test_in_real_time_a_first_invoice_is_made_at_once_and_the_tick_finds_what_a_lost_message_left(aws):
    """An organization that is no sandbox: messages carry tasks to the worker, and the tick stands in for lost ones."""
    from chalicelib.platform import clock
    from chalicelib.platform.settings import settings
    from chalicelib.tasks import worker as work
    from tests.support.story import received
    from tests.support.story import work as work_off

    story = Story.begin(sandbox=False)
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.subscribe()
    assert received(settings().jobs_queue) != []  # Lost.
    assert received(settings().jobs_queue) == []
    assert story.invoices() == []
    assert work.tick(real_now=clock.utc_now()) > 0
    while work_off("jobs"):
        pass
    (invoice,) = story.invoices()
    assert invoice["billing_periods"][0]["invoicing_reason"] == "subscription_starting"
    assert work.tick(real_now=clock.utc_now()) in (0, 1)  # What is left is the order to print.
