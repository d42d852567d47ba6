"""The usage table: items as plain dicts. Names of its attributes are data (sums of units by dimension), so no model
says them; and what one event costs decides what metering costs, so nothing stands between an item and its request.

Values: `str`, `int`, `Decimal` (in plain digits), `bool`, `None`, `bytes`, lists and dicts of these. A float is a bug
and raises.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.platform import aws, dynamodb
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Write
from chalicelib.platform.values import Item, from_item, to_item

_KEYS: dict[str | None, tuple[str, str]] = {
    None: ("pk", "sk"),
    "due": ("due_pk", "run_at"),
    "list": ("list_pk", "list_sk"),
    "owner": ("owner_pk", "owner_sk"),
    "time": ("time_pk", "time_sk"),
}


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
        found = dynamodb.get(self.name, (pk, sk), use=self._use)
        return None if found is None else from_item(found)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Existing items under `keys`, read consistently.

        Raises: Busy.
        """
        return {dynamodb.key_of(raw): from_item(raw) for raw in dynamodb.get_many(self.name, keys)}

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
        """One request's worth of the items under `pk`, in key order, and their number. `where`: a filter."""
        pk_name, sk_name = _KEYS[index]
        condition = "#pk = :pk"
        request: dict[str, Any] = {
            "TableName": self.name,
            "ExpressionAttributeNames": {"#pk": pk_name, **(names or {})},
            "ExpressionAttributeValues": {":pk": {"S": pk}, **to_item(values or {})},
            "ScanIndexForward": not descending,
        }
        if begins is not None:
            condition += " AND begins_with(#sk, :begins)"
            request["ExpressionAttributeValues"][":begins"] = {"S": begins}
        if between is not None:
            condition += " AND #sk BETWEEN :low AND :high"
            request["ExpressionAttributeValues"] |= {":low": {"S": between[0]}, ":high": {"S": between[1]}}
        if begins is not None or between is not None:
            request["ExpressionAttributeNames"]["#sk"] = sk_name
        request["KeyConditionExpression"] = condition
        request |= {"ConsistentRead": True} if index is None else {"IndexName": index}
        if where is not None:
            request["FilterExpression"] = where
        if limit is not None:
            request["Limit"] = limit
        if position:
            request["ExclusiveStartKey"] = position
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
        """Number of items that `query` would give, without reading them."""
        total, position = 0, None
        while True:
            page, number = self.page(pk, position=position, count_only=True, **how)
            total += number
            position = page.position
            if position is None:
                return total

    # Writing.

    def put(
        self,
        item: Mapping[str, Any],
        *,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Write:
        """Write `item` whole.

        Raises: Invalid, where it is larger than DynamoDB takes.
        """
        return Write({"Put": {"Item": dynamodb.checked_size(to_item(item)), **self._how(condition, values, names)}})

    def create(self, item: Mapping[str, Any]) -> Write:
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
    ) -> Write:
        """Change single attributes of an item."""
        change = {"Key": dynamodb.raw_key(key), "UpdateExpression": expression}
        return Write({"Update": change | self._how(condition, values, names)})

    def delete(self, key: Key, *, condition: str | None = None, values: Mapping[str, Any] | None = None) -> Write:
        """Remove an item."""
        return Write({"Delete": {"Key": dynamodb.raw_key(key)} | self._how(condition, values, None)})

    def write(self, write: Write) -> None:
        """Carry out one write alone.

        Raises: ConditionFailed or Busy, and nothing was written.
        """
        dynamodb.alone(write.action, use=self._use)

    def write_many(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Put items without conditions; not one transaction, so only for items that nobody reads yet.

        Raises: Busy; some may be written.
        """
        dynamodb.put_many(self.name, [to_item(item) for item in items])

    def _how(
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


usage = Table(lambda: settings().usage_table)
