"""What conditions say of an item, and what updates make of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.support.tables import grammar
from tests.support.tables.grammar import Parsed, Tree
from tests.support.tables.values import Item, Unfit, Value, Wrong, compared, size_of, taken, total

Path = tuple[str | int, ...]

_SIGNS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


class Placeholders:
    """Names and values behind the placeholders of a request."""

    def __init__(self, request: Mapping[str, Any], expressions: Iterable[Parsed]) -> None:
        """Raises: Wrong, where one is missing, or unused."""
        self.names: Mapping[str, str] = request.get("ExpressionAttributeNames") or {}
        raw: Mapping[str, Any] = request.get("ExpressionAttributeValues") or {}
        expressions = list(expressions)
        for part, given in (("names", self.names), ("values", raw)):
            used: set[str] = set().union(*(getattr(each, part) for each in expressions))
            if used != given.keys():
                what = f"ExpressionAttribute{part.capitalize()}"
                raise Wrong(f"{what}: undefined {sorted(used - set(given))}, unused {sorted(set(given) - used)}")
        self.values = {name: taken(value) for name, value in raw.items()}

    def path(self, tree: Tree) -> Path:
        """A path, its names in full."""
        _, *steps = tree
        return tuple(self.names[step] if isinstance(step, str) and step[0] == "#" else step for step in steps)


def holds(tree: Tree, item: Item, known: Placeholders) -> bool:
    """Whether a condition holds for an item; one that is not there has no attributes."""
    kind, *rest = tree
    if kind in ("and", "or"):
        one, other = rest
        first = holds(one, item, known)
        return holds(other, item, known) if first is (kind == "and") else first
    if kind == "not":
        return not holds(rest[0], item, known)
    if kind == "call":
        return _call(rest[0], rest[1], item, known)
    if kind == "compare":
        sign, left, right = rest[0], _operand(rest[1], item, known), _operand(rest[2], item, known)
        if sign in ("=", "<>"):
            return (left is not None and left == right) is (sign == "=")
        order = compared(left, right)
        return order is not None and _SIGNS[sign](order)
    own = _operand(rest[0], item, known)
    if kind == "in":
        return own is not None and any(own == _operand(each, item, known) for each in rest[1])
    low, high = compared(own, _operand(rest[1], item, known)), compared(own, _operand(rest[2], item, known))
    return low is not None and high is not None and low >= 0 >= high


def _operand(tree: Tree, item: Item, known: Placeholders) -> Value | None:
    if tree[0] == "value":
        return known.values[tree[1]]
    if tree[0] == "size":
        found = at(item, known.path(tree[1]))
        size = None if found is None else size_of(found)
        return None if size is None else {"N": str(size)}
    return at(item, known.path(tree))


def _call(function: str, arguments: Sequence[Tree], item: Item, known: Placeholders) -> bool:
    own = _operand(arguments[0], item, known)
    if function in ("attribute_exists", "attribute_not_exists"):
        return (own is not None) is (function == "attribute_exists")
    other = _operand(arguments[1], item, known)
    if own is None or other is None:
        return False
    if function == "attribute_type":
        return bool(next(iter(own)) == other["S"])
    ((kind, inner),), ((other_kind, part),) = own.items(), other.items()
    if function == "begins_with":
        if other_kind not in ("S", "B"):
            raise Wrong(f"Incorrect operand type for operator or function; operator: begins_with: {other_kind}")
        return kind == other_kind and bool(inner.startswith(part))
    if kind == "L":
        return other in inner
    return kind in (other_kind, f"{other_kind}S") and kind in ("S", "B", "SS", "NS", "BS") and part in inner


def at(item: Item, path: Path) -> Value | None:
    """The value under a path."""
    found: Any = item.get(path[0])  # type: ignore[arg-type]
    for step in path[1:]:
        if found is None:
            return None
        inner = found.get("M" if isinstance(step, str) else "L")
        if inner is None:
            return None
        found = inner.get(step) if isinstance(step, str) else inner[step] if step < len(inner) else None
    return found  # type: ignore[no-any-return]


# Updates.


def updated(
    changes: Sequence[tuple[str, Tree, Tree | None]], item: Item, fresh: Item, known: Placeholders
) -> list[Path]:
    """Change `fresh`, which is a copy of an item, by what the item says; the paths that were changed.

    Raises: Wrong, Unfit.
    """
    paths = [known.path(path) for _, path, _ in changes]
    for path in _overlapping(paths):
        raise Wrong(f"Invalid UpdateExpression: Two document paths overlap with each other: {path}")
    new: list[tuple[Path, Value | None]] = []
    for (section, _, value), path in zip(changes, paths, strict=True):
        if section == "REMOVE":
            new.append((path, None))
        elif section == "SET":
            assert value is not None
            new.append((path, _new(value, item, known)))
        else:
            assert value is not None
            new.append((path, _combined(section, at(item, path), known.values[value[1]])))
    for path, set_to in sorted(new, key=_turn):
        _put(fresh, path, set_to)
    return paths


def _turn(change: tuple[Path, Value | None]) -> tuple[bool, int]:
    """Elements of a list are removed last, and from its end on, so that none has moved when it is its turn."""
    path, value = change
    place = path[-1] if isinstance(path[-1], int) else 0
    return value is None, place if value is not None else -place


def _overlapping(paths: Sequence[Path]) -> list[Path]:
    seen = set(paths)
    if len(seen) < len(paths):
        return list(paths)
    return [path for path in paths if len(path) > 1 and any(path[:n] in seen for n in range(1, len(path)))]


def _new(tree: Tree, item: Item, known: Placeholders) -> Value:
    kind, *rest = tree
    if kind in ("plus", "minus"):
        return total(_new(rest[0], item, known), _new(rest[1], item, known), 1 if kind == "plus" else -1)
    if kind == "call":
        function, (one, other) = rest
        if function == "if_not_exists":
            found = at(item, known.path(one))
            return _new(other, item, known) if found is None else found
        lists = [_new(each, item, known) for each in (one, other)]
        if any("L" not in each for each in lists):
            raise Unfit("An operand in the update expression has an incorrect data type")
        return {"L": lists[0]["L"] + lists[1]["L"]}
    found = _operand(tree, item, known)
    if found is None:
        raise Unfit("The provided expression refers to an attribute that does not exist in the item")
    return found


def _combined(section: str, old: Value | None, value: Value) -> Value | None:
    ((kind, inner),) = value.items()
    if section == "ADD" and kind == "N":
        return value if old is None else total(old, value)
    if kind not in ("SS", "NS", "BS") or (old is not None and kind not in old):
        error = Unfit if kind in ("SS", "NS", "BS", "N") else Wrong
        raise error("An operand in the update expression has an incorrect data type")
    own = set(old[kind]) if old is not None else set()
    left = own.union(inner) if section == "ADD" else own.difference(inner)
    return {kind: sorted(left)} if left else None


def _put(item: Item, path: Path, value: Value | None) -> None:
    """Put a value under a path, or remove it; all that is on the way is copied already."""
    place: Any = item
    if len(path) > 1:
        kind = "M" if isinstance(path[-1], str) else "L"
        place = (at(item, path[:-1]) or {}).get(kind)
        if place is None:
            raise Unfit("The document path provided in the update expression is invalid for update")
    last: Any = path[-1]
    if value is not None and not isinstance(last, str) and last >= len(place):
        place.append(value)
    elif value is not None:
        place[last] = value
    elif isinstance(last, str):
        place.pop(last, None)
    elif last < len(place):
        del place[last]


# Keys.

# Sign or "BETWEEN" or "begins_with", and operands.
Bound = tuple[str, tuple[str, ...]]


def key_condition(text: str, known: Placeholders, hash_name: str, range_name: str) -> tuple[str, Bound | None]:
    """The partition that a query names, and the bound of its sort keys.

    Raises: Wrong.
    """
    partition: str | None = None
    bound: Bound | None = None
    for tree in _all(grammar.condition(text).tree):
        sign, path, values = _key_part(tree)
        (name,), operands = known.path(path), tuple(_text(known, value) for value in values)
        if name == hash_name and sign == "=" and partition is None:
            (partition,) = operands
        elif name == range_name and sign != "<>" and bound is None:
            bound = sign, operands
        else:
            raise Wrong(f"Query condition missed key schema element: {hash_name}, or has another one: {name}")
    if partition is None:
        raise Wrong(f"Query condition missed key schema element: {hash_name}")
    return partition, bound


def _all(tree: Tree) -> list[Tree]:
    return [*_all(tree[1]), *_all(tree[2])] if tree[0] == "and" else [tree]


def _key_part(tree: Tree) -> tuple[str, Tree, Sequence[Tree]]:
    kind, *rest = tree
    if kind == "compare":
        return rest[0], rest[1], [rest[2]]
    if kind == "between":
        return "BETWEEN", rest[0], rest[1:]
    if kind == "call" and rest[0] == "begins_with":
        return "begins_with", rest[1][0], rest[1][1:]
    raise Wrong(f"Invalid operator used in KeyConditionExpression: {kind}")


def _text(known: Placeholders, value: Tree) -> str:
    if value[0] != "value" or "S" not in known.values[value[1]]:
        raise Wrong("One or more parameter values were invalid: Condition parameter type does not match schema type")
    found: str = known.values[value[1]]["S"]
    if not found:
        raise Wrong("One or more parameter values are not valid: an empty string for a key attribute")
    return found
