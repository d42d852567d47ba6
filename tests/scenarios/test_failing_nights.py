"""Nights on which metering fails, is slow or stands still, and on which DynamoDB throttles: invoices wait for what was accepted
before their instant, nothing is parked, and nothing ends among dead letters."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.platform import agenda, metrics
from tests.support.night import WRITES, Night, refused, simulated_night, throttled
from tests.support.story import Story

START = datetime(2030, 1, 31, 22, tzinfo=UTC)
MIDNIGHT = datetime(2030, 2, 1, tzinfo=UTC)
ACCEPTED = MIDNIGHT - timedelta(seconds=30)


@pytest.fixture
def night(aws, monkeypatch) -> Iterator[Night]:
    with simulated_night(START, monkeypatch) as found:
        yield found


@pytest.fixture
def counted(monkeypatch) -> dict[str, int]:
    """What was counted in metrics, by name."""
    found: dict[str, int] = {}
    monkeypatch.setattr(metrics, "count", lambda name, number=1, **_: found.update({name: found.get(name, 0) + number}))
    return found


def seller(night: Night, number: int = 1) -> Story:
    """A real organization whose customers pay 10.00 an event at their month's end; half a minute before that end."""
    story = Story.begin(sandbox=False)
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "10"}}
    story.plan(charges=[charge])
    for n in range(number):
        story.customer(f"c{n}")
        story.subscribe(external_id=f"s{n}", customer=f"c{n}")
    night.run(ACCEPTED)
    return story


def use_twice(night: Night, story: Story, subscription: str = "s0") -> None:
    for _ in range(2):
        story.use(at=night.now.timestamp(), subscription=subscription)


def totals(story: Story) -> list[int]:
    """Of final invoices for the month."""
    assert all(invoice["status"] == "finalized" for invoice in story.invoices())
    return [invoice["total_amount_cents"] for invoice in story.invoices()]


def at_minute(n: float) -> datetime:
    return MIDNIGHT + timedelta(minutes=n)


def is_counting(name: str, request: dict[str, Any]) -> bool:
    """Whether this is a transaction that counts events."""
    return name == "transact_write_items" and any(
        "time_pk" in action.get("Put", {}).get("Item", {}) for action in request["TransactItems"]
    )


def metering_fails(night: Night, times: int, error: Exception) -> None:
    """The first receives of each message come to nothing."""

    def fault(name: str, request: dict[str, Any]) -> Exception | None:
        fails = is_counting(name, request) and min(message.receives for message in night.metering) <= times
        return error if fails else None

    night.fault = fault


def nothing_is_lost(night: Night) -> None:
    assert list(agenda.parked()) == []
    assert night.dead == []


@pytest.mark.parametrize("error", [throttled(), refused()], ids=["throttled", "refused"])
@pytest.mark.parametrize(
    ("failures", "billed_by"),
    [
        pytest.param(1, 6, id="once"),
        pytest.param(3, 6, id="three times: within the five minutes"),
        pytest.param(20, 30, id="twenty times: the invoice waits"),
    ],
)
def test_events_accepted_just_before_midnight_are_billed_however_often_metering_fails(
    night, counted, failures, billed_by, error
):
    story = seller(night)
    metering_fails(night, failures, error)
    use_twice(night, story)
    night.run(at_minute(4.9))
    assert totals(story) == []
    night.run(at_minute(billed_by))
    assert totals(story) == [2000]  # 2 x 10.00
    assert night.refused >= failures
    assert ("BillingHeld" in counted) == (failures == 20)
    nothing_is_lost(night)


def test_a_worker_that_dies_of_them_twice_only_makes_the_invoice_late(night):
    story = seller(night)
    night.dies = lambda messages: max(message.receives for message in messages) <= 2
    use_twice(night, story)
    night.run(at_minute(4.4))  # They came again at 0:02 and at 0:04:30.
    assert {message.receives for message in night.events.messages} == {2}
    night.run(at_minute(20))
    assert totals(story) == [2000]
    nothing_is_lost(night)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param(4, [2000], id="back before the five minutes are over"),
        pytest.param(40, [2000], id="back after forty minutes"),
        pytest.param(58, [2000], id="back just before the hour is over"),
    ],
)
def test_an_invoice_waits_for_a_meter_that_stands_still(night, counted, minutes, expected):
    story = seller(night)
    night.standing = {night.events.name}
    use_twice(night, story)
    night.run(at_minute(minutes))
    assert totals(story) == []
    night.standing = set()
    night.run(at_minute(minutes + 7))
    assert totals(story) == expected
    nothing_is_lost(night)


