"""SQS: sending messages by queue name. Queue URLs are looked up once per process.

Queues are fair: each message names the organization whose it is as its message group, and SQS hands out those of quiet
groups before those of one that has much in flight (docs/decisions/0024-nobody-waits-for-another.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.platform import aws


class NotSent(Exception):
    """SQS took only a part of what was sent."""


class Refused(Exception):
    """SQS did not take a message."""


@lru_cache(maxsize=64)
def url(queue: str) -> str:
    """The address of a queue."""
    return str(aws.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A small message to send. `group`: whose it is (an organization's id); while one group has much in a queue, SQS hands
    out the others' first."""

    body: Mapping[str, Any]
    group: str
    delay_seconds: int = 0


def send(queue: str, body: Mapping[str, Any] | str, *, group: str | None = None, delay_seconds: int = 0) -> str:
    """Hand over one message; returns its id once SQS has it. `group`: whose it is; without one it is a group of its own.

    Raises: Refused, when it certainly was not sent; after any other error it may have been.
    """
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    grouped = {} if group is None else {"MessageGroupId": group}
    try:
        sent = aws.client("sqs").send_message(
            QueueUrl=url(queue), MessageBody=text, DelaySeconds=delay_seconds, **grouped
        )
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500:
            raise Refused(str(error)) from error
        raise
    return str(sent["MessageId"])


def sendable(text: str) -> str:
    """JSON text as SQS takes it: two noncharacters, which it refuses and JSON allows, stand by their numbers."""
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def send_many(queue: str, messages: Sequence[Outgoing]) -> None:
    """Hand over many small messages, ten a request.

    Raises: NotSent, when SQS refused some; sending all again is harmless, as messages only carry keys.
    """
    for start in range(0, len(messages), 10):
        entries = [
            {
                "Id": str(n),
                "MessageBody": json.dumps(message.body, separators=(",", ":")),
                "DelaySeconds": message.delay_seconds,
                "MessageGroupId": message.group,
            }
            for n, message in enumerate(messages[start : start + 10])
        ]
        answer = aws.client("sqs").send_message_batch(QueueUrl=url(queue), Entries=entries)
        if answer.get("Failed"):
            raise NotSent(str(answer["Failed"][0].get("Message")))


def backlog(queue: str) -> int:
    """About how many messages wait."""
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url(queue), AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
