"""The page at `/`."""

import re

from chalice.config import Config
from chalice.local import LocalGateway

from app import app


def test_a_browser_at_the_root_finds_where_to_go(aws):
    answer = LocalGateway(app, Config()).handle_request("GET", "/", {"Accept": "text/html"}, b"")
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"].startswith("text/html")
    shown = answer["body"]
    assert 'href="http://127.0.0.1:8000/health"' in shown
    assert "http://127.0.0.1:8000/api/v1" in shown
    assert ".local/api_key" in shown
    assert re.findall(r"(?:src|href)=\"(?!http://127.0.0.1:8000)", shown) == []
    assert "<script" not in shown


def test_the_page_of_an_installation_names_its_own_address_and_escapes_it(aws, monkeypatch):
    from chalicelib.api.page import page

    shown = page('https://billing.example/api/?a="<b>', "1.0", local=False)
    assert "POST /admin/organizations" in shown
    assert ".local" not in shown
    assert "<b>" not in shown
