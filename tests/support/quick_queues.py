"""SQS in memory, quick: moto's queues by name and attributes, with messages kept here. moto builds three timestamps for each
message of a queue whenever it only looks a queue up.

Standard queues alone, and what the system asks of them; the rest is moto's.
"""

import hashlib
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from tests.support.tables.common import Refusal

_lock = threading.RLock()
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
_TEXT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_BATCH_MAX, _DELAY_MAX, _VISIBILITY_MAX = 10, 900, 43_200
_POLL_SECONDS = 0.01


class _Message:
    """One message; it is hidden until `again_at`."""

    def __init__(self, message_id: str, body: str, group: str | None, delay_seconds: float) -> None:
        self.id, self.body, self.group = message_id, body, group
        self.sent_at = time.time()
        self.again_at = self.sent_at + delay_seconds if delay_seconds else 0.0
        self.receives, self.first_at = 0, 0.0

    def received(self, seconds: float) -> dict[str, Any]:
        """Note that it is received; what the receiver sees of it."""
        now = time.time()
        self.receives, self.first_at, self.again_at = self.receives + 1, self.first_at or now, now + seconds
        handle = f"{self.id}/{self.receives}"
        return {"MessageId": self.id, "ReceiptHandle": handle, "MD5OfBody": _md5(self.body), "Body": self.body}

    def attributes(self, wanted: Sequence[str]) -> dict[str, str]:
        """Attributes of these names."""
        own = {
            "SenderId": "AIDAEXAMPLE",
            "SentTimestamp": str(int(self.sent_at * 1000)),
            "ApproximateReceiveCount": str(self.receives),
            "ApproximateFirstReceiveTimestamp": str(int(self.first_at * 1000)),
            **({} if self.group is None else {"MessageGroupId": self.group}),
        }
        return {name: value for name, value in own.items() if name in wanted or "All" in wanted}


def answers(operation: str, request: Mapping[str, Any]) -> bool:
    """Whether `answer` has an answer; else moto has one."""
    if operation == "GetQueueAttributes":
        wanted = set(request["AttributeNames"])
        if wanted & {"All", *_COUNTS} and not wanted <= set(_COUNTS):
            raise NotImplementedError("numbers of messages together with other attributes")
        if not wanted <= set(_COUNTS):
            return False
    name = request["QueueName"] if "QueueName" in request else request.get("QueueUrl", "").rpartition("/")[2]
    return operation in OPERATIONS and name in _queues()


