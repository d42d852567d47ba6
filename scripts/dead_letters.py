"""`make dead-letters`: look at a dead-letter queue (QUEUE=events|jobs|sandbox|documents|asked|webhooks|providers), and with
REDRIVE=1 send its messages to their queue again.

A message is received, sent, and only then deleted: a stop in between may send it twice, which every handler takes. Looking
shows messages without taking them off.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

from scripts.endpoint import use_local_stack_unless_stage


def main() -> int:
    """Look, or redrive."""
    use_local_stack_unless_stage()
    from chalicelib.platform.settings import settings

    queue = str(getattr(settings(), f"{os.environ.get('QUEUE', 'events')}_queue"))
    if os.environ.get("REDRIVE") == "1":
        print(f"{redrive(queue)} messages sent to {queue} again")
        return 0
    number = 0
    for message in look(queue):
        number += 1
        received = message.get("Attributes", {}).get("ApproximateReceiveCount", "?")
        print(f"{message['MessageId']}  received {received} times  {message['Body'][:300]}")
    print(f"{number} messages in {queue}-dead")
    return 0


def look(queue: str) -> Iterator[dict[str, Any]]:
    """The dead letters of a queue, each once; they stay where they are, hidden for half a minute."""
    from chalicelib.platform import aws, queues

    url, seen = queues.url(f"{queue}-dead"), set()
    while True:
        found = aws.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30, AttributeNames=["All"]
        )
        fresh = [message for message in found.get("Messages", []) if message["MessageId"] not in seen]
        if not fresh:
            return
        seen |= {message["MessageId"] for message in fresh}
        yield from fresh


def redrive(queue: str) -> int:
    """Send all dead letters of a queue to it again; returns how many."""
    from chalicelib.platform import aws, queues

    sqs, dead = aws.client("sqs"), queues.url(f"{queue}-dead")
    number = 0
    how = {"QueueUrl": dead, "MaxNumberOfMessages": 10, "VisibilityTimeout": 60, "AttributeNames": ["All"]}
    while messages := sqs.receive_message(**how).get("Messages"):
        for message in messages:
            queues.send(queue, message["Body"], group=message.get("Attributes", {}).get("MessageGroupId"))
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            number += 1
    return number


if __name__ == "__main__":
    sys.exit(main())
