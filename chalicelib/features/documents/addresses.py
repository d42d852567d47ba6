"""Addresses of printed documents: one that lasts, which answers and messages name, and a fresh link, to which it leads."""

from typing import Protocol

from chalicelib.platform import files


class Printed(Protocol):
    """An object that has a document. `file_secret`: None for one printed by a version without lasting addresses."""

    @property
    def number(self) -> str:
        """The number on the document."""

    @property
    def file_key(self) -> str | None:
        """The name of its file; None before it is printed."""

    @property
    def file_secret(self) -> str | None:
        """The secret of its lasting address."""


def lasting(printed: Printed) -> str | None:
    """The address that leads to the document whenever it is called, without an API key; None before it is printed. A document
    of an earlier version has a link that expires."""
    if printed.file_key is None or printed.file_secret is None:
        return link(printed)
    return files.address(printed.file_key, printed.file_secret)


def link(printed: Printed, *, head: bool = False) -> str | None:
    """A fresh link to the document, once it is printed. `head`: for a request of its headers."""
    return None if printed.file_key is None else files.link(printed.file_key, f"{printed.number}.pdf", head=head)
