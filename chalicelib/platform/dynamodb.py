"""DynamoDB's requests, as rows and the usage table send them: waits while DynamoDB is busy, and names the reason of a
refused write.

Items stand here in DynamoDB's own form (`{"pk": {"S": ...}}`); rows.py and usage_table.py define their contents.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.platform import aws, busy
from chalicelib.platform.busy import Busy

T = TypeVar("T")

Key = tuple[str, str]
RawItem = Mapping[str, Any]
# One action of a transaction: {"Put" | "Update" | "Delete" | "ConditionCheck": its request}.
Action = dict[str, Any]

# 400 KB, less what a later change of single attributes may add.
ITEM_SIZE_MAX = 400 * 1024 - 4096

# A conflict means that another transaction touched the same item just now: waiting a little, at random, gets through.
_CONFLICT_ATTEMPTS = 8
_TRANSIENT = busy.THROTTLED | busy.CONFLICTS
# A batch's unfinished part is asked for again after these waits (seconds), until so much time was waited in all.
_LEFT_FIRST, _LEFT_MOST, _LEFT_IN_ALL = 0.05, 2.0, 10.0
_CALLS = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one action of a transaction was refused; `item` stood there, where the action asked for it."""

    code: str
    item: RawItem | None = None

    @property
    def failed(self) -> bool:
        """Whether this action's condition did not hold."""
        return self.code == "ConditionalCheckFailed"


class Cancelled(Exception):
    """A transaction was refused as a whole and nothing of it was written; one reason per action, in order."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__(", ".join(reason.code for reason in reasons))
        self.reasons = list(reasons)

    @property
    def is_race(self) -> bool:
        """Whether another writer was faster: a condition did not hold, or a collision did not end. Nothing is wrong
        with the transaction itself, and its service was not merely busy."""
        codes = {reason.code for reason in self.reasons}
        raced = codes & {"ConditionalCheckFailed", "TransactionConflict"}
        return bool(raced) and codes <= raced | _TRANSIENT | {"None"}


class Crowded(Cancelled, Busy):
    """A transaction that only others were in the way of, or throttling, and that did not get through."""


class ConditionFailed(Exception):
    """A single write's condition did not hold; nothing was written."""


def raw_key(key: Key) -> dict[str, Any]:
    """A key in DynamoDB's form."""
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def key_of(item: RawItem) -> Key:
    """The key of an item."""
    return item["pk"]["S"], item["sk"]["S"]


# Sizes.


def checked_size(item: RawItem) -> RawItem:
    """The item itself.

    Raises: Invalid, where it is larger than DynamoDB takes.
    """
    if size_of(item) > ITEM_SIZE_MAX:
        raise Invalid.field("base", ErrorCode.VALUE_IS_TOO_LONG)
    return item


def size_of(attributes: RawItem) -> int:
    """The bytes of an item in DynamoDB's form, by its documented rules."""
    return sum(_bytes_of(name) + _size_of(value) for name, value in attributes.items())


