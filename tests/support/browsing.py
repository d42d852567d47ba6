"""Common parts of tests in a browser: organizations at a stack, sessions, and faults that no page may have."""

import contextlib
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Response, WebError

from infra.local.emulator import ROOT
from tests.support.http_story import HttpStory

KEPT = ROOT / "build" / "browser"
PASSWORD = "walnut-otter-quarry-58"
# On plain HTTP at this machine, and behind TLS.
_COOKIES = ("tollgate", "__Host-tollgate")
_AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
_AXE_RULES = ("wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice")
# Chromium's own line about an answer of 4xx. A form that is refused is one; a file that is missing is told by its answer.
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
_FILES = frozenset({"stylesheet", "script", "image", "font"})
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Running:
    """A stack that answers: its address, the key of its administrator, and what it said."""

    url: str
    admin_key: str
    said: Path


@dataclass(frozen=True)
class Organization:
    """A sandbox made for one test."""

    lago_id: str
    name: str
    email: str
    api_key: str
    invite_url: str
    story: HttpStory

    @property
    def slug(self) -> str:
        """Its name in addresses: that in lower case with hyphens, and the last digits of its id, which alone decide."""
        name = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return f"{name}-{self.lago_id[-8:]}".strip("-")

    def address(self, *parts: str) -> str:
        """The address of one of its pages."""
        return "/".join(("/console", self.slug, *parts))


@dataclass(frozen=True)
class Member:
    """A signed-in session: its cookie."""

    email: str
    password: str
    cookie: str
    session: str


@dataclass
class Watch:
    """Faults of the pages of a test that none may have."""

    seen: list[str] = field(default_factory=list)
    _allowed: list[re.Pattern[str]] = field(default_factory=list)
    _looking: bool = True

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of a context."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("response", self._response)

    def allow(self, pattern: str) -> None:
        """Let pass what matches: the test is about it."""
        self._allowed.append(re.compile(pattern))

    def told(self) -> list[str]:
        """Faults seen since the last call."""
        told, self.seen = [line for line in self.seen if not self._passes(line)], []
        return told

    def look(self, page: Page) -> None:
        """Note what is seen of a page only at the end: whether it is wider than its window."""
        widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        wide, seen = page.evaluate(widths)  # And what the page said before is told by now.
        if wide > seen:
            self._note(f"the page is {wide} wide and {seen} are seen", page.url)

    @contextlib.contextmanager
    def looking_away(self, page: Page) -> Iterator[None]:
        """Not for what the tests themselves do to a page."""
        page.evaluate("0")
        self._looking = False
        try:
            yield
            page.evaluate("0")
        finally:
            self._looking = True

    def _passes(self, line: str) -> bool:
        return any(pattern.search(line) for pattern in self._allowed)

    def _note(self, what: str, where: str) -> None:
        if self._looking:
            self.seen.append(f"{what} ({where})")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _REFUSED.match(message.text):
            self._note(f"console: {message.text}", message.location.get("url", ""))

    def _error(self, error: WebError) -> None:
        self._note(f"uncaught: {error.error}", error.page.url if error.page else "")

    def _response(self, response: Response) -> None:
        missing = response.status >= 400 and response.request.resource_type in _FILES
        if response.status >= 500 or missing:
            self._note(f"answer {response.status}", response.url)


def new_organization(
    stack: Running, *, name: str = "Acme", at: str | None = "2024-01-01T00:00:00Z", **settings: Any
) -> Organization:
    """A new sandbox, its clock at an instant (None: never set), with settings of the organization, such as `timezone`."""
    email = f"member-{next(_numbers)}-{stack.admin_key[:6]}@example.com"
    body = {"name": name, "email": email, "sandbox": True}
    headers = {"X-Admin-API-Key": stack.admin_key}
    answer = requests.post(f"{stack.url}/admin/organizations", json=body, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    story = HttpStory(made["api_key"], url=stack.url)
    if settings:
        story.organization(**settings)
    if at is not None:
        story.travel(at)
    return Organization(made["organization"]["lago_id"], name, email, made["api_key"], made["invite_url"], story)


def accept_invitation(url: str, invite_url: str, email: str, password: str = PASSWORD) -> Member:
    """A new user accepts an invitation, as the form of its page would."""
    token = invite_url.rpartition("/")[2]
    session = requests.Session()
    answer = session.post(
        f"{url}/console/invitation/{token}",
        data={"password": password, "password_confirmation": password},
        headers={"Origin": url, "Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
        timeout=60,
    )
    assert answer.status_code == 303, (answer.status_code, answer.text[:500])
    (cookie,) = [each for each in session.cookies if each.name in _COOKIES]
    return Member(email, password, cookie.name, str(cookie.value))


def log_in(page: Page, member: Member) -> None:
    """Log in by the page of login."""
    page.goto("/console/login")
    page.locator("[name=email]").fill(member.email)
    page.locator("[name=password]").fill(member.password)
    page.locator("[name=password]").press("Enter")


def violations(page: Page) -> list[str]:
    """Findings of axe on a page. It changes styles meanwhile, which the policy of our pages forbids: look away."""
    page.evaluate(_AXE.read_text())
    options = {"runOnly": list(_AXE_RULES), "resultTypes": ["violations"], "preload": False}
    found = page.evaluate(f"axe.run(document, {json.dumps(options)}).then(result => result.violations)")
    return [
        f"{each['id']}: {each['help']}: {'; '.join(' '.join(map(str, node['target'])) for node in each['nodes'])}"
        for each in found
    ]


def keep(context: BrowserContext, folder: Path) -> None:
    """Keep what a failed test did, and pictures of how its pages look."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, page in enumerate(context.pages, 1):
        with contextlib.suppress(Error):  # One that hangs or has crashed has no picture.
            page.screenshot(path=folder / f"page-{number}.png", full_page=True, timeout=10_000)
    context.tracing.stop(path=folder / "trace.zip")
