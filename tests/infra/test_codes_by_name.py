"""Codes and resources are said by their names in `domain/error_codes.py`, never as text."""

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.platform.collection import Collection

ROOT = Path(__file__).parents[2]

# Which arguments of a call are codes or resources, from the first to the last.
_SAY = {
    "field": slice(1, None),
    "refuse": slice(0, 1),
    "mark": slice(1, 2),
    "refused": slice(0, 1),
    "NotAllowed": slice(0, 1),
    "Conflict": slice(0, 1),
    "Forbidden": slice(0, 1),
    "NotFound": slice(0, 1),
    "existing": slice(1, 2),
    "ChangedMeanwhile": slice(0, 1),
    "retrying": slice(1, 2),
    "carry_out": slice(1, 2),
}


def _said_as_text(path: Path) -> Iterator[str]:
    known = {*ErrorCode}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and node.value in known:
            yield f"{path.name}:{node.lineno} {node.value}"
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            said = node.args[_SAY[name]] if name in _SAY and not _is_a_dataclass_field(node) else []
            yield from (f"{path.name}:{each.lineno}" for each in said if isinstance(each, ast.Constant))


def _is_a_dataclass_field(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "field"


def test_codes_are_said_by_their_names():
    # Two say them as text: where they are declared and examined, and where people read what each means.
    said = {"domain/error_codes.py", "domain/aggregation/faults.py", "console/texts.py"}
    sources = ROOT / "chalicelib"
    files = [path for path in sources.rglob("*.py") if str(path.relative_to(sources)) not in said]
    assert len(files) > 300
    assert [found for path in files for found in _said_as_text(path)] == []


def test_collections_are_named_after_resources():
    assert {each.name for each in gc.get_objects() if isinstance(each, Collection)} <= set(Resource)
