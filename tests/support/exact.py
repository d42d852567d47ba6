"""Write units as AWS counts them, with each item looked at before and after it is written.

The meter of tests/support/capacity.py sees what is sent alone: not how large an item is that a change touches, nor in which
indexes it is, nor what a deletion takes out of them. All our indexes hold whole items, so each change of an item that is
in one is written there too, and one that moves within an index is removed and written.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.platform import aws
from tests.support import clients
from tests.support.capacity import Meter, size, units

Item = dict[str, Any]

_INDEXES = {"list": ("list_pk", "list_sk"), "owner": ("owner_pk", "owner_sk"), "due": ("due_pk", "run_at")}
_INDEXES |= {"time": ("time_pk", "time_sk")}
# In single writes, batches and transactions.
_KINDS = {
    "Put": "Item",
    "PutRequest": "Item",
    "Update": "Key",
    "Delete": "Key",
    "DeleteRequest": "Key",
    "ConditionCheck": "Key",
}


class ExactMeter(Meter):
    """A meter that is told of each item before and after it was written, by any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def note(self, name: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """Count one request; what it writes is told by `wrote`."""
        with self._lock:
            if not written(name, request):
                super().note(name, request, answer)
            else:
                self.requests[name] += 1

    def wrote(self, before: Item, after: Item, *, times: int, key: str) -> None:
        """Count one item; `times`: 2 in a transaction. A write that is refused costs the table as much."""
        with self._lock:
            self._wrote(before, after, times, key)

    def _wrote(self, before: Item, after: Item, times: int, key: str) -> None:
        self._add("table", key, times * units(max(size(before), size(after)), 1024))
        for index, names in _INDEXES.items():
            old, new = (tuple(item[name]["S"] for name in names if name in item) for item in (before, after))
            if old == new and before == after:
                continue
            if old == new and len(new) == 2:
                self._add(index, new[0], units(max(size(before), size(after)), 1024))
                continue
            for place, item in ((old, before), (new, after)):
                if len(place) == 2:
                    self._add(index, place[0], units(size(item), 1024))


def written(name: str, request: dict[str, Any]) -> list[tuple[str, Item, int]]:
    """The items that a request writes: table, key, and how many times each unit counts."""
    if name in ("put_item", "update_item", "delete_item"):
        return [(request["TableName"], _key(request.get("Item") or request["Key"]), 1)]
    if name == "batch_write_item":
        return [
            (table, _key(part[_KINDS[kind]]), 1)
            for table, parts in request["RequestItems"].items()
            for each in parts
            for kind, part in each.items()
        ]
    if name == "transact_write_items":
        parts = [part for action in request["TransactItems"] for part in action.items()]
        return [(part["TableName"], _key(part[_KINDS[kind]]), 2) for kind, part in parts]
    return []


def _key(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


@contextlib.contextmanager
def counting_exactly() -> Iterator[ExactMeter]:
    """Count everything that the process asks of DynamoDB, SQS and S3 meanwhile, by the items as they are."""
    meter = ExactMeter()
    unwatched = aws.client("dynamodb")  # What is looked at here is no request of ours.

    def counted(name: str, request: dict[str, Any], call: Callable[..., Any]) -> Any:
        items = written(name, request)

        def found() -> list[Item]:
            return [
                unwatched.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
                for table, key, _ in items
            ]

        before = found()
        try:
            answer = call(**request)
        except ClientError:
            _tell(meter, items, before, before)
            meter.note(name, request if items else {}, {})
            raise
        _tell(meter, items, before, found())
        meter.note(name, request, answer)
        return answer

    with clients.watched(counted):
        yield meter


def _tell(meter: ExactMeter, items: list[tuple[str, Item, int]], before: list[Item], after: list[Item]) -> None:
    for (_, key, times), old, new in zip(items, before, after, strict=True):
        meter.wrote(old, new, times=times, key=key["pk"]["S"])
