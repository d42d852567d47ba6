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
    # Write units by table or index and key; of what leaves an index the key is not known.
    by_key: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())

    def busiest(self) -> dict[str, tuple[str, int]]:
        """The busiest key of the tables and of each index, with its write units."""
        found: dict[str, tuple[str, int]] = {}
        for (place, key), number in self.by_key.items():
            if number > found.get(place, ("", 0))[1]:
                found[place] = key, number
        return found

    def note(self, name: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """Count one request."""
        self.requests[name] += 1
        counter = getattr(self, f"_{name}", None)
        if counter is not None:
            counter(request, answer)

    def _put_item(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        self._put(request["Item"], 1)

    def _update_item(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        self._changed(request, 1)

    def _delete_item(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        self._changed(request, 1)

    def _batch_write_item(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        for puts in request["RequestItems"].values():
            for put in puts:
                self._put(put["PutRequest"]["Item"], 1)

    def _transact_write_items(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        for action in request["TransactItems"]:
            ((kind, change),) = action.items()
            if kind == "Put":
                self._put(change["Item"], 2)
            else:
                self._changed(change, 2)

    def _put(self, item: dict[str, Any], times: int) -> None:
        """A put: of the table, in a transaction twice, and of each index that the item is in."""
        own = units(size(item), 1024)
        self._add("table", item["pk"]["S"], times * own)
        for name in _INDEX_KEYS:
            if name in item:
                self._add(name, item[name]["S"], own)

    def _changed(self, request: dict[str, Any], times: int) -> None:
        """A change of single attributes, or a deletion."""
        self._add("table", request["Key"]["pk"]["S"], times)
        given = [value["S"] for value in request.get("ExpressionAttributeValues", {}).values() if "S" in value]
        for name in _names_touched(request):
            key = next((each for each in given if each.startswith("DUE#")), "?") if name == "due_pk" else "?"
            self._add(name, key, 1)

    def _add(self, place: str, key: str, number: int) -> None:
        self.write_units += number
        self.by_key[place, key] += number

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


def _names_touched(request: dict[str, Any]) -> list[str]:
    """The keys of indexes that an update names, by themselves or by a placeholder."""
    expression = request.get("UpdateExpression", "")
    placeholders = request.get("ExpressionAttributeNames", {})
    named = {name for placeholder, name in placeholders.items() if placeholder in expression}
    return [name for name in _INDEX_KEYS if name in expression or name in named]


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
