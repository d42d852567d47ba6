"""The tests of the console see what they must see: tried on pages made here, under the policy of the console's."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chalicelib.console import static_files
from tests.browser.conftest import dealt
from tests.support import browsing

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_GOOD = f"""
<!doctype html>
<html lang="en">
<head>
  <title>Fine</title>
  <meta name="viewport" content="width=device-width">
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/console/static/{static_files.build()}/bootstrap.min.css">
  <link rel="stylesheet" href="/own.css">
  <script src="/console/static/{static_files.build()}/htmx.min.js" defer></script>
</head>
<body>
  <main>
    <h1>Fine</h1>
    <p id="part">Nothing yet</p>
    <svg class="icon" width="24" height="24" aria-hidden="true">
      <use href="/console/static/{static_files.build()}/icons.svg#home"></use>
    </svg>
    <button class="btn btn-primary" hx-get="/part" hx-target="#part">Exchange</button>
    %s
  </main>
</body>
</html>
"""
_CSS = f"""
@font-face {{
  font-family: Inter;
  src: url("/console/static/{static_files.build()}/inter-latin-wght-normal.woff2") format("woff2");
}}
body {{ font-family: Inter; }}
.icon {{ stroke-width: 2; }}
.wide {{ width: 3000px; }}
"""


class _Pages(BaseHTTPRequestHandler):
    """Pages under the console's policy, its static files, and an invitation that can be accepted."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/").split("/")
        if path[:2] == ["console", "static"]:
            served = static_files.answer(path[2], path[3], accepted=self.headers["Accept-Encoding"] or "")
            return self._send(200, served.body, served.headers)
        texts = {"own.css": _CSS, "part": "Exchanged", "refused": "<p>Refused</p>", "broken": "<p>Broken</p>"}
        bodies = {name: _GOOD % more for name, more in _PAGES.items()} | texts
        status = {"refused": 422, "broken": 502}.get(path[0], 200 if path[0] in bodies else 404)
        kind = "text/css" if path[0].endswith(".css") else "text/html; charset=utf-8"
        text = bodies.get(path[0], "") + (f"<i>{self.headers['Cookie']}</i>" if path[0] == "refused" else "")
        return self._send(status, text.encode(), {"Content-Type": kind})

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = (self.path, form, self.headers["Origin"], self.headers["Sec-Fetch-Site"])
        origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        word = browsing.PASSWORD
        expected = (
            "/console/invitation/abc",
            f"password={word}&password_confirmation={word}",
            origin,
            "same-origin",
        )
        headers = {"Location": "/console", "Set-Cookie": "tollgate=secret; HttpOnly; SameSite=Lax; Path=/"}
        self._send(303 if asked == expected else 403, b"", headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Security-Policy": _POLICY, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


_PAGES = {
    "good": "",
    "form": '<form action="/refused"><button>Send</button></form>',
    "inline-script": "<script>alert(1)</script>",
    "inline-style": '<p style="color: red">Red</p>',
    "missing": '<link rel="stylesheet" href="/nowhere.css">',
    "too-wide": '<div class="wide">Wide</div>',
    "unlabelled": '<input type="text">',
}


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """The address of the pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_good_page_is_good_and_shows_what_is_vendored(pages, visit, axe):
    page = visit(pages)
    page.goto("/good")
    page.get_by_role("button", name="Exchange").click()
    expect(page.get_by_text("Exchanged")).to_be_visible()
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('14px Inter'))")
    assert page.evaluate("document.querySelector('use').getBBox().width") > 10
    axe(page)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("inline-script", "console: .*inline script.*Content Security Policy"),
        ("inline-style", "console: .*inline style.*Content Security Policy"),
        ("missing", r"answer 404 \(.*/nowhere.css\)"),
        ("broken", r"answer 502 \(.*/broken\)"),
        ("too-wide", "the page is 30.. wide and 1360 are seen"),
    ],
)
def test_what_no_page_may_do_is_seen(pages, visit, watch, name, seen):
    page = visit(pages)
    page.goto(f"/{name}")
    watch.look(page)
    told = watch.told()
    assert any(re.match(seen, line) for line in told), told
    page.goto("/good")


def test_an_uncaught_error_is_seen(pages, visit, watch):
    page = visit(pages)
    page.goto("/good")
    page.evaluate("() => { setTimeout(() => { throw new Error('lost') }) }")
    watch.look(page)
    page.evaluate("new Promise(resolve => setTimeout(resolve))")
    (line,) = watch.told()
    assert line.startswith("uncaught: ")
    assert "lost" in line


def test_a_refused_form_is_no_error(pages, visit):
    page = visit(pages)
    page.goto("/form")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Refused")).to_be_visible()


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="a test fails for what its page did alone")
def test_a_test_fails_for_what_its_page_did_alone(pages, visit):
    visit(pages).goto("/too-wide")


def test_what_a_test_is_about_may_be_allowed(pages, visit, watch):
    watch.allow("answer 502")
    watch.allow("status of 502")
    visit(pages).goto("/broken")


def test_axe_names_what_is_wrong(pages, visit, axe):
    page = visit(pages)
    page.goto("/unlabelled")
    with pytest.raises(AssertionError, match="label: Form elements must have labels: input"):
        axe(page)


def test_of_a_failed_test_its_trace_and_pictures_are_kept(pages, visit, tmp_path):
    page = visit(pages)
    page.goto("/good")
    browsing.keep(page.context, tmp_path / "kept")
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"trace.zip", "page-1.png"}


def test_a_new_user_accepts_an_invitation_and_the_page_is_theirs(pages, visit):
    member = browsing.accept_invitation(pages, "https://anywhere.example/invitation/abc", "ada@example.com")
    page = visit(pages, member)
    page.goto("/refused")
    expect(page.get_by_text("tollgate=secret")).to_be_visible()


@pytest.mark.organization(name="Ümlaut & Söhne", timezone="Europe/Paris", at="2024-03-01T00:00:00+01:00")
def test_a_story_is_told_at_the_stack(stack, organization, visitor):
    story = organization.story
    assert story.ok("GET", "/organizations")["organization"]["timezone"] == "Europe/Paris"
    charge = {
        "billable_metric_id": story.metric()["lago_id"],
        "charge_model": "standard",
        "properties": {"amount": "1"},
    }
    story.plan(charges=[charge])
    story.customer(currency="EUR")
    story.subscribe()
    for _ in range(3):
        story.use(at=1709550000)
    assert story.usage()["charges_usage"][0]["units"] == "3.0"
    story.travel("2024-04-01T00:00:00+02:00")
    assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [300]
    assert re.fullmatch(r"/console/mlaut-s-hne-[0-9a-f]{8}/customers/new", organization.address("customers", "new"))
    visitor.goto("/health")
    expect(visitor.get_by_text('"status": "ok"').or_(visitor.get_by_text('"status":"ok"'))).to_be_visible()


@pytest.mark.parametrize(
    ("tests", "groups"),
    [
        ({"a": 9, "b": 5, "c": 4, "d": 1}, {"a": 1, "b": 2, "c": 2, "d": 1}),
        ({"b": 2, "a": 2}, {"a": 1, "b": 2}),
        ({}, {}),
    ],
)
def test_files_are_dealt_evenly_and_each_worker_deals_alike(tests, groups):
    assert dealt(tests) == groups
    assert dealt(dict(reversed(tests.items()))) == groups


def test_each_organization_is_another(organization, new_organization):
    others = [new_organization(at=None) for _ in range(2)]
    assert len({each.slug for each in (organization, *others)}) == 3
    assert len({each.email for each in (organization, *others)}) == 3


def test_a_member_is_signed_in_and_logs_in_again(
    stack, organization, page: Page, visitor: Page, sign_in, new_organization
):
    page.goto(organization.address())
    expect(page.get_by_text(organization.name).first).to_be_visible()
    other = new_organization(name="Other")
    browsing.log_in(visitor, sign_in(other))
    visitor.wait_for_url(re.compile(f"{re.escape(other.address())}"))
