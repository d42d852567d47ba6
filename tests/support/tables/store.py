"""One table: its items, each partition of it and of its indexes in the order of the sort keys."""

import marshal
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

from chalicelib.platform.dynamodb import size_of
from tests.support.tables.expressions import Bound
from tests.support.tables.values import Item, Wrong

_ITEM_BYTES_MAX = 400 * 1024

# Where an item is in its partition: of an index, (its sort key there, pk, sk); of the table itself (sk,).
Place = tuple[str, ...]


class Row:
    """One item as it is kept: nobody may change it."""

    __slots__ = ("_packed", "_size", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self._packed: bytes | None = None
        self._size = 0

    @property
    def size(self) -> int:
        """The item's bytes, by DynamoDB's rules."""
        if not self._size:
            self._size = size_of(self.item)
        return self._size

    def copy(self) -> Item:
        """An item of the caller's own."""
        if self._packed is None:
            self._packed = marshal.dumps(self.item)
        return marshal.loads(self._packed)  # type: ignore[no-any-return]


class Store:
    """A table whose keys are all texts."""

    def __init__(self, keys: tuple[str, str], indexes: dict[str, tuple[str, str]]) -> None:
        self.keys, self.indexes = keys, indexes
        self._rows: dict[tuple[str, str], Row] = {}
        # By index (None: the table itself) and partition.
        self._places: dict[str | None, dict[str, list[Place]]] = {None: {}, **{name: {} for name in indexes}}

    def __deepcopy__(self, memo: Any) -> "Store":
        """Rows are shared, as they never change."""
        made = Store(self.keys, self.indexes)
        made._rows = dict(self._rows)
        made._places = {
            index: {partition: list(places) for partition, places in partitions.items()}
            for index, partitions in self._places.items()
        }
        return made

    def key_of(self, item: Item) -> tuple[str, str]:
        """The key of an item."""
        pk, sk = self.keys
        return item[pk]["S"], item[sk]["S"]

    def find(self, key: tuple[str, str]) -> Row | None:
        """The row under a key."""
        return self._rows.get(key)

    def put(self, item: Item) -> None:
        """Put an item, which is the table's from now on."""
        key = self.key_of(item)
        old = self._rows.get(key)
        self._rows[key] = Row(item)
        if old is None:
            insort(self._places[None].setdefault(key[0], []), (key[1],))
        for index, (hash_name, range_name) in self.indexes.items():
            before = None if old is None else _indexed(old.item, hash_name, range_name)
            after = _indexed(item, hash_name, range_name)
            if before != after:
                self._move(index, key, before, after)

    def remove(self, key: tuple[str, str]) -> None:
        """Remove the item under a key, where one is."""
        old = self._rows.pop(key, None)
        if old is None:
            return
        self._take_out(None, key[0], (key[1],))
        for index, (hash_name, range_name) in self.indexes.items():
            self._move(index, key, _indexed(old.item, hash_name, range_name), None)

    def _move(self, index: str, key: Place, before: Place | None, after: Place | None) -> None:
        if before is not None:
            self._take_out(index, before[0], (before[1], *key))
        if after is not None:
            insort(self._places[index].setdefault(after[0], []), (after[1], *key))

    def _take_out(self, index: str | None, partition: str, place: Place) -> None:
        places = self._places[index][partition]
        del places[bisect_left(places, place)]
        if not places:
            del self._places[index][partition]

    # Reading in order.

    def all_keys(self) -> list[tuple[str, str]]:
        """All keys, in the order of a scan."""
        return sorted(self._rows)

    def within(
        self, index: str | None, partition: str, bound: Bound | None, after: Place | None, *, descending: bool
    ) -> Iterator[tuple[Place, Row]]:
        """Rows of a partition, those within bounds that come after a place, in order."""
        places = self._places[index].get(partition, [])
        low, high = _range(places, bound)
        if after is not None and not descending:
            low = max(low, bisect_right(places, after))
        elif after is not None:
            high = min(high, bisect_left(places, after))
        for place in reversed(places[low:high]) if descending else places[low:high]:
            yield place, self._rows[(partition, place[0]) if index is None else (place[1], place[2])]

    # Checks.

    def check(self, item: Item) -> None:
        """Raises: Wrong, where DynamoDB does not take an item for its keys."""
        self.checked_key({name: item.get(name, {}) for name in self.keys})
        for index, names in self.indexes.items():
            for name in names:
                if name in item and not item[name].get("S"):
                    raise Wrong(f"One or more parameter values were invalid: Index Key {name}, IndexName: {index}")

    def checked_key(self, key: Any) -> tuple[str, str]:
        """The key that a request names.

        Raises: Wrong.
        """
        if key.keys() != set(self.keys):
            raise Wrong("The provided key element does not match the schema")
        texts = tuple(key[name].get("S") for name in self.keys)
        for name, text, most in zip(self.keys, texts, (2048, 1024), strict=True):
            if not text or (len(text) * 4 > most and len(text.encode()) > most):
                raise Wrong(f"One or more parameter values are not valid: the key attribute {name}")
        return texts[0], texts[1]


def too_large(item: Item) -> bool:
    """Whether an item is larger than DynamoDB takes."""
    return size_of(item) > _ITEM_BYTES_MAX


def _indexed(item: Item, hash_name: str, range_name: str) -> Place | None:
    if hash_name not in item or range_name not in item:
        return None
    return item[hash_name]["S"], item[range_name]["S"]


def _range(places: list[Place], bound: Bound | None) -> tuple[int, int]:
    if bound is None:
        return 0, len(places)
    sign, operands = bound
    if sign == "begins_with":
        (begin,) = operands
        low = bisect_left(places, (begin,))
        return low, bisect_right(places, begin, lo=low, key=lambda place: place[0][: len(begin)])
    low_text, high_text = operands if sign == "BETWEEN" else (operands[0], operands[0])
    if sign == "BETWEEN" and low_text > high_text:
        raise Wrong("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
    begins = bisect_left(places, low_text, key=_sort_key)
    ends = bisect_right(places, high_text, key=_sort_key)
    return {
        "<": (0, begins),
        "<=": (0, ends),
        ">": (ends, len(places)),
        ">=": (begins, len(places)),
    }.get(sign, (begins, ends))


def _sort_key(place: Place) -> str:
    return place[0]
