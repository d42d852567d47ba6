"""An event in advance makes its fee once: delivered twice, run twice, in parallel, or killed at any write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.features.fees import service as fees
from chalicelib.features.invoicing import event_charges
from chalicelib.features.metering import messages as metering
from chalicelib.features.metering.advance import CHARGE_EVENT
from chalicelib.features.plans import advance_codes
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import key
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Unit
from chalicelib.tasks import worker as work_service
from tests.support.faults import Killed, Plan, failing
from tests.support.items import core
from tests.support.story import Story, meter, received, work

JANUARY_2 = datetime(2024, 1, 2, tzinfo=UTC)


def charge(metric: Any, **fields: Any) -> dict[str, Any]:
    body = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "pay_in_advance": True}
    return body | {"properties": {"amount": "1"}} | fields


def subscribed(*charges: dict[str, Any], **begin: Any) -> tuple[Story, OrganizationRef]:
    """A plan with charges in advance of `calls` (invoiceable where none are named), and a subscription."""
    story = Story.begin(**begin)
    metric = story.metric()
    story.plan(charges=[charge(metric, **each) for each in charges or ({},)])
    story.subscribe()
    return story, story.ref


def tasks(organization: OrganizationRef) -> list[Task]:
    """What charges events and is still to be done."""
    found = agenda.tasks_of_clock(organization, until=datetime(2030, 1, 1, tzinfo=UTC))
    return [task for task in found if task.kind == CHARGE_EVENT]


def outcome(story: Story) -> tuple[list[int], list[str], list[int], int]:
    """Cents of all fees, numbers and totals of all invoices, and how many messages tell of fees."""
    from tests.support.messages import messages

    meter()
    work()
    invoices = story.invoices()
    work_service.tick(real_now=clock.utc_now())  # What was not pushed for a kill.
    while work():
        pass
    fees = story.ok("GET", "/fees")
    assert fees["meta"]["total_count"] == len(fees["fees"])
    assert story.ok("GET", "/invoices")["meta"]["total_count"] == len(invoices)
    told = [message for message in messages(story.ref.id) if message.webhook_type == "fee.created"]
    return (
        sorted(fee["amount_cents"] for fee in fees["fees"]),
        [invoice["number"][-3:] for invoice in invoices],
        [invoice["total_amount_cents"] for invoice in invoices],
        len(told),
    )


def listen(story: Story) -> None:
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})


BOTH = ({"code": "invoiced"}, {"code": "loose", "invoiceable": False})


def test_messages_that_come_twice_and_repeated_transactions_make_one_fee(aws):
    story, organization = subscribed(*BOTH)
    listen(story)
    event = {"transaction_id": "t", "external_subscription_id": "sub", "code": "calls", "timestamp": 1704200000}
    story.ok("POST", "/events", {"event": event})
    (record,) = received(settings().events_queue)
    assert metering.handle([record]) == []
    assert len(tasks(organization)) == 1
    assert metering.handle([record]) == []
    assert len(tasks(organization)) == 1
    work()
    assert tasks(organization) == []
    story.ok("POST", "/events", {"event": event | {"timestamp": 1704300000}})
    assert metering.handle([record]) == []
    assert outcome(story) == ([100, 100], ["001"], [100], 2)
    assert tasks(organization) == []


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(4))
def test_a_meter_killed_at_any_write_leaves_one_task(aws, at, after):
    story, organization = subscribed()
    story.use(at=JANUARY_2.timestamp())
    (record,) = received(settings().events_queue)
    with failing(Plan(at, after=after)) as plan:
        try:
            metering.handle([record])
        except Killed:
            assert plan.reached
        else:
            assert not plan.reached
    assert metering.handle([record]) == []
    assert len(tasks(organization)) == 1
    story.travel("2024-01-03T00:00:00Z")  # Whether or not its message was sent.
    assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [100]


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(8))
def test_a_worker_killed_at_any_write_makes_each_fee_once(aws, at, after):
    story, organization = subscribed(*BOTH, {"code": "second"})
    listen(story)
    story.use(at=JANUARY_2.timestamp())
    meter()
    (task,) = tasks(organization)
    with failing(Plan(at, after=after)) as plan:
        try:
            event_charges.charge(task, task.due_at)
        except Killed:
            assert plan.reached
        else:
            assert not plan.reached
    again = agenda.find(task.key)
    if again is not None:
        assert runner.run(again, now=again.due_at) is None
    assert outcome(story) == ([100, 100, 100], ["001", "002"], [100, 100], 3)


def test_a_task_run_five_times_and_by_two_workers_at_once_makes_its_fees_once(aws, monkeypatch):
    story, organization = subscribed(*BOTH)
    listen(story)
    story.use(at=JANUARY_2.timestamp())
    meter()
    (task,) = tasks(organization)
    real, once = Unit.commit, []

    def racing(unit):
        if not once:
            once.append(1)
            event_charges.charge(task, task.due_at)  # The other worker is quicker.
        real(unit)

    monkeypatch.setattr(Unit, "commit", racing)
    for _ in range(5):
        assert runner.run(task, now=task.due_at) is None
    assert outcome(story) == ([100, 100], ["001"], [100], 2)


def test_a_deleted_fee_is_not_made_again(aws):
    """Deleted between the two fees of an event: the run for the second one finds what is left of it."""
    story, organization = subscribed(*reversed(BOTH))
    story.use(at=JANUARY_2.timestamp())
    meter()
    (task,) = tasks(organization)
    assert event_charges._charge_once(task, task.due_at)
    (fee,) = core.query(key(organization.id, "fee"), index="list")
    fees.remove(organization.id, fee["record"]["id"])
    assert event_charges._charge_once(task, task.due_at) is False
    assert [each["lago_invoice_id"] is None for each in story.ok("GET", "/fees")["fees"]] == [False]


def test_a_whole_batch_has_its_tasks_in_as_many_transactions_as_they_need(aws):
    story, organization = subscribed({"invoiceable": False})
    events = [
        {"transaction_id": f"t{n}", "external_subscription_id": "sub", "code": "calls", "timestamp": 1704200000 + n}
        for n in range(100)
    ]
    story.ok("POST", "/events/batch", {"events": events})
    meter()
    assert len(tasks(organization)) == 100


def test_in_real_time_the_worker_charges_and_the_tick_finds_what_a_lost_message_left(aws):
    story, _ = subscribed(sandbox=False)
    for n in (1, 2):
        event = {"transaction_id": f"t{n}", "external_subscription_id": "sub", "code": "calls"}
        story.ok("POST", "/events", {"event": event})
        meter()
        if n == 1:
            work()
            assert len(story.invoices()) == 1
    received(settings().jobs_queue)  # Lost.
    work_service.tick(real_now=clock.utc_now())
    while work():
        pass
    assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [100, 100]


def test_a_failing_charge_is_tried_again_and_kept(aws, monkeypatch):
    story, organization = subscribed()
    story.use(at=JANUARY_2.timestamp())
    meter()

    def broken(*args, **how):
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(event_charges, "_make", broken)
        assert runner.run(tasks(organization)[0], now=JANUARY_2) is not None
    (task,) = tasks(organization)
    assert (task.attempts, task.parked) == (1, False)
    assert runner.run(task, now=task.due_at) is None
    assert len(story.invoices()) == 1


# Which codes are asked for.


def codes(organization: OrganizationRef, after=advance_codes.limits.ADVANCE_CODES_KEPT) -> set[str]:
    found = advance_codes.current(organization.id, real_now=clock.utc_now() + after)
    named = {code for code in ("calls", "a#b", "other") if code in found}
    assert bool(found) == bool(named)
    return named


def test_codes_stay_while_any_plan_or_override_has_them_and_some_time_after(aws):
    story, organization = subscribed()
    calls = story.ok("GET", "/billable_metrics/calls")["billable_metric"]
    assert codes(organization) == {"calls"}
    story.plan("other", charges=[charge(story.metric("a#b")), charge(calls) | {"pay_in_advance": False}])
    assert codes(organization) == {"calls", "a#b"}
    own = {
        "charges": [
            {"id": story.ok("GET", "/plans/plan")["plan"]["charges"][0]["lago_id"], "invoice_display_name": "x"}
        ]
    }
    story.subscribe(external_id="own", plan_overrides=own)
    story.ok("PUT", "/plans/plan", {"plan": {"charges": []}})
    assert codes(organization) == {"calls", "a#b"}  # The override has it still.
    story.ok("DELETE", "/plans/other")
    assert codes(organization) == {"calls"}
    assert codes(organization, after=timedelta(0)) == {"calls", "a#b"}
    story.ok("DELETE", "/plans/plan")
    assert codes(organization) == set()


def test_an_event_right_after_its_plan_is_charged(aws):
    story = Story.begin()
    metric = story.metric()
    story.plan(charges=[])
    story.subscribe()
    story.use(at=JANUARY_2.timestamp())
    meter()
    story.ok("POST", "/plans/plan/charges", {"charge": charge(metric)})
    story.use(at=JANUARY_2.timestamp() + 1)
    meter()
    assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [100]
