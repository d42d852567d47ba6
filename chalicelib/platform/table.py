"""DynamoDB, as the stores use it: items as plain dicts, exact numbers, transactions with named refusals.

Values: `str`, `int`, `Decimal` (in plain digits), `bool`, `None`, `bytes`, lists and dicts of these. A float is a bug and
raises. Absent optional values are stored as null, so that what is read equals what was written.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.platform import aws, busy
from chalicelib.platform.busy import Busy
from chalicelib.platform.settings import settings
from chalicelib.platform.values import Item as Item
from chalicelib.platform.values import from_item, to_item

Action = dict[str, Any]
Key = tuple[str, str]

# 400 KB, less what a later change of single attributes may add.
ITEM_SIZE_MAX = 400 * 1024 - 4096

# A conflict means that another transaction touched the same item just now: waiting a little, at random, gets through.
_CONFLICT_ATTEMPTS = 8
_TRANSIENT = busy.THROTTLED | busy.CONFLICTS
# What a batch leaves undone is asked for again after these waits (seconds), until so much time was waited in all.
_LEFT_FIRST, _LEFT_MOST, _LEFT_IN_ALL = 0.05, 2.0, 10.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one action of a transaction was refused; `item` is what stood there, where the action asked for it."""

    code: str
    item: Item | None = None

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
        """Whether another writer was faster: a condition did not hold, or a collision did not end. Nothing is wrong with
        the transaction itself, and its service was not merely busy."""
        codes = {reason.code for reason in self.reasons}
        raced = codes & {"ConditionalCheckFailed", "TransactionConflict"}
        return bool(raced) and codes <= raced | _TRANSIENT | {"None"}


class Crowded(Cancelled, Busy):
    """A transaction that only others were in the way of, or throttling, and that did not get through."""


class ConditionFailed(Exception):
    """A single write's condition did not hold; nothing was written."""


def size_of(attributes: Mapping[str, Any]) -> int:
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


@dataclass(frozen=True, slots=True)
class Page:
    """Items of one request, and where the next one begins (None at the end)."""

    items: list[Item]
    position: dict[str, Any] | None


