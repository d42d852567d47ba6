"""Errors of kept files."""

from pathlib import Path


class Unreadable(Exception):
    """The file cannot be read. Nothing was changed: an empty stack must never take its place without a word."""

    def __init__(self, path: Path, why: str) -> None:
        so_do = "Nothing was changed. Put a copy of it back, or begin anew with `make reset`."
        super().__init__(f"{path} cannot be read: {why}. {so_do}")
