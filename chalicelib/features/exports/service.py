"""Files of lists: UTF-8, with a line of names, as RFC 4180 has it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.features.exports.columns import EXPORTS, Export
from chalicelib.platform import files
from chalicelib.platform.http import Client
from chalicelib.platform.ids import OrganizationId

CONTENT_TYPE = "text/csv; charset=utf-8"

# Rows of one request to the API's list.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines of one page of a list. `total`: rows of the whole list; `next_page`: None at its end."""

    text: str
    rows: int
    total: int
    next_page: int | None


def columns(name: str) -> list[str]:
    """The names of a list's columns."""
    return [column for column, _ in EXPORTS[name].columns]


def head(name: str) -> str:
    """The first line of a file."""
    return _lines([columns(name)])


def piece(api: Client, name: str, query: Mapping[str, Sequence[str]], page: int) -> Piece:
    """The lines of a page of a list, as the API gives it.

    Raises: whatever the API refuses of the query.
    """
    export = EXPORTS[name]
    answer = api.get(export.path, {**query, "page": page, "per_page": _AT_ONCE})
    rows, meta = answer[export.root], answer["meta"]
    return Piece(lines(export, rows), len(rows), int(meta["total_count"]), meta["next_page"])


def lines(export: Export, rows: Iterable[Mapping[str, Any]]) -> str:
    """The lines of some rows of the API."""
    return _lines([read(row) for _, read in export.columns] for row in rows)


def total(api: Client, name: str, query: Mapping[str, Sequence[str]]) -> int:
    """How many rows the API's list has.

    Raises: whatever the API refuses of the query.
    """
    return int(api.get(EXPORTS[name].path, {**query, "per_page": 1})["meta"]["total_count"])


def file_name(organization_id: OrganizationId, work_id: str, part: int | None = None, kind: str = "csv") -> str:
    """Where the file of a work stands, or a part of it. The store forgets what begins so (infra/resources.json)."""
    return f"exports/{organization_id}/{work_id}{'' if part is None else f'-{part}'}.{kind}"


def keep(name: str, text: str) -> None:
    """Keep a file."""
    files.put(name, text.encode(), CONTENT_TYPE)


def kept(name: str) -> str:
    """A file that was kept."""
    return files.get(name).decode()


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