class Table:
    """One table. `name` is a function, so that a table object can stand at module level before settings are known."""

    def __init__(self, name: Callable[[], str], use: str = "standard") -> None:
        self._name = name
        self._use = use

    @property
    def name(self) -> str:
        """The table's name in this installation."""
        return self._name()

    @property
    def client(self) -> Any:
        """The DynamoDB client behind the table."""
        return aws.client("dynamodb", self._use)

    # Reading.

    def get(self, pk: str, sk: str = "-") -> Item | None:
        """The item under this key, read consistently."""
        found = self.client.get_item(TableName=self.name, Key=_key((pk, sk)), ConsistentRead=True).get("Item")
        return None if found is None else from_item(found)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Those of the items under `keys` that exist, read consistently, 100 a request.

        Raises: Busy.
        """
        found: dict[Key, Item] = {}
        patience = _Patience(self.name)
        wanted = list(dict.fromkeys(keys))
        while wanted:
            chunk, wanted = wanted[:100], wanted[100:]
            request = {self.name: {"Keys": [_key(key) for key in chunk], "ConsistentRead": True}}
            answer = self.client.batch_get_item(RequestItems=request)
            for raw in answer["Responses"].get(self.name, []):
                item = from_item(raw)
                found[(item["pk"], item["sk"])] = item
            unread = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            wanted += [(raw["pk"]["S"], raw["sk"]["S"]) for raw in unread]
            patience.wait_for(len(unread), asked=len(chunk))
        return found

    def page(
        self,
        pk: str,
        *,
        index: str | None = None,
        begins: str | None = None,
        between: tuple[str, str] | None = None,
        descending: bool = False,
        limit: int | None = None,
        position: dict[str, Any] | None = None,
        where: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
        count_only: bool = False,
    ) -> tuple[Page, int]:
        """One request's worth of the items under `pk`, in key order, and their number."""
        request = self._query(pk, index, begins, between)
        request["ScanIndexForward"] = not descending
        if limit is not None:
            request["Limit"] = limit
        if position:
            request["ExclusiveStartKey"] = position
        if where:
            request["FilterExpression"] = where
            request["ExpressionAttributeNames"].update(names or {})
            request["ExpressionAttributeValues"].update(to_item(values or {}))
        if count_only:
            request["Select"] = "COUNT"
        answer = self.client.query(**request)
        items = [from_item(raw) for raw in answer.get("Items", [])]
        return Page(items, answer.get("LastEvaluatedKey")), answer["Count"]

    def query(self, pk: str, **how: Any) -> Iterator[Item]:
        """All items under `pk` that `page` would give, request after request."""
        position: dict[str, Any] | None = None
        while True:
            page, _ = self.page(pk, position=position, **how)
            yield from page.items
            position = page.position
            if position is None:
                return

    def count(self, pk: str, **how: Any) -> int:
        """How many items `query` would give, without carrying them here."""
        total, position = 0, None
        while True:
            page, number = self.page(pk, position=position, count_only=True, **how)
            total += number
            position = page.position
            if position is None:
                return total

    def _query(self, pk: str, index: str | None, begins: str | None, between: tuple[str, str] | None) -> dict[str, Any]:
        pk_name, sk_name = KEYS_OF_INDEX[index]
        condition = "#pk = :pk"
        names = {"#pk": pk_name}
        values: dict[str, Any] = {":pk": {"S": pk}}
        if begins is not None:
            condition += " AND begins_with(#sk, :begins)"
            values[":begins"] = {"S": begins}
        if between is not None:
            condition += " AND #sk BETWEEN :low AND :high"
            values |= {":low": {"S": between[0]}, ":high": {"S": between[1]}}
        if begins is not None or between is not None:
            names["#sk"] = sk_name
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        if index is None:
            request["ConsistentRead"] = True
        else:
            request["IndexName"] = index
        return request

    # Actions of a transaction, and the same alone.

    def put(
        self,
        item: Mapping[str, Any],
        *,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Action:
        """Write `item` whole.

        Raises: Invalid, where it is larger than DynamoDB takes.
        """
        attributes = to_item(item)
        if size_of(attributes) > ITEM_SIZE_MAX:
            raise Invalid.field("base", ErrorCode.VALUE_IS_TOO_LONG)
        return {"Put": {"Item": attributes} | self._conditions(condition, values, names)}

    def create(self, item: Mapping[str, Any]) -> Action:
        """Write `item` where nothing stands yet."""
        return self.put(item, condition="attribute_not_exists(pk)")

    def update(
        self,
        key: Key,
        expression: str,
        *,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
        condition: str | None = None,
    ) -> Action:
        """Change single attributes of an item."""
        change = {"Key": _key(key), "UpdateExpression": expression} | self._conditions(condition, values, names)
        return {"Update": change}

    def delete(self, key: Key, *, condition: str | None = None, values: Mapping[str, Any] | None = None) -> Action:
        """Remove an item."""
        return {"Delete": {"Key": _key(key)} | self._conditions(condition, values, None)}

    def check(self, key: Key, condition: str, values: Mapping[str, Any] | None = None) -> Action:
        """Change nothing, but refuse the transaction unless `condition` holds."""
        return {"ConditionCheck": {"Key": _key(key)} | self._conditions(condition, values, None)}

    def _conditions(
        self, condition: str | None, values: Mapping[str, Any] | None, names: Mapping[str, str] | None
    ) -> dict[str, Any]:
        parts: dict[str, Any] = {"TableName": self.name}
        if condition is not None:
            parts["ConditionExpression"] = condition
            parts["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if values:
            parts["ExpressionAttributeValues"] = to_item(values)
        if names:
            parts["ExpressionAttributeNames"] = dict(names)
        return parts

    def write(self, action: Action) -> None:
        """Carry out one action alone.

        Raises: ConditionFailed or Busy, and nothing was written.
        """
        ((kind, request),) = action.items()
        call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
        try:
            self._alone(call, request)
        except self.client.exceptions.ConditionalCheckFailedException as error:
            raise ConditionFailed from error

    def next_number(self, key: Key, name: str) -> int:
        """Add 1 to the number `name` of an item and return it: no two callers get the same one."""
        ((_, request),) = self.update(key, "ADD #n :one", names={"#n": name}, values={":one": 1}).items()
        answer = self._alone("update_item", {**request, "ReturnValues": "UPDATED_NEW"})
        return int(from_item(answer["Attributes"])[name])

    def _alone(self, call: str, request: Mapping[str, Any]) -> Any:
        """One write outside a transaction. A transaction in flight on the item is waited out, with jitter.

        Raises: Busy, when collisions did not end.
        """
        collision: Exception | None = None
        for attempt in range(_CONFLICT_ATTEMPTS):
            try:
                return getattr(self.client, call)(**request)
            except self.client.exceptions.TransactionConflictException as error:
                collision = error
                time.sleep(random.random() * 0.02 * 2**attempt)
        raise Busy(f"{self.name}: transactions do not end") from collision

    def write_many(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Put items without conditions, 25 a request; not one transaction, so only for what nobody reads yet.

        Raises: Busy; some may be written.
        """
        patience = _Patience(self.name)
        requests = [{"PutRequest": {"Item": to_item(item)}} for item in items]
        while requests:
            chunk, requests = requests[:25], requests[25:]
            answer = self.client.batch_write_item(RequestItems={self.name: chunk})
            left = answer.get("UnprocessedItems", {}).get(self.name, [])
            requests += left
            patience.wait_for(len(left), asked=len(chunk))


class _Patience:
    """The waits of one call for what batches leave undone: DynamoDB leaves what it throttles."""

    def __init__(self, table: str) -> None:
        self._table, self._in_a_row, self._waited = table, 0, 0.0

    def wait_for(self, left: int, *, asked: int) -> None:
        """After a request that left so many of its items undone; the longer the oftener it left all of them.

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


KEYS_OF_INDEX: dict[str | None, tuple[str, str]] = {
    None: ("pk", "sk"),
    "due": ("due_pk", "run_at"),
    "list": ("list_pk", "list_sk"),
    "owner": ("owner_pk", "owner_sk"),
    "time": ("time_pk", "time_sk"),
}

core = Table(lambda: settings().core_table)
usage = Table(lambda: settings().usage_table)


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
    client = client or core.client
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
    return [
        Reason(raw.get("Code", "None"), from_item(raw["Item"]) if raw.get("Item") else None)
        for raw in error.response.get("CancellationReasons", [])
    ]


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
