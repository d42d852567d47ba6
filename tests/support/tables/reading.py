"""Operations that read: items under keys, queries and scans."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.tables import expressions, grammar
from tests.support.tables.common import EXPRESSIONS, Request, Tables, only
from tests.support.tables.expressions import Placeholders
from tests.support.tables.grammar import Parsed
from tests.support.tables.store import Place, Store
from tests.support.tables.values import Item, Wrong

PAGE_BYTES_MAX = 1024 * 1024
_READS = {"TableName", "IndexName", "FilterExpression", "ProjectionExpression", "ExclusiveStartKey", "Limit", "Select"}
_READS |= {"ConsistentRead", *EXPRESSIONS}


def get_item(tables: Tables, request: Request) -> dict[str, Any]:
    """GetItem."""
    only(request, {"TableName", "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"})
    found = _found(tables(request["TableName"]), [request["Key"]], request)
    return {"Item": found[0]} if found else {}


def batch_get_item(tables: Tables, request: Request) -> dict[str, Any]:
    """BatchGetItem."""
    only(request, {"RequestItems"})
    answers = {}
    for name, wanted in request["RequestItems"].items():
        only(wanted, {"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"})
        answers[name] = _found(tables(name), wanted["Keys"], wanted)
    if not 1 <= sum(len(wanted["Keys"]) for wanted in request["RequestItems"].values()) <= 100:
        raise Wrong("Too many items requested for the BatchGetItem call")
    return {"Responses": answers, "UnprocessedKeys": {}}


def _found(store: Store, raw_keys: Sequence[Any], request: Request) -> list[Item]:
    shown = _Shown(request, [])
    keys = [store.checked_key(raw) for raw in raw_keys]
    if len(set(keys)) < len(keys):
        raise Wrong("Provided list of item keys contains duplicates")
    return [shown.of(row.copy()) for key in keys if (row := store.find(key)) is not None]


class _Shown:
    """What of items an answer shows: those that a filter leaves, and of them what a projection names."""

    def __init__(self, request: Request, others: Sequence[Parsed]) -> None:
        own = list(others)
        self._filter = self._paths = None
        if (text := request.get("FilterExpression")) is not None:
            own.append(found := grammar.condition(text))
            self._filter = found.tree
        if (text := request.get("ProjectionExpression")) is not None:
            own.append(found := grammar.projection(text))
            self._paths = found.tree
        self.known = Placeholders(request, own)
        self._names = [self.known.path(path) for path in self._paths or ()]
        if any(len(path) > 1 for path in self._names):
            raise NotImplementedError("a projection of parts of attributes")

    def takes(self, item: Item) -> bool:
        """Whether the filter leaves an item."""
        return self._filter is None or expressions.holds(self._filter, item, self.known)

    def leaves_alone(self, names: Sequence[str]) -> None:
        """Raises: Wrong, where the filter looks at these attributes."""
        if self._filter is not None and set(names) & set(_roots(self._filter, self.known)):
            raise Wrong("Filter Expression can only contain non-primary key attributes")

    def of(self, item: Item) -> Item:
        """What the projection shows of an item."""
        if not self._names:
            return item
        return {name: item[name] for (name,) in self._names if name in item}


def _roots(tree: Any, known: Placeholders) -> Iterator[Any]:
    if isinstance(tree, tuple) and tree[:1] == ("path",):
        yield known.path(tree)[0]
    elif isinstance(tree, tuple | list):
        for each in tree:
            yield from _roots(each, known)


def query(tables: Tables, request: Request) -> dict[str, Any]:
    """Query."""
    only(request, {*_READS, "KeyConditionExpression", "ScanIndexForward"})
    store, index = tables(request["TableName"]), request.get("IndexName")
    if index is not None and (request.get("ConsistentRead") or index not in store.indexes):
        raise Wrong("The table does not have the specified index, or it is read consistently")
    names = store.keys if index is None else store.indexes[index]
    text = request["KeyConditionExpression"]
    shown = _Shown(request, [grammar.condition(text)])
    shown.leaves_alone(names)
    partition, bound = expressions.key_condition(text, shown.known, *names)
    place_names = store.keys[1:] if index is None else (names[1], *store.keys)
    after = _start(request, partition, names[0], place_names)
    descending = request.get("ScanIndexForward") is False
    found = store.within(index, partition, bound, after, descending=descending)

    def key_at(place: Place) -> Item:
        return {name: {"S": text} for name, text in zip((names[0], *place_names), (partition, *place), strict=True)}

    return _page(request, shown, ((key_at, place, row) for place, row in found))


def _start(request: Request, partition: str, hash_name: str, place_names: Sequence[str]) -> Place | None:
    start = request.get("ExclusiveStartKey")
    if start is None:
        return None
    if start.keys() != {hash_name, *place_names} or start[hash_name] != {"S": partition}:
        raise Wrong("The provided starting key is invalid")
    return tuple(start[name]["S"] for name in place_names)


def scan(tables: Tables, request: Request) -> dict[str, Any]:
    """Scan."""
    only(request, _READS - {"IndexName"})
    store, shown = tables(request["TableName"]), _Shown(request, [])
    keys = store.all_keys()
    if (start := request.get("ExclusiveStartKey")) is not None:
        after = store.checked_key(start)
        keys = [key for key in keys if key > after]

    def key_at(place: Place) -> Item:
        return {name: {"S": text} for name, text in zip(store.keys, place, strict=True)}

    return _page(request, shown, ((key_at, key, store.find(key)) for key in keys))


def _page(request: Request, shown: _Shown, rows: Iterator[Any]) -> dict[str, Any]:
    """A page ends with its last item, or with the one that makes it larger than 1 MB, whatever a filter leaves of them."""
    limit, select = request.get("Limit"), request.get("Select", "ALL_ATTRIBUTES")
    if select not in ("ALL_ATTRIBUTES", "COUNT"):
        raise NotImplementedError(f"Select {select}")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise Wrong("Limit must be greater than or equal to 1")
    found: list[Item] = []
    scanned = number = room = 0
    more: dict[str, Any] = {}
    for key_at, place, row in rows:
        scanned += 1
        room += row.size
        if shown.takes(row.item):
            number += 1
            if select != "COUNT":
                found.append(shown.of(row.copy()))
        if scanned == limit or room > PAGE_BYTES_MAX:
            more = {"LastEvaluatedKey": key_at(place)}
            break
    return {**({} if select == "COUNT" else {"Items": found}), "Count": number, "ScannedCount": scanned, **more}
