"""The official Python client against the app, without a network: its requests go through the gateway that Chalice brings."""

import pytest
from chalice.config import Config
from chalice.local import LocalGateway
from httpx import HTTPTransport, Request, Response
from lago_python_client import Client

from app import app
from tests.support.story import Story


def client(story: Story, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The client of a story's organization."""
    monkeypatch.setattr(HTTPTransport, "handle_request", _handled)
    return Client(api_key=story.api_key, api_url="http://tollgate.test/")


def _handled(transport: HTTPTransport, request: Request) -> Response:
    path = request.url.raw_path.decode()
    answer = LocalGateway(app, Config()).handle_request(request.method, path, dict(request.headers), request.read())
    body = answer["body"]
    content = body if isinstance(body, bytes) else body.encode()
    return Response(answer["statusCode"], headers=answer["headers"], content=content, request=request)
