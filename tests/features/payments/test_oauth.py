"""GoCardless connected by a one-time code of its page instead of an access token. Source: rules/catalog 10.3."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from chalicelib.platform.settings import Settings, settings
from infra import package
from tests.features.payments.far_side import TOKEN
from tests.support.changes import core_items
from tests.support.providers.frame import Running
from tests.support.story import Answer, Story

CLIENT, SECRET, CODE, PAGE = "client-1", "partner-secret-9f2c", "one-time-code", "https://billing.example/connected"


@dataclass
class Desk:
    """Where codes are exchanged. `answer`: what is answered to whatever is not the good code."""

    url: str = ""
    used: list[str] = field(default_factory=list)
    answer: tuple[int, Any] = (400, {"error": "invalid_grant"})

    def exchange(self, form: dict[str, str]) -> tuple[int, Any]:
        wanted = {
            "grant_type": "authorization_code",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uri": PAGE,
        }
        is_good = form.pop("code") == CODE and CODE not in self.used and form == wanted
        if not is_good:
            return self.answer
        self.used.append(CODE)
        return 200, {"access_token": TOKEN, "scope": "read_write", "token_type": "bearer", "organisation_id": "OR1"}


@pytest.fixture
def desk(gocardless: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The provider's page for codes, and an installation that is its partner."""
    desk = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            status, body = desk.exchange(form) if self.path == "/oauth/access_token" else (404, {})
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    desk.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("GOCARDLESS_CONNECT_BASE", desk.url)
    monkeypatch.setenv("GOCARDLESS_CLIENT_ID", CLIENT)
    monkeypatch.setenv("GOCARDLESS_CLIENT_SECRET", SECRET)
    settings.cache_clear()
    yield desk
    server.shutdown()
    server.server_close()


def connect(story: Story, **more: Any) -> Answer:
    body = {"code": "debit", "payment_provider": "gocardless", "access_code": CODE, "redirect_uri": PAGE, **more}
    return story.call("POST", "/payment_providers", {"payment_provider": body})


def test_a_code_becomes_a_connection(story: Story, desk: Desk, caplog: Any, capsys: Any) -> None:
    made = connect(story)
    assert made.status == 200, made.body
    shown = made.body["payment_provider"]
    assert (shown["state"], shown["access_token"]) == ("active", "••••1234")
    assert len(shown["webhook_secret"]) == 50
    assert not {"access_code", "redirect_uri"} & set(shown)
    told = repr(core_items()) + caplog.text + capsys.readouterr().out + str(made.body)
    assert not [secret for secret in (TOKEN, CODE, SECRET) if secret in told]


def test_a_connection_gets_another_token_by_another_code(story: Story, desk: Desk) -> None:
    token = {"code": "debit", "payment_provider": "gocardless", "access_token": "sandbox_before_12345678"}
    story.ok("POST", "/payment_providers", {"payment_provider": token})
    body = {"access_code": CODE, "redirect_uri": PAGE}
    changed = story.ok("PUT", "/payment_providers/debit", {"payment_provider": body})["payment_provider"]
    assert changed["access_token"] == "••••1234"


@pytest.mark.parametrize(
    ("answer", "details"),
    [
        pytest.param((400, {"error": "invalid_grant"}), {"access_code": ["value_is_invalid"]}, id="a used code"),
        pytest.param((400, {"error": "invalid_client"}), {"base": ["payment_provider_refused"]}, id="no partner"),
        pytest.param((503, {"error": "later"}), {"base": ["payment_provider_not_reached"]}, id="broken"),
        pytest.param((200, {"token": "x"}), {"base": ["payment_provider_not_reached"]}, id="no token"),
        pytest.param((200, b"<html>"), {"base": ["payment_provider_not_reached"]}, id="a page"),
        pytest.param((302, {}), {"base": ["payment_provider_not_reached"]}, id="elsewhere"),
    ],
)
def test_a_code_that_is_not_taken_makes_nothing(
    story: Story, desk: Desk, answer: tuple[int, Any], details: dict[str, list[str]]
) -> None:
    desk.answer = answer
    refused = connect(story, access_code="another-code")
    assert (refused.status, refused.body["error_details"]) == (422, details)
    assert story.ok("GET", "/payment_providers")["payment_providers"] == []
    assert connect(story).status == 200


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"access_code": "no good"}, {"access_code": ["value_is_invalid"]}),
        ({"access_code": 5}, {"access_code": ["value_is_invalid"]}),
        ({"redirect_uri": ["x"]}, {"redirect_uri": ["value_is_invalid"]}),
        ({"access_code": None}, {"access_token": ["value_is_mandatory"]}),
        ({"payment_provider": "stripe"}, {"secret_key": ["value_is_mandatory"]}),
    ],
)
def test_what_is_no_code(story: Story, desk: Desk, fields: dict[str, Any], details: dict[str, list[str]]) -> None:
    refused = connect(story, **fields)
    assert (refused.status, refused.body["error_details"]) == (422, details)


def test_an_installation_that_is_no_partner_takes_tokens_only(story: Story, gocardless: Running) -> None:
    refused = connect(story)
    assert (refused.status, refused.body["error_details"]) == (422, {"base": ["payment_provider_refused"]})


def test_the_partners_secret_is_known_to_the_api_alone(tmp_path: Any) -> None:
    assert SECRET not in repr(Settings(gocardless_client_secret=SECRET))
    template = json.loads(package.build(tmp_path / "package", "test", libraries=False).read_text())
    assert template["Parameters"]["GoCardlessClientSecret"]["NoEcho"] is True
    knowing = [
        name
        for name in package.FUNCTIONS
        if "GOCARDLESS_CLIENT_SECRET" in template["Resources"][name]["Properties"]["Environment"]["Variables"]
    ]
    assert knowing == ["APIHandler"]
