"""DynamoDB's tables and items.

ministack holds a table as a dict of partitions, each a dict of items by sort key, and replaces items whole. Both dicts are
ours here, so that every change is remembered, whatever operation makes it.
"""

from collections import defaultdict
from itertools import count
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb as MODULE

from infra.local.keeping.disk import Disk, Progress
from infra.local.keeping.state import State

NAME = "dynamodb"

_ITEM_OPERATIONS = frozenset(
    [
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "BatchGetItem",
        "BatchWriteItem",
        "TransactGetItems",
        "TransactWriteItems",
    ]
)


class Partition(dict[str, Any]):
    """Items of one partition key by sort key."""

    __slots__ = ("number", "table")

    def __init__(self, number: int, table: "Items") -> None:
        super().__init__()
        self.number, self.table = number, table

    def __setitem__(self, sk: str, item: Any) -> None:
        super().__setitem__(sk, item)
        self.table.disk.put_item(self.number, sk, self.table.number, item)

    def __delitem__(self, sk: str) -> None:
        super().__delitem__(sk)
        self.table.disk.drop_item(self.number, sk)

    def pop(self, sk: str, *default: Any) -> Any:
        """The item, removed."""
        if sk in self:
            self.table.disk.drop_item(self.number, sk)
        return super().pop(sk, *default)


class Items(defaultdict[str, Partition]):
    """The partitions of one table."""

    def __init__(self, disk: Disk, number: int, parts: "count[int]") -> None:
        super().__init__()
        self.disk, self.number, self.parts = disk, number, parts

    def __missing__(self, pk: str) -> Partition:
        made = self[pk] = Partition(next(self.parts), self)
        return made

    def loaded(self, part: int, pk: str, sk: str, item: Any) -> None:
        """Put an item in that is in the file already."""
        partition = self.get(pk)
        if partition is None:
            partition = self[pk] = Partition(part, self)
        dict.__setitem__(partition, sk, item)


class _Kept:
    """All tables of the file."""

    def __init__(self, disk: Disk) -> None:
        self.disk, self._state = disk, State(disk, NAME)
        self._parts = count(1)
        # Number of each table that is there, and the last one given: none is given twice, as items are dropped by it.
        self._numbers: dict[str, int] = {}
        self._last = 0

    def load(self, progress: Progress) -> None:
        """Fill ministack from the file."""
        state = self._state.load()
        if state is not None:
            self._numbers, self._last = state["numbers"], state["last"]
            for _, table in state["tables"].all_items():
                table["items"] = {}
            MODULE.restore_state(state)
        tables = {}
        for key, table in MODULE._tables.all_items():
            number = self._numbers["/".join(key)]
            table["items"] = Items(self.disk, number, self._parts)
            tables[number] = (table["items"], table["pk_name"])
        last = 0
        for last, sk, number, item in self.disk.items(progress):
            items, pk_name = tables[number]
            items.loaded(last, MODULE._extract_key_val(item[pk_name]), sk, item)
        self._parts = count(last + 1)
        for items, _ in tables.values():
            items.parts = self._parts

    def look(self) -> None:
        """Make new tables' dicts ours, forget tables that are gone, and write what stands about them."""
        present = {"/".join(key): table for key, table in MODULE._tables.all_items()}
        for name, table in present.items():
            if type(table["items"]) is not Items:
                self._take(name, table)
        for name in self._numbers.keys() - present.keys():
            self.disk.drop_table(self._numbers.pop(name))
        bare = AccountRegionScopedDict()
        for key, table in MODULE._tables.all_items():
            bare._data[key] = {name: value for name, value in table.items() if name != "items"}
        state = {name: getattr(MODULE, f"_{name}") for name in ("tags", "ttl_settings", "pitr_settings")}
        self._state.save({**state, "tables": bare, "numbers": self._numbers, "last": self._last})

    def _take(self, name: str, table: dict[str, Any]) -> None:
        if name in self._numbers:
            self.disk.drop_table(self._numbers[name])
        self._last += 1
        self._numbers[name] = self._last
        own = Items(self.disk, self._last, self._parts)
        for pk, found in table["items"].items():
            for sk, item in found.items():
                own[pk][sk] = item
        table["items"] = own


_kept: _Kept | None = None


def load(disk: Disk, progress: Progress) -> None:
    """Fill ministack's tables from the file."""
    global _kept
    _kept = _Kept(disk)
    _kept.load(progress)


def adopt(state: dict[str, Any]) -> None:
    """Take over what an earlier version saved."""
    MODULE.restore_state(state)
    changed({"action": "Restore"})


def changed(request: dict[str, str]) -> None:
    """After a request: items have remembered themselves, tables are looked at when it was about them."""
    assert _kept is not None, "loaded first"
    if request["action"] not in _ITEM_OPERATIONS:
        _kept.look()
