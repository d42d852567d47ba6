"""Amazon's own DynamoDB Local, with fresh tables for each test."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.features.events import service as events
from chalicelib.platform import agenda, aws, files, queues
from infra.local import provision
from tests.support import aws as support
from tests.support.dynamodb_local import running, without_kms

SQS_BYTES_MAX = 256 * 1024
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
UNSENT = {chr(n) for n in range(32) if chr(n) not in "\t\n\r"} | {"\ufffe", "\uffff"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def tables(
    server: str, environment: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Fresh tables for each test, told apart by the stage."""
    stage = f"t{abs(hash(request.node.name)) % 10**8}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("STAGE", stage)
    without_kms(monkeypatch)
    support.forget()
    provision.tables(aws.client("dynamodb"), stage)
    yield
    support.forget()


@pytest.fixture
def sent(tables: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages that went to SQS, each as large as it takes at most."""
    found: list[str] = []

    def send(queue: str, body: Any, **how: Any) -> str:
        text = body if isinstance(body, str) else json.dumps(body)
        assert len(text.encode()) <= SQS_BYTES_MAX
        assert UNSENT.isdisjoint(text)
        found.append(text)
        return "id"

    monkeypatch.setattr(queues, "send", send)
    monkeypatch.setattr(files, "put", lambda name, content, content_type: None)
    monkeypatch.setattr(agenda, "push", lambda tasks: None)
    monkeypatch.setattr(events, "wait_for_events", lambda organization: None)
    monkeypatch.setattr("tests.support.story.meter", lambda: None)
    return found
