"""SQS: sending messages by queue name, and delaying the redelivery of failed ones. Queue URLs are looked up once per
process.

Queues are fair: the message group of each message is its organization, and SQS delivers messages of quiet groups before
those of a group with many in flight (docs/decisions/0024-nobody-waits-for-another.md).
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

# Attempts to send entries that SQS refused without fault of the sender, and the waits between them (seconds).
_SEND_ATTEMPTS, _SEND_FIRST, _SEND_MOST = 6, 0.1, 2.0
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class NotSent(Exception):
    """SQS refused some messages of a batch for good; the others were sent."""


class Refused(Exception):
    """SQS refused a message."""


@lru_cache(maxsize=64)
def url(queue: str) -> str:
    """The URL of a queue."""
    return str(aws.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A small message to send. `group`: its message group, the id of its organization; SQS delivers other groups'
    messages first while one group has many in a queue."""

    body: Mapping[str, Any]
    group: str
    delay_seconds: int = 0


def send(queue: str, body: Mapping[str, Any] | str, *, group: str | None = None, delay_seconds: int = 0) -> str:
    """Send one message; returns its id once SQS has stored it. `group`: its message group; a message without one is a
    group of its own.

    Raises: Refused, when the message was certainly not sent; after any other error it may have been.
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
    """JSON text that SQS accepts: two noncharacters, which JSON allows and SQS refuses, are escaped."""
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def send_many(queue: str, messages: Sequence[Outgoing]) -> None:
    """Send many small messages, ten per request.

    Raises: NotSent or Busy, when SQS refused some. Sending all again is idempotent, as messages carry only keys.
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
    """The approximate number of messages in a queue: waiting, delayed and in flight."""
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url(queue), AttributeNames=list(_COUNTS))
    return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)


def receives(record: Record) -> int:
    """The number of times that a message was received, this time included."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def come_again_soon(records: Sequence[Record], draw: Callable[[], float] = random.random) -> None:
    """Make failed messages visible again after 5 to 60 s, with backoff by their receive count, instead of after the
    queue's visibility timeout. Where that fails, the visibility timeout applies."""
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
            except Exception:  # noqa: BLE001  the visibility timeout makes them visible too, only later
                logger.exception("messages stay invisible", extra={"queue": queue})


def _seconds_until_again(receives: int, draw: Callable[[], float]) -> int:
    least, most = limits.MESSAGE_AGAIN_SECONDS, limits.MESSAGE_AGAIN_SECONDS_MAX
    return max(least, round(busy.pause(receives - 1, first=least, most=most, draw=draw)))