def answer(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request.

    Raises: Refusal; NotImplementedError, for what is not there.
    """
    known, carry_out = OPERATIONS[operation]
    if unknown := request.keys() - known:
        raise NotImplementedError(f"the queues in memory do not know {sorted(unknown)}")
    return carry_out(request)


def _queues() -> dict[str, Any]:
    found: dict[str, Any] = get_backend("sqs")[DEFAULT_ACCOUNT_ID]["us-east-1"].queues
    return found


def _queue(request: Mapping[str, Any]) -> Any:
    return _queues()[request["QueueUrl"].rpartition("/")[2]]


def _messages(queue: Any) -> dict[str, _Message]:
    """A queue's messages by id, kept among moto's own so as to be copied with them."""
    found: dict[str, _Message] | None = vars(queue).get("in_memory")
    if found is None:
        found = queue.in_memory = {}
    return found


def _url(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{DEFAULT_ACCOUNT_ID}/{request['QueueName']}"}


# Sending.


def _send(request: Mapping[str, Any]) -> dict[str, Any]:
    queue = _queue(request)
    _check(queue, [request])
    with _lock:
        sent = _sent(queue, request)
    return {"MD5OfMessageBody": _md5(sent.body), "MessageId": sent.id}


def _send_batch(request: Mapping[str, Any]) -> dict[str, Any]:
    queue, entries = _queue(request), _entries(request)
    _check(queue, entries)
    with _lock:
        sent = [(entry["Id"], _sent(queue, entry)) for entry in entries]
    found = [{"Id": own, "MessageId": each.id, "MD5OfMessageBody": _md5(each.body)} for own, each in sent]
    return {"Successful": found}


def _check(queue: Any, entries: Sequence[Mapping[str, Any]]) -> None:
    for entry in entries:
        if not _TEXT.fullmatch(entry["MessageBody"]):
            raise Refusal("InvalidMessageContents", "The message contains characters outside the allowed set.")
        if not 0 <= entry.get("DelaySeconds", 0) <= _DELAY_MAX:
            raise Refusal("InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900.")
    if sum(len(entry["MessageBody"].encode()) for entry in entries) > queue.maximum_message_size:
        raise Refusal("InvalidParameterValue", f"Message must be shorter than {queue.maximum_message_size} bytes.")


def _sent(queue: Any, entry: Mapping[str, Any]) -> _Message:
    delay = entry.get("DelaySeconds", queue.delay_seconds)
    made = _Message(str(uuid.uuid4()), entry["MessageBody"], entry.get("MessageGroupId"), delay)
    _messages(queue)[made.id] = made
    return made


def _entries(request: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = request["Entries"]
    if not found or len({entry["Id"] for entry in found}) < len(found):
        raise Refusal("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Ids are missing or repeated.")
    if len(found) > _BATCH_MAX:
        raise Refusal("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", f"{len(found)} entries.")
    return found


# Receiving.


def _receive(request: Mapping[str, Any]) -> dict[str, Any]:
    queue, most = _queue(request), request.get("MaxNumberOfMessages", 1)
    if not 1 <= most <= _BATCH_MAX:
        raise Refusal("InvalidParameterValue", "MaxNumberOfMessages must be between 1 and 10.")
    wanted = [*request.get("AttributeNames", ()), *request.get("MessageSystemAttributeNames", ())]
    seconds = request.get("VisibilityTimeout", int(queue.visibility_timeout))
    end = time.monotonic() + request.get("WaitTimeSeconds", 0)
    while True:
        with _lock:
            taken = _visible(queue, most)
            seen = [(message, message.received(seconds)) for message in taken]
        if seen or time.monotonic() >= end:
            break
        time.sleep(_POLL_SECONDS)
    found = [{**own, **({"Attributes": message.attributes(wanted)} if wanted else {})} for message, own in seen]
    return {"Messages": found} if found else {}


def _visible(queue: Any, most: int) -> list[_Message]:
    """The first messages that are visible; those that were received too often go to the dead letters."""
    now, found = time.time(), []
    redrive, messages = queue.redrive_policy if queue.dead_letter_queue is not None else None, _messages(queue)
    for message in list(messages.values()):
        if message.again_at > now:
            continue
        if redrive and message.receives >= int(redrive["maxReceiveCount"]):
            _messages(queue.dead_letter_queue)[message.id] = messages.pop(message.id)
            continue
        found.append(message)
        if len(found) == most:
            break
    return found


def _message(queue: Any, handle: str) -> _Message | None:
    """The message behind a handle; None where it is deleted already."""
    message_id, _, number = handle.rpartition("/")
    if not message_id or not number.isdigit():
        raise Refusal("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')
    return _messages(queue).get(message_id)


def _delete(request: Mapping[str, Any]) -> dict[str, Any]:
    queue = _queue(request)
    with _lock:
        if (message := _message(queue, request["ReceiptHandle"])) is not None:
            del _messages(queue)[message.id]
    return {}


def _show_again(request: Mapping[str, Any]) -> dict[str, Any]:
    queue, seconds = _queue(request), request["VisibilityTimeout"]
    with _lock:
        message = _message(queue, request["ReceiptHandle"])
        if message is None or not 0 <= seconds <= _VISIBILITY_MAX:
            raise Refusal("InvalidParameterValue", "The message is deleted, or VisibilityTimeout is out of bounds.")
        message.again_at = time.time() + seconds if seconds else 0.0
    return {}


def _each(one: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
        done, failed = [], []
        for entry in _entries(request):
            try:
                one({"QueueUrl": request["QueueUrl"], **entry})
                done.append({"Id": entry["Id"]})
            except Refusal as refusal:
                failed.append(
                    {"Id": entry["Id"], "SenderFault": True, "Code": refusal.code, "Message": refusal.message}
                )
        return {"Successful": done, **({"Failed": failed} if failed else {})}

    return carry_out


def _purge(request: Mapping[str, Any]) -> dict[str, Any]:
    with _lock:
        _messages(_queue(request)).clear()
    return {}


def _counts(request: Mapping[str, Any]) -> dict[str, Any]:
    now, (visible, hidden, delayed) = time.time(), _COUNTS
    found = dict.fromkeys(_COUNTS, 0)
    with _lock:
        for message in _messages(_queue(request)).values():
            found[visible if message.again_at <= now else hidden if message.receives else delayed] += 1
    return {"Attributes": {name: str(found[name]) for name in request["AttributeNames"]}}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_ONE = {"QueueUrl", "ReceiptHandle"}
_BATCH = {"QueueUrl", "Entries"}
_RECEIVED = {
    "MaxNumberOfMessages",
    "AttributeNames",
    "MessageSystemAttributeNames",
    "VisibilityTimeout",
    "WaitTimeSeconds",
}

OPERATIONS: dict[str, tuple[set[str], Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "GetQueueUrl": ({"QueueName"}, _url),
    "SendMessage": ({"QueueUrl", "MessageBody", "DelaySeconds", "MessageGroupId"}, _send),
    "SendMessageBatch": (_BATCH, _send_batch),
    "ReceiveMessage": ({"QueueUrl", *_RECEIVED}, _receive),
    "DeleteMessage": (_ONE, _delete),
    "DeleteMessageBatch": (_BATCH, _each(_delete)),
    "ChangeMessageVisibility": ({*_ONE, "VisibilityTimeout"}, _show_again),
    "ChangeMessageVisibilityBatch": (_BATCH, _each(_show_again)),
    "PurgeQueue": ({"QueueUrl"}, _purge),
    "GetQueueAttributes": ({"QueueUrl", "AttributeNames"}, _counts),
}
