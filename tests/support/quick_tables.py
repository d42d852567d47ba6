"""The tables in memory: moto's by name and schema, with the items of `tests.support.tables` in them."""

import copy
import gc
import threading
from collections.abc import Iterable
from typing import Any

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models.table import Table

from tests.support.tables.common import Refusal
from tests.support.tables.requests import answer
from tests.support.tables.store import Store

State = dict[str, Store]

_one_request = threading.RLock()


def carried_out(operation: str, request: Any) -> dict[str, Any]:
    """The answer to a request, each of which is carried out whole, however many threads ask.

    Raises: Refusal.
    """
    with _one_request:
        return answer(_store, operation, request)


def state() -> State:
    """All items of all tables, to come back to."""
    return {name: copy.deepcopy(_store(name)) for name in _tables()}


def go_back_to(before: State) -> None:
    """Let the tables hold again what they held."""
    for name, table in _tables().items():
        table.in_memory = copy.deepcopy(before[name])


def fill(table_name: str, items: Iterable[dict[str, Any]]) -> None:
    """Put items (in DynamoDB's form) into a table without asking for it: a hundred thousand in seconds. Nothing may change
    them in place afterwards."""
    store = _store(table_name)
    for item in items:
        store.put(item)
    gc.freeze()  # Lasting objects are not looked at for garbage again and again.


def _tables() -> dict[str, Any]:
    found: dict[str, Any] = get_backend("dynamodb")[DEFAULT_ACCOUNT_ID]["us-east-1"].tables
    return found


def _store(name: str) -> Store:
    table = _tables().get(name)
    if table is None:
        raise Refusal("ResourceNotFoundException", "Requested resource not found")
    found: Store | None = vars(table).get("in_memory")  # Among moto's own, so as to be copied with them.
    if found is None:
        found = table.in_memory = _empty(table)
    return found


def _empty(table: Table) -> Store:
    assert table.range_key_attr is not None, "all tables here have a sort key"
    indexes = {}
    for index in table.global_indexes:
        names = {key["KeyType"]: key["AttributeName"] for key in index.schema}
        indexes[index.name] = names["HASH"], names["RANGE"]
    return Store((table.hash_key_attr, table.range_key_attr), indexes)
