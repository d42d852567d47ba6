"""The metric `Throttled`: requests that DynamoDB throttles, by table and index.

A hook inspects each answer before the client retries by itself: so each throttled request counts, and each item that a
batch left undone. A process emits the metric at most once a second, as a flood of throttling must not become a flood
of log lines.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.platform import metrics
from chalicelib.platform.busy import THROTTLED

# (table, index); the index is empty for the table itself.
Place = tuple[str, str]
NO_INDEX, SOME_INDEX = "-", "?"

_SECONDS = 1.0

_counted: Counter[Place] = Counter()
_told_at: dict[Place, float] = {}


def watch(client: Any) -> None:
    """Count throttled requests of a DynamoDB client from now on."""
    client.meta.events.register("needs-retry.dynamodb", _note)


def tell() -> None:
    """Emit the counts that were not emitted yet."""
    for place in list(_counted):
        _tell(place)


def _note(response: Any = None, request_dict: Mapping[str, Any] | None = None, **_: Any) -> None:
    """The hook after each answer. It returns None: any other value would make botocore retry."""
    if response is None or request_dict is None:
        return
    parsed = response[1]
    if "Error" not in parsed and not parsed.get("UnprocessedItems") and not parsed.get("UnprocessedKeys"):
        return
    for place in _places(parsed, request_dict):
        _counted[place] += 1
        if time.monotonic() - _told_at.get(place, float("-inf")) >= _SECONDS:
            _tell(place)


def _tell(place: Place) -> None:
    number = _counted.pop(place, 0)
    if number:
        _told_at[place] = time.monotonic()
        metrics.count("Throttled", number, by={"table": place[0], "index": place[1]})


def _places(parsed: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[Place]:
    for table, puts in (parsed.get("UnprocessedItems") or {}).items():
        yield from [(table, NO_INDEX)] * len(puts)
    for table, unread in (parsed.get("UnprocessedKeys") or {}).items():
        yield from [(table, NO_INDEX)] * len(unread["Keys"])
    code = parsed.get("Error", {}).get("Code", "")
    reasons = parsed.get("CancellationReasons") or []
    if code not in THROTTLED and not any(reason.get("Code") in THROTTLED for reason in reasons):
        return
    named = [_named(each.get("resource", "")) for each in parsed.get("ThrottlingReasons") or []]
    asked = json.loads(request["body"])
    if named:
        yield from named
    elif reasons:
        for action, reason in zip(asked["TransactItems"], reasons, strict=False):
            if reason.get("Code") in THROTTLED:
                ((_, change),) = action.items()
                yield change["TableName"], _index_in(reason.get("Message"))
    else:
        message = parsed["Error"].get("Message")
        for table in asked.get("RequestItems") or [asked.get("TableName", NO_INDEX)]:
            yield table, asked.get("IndexName") or _index_in(message)


def _named(resource: str) -> Place:
    """(table, index) of an ARN: `arn:aws:dynamodb:<region>:<account>:table/<name>/index/<name>`."""
    parts = resource.split("/")
    return (parts[1] if len(parts) > 1 else NO_INDEX), (parts[3] if len(parts) > 3 else NO_INDEX)


def _index_in(message: str | None) -> str:
    """SOME_INDEX where DynamoDB's message speaks of an index (it does not always name it), else NO_INDEX."""
    return SOME_INDEX if "index" in (message or "").lower() else NO_INDEX
