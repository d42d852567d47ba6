"""Rows: the core table's items as PynamoDB models, each around one record. Rows never leave their store.

A row knows its key, its index keys and its optimistic lock; the record in it knows nothing of the table. Conditions and
changes are PynamoDB's typed ones. Requests go through the process's own client (`platform/dynamodb.py`), with its
waits; a row's methods for writing return a `Write`, for the transaction of the change (`platform/unit.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action as Change
from pynamodb.expressions.update import Update
from pynamodb.models import Model

from chalicelib.platform import aws, dynamodb
from chalicelib.platform.attributes import R, RecordAttribute, WholeAttribute
from chalicelib.platform.dynamodb import Key, RawItem
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Refusal, Write
from chalicelib.platform.values import Item, from_item

RowT = TypeVar("RowT", bound="Row")
Position = dict[str, Any]

# The keys of the table (None) and of its indexes (infra/resources.json).
_KEYS: dict[str | None, tuple[str, str]] = {
    None: ("pk", "sk"),
    "due": ("due_pk", "run_at"),
    "list": ("list_pk", "list_sk"),
    "owner": ("owner_pk", "owner_sk"),
}


class Page(NamedTuple):
    """One request's worth of items. `position`: where the next one begins, None at the end; `number`: how many there
    are, also where only they were asked for."""

    items: list[RawItem]
    number: int
    position: Position | None


class Row(Model):
    """Base of all rows. `use`: which of the process's clients reads and writes them."""

    use: ClassVar[str] = "standard"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="-")

    @property
    def key(self) -> Key:
        """The key of the item."""
        return self.pk, self.sk

    # Reading.

    @classmethod
    def find(cls: type[RowT], pk: str, sk: str = "-") -> RowT | None:
        """The row under a key, read consistently."""
        found = dynamodb.get(table(), (pk, sk), use=cls.use)
        return None if found is None else cls.read(found)

    @classmethod
    def find_many(cls: type[RowT], keys: Sequence[Key]) -> dict[Key, RowT]:
        """Existing rows under `keys`, read consistently.

        Raises: Busy.
        """
        return {dynamodb.key_of(item): cls.read(item) for item in dynamodb.get_many(table(), keys)}

    @classmethod
    def select(cls: type[RowT], pk: str, **how: Any) -> Iterator[RowT]:
        """All rows under `pk` that `page` would give, request after request."""
        for item in walk(pk, **how):
            yield cls.read(item)

    @classmethod
    def read(cls: type[RowT], item: RawItem) -> RowT:
        """The row in an item."""
        return cls.from_raw_data(cast("dict[str, Any]", item))

    # Writing.

    def create(self, refusal: Refusal | None = None) -> Write:
        """Write the row where nothing stands yet."""
        return self.put(type(self).pk.does_not_exist(), refusal)

    def put(self, condition: Condition | None = None, refusal: Refusal | None = None) -> Write:
        """Write the row whole.

        Raises: Invalid, where it is larger than DynamoDB takes.
        """
        request = {"Item": dynamodb.checked_size(self.serialize())}
        return Write({"Put": _conditional(request, condition)}, refusal, self.use)

    def remove(self, condition: Condition | None = None, refusal: Refusal | None = None) -> Write:
        """Delete the row under this one's key."""
        return self.remove_key(self.key, condition, refusal)

    @classmethod
    def remove_key(cls, key: Key, condition: Condition | None = None, refusal: Refusal | None = None) -> Write:
        """Delete the row under a key."""
        return Write({"Delete": _conditional({"Key": dynamodb.raw_key(key)}, condition)}, refusal, cls.use)

    @classmethod
    def change(
        cls, key: Key, *changes: Change, condition: Condition | None = None, refusal: Refusal | None = None
    ) -> Write:
        """Change single attributes of the row under a key."""
        return Write({"Update": _conditional({"Key": dynamodb.raw_key(key)}, condition, changes)}, refusal, cls.use)

    @classmethod
    def check(cls, key: Key, condition: Condition, refusal: Refusal | None = None) -> Write:
        """Change nothing, but refuse the transaction unless `condition` holds."""
        return Write({"ConditionCheck": _conditional({"Key": dynamodb.raw_key(key)}, condition)}, refusal)


class Versioned(Row):
    """Base of rows under an optimistic lock: each write raises the version by one, on condition of the one that was
    read.

    A record of version 0 was never written over. (PynamoDB's own version attribute begins at 1 and would refuse those.)
    """

    version = WholeAttribute()

    def replace(self, seen: int, refusal: Refusal | None = None) -> Write:
        """Replace the row of version `seen`, as the next version, under the optimistic lock."""
        self.version = seen + 1
        return self.put(type(self).version == seen, refusal)


class Listed(Row):
    """Rows of which some stand in a list: those that have its keys."""

    list_pk = UnicodeAttribute(null=True)
    list_sk = UnicodeAttribute(null=True)


