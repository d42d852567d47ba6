"""Pages of the console without a browser: a member's requests, answered by the app itself on AWS in memory."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from chalice.config import Config
from chalice.local import LocalGateway

from app import app
from chalicelib.console.visit import slug_of
from chalicelib.features.members import invitations
from chalicelib.platform.clock import utc_now
from tests.support import capacity
from tests.support.story import Story

PASSWORD = "walnut-otter-quarry-58"
ORIGIN = "http://127.0.0.1:8000"


@dataclass
class Shown:
    """An answer: its text is HTML."""

    status: int
    headers: Mapping[str, Any]
    text: str

    @property
    def words(self) -> str:
        """Its text as a person reads it, with single blanks."""
        reader = _Reader()
        reader.feed(self.text)
        return " ".join(" ".join(reader.words).split())

    @property
    def fields(self) -> dict[str, list[str]]:
        """The named fields of its forms, with the values that they would post."""
        reader = _Reader()
        reader.feed(self.text)
        return reader.fields

    @property
    def location(self) -> str:
        """Where it leads."""
        return str(self.headers.get("Location", ""))


@dataclass
class Visitor:
    """A member of a story's organization, with a session."""

    story: Story
    cookie: str
    slug: str
    csrf: str
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, *segments: str, **query: Any) -> Shown:
        """A page below the organization's address."""
        return self.at(self.address(*segments, **query))

    def post(self, *segments: str, form: Mapping[str, Any] | None = None, token: bool = True) -> Shown:
        """Send a form to an address below the organization's."""
        return self.send(self.address(*segments), form or {}, token=token)

    def address(self, *segments: str, **query: Any) -> str:
        """An address below the organization's."""
        path = "/".join(("/console", self.slug, *segments))
        return path + (f"?{urlencode(query, doseq=True)}" if query else "")

    def at(self, address: str) -> Shown:
        """The page at any address."""
        return _asked("GET", address, b"", {"Cookie": f"tollgate={self.cookie}", **self.headers})

    def send(self, address: str, form: Mapping[str, Any], *, token: bool = True) -> Shown:
        """Send a form to any address."""
        values = {**form, **({"csrf": self.csrf} if token else {})}
        headers = {"Cookie": f"tollgate={self.cookie}", "Sec-Fetch-Site": "same-origin", **self.headers}
        return posted(address, values, headers)


def posted(address: str, form: Mapping[str, Any], headers: Mapping[str, str]) -> Shown:
    """The answer to a form."""
    body = urlencode(form, doseq=True).encode()
    return _asked("POST", address, body, {"Content-Type": "application/x-www-form-urlencoded", **headers})


def member_of(story: Story, email: str = "marie@example.com") -> Visitor:
    """A new member of a story's organization."""
    organization = story.ok("GET", "/organizations")["organization"]
    invited = invitations.invite(story.ref, organization["name"], email, now=utc_now())
    made = invitations.accept(invited.token, PASSWORD, browser="a test", address="127.0.0.1", now=utc_now())
    slug = slug_of(organization["name"], organization["lago_id"])
    return Visitor(story, made.cookie, slug, made.session.csrf_secret)


def requests_of(visitor: Visitor, *segments: str, **query: Any) -> int:
    """Number of requests to AWS that a page costs."""
    with capacity.counting() as meter:
        assert visitor.get(*segments, **query).status == 200
    return meter.total


def sent(visitor: Visitor, *segments: str, **fields: Any) -> Shown:
    """The answer to a form as it is shown, with some fields changed."""
    shown = visitor.get(*segments)
    assert shown.status == 200
    return visitor.post(*segments, form={**shown.fields, **fields})


def _asked(method: str, address: str, body: bytes, headers: Mapping[str, str]) -> Shown:
    answer = LocalGateway(app, Config()).handle_request(method, address, {"host": "127.0.0.1:8000", **headers}, body)
    text = answer.get("body") or ""
    found = {**(answer.get("headers") or {}), **(answer.get("multiValueHeaders") or {})}
    return Shown(int(answer["statusCode"]), found, text if isinstance(text, str) else text.decode())


class _Reader(HTMLParser):
    """Collects the words and fields of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.fields: dict[str, list[str]] = {}
        self._select: str | None = None
        self._area: str | None = None
        self._option: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field."""
        values = dict(attrs)
        name = values.get("name")
        if tag == "input" and name:
            ticked = values.get("type") not in ("checkbox", "radio") or "checked" in values
            if ticked:
                self.fields.setdefault(name, []).append(values.get("value") or "")
        elif tag == "select" and name:
            self._select = name
        elif tag == "option" and self._select and "selected" in values:
            if "value" in values:
                self.fields.setdefault(self._select, []).append(values["value"] or "")
            else:
                self._option = self._select
        elif tag == "textarea" and name:
            self._area = name
            self.fields.setdefault(name, []).append("")

    def handle_endtag(self, tag: str) -> None:
        """Leave a field."""
        if tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        """Note words."""
        if self._area is not None:
            self.fields[self._area][-1] += data
        if self._option is not None:  # An option without a value posts its text.
            self.fields.setdefault(self._option, []).append(data)
            self._option = None
        self.words.append(data)


def plain(text: str) -> str:
    """HTML without what changes from request to request."""
    return re.sub(r'name="(csrf|request_id)" value="[^"]*"', "", text)
