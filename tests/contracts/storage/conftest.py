"""Amazon's own DynamoDB Local, with fresh tables for each test."""

from collections.abc import Iterator

import pytest

from chalicelib.platform import aws
from infra.local import provision
from tests.support import aws as support
from tests.support.dynamodb_local import running


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
    support.forget()
    provision.tables(aws.client("dynamodb"), stage)
    yield
    support.forget()