class Owned(Row):
    """Rows of which some stand in the list of an owner: those that have its keys."""

    owner_pk = UnicodeAttribute(null=True)
    owner_sk = UnicodeAttribute(null=True)


class Searched(Row):
    """Rows that a search finds by their words."""

    words = UnicodeAttribute(null=True)


def field(name: str) -> Path:
    """A field of a row's record, for conditions."""
    return Path(["record", name])


def words_of(*texts: str | None) -> str:
    """The texts that a search looks into, as a row keeps them."""
    return "\n".join(text or "" for text in texts).lower()


def table() -> str:
    """The core table's name in this installation."""
    return settings().core_table


def page(
    pk: str,
    *,
    index: str | None = None,
    within: Condition | None = None,
    where: Condition | None = None,
    descending: bool = False,
    limit: int | None = None,
    position: Position | None = None,
    count_only: bool = False,
) -> Page:
    """One request's worth of the items under `pk`, in key order: of the table, read consistently, or of an index.
    `within`: bounds of the sort key; `where`: a filter."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    condition = Path([_KEYS[index][0]]) == {"S": pk}
    if within is not None:
        condition &= within
    request: dict[str, Any] = {"TableName": table(), "KeyConditionExpression": condition.serialize(names, values)}
    if index is None:
        request["ConsistentRead"] = True
    else:
        request["IndexName"] = index
    if where is not None:
        request["FilterExpression"] = where.serialize(names, values)
    request |= {"ScanIndexForward": not descending, **_placeholders(names, values)}
    if limit is not None:
        request["Limit"] = limit
    if position:
        request["ExclusiveStartKey"] = position
    if count_only:
        request["Select"] = "COUNT"
    answer = aws.client("dynamodb").query(**request)
    return Page(answer.get("Items", []), answer["Count"], answer.get("LastEvaluatedKey"))


def sort_key_of(index: str | None) -> str:
    """The name of the sort key of the table (None) or an index."""
    return _KEYS[index][1]


def position_of(row: Row, index: str | None) -> Position:
    """The position right behind a row."""
    return {name: {"S": getattr(row, name)} for name in dict.fromkeys((*_KEYS[None], *_KEYS[index]))}


def find_values(pk: str, sk: str = "-") -> Item:
    """The plain values of an item whose attributes' names are data; none where it is not there."""
    found = dynamodb.get(table(), (pk, sk))
    return {} if found is None else from_item(found)


def find_many_values(keys: Sequence[Key]) -> dict[Key, Item]:
    """The plain values of several such items, as far as they are there, read consistently in one request for each 100.

    Raises: Busy.
    """
    return {dynamodb.key_of(item): from_item(item) for item in dynamodb.get_many(table(), list(keys))}


def put_many(rows: Sequence[Row]) -> None:
    """Write rows without conditions; not one transaction, so only for rows that nobody reads yet.

    Raises: Busy; some may be written.
    """
    dynamodb.put_many(table(), [row.serialize() for row in rows])


def put_records(attribute: RecordAttribute[R], records: Mapping[Key, R]) -> None:
    """Write records as items that have nothing else, as `put_many` does: thousands of them, at a fifth of what models
    cost."""
    items = [{**dynamodb.raw_key(key), "record": {"M": attribute.serialize(record)}} for key, record in records.items()]
    dynamodb.put_many(table(), items)


def find_together(wanted: Mapping[Key, type[Row]]) -> dict[Key, Row]:
    """Rows of several classes, by their keys, read consistently in one request for each 100.

    Raises: Busy.
    """
    found = dynamodb.get_many(table(), list(wanted))
    return {key: wanted[key].read(item) for item in found if (key := dynamodb.key_of(item)) in wanted}


def scan(where: Condition) -> Iterator[Key]:
    """The keys of all items that a filter leaves. It reads the whole table: for maintenance only."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    request: dict[str, Any] = {"TableName": table(), "FilterExpression": where.serialize(names, values)}
    request |= {"ProjectionExpression": "pk, sk", **_placeholders(names, values)}
    for found in aws.client("dynamodb").get_paginator("scan").paginate(**request):
        yield from map(dynamodb.key_of, found["Items"])


def walk(pk: str, **how: Any) -> Iterator[RawItem]:
    """All items under `pk` that `page` would give, of whatever class, request after request."""
    position: Position | None = None
    while True:
        found = page(pk, position=position, **how)
        yield from found.items
        position = found.position
        if position is None:
            return


def _conditional(
    request: dict[str, Any], condition: Condition | None, changes: Sequence[Change] | None = None
) -> dict[str, Any]:
    """A request of a transaction with its condition; where that fails, the item that stands there is asked for."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    request = {"TableName": table(), **request}
    if condition is not None:
        request["ConditionExpression"] = condition.serialize(names, values)
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if changes:
        request["UpdateExpression"] = Update(*changes).serialize(names, values)
    return request | _placeholders(names, values)


def _placeholders(names: Mapping[str, str], values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if names:
        found["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
    if values:
        found["ExpressionAttributeValues"] = values
    return found
