"""The core table as plain dicts: what stores that are no rows yet use."""

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.platform import dynamodb
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Unit, Write
from chalicelib.platform.usage_table import _KEYS, Page, Table
from chalicelib.platform.values import from_item, to_item


class Core(Table):
    """The core table."""

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

    def _query(self, pk: str, index: str | None, begins: str | None, between: tuple[str, str] | None) -> dict[str, Any]:
        pk_name, sk_name = _KEYS[index]
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

    def check(self, key: Key, condition: str, values: Mapping[str, Any] | None = None) -> Write:
        """Change nothing, but refuse the transaction unless `condition` holds."""
        return Write({"ConditionCheck": {"Key": dynamodb.raw_key(key)} | self._how(condition, values, None)})

    def next_number(self, key: Key, name: str) -> int:
        """Add 1 to the number `name` of an item and return it: no two callers get the same one."""
        change = self.update(key, "ADD #n :one", names={"#n": name}, values={":one": 1})
        answer = dynamodb.alone(change.action, returned="UPDATED_NEW")
        return int(from_item(answer["Attributes"])[name])


core = Core(lambda: settings().core_table)


def transact(writes: Iterable[Write]) -> None:
    """Carry out all writes or none."""
    Unit(writes).commit()