def _size_of(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    if kind == "S":
        return _bytes_of(value)
    if kind == "N":
        return len(value) // 2 + 2
    if kind == "B":
        return len(value)
    if kind == "M":
        return 3 + sum(_bytes_of(name) + _size_of(inner) + 1 for name, inner in value.items())
    if kind == "L":
        return 3 + sum(_size_of(inner) + 1 for inner in value)
    return 1


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


# Reading.

# Items that a page has read, by table and key, and results of `once`, by name; None where nobody asked to remember any.
_remembered: ContextVar[dict[Any, Any] | None] = ContextVar("remembered", default=None)


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """Read each item at most once inside of the block, in this thread: for a page, whose parts ask for the same ones. What
    was read is forgotten with the first write, so that no change rests on it."""
    token = _remembered.set({})
    try:
        yield
    finally:
        _remembered.reset(token)


def once(name: tuple[str, ...], read: Callable[[], T]) -> T:
    """The answer of a read; inside of `remembering` its first answer, under a name that no other read has."""
    known = _remembered.get()
    if known is None:
        return read()
    if name not in known:
        known[name] = read()
    found: T = known[name]
    return found


def _forget() -> None:
    known = _remembered.get()
    if known:
        known.clear()


def get(table: str, key: Key, *, use: str = "standard") -> RawItem | None:
    """The item under a key, read consistently."""
    known = _remembered.get()
    if known is not None and (table, key) in known:
        remembered: RawItem | None = known[table, key]
        return remembered
    found = aws.client("dynamodb", use).get_item(TableName=table, Key=raw_key(key), ConsistentRead=True)
    item: RawItem | None = found.get("Item")
    if known is not None:
        known[table, key] = item
    return item


def get_many(table: str, keys: Sequence[Key]) -> list[RawItem]:
    """Existing items under `keys`, read consistently, 100 a request.

    Raises: Busy.
    """
    known = _remembered.get()
    if known is None:
        return _get_many(table, list(dict.fromkeys(keys)))
    unknown = [key for key in dict.fromkeys(keys) if (table, key) not in known]
    items = {key_of(item): item for item in _get_many(table, unknown)}
    known.update({(table, key): items.get(key) for key in unknown})
    return [item for key in dict.fromkeys(keys) if (item := known[table, key]) is not None]


def _get_many(table: str, wanted: list[Key]) -> list[RawItem]:
    found: list[RawItem] = []
    patience = _Patience(table)
    while wanted:
        chunk, wanted = wanted[:100], wanted[100:]
        request = {table: {"Keys": [raw_key(key) for key in chunk], "ConsistentRead": True}}
        answer = aws.client("dynamodb").batch_get_item(RequestItems=request)
        found += answer["Responses"].get(table, [])
        unread = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        wanted += [key_of(raw) for raw in unread]
        patience.wait_for(len(unread), asked=len(chunk))
    return found


# Writing.


def put_many(table: str, items: Sequence[RawItem]) -> None:
    """Put items without conditions, 25 a request; not one transaction, so only for items that nobody reads yet.

    Raises: Busy; some may be written.
    """
    _forget()
    patience = _Patience(table)
    requests: list[Any] = [{"PutRequest": {"Item": item}} for item in items]
    while requests:
        chunk, requests = requests[:25], requests[25:]
        answer = aws.client("dynamodb").batch_write_item(RequestItems={table: chunk})
        left = answer.get("UnprocessedItems", {}).get(table, [])
        requests += left
        patience.wait_for(len(left), asked=len(chunk))


def alone(action: Action, *, returned: str | None = None, use: str = "standard") -> Any:
    """Carry out one action outside a transaction; the answer. A transaction in flight on the item is waited out, with
    jitter. `returned`: which attributes the answer names.

    Raises: ConditionFailed or Busy, and nothing was written.
    """
    _forget()
    ((kind, request),) = action.items()
    client = aws.client("dynamodb", use)
    if returned is not None:
        request = {**request, "ReturnValues": returned}
    collision: Exception | None = None
    for attempt in range(_CONFLICT_ATTEMPTS):
        try:
            return getattr(client, _CALLS[kind])(**request)
        except client.exceptions.ConditionalCheckFailedException as error:
            raise ConditionFailed from error
        except client.exceptions.TransactionConflictException as error:
            collision = error
            time.sleep(random.random() * 0.02 * 2**attempt)
    raise Busy(f"{request['TableName']}: transactions do not end") from collision


def transact(
    actions: Sequence[Action],
    *,
    client: Any = None,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> None:
    """Carry out all actions or none. Conflicts with other transactions are waited out, with jitter.

    Raises: Cancelled, when a condition did not hold; Crowded, when conflicts or throttling did not end.
    """
    if not actions:
        return
    _forget()
    client = client or aws.client("dynamodb")
    for attempt in range(_CONFLICT_ATTEMPTS):
        try:
            client.transact_write_items(TransactItems=list(actions))
            return
        except client.exceptions.TransactionCanceledException as error:
            reasons = reasons_of(error)
            if not {reason.code for reason in reasons} <= _TRANSIENT | {"None"}:
                raise Cancelled(reasons) from error
            if attempt == _CONFLICT_ATTEMPTS - 1:
                raise Crowded(reasons) from error
            sleep(draw() * 0.02 * 2**attempt)


def reasons_of(error: Any) -> list[Reason]:
    """The reasons inside DynamoDB's own exception."""
    found = error.response.get("CancellationReasons", [])
    return [Reason(raw.get("Code", "None"), raw.get("Item") or None) for raw in found]


class _Patience:
    """Waits of one call for the items that batches leave undone: DynamoDB leaves those that it throttles."""

    def __init__(self, table: str) -> None:
        self._table, self._in_a_row, self._waited = table, 0, 0.0

    def wait_for(self, left: int, *, asked: int) -> None:
        """Wait after a request that left `left` of its `asked` items undone; the longer the oftener it left all of them.

        Raises: Busy, when enough time was waited in all.
        """
        self._in_a_row = self._in_a_row + 1 if left == asked else 0
        if not left:
            return
        if self._waited >= _LEFT_IN_ALL:
            raise Busy(f"{self._table}: {left} items of a batch were left undone")
        seconds = busy.pause(self._in_a_row, first=_LEFT_FIRST, most=_LEFT_MOST)
        self._waited += seconds
        time.sleep(seconds)
