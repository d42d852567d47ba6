"""moto without what costs it most: what `infra/resources.json` describes is created once per process and copied for each
test, and requests for items of tables and for messages are answered by `quick_tables` and `quick_queues`, mostly without
going over a wire.

Requests to other services still pass all events of botocore's clients and moto's own reading of parameters.
"""

import base64
import copy
import copyreg
import functools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient
from moto import backend_index
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID, responses
from moto.core.botocore_stubber import BotocoreStubber
from moto.kms import models as kms

from tests.support import quick_queues
from tests.support.quick_tables import carried_out
from tests.support.tables.common import Refusal
from tests.support.tables.requests import OPERATIONS

Everything = dict[str, dict[str, Any]]
_SERVICES = {"dynamodb": "us-east-1", "sqs": "us-east-1", "kms": "us-east-1", "s3": "aws"}  # and where moto keeps each
_process, _make = BotocoreStubber.process_request, BaseClient._make_api_call  # type: ignore[attr-defined]
_DYNAMODB, _SQS = (f"https://{service}.us-east-1.amazonaws.com" for service in ("dynamodb", "sqs"))
_on_the_wire: list[bool] = []  # Whether somebody looks at what goes over it.
_prepared: Everything = {}
copyreg.pickle(threading.Condition, lambda _: (threading.Condition, ()))  # For copies of queues.


@contextmanager
def quick_moto() -> Iterator[None]:
    """Requests to moto are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "process_request", _processed)
        patch.setattr(BaseClient, "_make_api_call", _made)
        patch.setattr(responses, "method_names_from_class", _method_names)
        patch.setattr(responses, "camelcase_to_underscores", _underscored)
        patch.setattr(kms, "generate_private_key", _private_key)
        yield


@contextmanager
def on_the_wire() -> Iterator[None]:
    """Requests to tables pass all events of botocore's clients meanwhile."""
    _on_the_wire.append(True)
    try:
        yield
    finally:
        _on_the_wire.pop()


def prepared(prepare: Callable[[], None]) -> None:
    """Let moto hold what `prepare` puts there: the first time by doing it, then as a copy."""
    if not _prepared:
        prepare()
        _prepared.update(everything())
    else:
        restore(_prepared)


def everything() -> Everything:
    """All that the AWS in memory holds, queues too, to come back to."""
    return {name: copy.deepcopy(vars(_backend(name))) for name in _SERVICES}


def restore(before: Everything) -> None:
    """Let it hold again what it held; `before` stays as it is."""
    for name, own in before.items():
        vars(_backend(name)).update(copy.deepcopy(own))


def only_services_used() -> None:
    """Let moto know no services but ours: it looks for each request among the patterns of all of them."""
    patterns = backend_index.backend_url_patterns
    patterns[:] = [(name, pattern) for name, pattern in patterns if name in _SERVICES]


def _backend(name: str) -> Any:
    return get_backend(name)[DEFAULT_ACCOUNT_ID][_SERVICES[name]]


_method_names = functools.cache(responses.method_names_from_class)
_underscored = functools.cache(responses.camelcase_to_underscores)
_private_key = functools.cache(kms.generate_private_key)  # Made for each key, whatever it is for; nobody signs with it.


def _made(client: BaseClient, operation: str, asked: dict[str, Any]) -> Any:
    """An answer without a wire in between, to requests that somebody else would read off it as they are."""
    answer = _answering(client, operation, asked)
    if answer is None:
        return _make(client, operation, asked)
    try:
        return {**answer(operation, asked), "ResponseMetadata": _metadata(200)}
    except Refusal as refusal:
        error = {"Message": refusal.message, "Code": refusal.code}
        response = {"Error": error, **refusal.more, "message": refusal.message, "ResponseMetadata": _metadata(400)}
        kind: Any = client.exceptions.from_code(refusal.code)
        raise kind(response, operation) from refusal


def _answering(client: BaseClient, operation: str, asked: dict[str, Any]) -> Callable[..., dict[str, Any]] | None:
    if client.meta.endpoint_url == _SQS and quick_queues.answers(operation, asked):
        return quick_queues.answer
    if client.meta.endpoint_url == _DYNAMODB and operation in OPERATIONS and not _on_the_wire:
        return carried_out
    return None


def _metadata(status: int) -> dict[str, Any]:
    return {"RequestId": "in-memory", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}


def _processed(stubber: BotocoreStubber, request: Any) -> Any:
    operation = _text(request.headers.get("X-Amz-Target", "")).rpartition(".")[2]
    if operation not in OPERATIONS or not request.url.startswith(_DYNAMODB):
        return _process(stubber, request)
    try:
        found, status = carried_out(operation, _read(json.loads(request.body))), 200
    except Refusal as refusal:
        found, status = {"__type": f"com.amazonaws#{refusal.code}", "message": refusal.message, **refusal.more}, 400
    return status, {}, json.dumps(found, default=_base64)


def _read(value: Any) -> Any:
    """A request off the wire, where bytes are text."""
    if isinstance(value, list):
        return [_read(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("B"), str):
        return {"B": base64.b64decode(value["B"])}
    return {name: _read(each) for name, each in value.items()}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _text(header: Any) -> str:
    return header.decode() if isinstance(header, bytes) else header
