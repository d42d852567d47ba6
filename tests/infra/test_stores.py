"""Each store's head says what its rows are and which functions read and write them: all of them, and none that is gone."""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from chalicelib.platform.collection import Collection

ROOT = Path(__file__).parents[2]
FEATURES = ROOT / "chalicelib" / "features"

# Modules with a table; of these the stores, whose functions are all in it.
TABLED = sorted(p for p in (ROOT / "chalicelib").rglob("*.py") if "\nAccess patterns\n" in p.read_text())
STORES = [
    *sorted(FEATURES.glob("*/store.py")),
    *sorted(FEATURES.glob("payments/*/store.py")),
    FEATURES / "plans" / "subscribers.py",
]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def patterns(head: str) -> list[str]:
    """The functions that the numbered lines of a table name: `one(...), two / three   how`."""
    table = head.partition("\nAccess patterns\n")[2]
    firsts = [re.split(r"\s{2,}", line)[0] for line in re.findall(r"^ +\d+ (.+)$", table, re.MULTILINE)]
    return [name for first in firsts for name in re.split(r"[,/\s]+", re.sub(r"\([^)]*\)", "", first)) if name]


def is_there(module: ModuleType, name: str) -> bool:
    """Whether a table's name stands for something: of the module or one of its classes, `Class.method`, `COLLECTION.*`, or
    `file.function` of the same room or of chalicelib."""
    place, _, last = name.rpartition(".")
    if last == "*":
        return isinstance(getattr(module, place), Collection)
    if not place:
        own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
        return hasattr(module, last) or any(inspect.isclass(value) and hasattr(value, last) for value in own)
    if hasattr(module, place):
        return hasattr(getattr(module, place), last)
    for package in (module.__name__.rpartition(".")[0], "chalicelib"):
        if ROOT.joinpath(*package.split("."), *place.split(".")).with_suffix(".py").exists():
            return hasattr(importlib.import_module(f"{package}.{place}"), last)
    return False


def functions(module: ModuleType) -> set[str]:
    """A module's public functions but those that only say where something stands."""
    own = [f for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == module.__name__]
    return {f.__name__ for f in own if not f.__name__.startswith("_") and not f.__name__.endswith(("_key", "_pk"))}


@pytest.mark.parametrize("path", STORES, ids=lambda p: p.parent.name)
def test_a_store_opens_with_its_items_and_all_its_access_patterns(path):
    module = importlib.import_module(name_of(path))
    assert "\nItems\n" in (module.__doc__ or "")
    assert functions(module) - set(patterns(module.__doc__ or "")) == set()


@pytest.mark.parametrize("path", TABLED, ids=name_of)
def test_a_table_names_only_what_is_there(path):
    module = importlib.import_module(name_of(path))
    named = patterns(module.__doc__ or "")
    assert named
    assert [name for name in named if not is_there(module, name)] == []


def test_a_line_may_name_several_functions_and_say_how():
    head = "Items\n    1 no\n\nAccess patterns\n    1 one(org, id), two   Query\n   12 X.* / three(...)   4 of them\n    more\n"
    assert patterns(head) == ["one", "two", "X.*", "three"]
