"""A DynamoDB and an SQS that are busy: they refuse, or take only a part of what they are asked."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from chalicelib.platform import aws
from tests.support.quick_moto import on_the_wire


@dataclass
class Busy:
    """`calls`: how often each was called; `slept`: how long the process slept meanwhile (s), which takes no time."""

    calls: Counter[str] = field(default_factory=Counter)
    slept: list[float] = field(default_factory=list)


# Given the client's own call, its name and the request: the answer.
Answering = Callable[[Callable[..., Any], str, dict[str, Any]], Any]


@contextlib.contextmanager
def answering(how: Answering, monkeypatch: pytest.MonkeyPatch) -> Iterator[Busy]:
    """All clients of the process answer so; sleeping takes no time."""
    real, found = aws.client, Busy()

    class Answered:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            own = getattr(self._client, name)
            if name.startswith("_") or name in ("exceptions", "meta"):
                return own

            def call(**request: Any) -> Any:
                found.calls[name] += 1
                return how(own, name, request)

            return call

    with monkeypatch.context() as patched:
        patched.setattr(aws, "client", lambda service, use="standard": Answered(real(service, use)))
        patched.setattr(time, "sleep", found.slept.append)
        yield found


def taking(most: int) -> Answering:
    """Let only so many of each batch, written or read, be done."""

    def answer(own: Callable[..., Any], name: str, request: dict[str, Any]) -> Any:
        if name == "batch_write_item":
            ((table, puts),) = request["RequestItems"].items()
            if puts[:most]:
                own(RequestItems={table: puts[:most]})
            return {"UnprocessedItems": {table: puts[most:]} if puts[most:] else {}}
        if name == "batch_get_item":
            ((table, wanted),) = request["RequestItems"].items()
            done, left = wanted["Keys"][:most], wanted["Keys"][most:]
            asked = {"RequestItems": {table: {**wanted, "Keys": done}}}
            answered = own(**asked) if done else {"Responses": {table: []}}
            return {**answered, "UnprocessedKeys": {table: {**wanted, "Keys": left}} if left else {}}
        return own(**request)

    return answer


def error(code: str, *, status: int = 400, name: str = "PutItem") -> ClientError:
    """An error of AWS."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, name)


@contextlib.contextmanager
def wired(status: int, body: dict[str, Any], times: int) -> Iterator[list[int]]:
    """The next answers that DynamoDB's client reads off the wire, so many times: what its own repetitions see, too."""
    left = [times]

    class Raw:
        def stream(self) -> Iterator[bytes]:
            yield json.dumps(body).encode()

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        if left[0] <= 0:
            return None
        left[0] -= 1
        return AWSResponse(request.url, status, {}, Raw())

    events = aws.client("dynamodb").meta.events
    events.register_first("before-send.dynamodb", answer)
    try:
        with on_the_wire():
            yield left
    finally:
        events.unregister("before-send.dynamodb", answer)
