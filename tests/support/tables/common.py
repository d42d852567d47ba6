"""What all operations on items share: their kinds of refusals, and requests that nobody here knows."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.tables.store import Store
from tests.support.tables.values import Item

Request = Mapping[str, Any]
# Gives the table of a name.
Tables = Callable[[str], Store]
# Answers one kind of request.
Operation = Callable[[Tables, Request], dict[str, Any]]

FAILED = "The conditional request failed"
EXPRESSIONS = {"ExpressionAttributeNames", "ExpressionAttributeValues"}


class Refusal(Exception):
    """DynamoDB refuses a request: the error's code, message and what else is in it."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.more = code, message, more


class Failed(Exception):
    """A condition did not hold for this item."""

    def __init__(self, item: Item | None) -> None:
        super().__init__(FAILED)
        self.item = item


def only(request: Request, known: set[str]) -> None:
    """Raises: NotImplementedError, where a request has other parameters."""
    if unknown := request.keys() - known:
        raise NotImplementedError(f"the tables in memory do not know {sorted(unknown)}")
