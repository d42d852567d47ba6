"""SQS: sending messages by queue name. Queue URLs are looked up once per process."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from chalicelib.platform import aws


class NotSent(Exception):
    """SQS took only a part of what was sent."""


@lru_cache(maxsize=64)
def url(queue: str) -> str:
    """The address of a queue."""
    return str(aws.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


def send(queue: str, body: Mapping[str, Any] | str, *, delay_seconds: int = 0) -> str:
    """Hand over one message; returns its id once SQS has it."""
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    sent = aws.client("sqs").send_message(QueueUrl=url(queue), MessageBody=text, DelaySeconds=delay_seconds)
    return str(sent["MessageId"])


def send_many(queue: str, bodies: Sequence[tuple[Mapping[str, Any], int]]) -> None:
    """Hand over many small messages, each with its delay in seconds, ten a request.

    Raises: NotSent, when SQS refused some; sending all again is harmless, as messages only carry keys.
    """
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(n), "MessageBody": json.dumps(body, separators=(",", ":")), "DelaySeconds": delay}
            for n, (body, delay) in enumerate(bodies[start : start + 10])
        ]
        answer = aws.client("sqs").send_message_batch(QueueUrl=url(queue), Entries=entries)
        if answer.get("Failed"):
            raise NotSent(str(answer["Failed"][0].get("Message")))


def backlog(queue: str) -> int:
    """About how many messages wait."""
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url(queue), AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
