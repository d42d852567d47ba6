"""moto without what costs it most: requests to its tables skip the way that HTTP would take, and what `infra/resources.json`
describes is created once per process and copied for each test.

Requests still pass all events of botocore's clients, moto's own reading of parameters, its checks and its answers on the
wire; their signatures alone are left out, which moto does not look at.
"""

import copy
import copyreg
import functools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.signers import RequestSigner
from moto import backend_index
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID, responses
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.exceptions import HTTPException
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.responses import http_date, utcnow
from moto.core.utils import get_service_model
from moto.dynamodb.responses import DynamoHandler
from moto.kms import models as kms

Everything = dict[str, dict[str, Any]]
_SERVICES = {"dynamodb": "us-east-1", "sqs": "us-east-1", "kms": "us-east-1", "s3": "aws"}  # and where moto keeps each
_process, _sign = BotocoreStubber.process_request, RequestSigner.handler
# moto checks the conditions of a transaction and then writes: of threads that do so at once several would win.
_one_request = threading.RLock()
_DYNAMODB = "https://dynamodb.us-east-1.amazonaws.com/"
_prepared: Everything = {}
copyreg.pickle(threading.Condition, lambda _: (threading.Condition, ()))  # For copies of queues.


@contextmanager
def quick_moto() -> Iterator[None]:
    """Requests to moto are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "process_request", _processed)
        patch.setattr(RequestSigner, "handler", _signed)
        patch.setattr(responses, "method_names_from_class", _method_names)
        patch.setattr(responses, "camelcase_to_underscores", _underscored)
        patch.setattr(kms, "generate_private_key", _private_key)
        yield


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
    return get_backend(name)[DEFAULT_ACCOUNT_ID][_SERVICES[name]]  # type: ignore[call-overload]


_method_names = functools.cache(responses.method_names_from_class)
_underscored = functools.cache(responses.camelcase_to_underscores)
_private_key = functools.cache(kms.generate_private_key)  # Made for each key, whatever it is for; nobody signs with it.


def _signed(signer: RequestSigner, operation_name: str | None = None, request: Any = None, **more: Any) -> Any:
    if not request.url.startswith(_DYNAMODB):
        return _sign(signer, operation_name, request, **more)
    return None


def _processed(stubber: BotocoreStubber, request: Any) -> Any:
    if request.url != _DYNAMODB or request.method != "POST":
        return _process(stubber, request)
    handler = DynamoHandler()
    handler.querystring = handler.data = {}
    handler.method, handler.uri, handler.region, handler.partition = "POST", request.url, "us-east-1", "aws"
    handler.access_key, handler.current_account = "AKIAEXAMPLE", DEFAULT_ACCOUNT_ID
    handler.response_headers = {"server": "amazon.com", "date": http_date(utcnow())}
    operation = _operation(_text(request.headers["X-Amz-Target"]).rpartition(".")[2])
    handler.headers = {"Content-Type": _text(request.headers["Content-Type"]), "x-amz-target": operation.name}
    handler.params = _parameters(handler, operation, request.body)
    try:
        with _one_request:
            return handler.call_action()
    except HTTPException as error:
        return error.code, error.get_headers(), error.get_body()


def _parameters(handler: DynamoHandler, operation: Any, body: bytes) -> Any:
    if b'"B"' not in body and b'"BS"' not in body:
        return json.loads(body)  # All but bytes stand there as moto reads them.
    parser = PROTOCOL_PARSERS["json"](operation, map_type=handler.PROTOCOL_PARSER_MAP_TYPE)
    asked = {"method": "POST", "values": {}, "headers": handler.headers, "body": body}
    return parser.parse({**asked, "url_path": "/", "url_params": {}})


@functools.cache
def _operation(name: str) -> Any:
    return get_service_model("dynamodb").operation_model(name)


def _text(header: Any) -> str:
    return header.decode() if isinstance(header, bytes) else header
