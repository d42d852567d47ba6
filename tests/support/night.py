"""A night in simulated time: the app's own handlers behind SQS queues that hide, count and give up messages as SQS does
by `infra/resources.json`, the tick every quarter-hour, and a DynamoDB that refuses what a test says.

Sleeping takes simulated time only. Handlers take none, but for what they sleep.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import wiring
from chalicelib.features.audit import late
from chalicelib.features.documents import render
from chalicelib.features.metering import messages, write
from chalicelib.platform import aws, clock, dynamodb, queues
from chalicelib.platform.settings import settings
from chalicelib.tasks import pushing, worker
from infra.local import provision

# Messages that a worker of the local stack, or a small Lambda batch, takes at once.
_BATCH = 10
_TICK = timedelta(minutes=15)
WRITES = ("put_item", "update_item", "delete_item", "transact_write_items", "batch_write_item")

# Given the name of a call of DynamoDB and its request: the error to answer with, or None.
Fault = Callable[[str, dict[str, Any]], Exception | None]


@dataclass
class Message:
    """One message: from when on it can be received, and how often it was."""

    id: str
    body: str
    visible_at: datetime
    receives: int = 0
    is_taken: bool = False


@dataclass
class Queue:
    """One queue; `dead` holds what it gave up."""

    name: str
    invisible: timedelta
    receives_max: int
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)

    def receive(self, now: datetime) -> list[Message]:
        """Messages that a worker gets."""
        got: list[Message] = []
        for message in sorted(self.messages, key=lambda m: m.visible_at):
            if message.visible_at > now or len(got) == _BATCH:
                break
            if message.receives >= self.receives_max:
                self.messages.remove(message)
                self.dead.append(message)
                continue
            message.receives, message.visible_at, message.is_taken = message.receives + 1, now + self.invisible, True
            got.append(message)
        return got

    def counts(self, now: datetime) -> dict[str, str]:
        """As SQS tells."""
        hidden = [message for message in self.messages if message.visible_at > now]
        taken = sum(message.is_taken for message in hidden)
        return {
            "ApproximateNumberOfMessages": str(len(self.messages) - len(hidden)),
            "ApproximateNumberOfMessagesNotVisible": str(taken),
            "ApproximateNumberOfMessagesDelayed": str(len(hidden) - taken),
        }


class Night:
    """Time, queues and faults.

    `metering`: the messages that the meter has just now; `dies`: whether it dies of them, having done nothing;
    `standing`: queues that nobody works on; `others`: messages in flight that SQS tells of besides those that there
    are. `asked`: when somebody asked what is outstanding in the queue of events; `refused`: calls that were answered by
    the fault.
    """

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._others_threads = set(threading.enumerate()) - {threading.current_thread()}
        self._really_sleep = time.sleep
        self.fault: Fault = lambda name, request: None
        self.dies: Callable[[Sequence[Message]], bool] = lambda messages: False
        self.metering: list[Message] = []
        self.standing: set[str] = set()
        self.others = 0
        self.asked: list[datetime] = []
        self.refused = 0
        self._number = 0
        self._ticked_at = start
        self.queues = {
            properties["QueueName"]: Queue(
                properties["QueueName"],
                timedelta(seconds=properties["VisibilityTimeout"]),
                properties["RedrivePolicy"]["maxReceiveCount"],
            )
            for _, properties in provision._of_type(settings().stage, "AWS::SQS::Queue")
            if "RedrivePolicy" in properties
        }

    @property
    def events(self) -> Queue:
        return self.queues[settings().events_queue]

    @property
    def dead(self) -> list[Message]:
        """All dead letters."""
        return [message for queue in self.queues.values() for message in queue.dead]

    def run(self, until: datetime) -> None:
        """Ticks and workers, up to an instant."""
        while True:
            after, step = self._next()
            if after > until:
                break
            self.now = max(self.now, after)
            step()
        self.now = max(self.now, until)

    def _next(self) -> tuple[datetime, Callable[[], None]]:
        steps = [(self._ticked_at + _TICK, -1, self._tick)]
        for n, queue in enumerate(self.queues.values()):
            if queue.messages and queue.name not in self.standing:
                first = min(message.visible_at for message in queue.messages)
                steps.append((first, n, lambda queue=queue: self._work(queue)))
        at, _, step = min(steps, key=lambda each: each[:2])
        return at, step

    def _tick(self) -> None:
        self._ticked_at = self.now
        with contextlib.suppress(ClientError):  # As on Lambda: the next one comes.
            wiring.tick()

    def _work(self, queue: Queue) -> None:
        taken = queue.receive(self.now)
        if not taken:
            return
        records = [self._record(queue, message) for message in taken]
        if queue is not self.events:
            answer = wiring.work(records)
        elif self.dies(taken):
            return
        else:
            self.metering = taken
            answer = wiring.meter(records)
            self.metering = []
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        for message in taken:
            if message.id not in failed:
                queue.messages.remove(message)

    def _record(self, queue: Queue, message: Message) -> dict[str, Any]:
        return {
            "messageId": message.id,
            "receiptHandle": message.id,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.receives)},
            "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue.name}",
        }

    def sleep(self, seconds: float) -> None:
        """Somebody sleeps. Threads that an earlier test left behind, as of a slow server, are not of this night: one that
        sleeps for ever would make it pass in an instant."""
        if threading.current_thread() in self._others_threads:
            self._really_sleep(seconds)
            return
        self.now += timedelta(seconds=seconds)

    def take(self, queue: str, body: str, delay: int = 0) -> str:
        """A message was sent."""
        self._number += 1
        at = self.now + timedelta(seconds=delay)
        self.queues[queue].messages.append(Message(f"m{self._number}", body, at))
        return f"m{self._number}"


class _Sqs:
    """SQS as the app calls it."""

    def __init__(self, night: Night) -> None:
        self._night = night

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": QueueName}

    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0, **_: Any) -> dict[str, str]:
        return {"MessageId": self._night.take(QueueUrl, MessageBody, DelaySeconds)}

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        for entry in Entries:
            self._night.take(QueueUrl, entry["MessageBody"], entry["DelaySeconds"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: Sequence[str]) -> dict[str, Any]:
        queue = self._night.queues[QueueUrl]
        found = queue.counts(self._night.now)
        if queue is self._night.events:
            self._night.asked.append(self._night.now)
            found["ApproximateNumberOfMessagesNotVisible"] = str(
                int(found["ApproximateNumberOfMessagesNotVisible"]) + self._night.others
            )
        return {"Attributes": {name: found[name] for name in AttributeNames}}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        by_id = {message.id: message for message in self._night.queues[QueueUrl].messages}
        for entry in Entries:
            by_id[entry["ReceiptHandle"]].visible_at = self._night.now + timedelta(seconds=entry["VisibilityTimeout"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class _DynamoDB:
    """A client of DynamoDB that refuses what the night says."""

    def __init__(self, client: Any, night: Night) -> None:
        self._client, self._night = client, night

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("_") or name in ("exceptions", "meta"):
            return found

        def call(**request: Any) -> Any:
            error = self._night.fault(name, request)
            if error is not None:
                self._night.refused += 1
                raise error
            return found(**request)

        return call


@contextlib.contextmanager
def simulated_night(start: datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    """Everything in this process lives in that night. The day's look at late events does not: it compares with ids,
    which hold real time."""
    night, real_client = Night(start), aws.client
    queues.url.cache_clear()

    def client(service: str, use: str = "standard") -> Any:
        if service == "sqs":
            return _Sqs(night)
        return _DynamoDB(real_client(service, use), night) if service == "dynamodb" else real_client(service, use)

    with monkeypatch.context() as patched:
        patched.setattr(aws, "client", client)
        patched.setattr(clock, "utc_now", lambda: night.now)
        patched.setattr(render, "pdf", lambda page: b"%PDF-1.7")
        patched.setattr(late, "watch", lambda organization, now: None)
        patched.setattr(time, "sleep", night.sleep)
        # How long a batch may take is measured in the night's time too: a busy machine must not make it give messages back.
        for limited in (worker, pushing, messages, write):
            patched.setattr(
                limited, "time", SimpleNamespace(monotonic=lambda: night.now.timestamp(), sleep=night.sleep)
            )
        for waiting in (dynamodb.transact, write._commit):
            patched.setitem(waiting.__kwdefaults__, "sleep", night.sleep)
        yield night
    queues.url.cache_clear()


def throttled(code: str = "ProvisionedThroughputExceededException", *, status: int = 400) -> ClientError:
    """Answer of DynamoDB to a client whose own retries did not help."""
    response = {"Error": {"Code": code, "Message": "slow down"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "SomeCall")


def refused() -> ClientError:
    """Answer of DynamoDB to an invalid request."""
    response = {"Error": {"Code": "ValidationException", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, "TransactWriteItems")
