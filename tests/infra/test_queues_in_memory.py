"""The queues in memory, on which most tests run, answer as moto's do."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib.platform import aws, queues
from chalicelib.platform.settings import settings
from infra.local import provision
from tests.support import aws as support

COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
RECEIVED = {"MaxNumberOfMessages": 10, "AttributeNames": ["ApproximateReceiveCount", "MessageGroupId"]}

Say = Callable[..., Any]


def sent_and_received(say: Say) -> None:
    say("send_message", MessageBody="one", MessageGroupId="a")
    say("send_message", MessageBody="later", DelaySeconds=900)
    say("send_message_batch", Entries=[{"Id": "x", "MessageBody": "two"}, {"Id": "y", "MessageBody": "three"}])
    say("get_queue_attributes", AttributeNames=COUNTS)
    first = say("receive_message", MaxNumberOfMessages=2, AttributeNames=["All"])["Messages"]
    say("get_queue_attributes", AttributeNames=COUNTS)
    say("change_message_visibility", ReceiptHandle=first[0]["ReceiptHandle"], VisibilityTimeout=0)
    say("delete_message", ReceiptHandle=first[1]["ReceiptHandle"])
    say("delete_message", ReceiptHandle=first[1]["ReceiptHandle"])
    again = say("receive_message", **RECEIVED)["Messages"]
    entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(again)]
    say("change_message_visibility_batch", Entries=[{**entry, "VisibilityTimeout": 60} for entry in entries])
    say("delete_message_batch", Entries=[*entries, {"Id": "no", "ReceiptHandle": "nobody's"}])
    say("receive_message")
    say("get_queue_attributes", AttributeNames=COUNTS)
    say("purge_queue")
    say("get_queue_attributes", AttributeNames=COUNTS)


def received_too_often(say: Say) -> None:
    say("send_message", MessageBody="bad", MessageGroupId="a")
    for _ in range(9):
        say("receive_message", VisibilityTimeout=0, **RECEIVED)
    say("get_queue_attributes", AttributeNames=COUNTS)
    say("receive_message", queue=f"{settings().jobs_queue}-dead", **RECEIVED)


def wrong(say: Say) -> None:
    say("send_message", MessageBody="x" * (2 << 20))
    say("send_message", MessageBody="x", DelaySeconds=901)
    say("send_message_batch", Entries=[{"Id": "x", "MessageBody": "two"}] * 2)
    say("delete_message", ReceiptHandle="nobody's")
    say("receive_message", MaxNumberOfMessages=11)
    say("send_message", queue="nobody's", MessageBody="x")
    say("get_queue_attributes", AttributeNames=["QueueArn", "VisibilityTimeout"])


def said_by(script: Callable[[Say], None]) -> list[Any]:
    """All that the queues say, but for what is drawn at random."""
    said: list[Any] = []

    def say(operation: str, queue: str | None = None, **request: Any) -> Any:
        where = queues.url(settings().jobs_queue).replace(settings().jobs_queue, queue or settings().jobs_queue)
        try:
            found = getattr(aws.client("sqs"), operation)(QueueUrl=where, **request)
        except ClientError as error:
            said.append((operation, error.response["Error"]["Code"]))
            return {}
        said.append((operation, plain(found)))
        return found

    script(say)
    return said


def plain(value: Any) -> Any:
    hidden = ("ResponseMetadata", "MessageId", "ReceiptHandle", "SenderId", "Message")
    if isinstance(value, dict):
        found = {name: plain(each) for name, each in value.items() if name not in hidden}
        return {name: each for name, each in found.items() if "Timestamp" not in name and each != []}
    return [plain(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("script", [sent_and_received, received_too_often, wrong])
def test_queues_answer_and_refuse_as_motos_do(environment: None, script: Callable[[Say], None]) -> None:
    with support.in_memory():
        ours = said_by(script)
    with mock_aws():
        support.forget()
        provision.queues(aws.client("sqs"), settings().stage)
        theirs = said_by(script)
    support.forget()
    assert ours == theirs