def test_after_an_hour_an_invoice_waits_no_longer(night, counted):
    story = seller(night)
    night.standing = {night.events.name}
    use_twice(night, story)
    night.run(at_minute(59.9))
    assert totals(story) == []
    assert 10 <= counted["BillingHeld"] <= 40
    night.run(at_minute(66))
    assert totals(story) == [0]
    nothing_is_lost(night)


def test_after_an_outage_of_everything_an_invoice_waits_for_what_is_behind_all_the_same(night):
    story = seller(night)
    night.standing = set(night.queues)
    use_twice(night, story)
    night.run(at_minute(180))
    night.standing = {night.events.name}  # The meter comes back last.
    night.run(at_minute(200))
    assert totals(story) == []
    night.standing = set()
    night.run(at_minute(210))
    assert totals(story) == [2000]
    nothing_is_lost(night)


@pytest.mark.parametrize("others", [0, 500], ids=["SQS tells of none", "SQS tells of 500 in flight"])
def test_traffic_that_never_ends_holds_no_invoice(night, counted, others):
    story, busy = seller(night), Story.begin(sandbox=False)
    use_twice(night, story)
    night.others = others
    while night.now < at_minute(6):
        busy.use(at=night.now.timestamp(), subscription="any")
        night.run(night.now + timedelta(seconds=20))
    assert totals(story) == [2000]
    assert "BillingHeld" not in counted


def test_events_that_cannot_be_counted_hold_only_their_own_organizations_invoices(night, counted):
    story, other = seller(night), Story.begin(sandbox=False)
    use_twice(night, story)
    other.use(at=night.now.timestamp(), subscription="unlucky")

    def fault(name: str, request: dict[str, Any]) -> Exception | None:
        return refused() if is_counting(name, request) and "unlucky" in str(request) else None

    night.fault = fault
    metric = other.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "10"}}
    other.plan(charges=[charge])
    other.customer("c")
    other.subscribe(external_id="unlucky", customer="c")
    while night.now < at_minute(7):  # Without other events nobody could tell that meters work.
        story.use(at=night.now.timestamp(), subscription="s0")
        night.run(night.now + timedelta(seconds=20))
    assert totals(story)[0] >= 2000
    assert totals(other) == []
    assert counted["BillingHeld"] > 0
    night.fault = lambda name, request: None
    night.run(at_minute(30))
    assert totals(other) == [1000]
    nothing_is_lost(night)


def test_what_is_outstanding_is_asked_once_per_batch_of_tasks(night):
    story = seller(night, number=9)
    night.standing = {night.events.name}
    use_twice(night, story)
    night.run(at_minute(5.1))
    assert len(night.asked) == 1
    night.standing = set()
    night.run(at_minute(20))
    assert sorted(totals(story)) == [0] * 8 + [2000]


def test_half_an_hour_in_which_every_write_is_throttled_loses_and_parks_nothing(night, counted):
    story = seller(night, number=3)
    begins, ends = ACCEPTED, at_minute(30)
    night.fault = lambda name, request: throttled() if name in WRITES and begins <= night.now < ends else None
    for n in range(3):
        use_twice(night, story, f"s{n}")
    night.run(at_minute(29.9))
    assert totals(story) == []
    assert 100 < night.refused < 10_000
    (organization,) = {task.organization for task in tasks_due()}
    assert organization == story.ref
    assert {(task.kind.name, task.attempts) for task in tasks_due()} == {(customers.BILL.name, 0)}
    nothing_is_lost(night)
    night.run(at_minute(60))
    assert totals(story) == [2000, 2000, 2000]
    nothing_is_lost(night)


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param(lambda name: throttled() if name == "transact_write_items" else None, id="transactions only"),
        pytest.param(lambda name: throttled("ThrottlingException") if name == "query" else None, id="queries only"),
        pytest.param(lambda name: throttled("InternalServerError", status=500), id="everything"),
    ],
)
def test_half_an_hour_in_which_aws_is_busy_otherwise_counts_no_attempt(night, busy):
    story = seller(night, number=3)
    use_twice(night, story)
    night.run(at_minute(4))
    ends = at_minute(35)
    night.fault = lambda name, request: busy(name) if night.now < ends else None
    night.run(at_minute(34.9))
    assert 10 < night.refused < 10_000
    night.fault = lambda name, request: None
    assert {(task.kind.name, task.attempts) for task in tasks_due()} == {(customers.BILL.name, 0)}
    nothing_is_lost(night)
    night.run(at_minute(60))
    assert sorted(totals(story)) == [0, 0, 2000]
    nothing_is_lost(night)


def tasks_due() -> list[agenda.Task]:
    """Tasks whose time has come, by the agenda."""
    return [task for n in range(limits.DUE_SHARDS) for task in agenda.due(n, until=at_minute(60))]
