"""Operations that write: single ones, batches and transactions."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.support.tables import expressions, grammar
from tests.support.tables.common import EXPRESSIONS, FAILED, Failed, Operation, Refusal, Request, Tables, only
from tests.support.tables.expressions import Placeholders
from tests.support.tables.grammar import Parsed
from tests.support.tables.store import too_large
from tests.support.tables.values import Unfit, Wrong, item_of

_CONDITION = {"ConditionExpression", "ReturnValuesOnConditionCheckFailure", *EXPRESSIONS}
_WRITES = {
    "Put": {"TableName", "Item", *_CONDITION},
    "Update": {"TableName", "Key", "UpdateExpression", *_CONDITION},
    "Delete": {"TableName", "Key", *_CONDITION},
    "ConditionCheck": {"TableName", "Key", *_CONDITION},
}


class _Change:
    """One write, checked as far as can be without the item that stands there."""

    def __init__(self, tables: Tables, kind: str, request: Request) -> None:
        """Raises: Wrong."""
        only(request, _WRITES[kind])
        self.store, self.kind = tables(request["TableName"]), kind
        self.item = item_of(request["Item"]) if kind == "Put" else None
        if self.item is not None:
            self.store.check(self.item)
            if too_large(self.item):
                raise Wrong("Item size has exceeded the maximum allowed size")
            self.key = self.store.key_of(self.item)
        else:
            self.key = self.store.checked_key(request["Key"])
        self._condition = _parsed(grammar.condition, request.get("ConditionExpression"))
        self._update = _parsed(grammar.update, request.get("UpdateExpression"))
        own = [each for each in (self._condition, self._update) if each is not None]
        self._known = Placeholders(request, own)
        self._shows_old = request.get("ReturnValuesOnConditionCheckFailure", "NONE") == "ALL_OLD"
        self.old = self.store.find(self.key)
        self.paths: list[expressions.Path] = []
        self._refuse_keys()

    def _refuse_keys(self) -> None:
        for _, path, _ in () if self._update is None else self._update.tree:
            if self._known.path(path)[0] in self.store.keys:
                raise Wrong("Cannot update attribute. This attribute is part of the key")

    def prepare(self) -> None:
        """Look at the item that stands there, and change nothing yet.

        Raises: Failed; Wrong.
        """
        old = {} if self.old is None else self.old.item
        if self._condition is not None and not expressions.holds(self._condition.tree, old, self._known):
            raise Failed(self.old.copy() if self._shows_old and self.old is not None else None)
        if self.kind != "Update":
            return
        pk, sk = self.key
        fresh = dict(zip(self.store.keys, ({"S": pk}, {"S": sk}), strict=True)) if self.old is None else self.old.copy()
        if self._update is not None:
            self.paths = expressions.updated(self._update.tree, old, fresh, self._known)
        self.store.check(fresh)
        if too_large(fresh):
            raise Unfit("Item size to update has exceeded the maximum allowed size")
        self.item = fresh

    def carry_out(self) -> None:
        """Change the table."""
        if self.item is not None:
            self.store.put(self.item)
        elif self.kind == "Delete":
            self.store.remove(self.key)

    def returned(self, wanted: str) -> dict[str, Any]:
        """The attributes of an answer."""
        new = self.store.find(self.key)
        if wanted == "NONE":
            return {}
        if wanted == "ALL_OLD":
            return {} if self.old is None else {"Attributes": self.old.copy()}
        if wanted not in ("ALL_NEW", "UPDATED_NEW") or self.kind != "Update" or new is None:
            raise Wrong(f"Return values set to invalid value: {wanted}")
        if wanted == "ALL_NEW":
            return {"Attributes": new.copy()}
        if any(len(path) > 1 for path in self.paths):
            raise NotImplementedError("UPDATED_NEW of parts of attributes")
        touched = {path[0] for path in self.paths}
        return {"Attributes": {name: value for name, value in new.copy().items() if name in touched}}


def _parsed(parse: Callable[[str], Parsed], text: str | None) -> Parsed | None:
    return None if text is None else parse(text)


def alone(kind: str) -> Operation:
    """PutItem, UpdateItem or DeleteItem."""

    def carry_out(tables: Tables, request: Request) -> dict[str, Any]:
        change = _Change(tables, kind, {name: value for name, value in request.items() if name != "ReturnValues"})
        change.prepare()
        change.carry_out()
        return change.returned(request.get("ReturnValues", "NONE"))

    return carry_out


def batch_write_item(tables: Tables, request: Request) -> dict[str, Any]:
    """BatchWriteItem."""
    only(request, {"RequestItems"})
    changes: list[_Change] = []
    for name, asked in request["RequestItems"].items():
        for each in asked:
            ((kind, own),) = each.items()
            changes.append(
                _Change(tables, {"PutRequest": "Put", "DeleteRequest": "Delete"}[kind], {"TableName": name, **own})
            )
    if not 1 <= len(changes) <= 25:
        raise Wrong("Too many items requested for the BatchWriteItem call")
    _distinct(changes, "Provided list of item keys contains duplicates")
    for change in changes:
        change.carry_out()
    return {"UnprocessedItems": {}}


def transact_write_items(tables: Tables, request: Request) -> dict[str, Any]:
    """TransactWriteItems."""
    only(request, {"TransactItems", "ClientRequestToken"})  # botocore makes a new one for each request.
    actions = request["TransactItems"]
    if not 1 <= len(actions) <= 100:
        raise Wrong("Member must have length less than or equal to 100, and at least 1")
    changes = []
    for action in actions:
        if len(action) != 1:
            raise Wrong("TransactItems can only contain one of Check, Put, Update or Delete")
        ((kind, own),) = action.items()
        changes.append(_Change(tables, kind, own))
    _distinct(changes, "Transaction request cannot include multiple operations on one item")
    reasons = [_reason(change) for change in changes]
    if any(reason["Code"] != "None" for reason in reasons):
        codes = ", ".join(reason["Code"] for reason in reasons)
        message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        raise Refusal("TransactionCanceledException", message, CancellationReasons=reasons)
    for change in changes:
        change.carry_out()
    return {}


def _reason(change: _Change) -> dict[str, Any]:
    try:
        change.prepare()
    except Failed as failed:
        found = {} if failed.item is None else {"Item": failed.item}
        return {"Code": "ConditionalCheckFailed", "Message": FAILED, **found}
    except Unfit as error:
        return {"Code": "ValidationError", "Message": str(error)}
    return {"Code": "None"}


def _distinct(changes: Sequence[_Change], message: str) -> None:
    if len({(id(change.store), change.key) for change in changes}) < len(changes):
        raise Wrong(message)
