"""That AWS is busy is no failure: it is waited for, with an end; it counts no attempt; it is counted by table and index."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.platform import agenda, clock, dynamodb, queues, throttled
from chalicelib.platform.agenda import runner
from chalicelib.platform.busy import Busy, is_busy, pause
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed, Crowded, Reason
from chalicelib.platform.queues import Outgoing
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Unit
from chalicelib.tasks import worker as work
from tests.support.busy_aws import answering, error, taking, wired
from tests.support.faults import conflicting
from tests.support.items import core
from tests.support.story import Story
from tests.support.story import work as work_off

NOW = datetime(2030, 2, 1, tzinfo=UTC)
ITEMS = [{"pk": f"p{n}", "sk": "-", "n": n} for n in range(60)]
KEYS = [(item["pk"], item["sk"]) for item in ITEMS]


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        pytest.param(error("ThrottlingException"), True, id="throttled"),
        pytest.param(error("ProvisionedThroughputExceededException"), True, id="a partition is too busy"),
        pytest.param(error("RequestLimitExceeded"), True, id="an account's limit"),
        pytest.param(error("RequestThrottled", name="SendMessage"), True, id="SQS throttles"),
        pytest.param(error("AWS.SimpleQueueService.OverLimit"), True, id="SQS has too much in flight"),
        pytest.param(error("SlowDown", status=503), True, id="S3 throttles"),
        pytest.param(error("TransactionConflictException"), True, id="a write met a transaction"),
        pytest.param(error("TransactionInProgressException"), True, id="its own repetition is under way"),
        pytest.param(error("InternalServerError", status=500), True, id="a failure of AWS's own"),
        pytest.param(EndpointConnectionError(endpoint_url="x"), True, id="no connection"),
        pytest.param(ReadTimeoutError(endpoint_url="x"), True, id="no answer"),
        pytest.param(Busy("x"), True, id="said so already"),
        pytest.param(Crowded([Reason("TransactionConflict")]), True, id="a transaction that met others"),
        pytest.param(caused(RuntimeError("x"), error("ThrottlingException")), True, id="what was raised from it"),
        pytest.param(error("ValidationException"), False, id="a wrong request"),
        pytest.param(error("AccessDeniedException"), False, id="what is not allowed"),
        pytest.param(error("ConditionalCheckFailedException"), False, id="a condition"),
        pytest.param(Cancelled([Reason("ConditionalCheckFailed")]), False, id="a transaction's condition"),
        pytest.param(RuntimeError("x"), False, id="a bug"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_what_says_that_aws_is_busy(failure, expected):
    assert is_busy(failure) is expected


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1.0])
def test_waits_double_up_to_the_longest_and_chance_makes_them_half_as_long_at_the_least(drawn):
    waits = [pause(n, first=1, most=10, draw=lambda: drawn) for n in range(6)]
    assert waits == [(0.5 + drawn / 2) * most for most in (1, 2, 4, 8, 10, 10)]
    assert pause(10_000, first=1, most=10) <= 10


# Batches.


@pytest.mark.parametrize("most", [1, 7, 24])
def test_what_a_batch_leaves_undone_is_done_by_the_next(aws, monkeypatch, most):
    with answering(taking(most), monkeypatch) as found:
        core.write_many(ITEMS[:20])
        assert core.get_many(KEYS[:20]) == dict(zip(KEYS, ITEMS[:20], strict=False))
    assert sum(found.calls.values()) <= 2 * 20
    assert found.slept == [] if most == 24 else found.slept != []


@pytest.mark.parametrize("call", ["write_many", "get_many"])
def test_a_batch_of_which_nothing_is_ever_done_ends(aws, monkeypatch, call):
    asked: Any = ITEMS if call == "write_many" else KEYS
    with answering(taking(0), monkeypatch) as found, pytest.raises(Busy):
        getattr(core, call)(asked)
    assert sum(found.calls.values()) < 30
    assert 10 <= sum(found.slept) <= 12.5
    assert all(wait <= 2 for wait in found.slept)
    assert max(found.slept[:4]) < min(found.slept[-4:]), "they grow"


# Single writes and transactions.


def test_a_write_that_meets_transactions_waits_for_them_and_ends(aws, monkeypatch):
    left = [3]

    def answer(own, name, request):
        if name == "put_item" and left[0] > 0:
            left[0] -= 1
            raise own.__self__.exceptions.TransactionConflictException(
                {"Error": {"Code": "TransactionConflictException"}}, "PutItem"
            )
        return own(**request)

    with answering(answer, monkeypatch) as found:
        core.put(ITEMS[0]).alone()
        assert (left, len(found.slept)) == ([0], 3)
        left[0] = 1000
        with pytest.raises(Busy):
            core.put(ITEMS[1]).alone()
    assert found.calls["put_item"] == 4 + 8


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_only_others_are_in_the_way_of_is_busy(aws, code):
    with conflicting(1000, code), pytest.raises(Crowded) as raised:
        dynamodb.transact([core.put(ITEMS[0]).action], sleep=lambda seconds: None)
    assert is_busy(raised.value)
    assert isinstance(raised.value, Cancelled)


def test_a_transaction_whose_condition_fails_is_not(aws):
    core.put(ITEMS[0]).alone()
    with pytest.raises(Cancelled) as raised:
        Unit(core.create(ITEMS[0])).commit()
    assert not is_busy(raised.value)


# Queues.


def test_messages_that_a_busy_queue_refused_are_sent_again_alone(aws, monkeypatch):
    times = [2]

    def answer(own, name, request):
        if name != "send_message_batch" or times[0] <= 0:
            return own(**request)
        times[0] -= 1
        if request["Entries"][1:]:
            own(**{**request, "Entries": request["Entries"][1:]})
        return {"Failed": [{"Id": request["Entries"][0]["Id"], "SenderFault": False, "Message": "busy"}]}

    bodies = [Outgoing({"n": n}, "org") for n in range(12)]
    with answering(answer, monkeypatch):
        queues.send_many(settings().jobs_queue, bodies)
    assert queues.outstanding(settings().jobs_queue) == 12


@pytest.mark.parametrize(
    ("fault", "kind", "calls"), [(False, Busy, 6), (True, queues.NotSent, 1)], ids=["the queue's", "the sender's"]
)
def test_messages_that_a_queue_never_takes_end_in_an_error(aws, monkeypatch, fault, kind, calls):
    queues.url(settings().jobs_queue)

    def answer(own, name, request):
        return {"Failed": [{"Id": "0", "SenderFault": fault, "Message": "no"}]}

    with answering(answer, monkeypatch) as found, pytest.raises(kind):
        queues.send_many(settings().jobs_queue, [Outgoing({"n": 1}, "org")])
    assert found.calls["send_message_batch"] == calls


@pytest.mark.parametrize(
    ("receives", "drawn", "seconds"),
    [(1, 0.0, 5), (1, 1.0, 5), (2, 1.0, 10), (3, 1.0, 20), (4, 1.0, 40), (5, 1.0, 60), (50, 1.0, 60), (50, 0.0, 30)],
)
def test_a_failed_message_comes_again_the_later_the_oftener_it_failed(aws, monkeypatch, receives, drawn, seconds):
    seen: list[dict[str, Any]] = []

    def answer(own, name, request):
        if name == "change_message_visibility_batch":
            seen.append(request)
            return {}
        return own(**request)

    record = {
        "messageId": "m",
        "receiptHandle": "r",
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{settings().events_queue}",
    }
    with answering(answer, monkeypatch):
        queues.come_again_soon([record], draw=lambda: drawn)
    (request,) = seen
    assert request["QueueUrl"] == queues.url(settings().events_queue)
    assert request["Entries"] == [{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": seconds}]


# Tasks.


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


# The metric.


@pytest.fixture
def told(monkeypatch) -> list[tuple[int, str, str]]:
    """What was counted as throttled: how much, table, index."""
    found: list[tuple[int, str, str]] = []
    throttled._counted.clear()
    throttled._told_at.clear()
    monkeypatch.setattr(
        "chalicelib.platform.metrics.count",
        lambda name, number, *, by: found.append((number, by["table"], by["index"])) if name == "Throttled" else None,
    )
    return found


def throttling(**more: Any) -> dict[str, Any]:
    return {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", **more}


ARN = "arn:aws:dynamodb:us-east-1:1:table/tollgate-test-core"
CORE = "tollgate-test-core"


def read_index() -> None:
    core.page("DUE#00", index="due")


def read_item() -> None:
    core.get("a")


def write_batch() -> None:
    core.write_many(ITEMS[:1])


def write_together() -> None:
    dynamodb.transact([core.put(ITEMS[0]).action, core.put(ITEMS[1]).action], sleep=lambda seconds: None)


@pytest.mark.parametrize(
    ("act", "status", "body", "expected"),
    [
        pytest.param(read_item, 400, throttling(), (CORE, "-"), id="a table"),
        pytest.param(read_index, 400, throttling(), (CORE, "due"), id="the index that was asked"),
        pytest.param(write_batch, 400, throttling(), (CORE, "-"), id="a batch as a whole"),
        pytest.param(
            write_batch,
            400,
            throttling(message="The level of one or more global secondary indexes was exceeded"),
            (CORE, "?"),
            id="some index",
        ),
        pytest.param(
            write_batch,
            400,
            throttling(ThrottlingReasons=[{"reason": "x", "resource": f"{ARN}/index/list"}]),
            (CORE, "list"),
            id="an index that DynamoDB names",
        ),
        pytest.param(
            write_batch,
            200,
            {"UnprocessedItems": {CORE: [{"PutRequest": {"Item": {"pk": {"S": "p0"}, "sk": {"S": "-"}}}}]}},
            (CORE, "-"),
            id="what a batch left undone",
        ),
        pytest.param(
            write_together,
            400,
            {
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "CancellationReasons": [{"Code": "None"}, {"Code": "ThrottlingError"}],
            },
            (CORE, "-"),
            id="an action of a transaction",
        ),
    ],
)
def test_what_is_throttled_is_counted_by_table_and_index(aws, told, monkeypatch, act, status, body, expected):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with wired(status, body, times=2) as left:
        act()
    throttled.tell()
    assert left == [0]
    assert sum(number for number, _, _ in told) == 2, "also what the client repeats by itself"
    assert {(table, index) for _, table, index in told} == {expected}


def test_a_flood_of_throttling_is_no_flood_of_lines(aws, told, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with wired(400, throttling(), times=400) as left:
        for _ in range(100):
            with pytest.raises(ClientError):
                core.get("a")
    throttled.tell()
    assert sum(number for number, _, _ in told) == 400 - left[0] >= 100
    assert len(told) < 30


def test_what_is_refused_for_another_reason_is_not_counted(aws, told):
    core.put(ITEMS[0]).alone()
    with pytest.raises(ConditionFailed):
        core.create(ITEMS[0]).alone()
    with pytest.raises(Cancelled):
        Unit(core.create(ITEMS[0])).commit()
    throttled.tell()
    assert told == []


def test_the_metric_is_a_line_that_cloudwatch_reads(aws, capsys, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    throttled._told_at.clear()
    with wired(400, throttling(), times=1):
        core.get("a")
    (line,) = (json.loads(each) for each in capsys.readouterr().out.splitlines() if "Throttled" in each)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Tollgate"
    assert {"table", "index"} <= set(directive["Dimensions"][0])
    assert (line["table"], line["index"], line["Throttled"]) == (CORE, "-", [1.0])
