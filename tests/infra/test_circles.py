"""Files of chalicelib import each other in no circle: imports inside of functions and for types count as well."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules() -> dict[str, str]:
    """The source of each module, by its dotted name."""
    files = {path: path.relative_to(ROOT).with_suffix("") for path in (ROOT / "chalicelib").rglob("*.py")}
    return {".".join(name.parts).removesuffix(".__init__"): path.read_text() for path, name in files.items()}


def imported(source: str, known: set[str]) -> Iterator[str]:
    """The modules that a source names in its imports, wherever in the file they stand."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def order(sources: dict[str, str]) -> list[str]:
    """The modules, each after those that it imports.

    Raises: graphlib.CycleError, which names a circle.
    """
    graph = {name: set(imported(source, set(sources))) - {name} for name, source in sources.items()}
    return list(graphlib.TopologicalSorter(graph).static_order())


def test_no_files_import_each_other_in_a_circle():
    sources = modules()
    assert len(order(sources)) == len(sources)


@pytest.mark.parametrize(
    "back", ["import a.one", "from a import one", "from a.one import x", "def f():\n    from a import one"]
)
def test_a_circle_is_found_in_whatever_form_it_is_written(back):
    with pytest.raises(graphlib.CycleError):
        order({"a": "", "a.one": "from a.two import y", "a.two": back})
