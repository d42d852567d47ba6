"""Failing at a chosen write: before it, or after it was carried out and only its answer is lost."""

import contextlib
from collections.abc import Iterator
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
def conflicting(times: int) -> Iterator[dict[str, int]]:
    """The next transactions are refused as conflicts, so many times."""
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
                reasons = [{"Code": "None"} for _ in request["TransactItems"]]
                reasons[-1] = {"Code": "TransactionConflict"}
                error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
                kind = self._client.exceptions.TransactionCanceledException
                assert issubclass(kind, ClientError)
                raise kind(error, "TransactWriteItems")
            return self._client.transact_write_items(**request)

    aws.client = lambda service, use="standard": (
        Conflicting(real(service, use)) if service == "dynamodb" else real(service, use)
    )  # type: ignore[assignment]
    try:
        yield left
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
