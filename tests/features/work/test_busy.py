"""That AWS is busy is no failure: batches, writes and queues wait for it, with an end."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from chalicelib.platform import dynamodb, queues
from chalicelib.platform.busy import Busy, is_busy, pause
from chalicelib.platform.dynamodb import Cancelled, Crowded, Reason
from chalicelib.platform.queues import Outgoing
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Unit
from tests.support.busy_aws import answering, error, taking
from tests.support.faults import conflicting
from tests.support.items import core

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
