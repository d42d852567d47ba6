"""The walks and errands of docs/architecture.md name files and functions that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
# A file, and functions of it in brackets behind it.
NAMED = re.compile(r"`([\w/]+\.py)`(?:\s+\(((?:`\w+`(?:,\s+)?)+)\))?")


def section(heading: str) -> str:
    """The text below a heading of the page."""
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def functions_of(path: Path) -> set[str]:
    """The functions and methods that a file defines."""
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("heading", "least"), [("Two walks", 25), ("Four errands", 14)])
def test_they_name_what_is_there(heading: str, least: int):
    found = NAMED.findall(section(heading))
    assert len(found) >= least
    for name, functions in found:
        path = ROOT / "chalicelib" / name.removeprefix("chalicelib/")
        assert path.exists(), name
        wanted = set(re.findall(r"\w+", functions))
        assert wanted <= functions_of(path), (name, wanted)


def test_folders_that_they_name_are_there():
    for name in re.findall(
        r"`((?:api|console|domain|features|tests)(?:/\w+)*)`", section("Four errands") + section("Two walks")
    ):
        assert (ROOT / name).is_dir() or (ROOT / "chalicelib" / name).is_dir(), name
