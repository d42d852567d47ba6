"""Faults beyond emulators: a write that fails before it, or after it was carried out and only its answer is lost;
conflicts between transactions; an index that lags."""

import contextlib
import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib.platform import aws

WRITES = (
    "put_item",
    "update_item",
    "delete_item",
    "transact_write_items",
    "batch_write_item",
    "send_message",
    "put_object",
)


class Killed(BaseException):
    """The process ends here; nothing catches it."""


class _Proxy:
    """A client that counts its writes and fails at one of them."""

    def __init__(self, client: Any, plan: "Plan") -> None:
        self._client, self._plan = client, plan

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in WRITES:
            return found
        return lambda **request: self._plan.carry_out(found, request)


class Plan:
    """At which write to fail (from 0), and whether after carrying it out."""

    def __init__(self, at: int, *, after: bool, lost_answer: bool = False) -> None:
        self.at, self.after, self.lost_answer, self.writes = at, after, lost_answer, 0

    @property
    def reached(self) -> bool:
        """Whether the write to fail at was there at all."""
        return self.writes > self.at

    def carry_out(self, call: Any, request: dict[str, Any]) -> Any:
        """One write."""
        number, self.writes = self.writes, self.writes + 1
        if number != self.at:
            return call(**request)
        if self.after:
            call(**request)
        if self.lost_answer:
            raise EndpointConnectionError(endpoint_url="lost")
        raise Killed


@contextlib.contextmanager
def failing(plan: Plan) -> Iterator[Plan]:
    """All clients of the process fail by the plan."""
    real = aws.client
    aws.client = lambda service, use="standard": _Proxy(real(service, use), plan)  # type: ignore[assignment]
    try:
        yield plan
    finally:
        aws.client = real


@contextlib.contextmanager
def recorded() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """All writes to tables, by name and request, in their order."""
    real = aws.client
    writes: list[tuple[str, dict[str, Any]]] = []

    class Recorded:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._client, name)
            if name not in WRITES:
                return found
            return lambda **request: writes.append((name, request)) or found(**request)

    aws.client = lambda service, use="standard": (
        Recorded(real(service, use)) if service == "dynamodb" else real(service, use)
    )  # type: ignore[assignment]
    try:
        yield writes
    finally:
        aws.client = real


@contextlib.contextmanager
def conflicting(times: int, code: str = "TransactionConflict", *, at: int = -1) -> Iterator[dict[str, int]]:
    """The next transactions are refused as conflicts (or whatever `code` says), so many times, at an action of
    theirs."""
    real = aws.client
    left = {"times": times}

    class Conflicting:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def transact_write_items(self, **request: Any) -> Any:
            if left["times"] > 0:
                left["times"] -= 1
                codes = ["None" for _ in request["TransactItems"]]
                codes[at] = code
                raise _refusal(self._client, codes)
            return self._client.transact_write_items(**request)

    aws.client = lambda service, use="standard": (
        Conflicting(real(service, use)) if service == "dynamodb" else real(service, use)
    )  # type: ignore[assignment]
    try:
        yield left
    finally:
        aws.client = real


@contextlib.contextmanager
def atomic() -> Iterator[None]:
    """Each request to tables is carried out whole, as AWS does, however many threads ask: the emulator in memory does not."""
    real, lock = aws.client, threading.Lock()

    class Atomic:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._client, name)
            if name == "exceptions" or not callable(found):
                return found

            def call(*arguments: Any, **request: Any) -> Any:
                with lock:
                    return found(*arguments, **request)

            return call

    aws.client = lambda service, use="standard": (
        Atomic(real(service, use)) if service == "dynamodb" else real(service, use)
    )  # type: ignore[assignment]
    try:
        yield
    finally:
        aws.client = real


@contextlib.contextmanager
def overtaken(by: Callable[[], object], *, times: int = 1) -> Iterator[dict[str, int]]:
    """Before each of the next transactions is carried out, somebody else does `by`, whose own are left alone."""
    real = aws.client
    left = {"times": times}

    class Overtaken:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def transact_write_items(self, **request: Any) -> Any:
            if left["times"] > 0:
                left["times"] -= 1
                aws.client = real
                try:
                    by()
                finally:
                    aws.client = overtaking  # type: ignore[assignment]
            return self._client.transact_write_items(**request)

    def overtaking(service: str, use: str = "standard") -> Any:
        return Overtaken(real(service, use)) if service == "dynamodb" else real(service, use)

    aws.client = overtaking  # type: ignore[assignment]
    try:
        yield left
    finally:
        aws.client = real


