"""Requests and capacity units, counted at the client by AWS's documented rules.

A write unit is 1 KB written, a read unit 4 KB read consistently (half for eventually); in a transaction both count
twice; each index that an item is in counts once more when the item is written. Emulators report other figures, so they
are not asked.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support import clients

_INDEX_KEYS = ("list_pk", "owner_pk", "due_pk", "time_pk")


@dataclass
class Meter:
    """Requests to AWS."""

    requests: Counter[str] = field(default_factory=Counter)
    read_units: float = 0
    write_units: int = 0

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())

    def note(self, name: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """Count one request."""
        self.requests[name] += 1
        counter = getattr(self, f"_{name}", None)
        if counter is not None:
            counter(request, answer)

    def _put_item(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        self.write_units += written(request["Item"])

    def _update_item(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        self.write_units += 1 + _touched(request)

    def _delete_item(self, _request: dict[str, Any], _: dict[str, Any]) -> None:
        self.write_units += 1

    def _batch_write_item(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        for puts in request["RequestItems"].values():
            self.write_units += sum(written(put["PutRequest"]["Item"]) for put in puts)

    def _transact_write_items(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        for action in request["TransactItems"]:
            ((kind, change),) = action.items()
            if kind == "Put":
                own = units(size(change["Item"]), 1024)
                self.write_units += 2 * own + (written(change["Item"]) - own)
            else:
                self.write_units += 2 + _touched(change)

    def _get_item(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        self.read_units += units(size(answer.get("Item", {})), 4096) * (1 if request.get("ConsistentRead") else 0.5)

    def _query(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        read = units(sum(size(item) for item in answer.get("Items", [])), 4096)
        self.read_units += read * (1 if request.get("ConsistentRead") else 0.5)

    def _batch_get_item(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        consistent = any(of.get("ConsistentRead") for of in request["RequestItems"].values())
        for items in answer["Responses"].values():
            self.read_units += sum(units(size(item), 4096) for item in items) * (1 if consistent else 0.5)


def units(size_bytes: int, step: int) -> int:
    """Whole steps, at least one."""
    return max(1, -(-size_bytes // step))


def written(item: dict[str, Any]) -> int:
    """The write units of a put: the table's, and as many for each index that the item is in."""
    own = units(size(item), 1024)
    return own * (1 + sum(1 for name in _INDEX_KEYS if name in item))


def size(item: dict[str, Any]) -> int:
    """An item's size in bytes by AWS's rules."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(attribute: dict[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return len(value.strip("-").replace(".", "")) // 2 + 2
    if kind == "B":
        return len(value)
    if kind == "M":
        return 3 + sum(len(name.encode()) + _size(inner) + 1 for name, inner in value.items())
    if kind == "L":
        return 3 + sum(_size(inner) + 1 for inner in value)
    return 1


def _touched(request: dict[str, Any]) -> int:
    return sum(1 for name in _INDEX_KEYS if name in request.get("UpdateExpression", ""))


@contextlib.contextmanager
def counting() -> Iterator[Meter]:
    """Count everything that the process asks of DynamoDB, SQS and S3 meanwhile."""
    meter = Meter()

    def counted(name: str, request: dict[str, Any], call: Callable[..., Any]) -> Any:
        answer = call(**request)
        meter.note(name, request, answer)
        return answer

    with clients.watched(counted):
        yield meter
