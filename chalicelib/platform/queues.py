"""SQS: sending messages by queue name, and saying when those that failed come again. Queue URLs are looked up once per
process.

Queues are fair: each message names the organization whose it is as its message group, and SQS hands out those of quiet
groups before those of one that has much in flight (decisions/0024-nobody-waits-for-another.md).
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import limits
from chalicelib.platform import aws, busy
from chalicelib.platform.log import logger

# A message as Lambda hands it to a function.
Record = Mapping[str, Any]

# What SQS refused for no fault of ours is sent again so often, after these waits (seconds).
_SEND_ATTEMPTS, _SEND_FIRST, _SEND_MOST = 6, 0.1, 2.0
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class NotSent(Exception):
    """SQS took only a part of what was sent, and will not take the rest."""


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

    Raises: NotSent or Busy, when SQS refused some; sending all again is harmless, as messages only carry keys.
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
        _send_batch(queue, entries)


def _send_batch(queue: str, entries: Sequence[Mapping[str, Any]]) -> None:
    for attempt in range(_SEND_ATTEMPTS):
        failed = aws.client("sqs").send_message_batch(QueueUrl=url(queue), Entries=entries).get("Failed")
        if not failed:
            return
        message = str(failed[0].get("Message"))
        if any(each.get("SenderFault") for each in failed):
            raise NotSent(message)
        left = {each["Id"] for each in failed}
        entries = [entry for entry in entries if entry["Id"] in left]
        if attempt < _SEND_ATTEMPTS - 1:
            time.sleep(busy.pause(attempt, first=_SEND_FIRST, most=_SEND_MOST))
    raise busy.Busy(f"{queue}: {message}")


def outstanding(queue: str) -> int:
    """About how many messages are not done: those that wait, those that are delayed, and those that somebody works on."""
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url(queue), AttributeNames=list(_COUNTS))
    return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)


def receives(record: Record) -> int:
    """How often a message was received by now."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def come_again_soon(records: Sequence[Record], draw: Callable[[], float] = random.random) -> None:
    """Let failed messages be received again in 5 to 60 s, the later the oftener they were, instead of when their time of
    being invisible is over. Where that is not possible they come then."""
    by_queue: dict[str, list[Record]] = {}
    for record in records:
        if record.get("receiptHandle") and record.get("eventSourceARN"):
            by_queue.setdefault(record["eventSourceARN"].rpartition(":")[2], []).append(record)
    for queue, own in by_queue.items():
        for start in range(0, len(own), 10):
            entries = [
                {
                    "Id": str(n),
                    "ReceiptHandle": record["receiptHandle"],
                    "VisibilityTimeout": _seconds_until_again(receives(record), draw),
                }
                for n, record in enumerate(own[start : start + 10])
            ]
            try:
                aws.client("sqs").change_message_visibility_batch(QueueUrl=url(queue), Entries=entries)
            except Exception:  # noqa: BLE001  they come again all the same, only later
                logger.exception("messages stay invisible", extra={"queue": queue})


def _seconds_until_again(receives: int, draw: Callable[[], float]) -> int:
    least, most = limits.MESSAGE_AGAIN_SECONDS, limits.MESSAGE_AGAIN_SECONDS_MAX
    return max(least, round(busy.pause(receives - 1, first=least, most=most, draw=draw)))
