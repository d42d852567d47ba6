"""SQS's queues and messages.

A message is written when it is sent, how often it was received beside it when it is received, and both are removed with it.
Whoever had received messages when the emulator ended is gone: they are there again at once, and count as received once more.
"""

import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import sqs as MODULE

from infra.local.keeping.disk import Disk, Progress
from infra.local.keeping.state import State

NAME = "sqs"

# Fields of a message that change after it was sent; the rest, which may be large, is written once.
_DELIVERY = ("receive_count", "first_receive_at", "visible_at")

Action = Callable[[dict[str, Any], str], Any]


class _Kept:
    """All queues of the file."""

    def __init__(self, disk: Disk) -> None:
        self.disk, self._state = disk, State(disk, NAME)

    def load(self) -> None:
        """Fill ministack from the file."""
        state = self._state.load()
        if state is None:
            return
        for _, queue in state["queues"].all_items():
            queue["messages"] = []
        MODULE.restore_state(state)
        queues = {queue["url"]: queue for queue in MODULE._queues.all_values()}
        now = time.time()
        received = dict(self.disk.all("delivery"))
        for name, message in self.disk.all("message"):
            message |= received.get(name, {})
            if message["receive_count"]:
                message["visible_at"] = min(message["visible_at"], now)
            queues[message.pop("queue")]["messages"].append(message)
        for queue in queues.values():
            queue["messages"].sort(key=lambda message: message["sent_at"])

    def look(self) -> None:
        """Write what stands about queues beside their messages."""
        bare = AccountRegionScopedDict()
        for key, queue in MODULE._queues.all_items():
            attributes = {k: v for k, v in queue["attributes"].items() if not k.startswith("ApproximateNumber")}
            bare._data[key] = {**queue, "attributes": attributes, "messages": []}
        self._state.save({"queues": bare})

    def put(self, queue: dict[str, Any], message: dict[str, Any]) -> None:
        """Remember a message that was sent to a queue, or moved to it."""
        self.disk.put("message", message["id"], {**message, "receipt_handle": None, "queue": queue["url"]})

    def received(self, message: dict[str, Any]) -> None:
        """Remember how often a message was received, and when it is there again."""
        self.disk.put("delivery", message["id"], {field: message[field] for field in _DELIVERY})

    def drop(self, name: str) -> None:
        """Forget a message."""
        self.disk.drop("message", name)
        self.disk.drop("delivery", name)


_kept: _Kept | None = None


def load(disk: Disk, progress: Progress) -> None:
    """Fill ministack's queues from the file, and listen to what is done with messages."""
    global _kept
    _kept = _Kept(disk)
    _kept.load()
    for name in _REMOVING:
        MODULE._HANDLERS[name] = _removing(MODULE._HANDLERS[name])
    for name in _SENDING:
        MODULE._HANDLERS[name] = _sending(MODULE._HANDLERS[name])
    for name in _DELAYING:
        MODULE._HANDLERS[name] = _delaying(MODULE._HANDLERS[name])
    MODULE._collect_msgs = _collecting(MODULE._collect_msgs)
    MODULE._dlq_sweep = _sweeping(MODULE._dlq_sweep)


_REMOVING = ("DeleteMessage", "DeleteMessageBatch", "PurgeQueue", "DeleteQueue")
_SENDING = ("SendMessage", "SendMessageBatch")
_DELAYING = ("ChangeMessageVisibility", "ChangeMessageVisibilityBatch")


def _removing(action: Action) -> Action:
    def act(request: dict[str, Any], url: str) -> Any:
        assert _kept is not None, "loaded first"
        queue = MODULE._get_q(request.get("QueueUrl", url))
        before = [message["id"] for message in queue["messages"]]
        result = action(request, url)
        gone = MODULE._queues.get(queue["url"]) is None
        left = set() if gone else {message["id"] for message in queue["messages"]}
        for name in before:
            if name not in left:
                _kept.drop(name)
        return result

    return act


def _sending(action: Action) -> Action:
    def act(request: dict[str, Any], url: str) -> Any:
        assert _kept is not None, "loaded first"
        queue = MODULE._get_q(request.get("QueueUrl", url))
        before = len(queue["messages"])
        result = action(request, url)
        for message in queue["messages"][before:]:
            _kept.put(queue, message)
        return result

    return act


def _delaying(action: Action) -> Action:
    def act(request: dict[str, Any], url: str) -> Any:
        assert _kept is not None, "loaded first"
        result = action(request, url)
        handles = {entry.get("ReceiptHandle") for entry in request.get("Entries", [request])}
        for message in MODULE._get_q(request.get("QueueUrl", url))["messages"]:
            if message["receipt_handle"] is not None and message["receipt_handle"] in handles:
                _kept.received(message)
        return result

    return act


def _collecting(collect: Callable[..., list[dict[str, Any]]]) -> Callable[..., list[dict[str, Any]]]:
    def collect_messages(*args: Any) -> list[dict[str, Any]]:
        assert _kept is not None, "loaded first"
        found = collect(*args)
        for message in found:
            _kept.received(message)
        return found

    return collect_messages


def _sweeping(sweep: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def sweep_dead(queue: dict[str, Any]) -> None:
        assert _kept is not None, "loaded first"
        before = queue["messages"]
        sweep(queue)
        if len(queue["messages"]) == len(before):
            return
        left = {message["id"] for message in queue["messages"]}
        moved = {message["id"] for message in before} - left
        for other in MODULE._queues.all_values():
            for message in other["messages"]:
                if message["id"] in moved:
                    _kept.put(other, message)
                    _kept.received(message)

    return sweep_dead


def adopt(state: dict[str, Any]) -> None:
    """Take over what an earlier version saved."""
    assert _kept is not None, "loaded first"
    MODULE.restore_state(state)
    for queue in MODULE._queues.all_values():
        for message in queue["messages"]:
            _kept.put(queue, message)
    changed({"action": "Restore"})


def changed(request: dict[str, str]) -> None:
    """After a request: messages have remembered themselves, queues are looked at when it was about them."""
    assert _kept is not None, "loaded first"
    if "Message" not in request["action"] and not request["action"].startswith(("Get", "List")):
        _kept.look()