@contextlib.contextmanager
def in_flight(times: int) -> Iterator[dict[str, int]]:
    """The next writes of single items meet a transaction on the item, so many times."""
    real = aws.client
    left = {"times": times}

    class Meeting:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._client, name)
            return (
                functools.partial(self._write, found) if name in ("put_item", "update_item", "delete_item") else found
            )

        def _write(self, call: Callable[..., Any], **request: Any) -> Any:
            if left["times"] > 0:
                left["times"] -= 1
                error = {"Error": {"Code": "TransactionConflictException"}}
                raise self._client.exceptions.TransactionConflictException(error, "PutItem")
            return call(**request)

    aws.client = lambda service, use="standard": (
        Meeting(real(service, use)) if service == "dynamodb" else real(service, use)
    )  # type: ignore[assignment]
    try:
        yield left
    finally:
        aws.client = real


def _refusal(client: Any, codes: Sequence[str]) -> ClientError:
    error = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    kind = client.exceptions.TransactionCanceledException
    assert issubclass(kind, ClientError)
    return kind(error, "TransactWriteItems")


@dataclass
class Collisions:
    """Transactions, and the events in them, by what became of them: `done`; `conflict`: they met another; `refused`:
    for another reason, such as a condition. `places`: at what kinds of items they met; `requests`: those that were
    refused."""

    transactions: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def note(self, outcome: str, request: dict[str, Any]) -> None:
        """Count one, unless it writes to the log, which counts nothing."""
        if any("#log" in key["S"] for change in map(_touched, request["TransactItems"]) for key in _keys(change)):
            return
        self.transactions[outcome] += 1
        self.events[outcome] += sum(
            "transaction_id" in _touched(action).get("Item", {}) for action in request["TransactItems"]
        )
        if outcome != "done":
            self.requests.append(request)


def _keys(change: dict[str, Any]) -> list[dict[str, str]]:
    return [(change.get("Key") or change["Item"])["pk"]]


def _touched(action: dict[str, Any]) -> dict[str, Any]:
    (change,) = action.values()
    return dict(change)


@contextlib.contextmanager
def colliding(pause: Callable[[], None]) -> Iterator[Collisions]:
    """A transaction that touches an item which another one in flight touches is refused, as AWS does.

    `pause`: what passes while a request is on its way; other workers go on meanwhile.
    """
    real, met, lock = aws.client, Collisions(), threading.Lock()
    in_flight: set[tuple[str, str, str]] = set()

    class Colliding:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._client, name)
            if name == "exceptions":
                return found

            def call(**request: Any) -> Any:
                pause()
                return found(**request)

            return call

        def transact_write_items(self, **request: Any) -> Any:
            keys = []
            for change in map(_touched, request["TransactItems"]):
                key = change.get("Key") or change["Item"]
                keys.append((change["TableName"], key["pk"]["S"], key["sk"]["S"]))
            pause()
            with lock:
                codes = ["TransactionConflict" if key in in_flight else "None" for key in keys]
                if any(code != "None" for code in codes):
                    met.note("conflict", request)
                    met.places.update({pk.split("#")[1] for _, pk, _ in in_flight.intersection(keys)})
                    raise _refusal(self._client, codes)
                in_flight.update(keys)
            outcome = "refused"
            try:
                pause()
                answer = self._client.transact_write_items(**request)
                outcome = "done"
                return answer
            finally:
                with lock:
                    in_flight.difference_update(keys)
                    met.note(outcome, request)

    aws.client = lambda service, use="standard": (
        Colliding(real(service, use)) if service == "dynamodb" else real(service, use)
    )  # type: ignore[assignment]
    try:
        yield met
    finally:
        aws.client = real


@contextlib.contextmanager
def lagging(times: int) -> Iterator[dict[str, int]]:
    """The next answers of the time index lack what was written last, so many times."""
    real = aws.client
    left = {"times": times}

    class Lagging:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def query(self, **request: Any) -> Any:
            answer = self._client.query(**request)
            if request.get("IndexName") == "time" and answer["Count"] and left["times"] > 0:
                left["times"] -= 1
                answer["Count"] -= 1
                answer["Items"] = answer["Items"][:-1]
            return answer

    aws.client = lambda service, use="standard": (
        Lagging(real(service, use)) if service == "dynamodb" else real(service, use)
    )  # type: ignore[assignment]
    try:
        yield left
    finally:
        aws.client = real
