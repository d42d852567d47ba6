"""Long stories on moto: requests whose cost does not grow with the tables.

moto copies the whole table for each action of a transaction, so as to go back to it where the transaction is refused,
and sorts the whole table for each query. Here only the items that a transaction touches are copied, only the partition
that a query names, of the table or an index, is sorted, and pages end by their number of items alone.
"""

import copy
import gc
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_transact, _query = DynamoDBBackend.transact_write_items, Table.query
_cast = DynamoType.cast_value.fget
_serialize = BaseJSONSerializer._serialize_type_structure
_one_query = threading.Lock()  # what a table says is in it is set for one query at a time


@contextmanager
def quick_tables() -> Iterator[None]:
    """Requests to moto's tables cost what they touch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "copy", SimpleNamespace(deepcopy=_copied_unless_table, copy=copy.copy))
        patch.setattr(DynamoDBBackend, "transact_write_items", _transact_touching)
        patch.setattr(Table, "query", _query_partition)
        patch.setattr(DynamoType, "cast_value", property(_text_first))
        patch.setattr(Item, "size", lambda item: 0)
        patch.setattr(BaseJSONSerializer, "_serialize_type_structure", _serialize_values_as_they_are)
        yield


def _text_first(value: DynamoType) -> Any:
    return value.value if value.type == "S" else _cast(value)


def _serialize_values_as_they_are(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.name == "AttributeValue" and "B" not in value:  # Bytes are sent as text.
        serializer._default_serialize(serialized, value, shape, key)
    else:
        _serialize(serializer, serialized, value, shape, key)


def _query_partition(table: Table, hash_key: DynamoType, *args: Any, **how: Any) -> Any:
    index_name = args[6] if len(args) > 6 else how.get("index_name")
    with _one_query:
        partition = list(table.items.get(hash_key, {}).values()) if index_name is None else []
        if index_name is not None:
            (of_index,) = (
                key["AttributeName"] for key in table.get_index(index_name).schema if key["KeyType"] == "HASH"
            )
            partition = [
                item for item in _all(table) if (own := item.attrs.get(of_index)) and own.value == hash_key.value
            ]
        table.all_items = lambda: partition  # type: ignore[method-assign]
        try:
            return _query(table, hash_key, *args, **how)
        finally:
            del table.all_items


def _all(table: Table) -> Iterator[Item]:
    for rows in table.items.values():
        yield from rows.values()


State = dict[str, Any]


def state() -> State:
    """All items of all tables, to come back to."""
    return {name: copy.deepcopy(table.items) for name, table in _backend().tables.items()}


def go_back_to(before: State) -> None:
    """Let the tables hold again what they held."""
    for name, table in _backend().tables.items():
        table.items = copy.deepcopy(before[name])


def fill(table_name: str, items: Iterable[dict[str, Any]]) -> None:
    """Put items (in DynamoDB's form) into a table without asking for it: a hundred thousand in seconds. Values that are
    equal are one, so nothing may change them in place afterwards."""
    table = _backend().tables[table_name]
    known: dict[Any, DynamoType] = {}

    def typed(value: dict[str, Any]) -> DynamoType:
        ((kind, inner),) = value.items()
        return DynamoType(value) if kind in "ML" else known.setdefault((kind, inner), DynamoType(value))

    for item in items:
        row = Item(typed(item["pk"]), typed(item["sk"]), {})
        for name, value in item.items():
            dict.__setitem__(row.attrs, name, typed(value))  # It would add up all sizes at each attribute.
        table.items[row.hash_key][row.range_key] = row
    gc.freeze()  # Lasting objects are not looked at for garbage again and again.


def _backend() -> DynamoDBBackend:
    return get_backend("dynamodb")[DEFAULT_ACCOUNT_ID]["us-east-1"]


def _copied_unless_table(value: Any) -> Any:
    return value if isinstance(value, Table) else copy.deepcopy(value)


def _transact_touching(backend: DynamoDBBackend, transact_items: Sequence[dict[str, Any]]) -> None:
    before = [_touched(backend, action) for action in transact_items]
    try:
        _transact(backend, list(transact_items))
    except BaseException:
        for rows, sort_key, item in before:
            rows.pop(sort_key, None)
            if item is not None:
                rows[sort_key] = item
        raise


def _touched(backend: DynamoDBBackend, action: dict[str, Any]) -> tuple[dict[Any, Any], DynamoType, Any]:
    """Key of an action's item, and the item as it is now."""
    (operation,) = action.values()
    table = backend.tables[operation["TableName"]]
    assert table.range_key_attr is not None, "all tables here have a sort key"
    key = operation.get("Key") or operation["Item"]
    rows = table.items[DynamoType(key[table.hash_key_attr])]
    sort_key = DynamoType(key[table.range_key_attr])
    return rows, sort_key, copy.deepcopy(rows.get(sort_key))
