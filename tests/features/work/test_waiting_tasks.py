"""That AWS is busy is no failure of a task or a request: a task waits without an attempt, a request is told to come again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.platform import agenda, clock, queues
from chalicelib.platform.agenda import runner
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.settings import settings
from chalicelib.tasks import worker as work
from tests.support.busy_aws import answering, error
from tests.support.story import Story
from tests.support.story import work as work_off

NOW = datetime(2030, 2, 1, tzinfo=UTC)


def bill(story: Story) -> agenda.Task:
    story.plan(amount_cents=1000)
    story.subscribe()
    return next(agenda.tasks_of_clock(story.ref, until=datetime(2024, 2, 1, tzinfo=UTC)))


def always(failure: Exception):
    def handler(task: agenda.Task, now: datetime) -> None:
        raise failure

    return handler


def test_for_a_day_that_aws_is_busy_counts_no_attempt_and_then_it_does(story, monkeypatch):
    task = bill(story)
    monkeypatch.setitem(runner._handlers, customers.BILL.name, always(error("ThrottlingException")))
    now = NOW
    monkeypatch.setattr(clock, "utc_now", lambda: now)
    runs, waits = 0, []
    while now < NOW + limits.BUSY_MAX:
        runner.run(task, now=task.due_at)
        standing = agenda.find(task.key)
        assert standing is not None
        assert (standing.attempts, standing.parked, standing.busy_since, standing.due_at) == (
            0,
            False,
            NOW,
            task.due_at,
        )
        waits.append(standing.run_at - now)
        now, task, runs = standing.run_at, standing, runs + 1
    assert limits.BUSY_WAIT / 2 <= waits[0] <= limits.BUSY_WAIT
    assert max(waits) <= limits.BUSY_WAIT_MAX
    assert runs < 700, "some five minutes between two of them"
    for attempt in range(1, limits.TASK_ATTEMPTS_MAX + 1):
        runner.run(task, now=task.due_at)
        task = agenda.find(task.key)
        assert (task.attempts, task.parked) == (attempt, attempt == limits.TASK_ATTEMPTS_MAX)
    armed = agenda.rearm(task.key, real_now=now)
    assert (armed.attempts, armed.busy_since, armed.held_since) == (0, None, None)
    assert agenda.find(task.key) == armed


def test_a_failure_of_its_own_counts_at_once(story, monkeypatch):
    task = bill(story)
    monkeypatch.setitem(runner._handlers, customers.BILL.name, always(RuntimeError("bug")))
    runner.run(task, now=task.due_at)
    assert agenda.find(task.key).attempts == 1


def test_races_that_do_not_end_are_no_failure_of_the_task(story, monkeypatch):
    task = bill(story)
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(0))
    monkeypatch.setitem(runner._handlers, customers.BILL.name, always(ConditionFailed()))
    runner.run(task, now=task.due_at)
    assert agenda.find(task.key).attempts == 0
    assert agenda.find(task.key).busy_since is not None


@pytest.mark.parametrize(
    ("receives", "back"), [(1, True), (limits.BUSY_RECEIVES_MAX - 1, True), (limits.BUSY_RECEIVES_MAX, False)]
)
def test_a_message_that_finds_aws_too_busy_to_say_so_comes_back_a_few_times(aws, monkeypatch, receives, back):
    def answer(own, name, request):
        if name == "get_item":
            raise error("ThrottlingException")
        return own(**request)

    record = {
        "messageId": "m",
        "body": json.dumps({"pk": "o#task#k#s", "sk": "-"}),
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }
    with answering(answer, monkeypatch):
        assert work.handle([record]) == (["m"] if back else [])


def test_a_message_that_fails_for_another_reason_comes_back_until_it_is_a_dead_letter(aws):
    record = {"messageId": "m", "body": "{", "attributes": {"ApproximateReceiveCount": "100"}}
    assert work.handle([record]) == ["m"]


def test_a_shard_that_cannot_be_read_just_now_holds_up_no_other(aws, monkeypatch):
    ref = OrganizationRef("o", sandbox=False)
    for n in range(40):
        agenda.put(agenda.task(customers.BILL, ref, f"c{n}", NOW), now=NOW).alone()

    def answer(own, name, request):
        if name == "query" and "DUE#03" in str(request):
            raise error("ThrottlingException")
        return own(**request)

    with answering(answer, monkeypatch):
        busy = work.tick(real_now=NOW + timedelta(hours=1))
    assert queues.outstanding(settings().jobs_queue) == busy > 8


def test_a_test_clock_waits_where_aws_is_busy_and_parks_nothing(story, monkeypatch):
    bill(story)
    left = [6]

    def answer(own, name, request):
        if name == "transact_write_items" and "bill_customer" in str(request) and left[0] > 0:
            left[0] -= 1
            raise error("ProvisionedThroughputExceededException", name="TransactWriteItems")
        return own(**request)

    with answering(answer, monkeypatch) as found:
        moved = story.ok("PUT", "/test_clock", {"test_clock": {"now": "2024-02-02T00:00:00Z"}})["test_clock"]
    assert moved == {"now": "2024-02-02T00:00:00Z", "status": "ready"}
    assert left == [0]
    assert len(found.slept) >= 6
    assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [1000]


# Over HTTP.


@pytest.mark.parametrize(
    ("call", "body"),
    [
        pytest.param(("GET", "/customers"), None, id="reading"),
        pytest.param(("POST", "/taxes"), {"tax": {"name": "VAT", "code": "vat", "rate": 20}}, id="writing"),
        pytest.param(
            ("POST", "/events"),
            {"event": {"transaction_id": "t", "external_subscription_id": "s", "code": "c", "timestamp": 1704300000}},
            id="an event",
        ),
    ],
)
def test_a_request_that_finds_aws_busy_is_told_to_come_again(story, monkeypatch, call, body):
    story.customer()
    refused = ("query", "transact_write_items", "put_item", "send_message", "batch_get_item")

    def answer(own, name, request):
        if name in refused:
            raise error("ThrottlingException")
        return own(**request)

    with answering(answer, monkeypatch):
        answered = story.call(*call, body)
    assert answered.status == 503
    assert answered.body == {"status": 503, "error": "Service Unavailable", "code": "service_busy"}


def test_what_was_committed_is_answered_though_sqs_is_too_busy_to_push_it(aws, monkeypatch):
    story = Story.begin(sandbox=False)
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer()

    def answer(own, name, request):
        if name == "send_message_batch":
            raise error("RequestThrottled", name="SendMessageBatch")
        return own(**request)

    with answering(answer, monkeypatch):
        story.subscribe()
    assert work.tick(real_now=clock.utc_now()) > 0
    while work_off("jobs"):
        pass
    assert len(story.invoices()) == 1


def test_a_shards_tasks_that_sqs_was_too_busy_for_are_pushed_when_the_message_comes_again(aws, monkeypatch):
    ref = OrganizationRef("o", sandbox=False)
    agenda.put(agenda.task(customers.BILL, ref, "c", NOW), now=NOW).alone()
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)

    def answer(own, name, request):
        if name == "send_message_batch":
            raise error("RequestThrottled", name="SendMessageBatch")
        return own(**request)

    records = [{"messageId": f"m{n}", "body": json.dumps({"shard": n})} for n in range(limits.DUE_SHARDS)]
    with answering(answer, monkeypatch):
        failed = work.handle(records)
    assert len(failed) == 1
    assert work.handle([record for record in records if record["messageId"] in failed]) == []
    assert queues.outstanding(settings().jobs_queue) == 1
