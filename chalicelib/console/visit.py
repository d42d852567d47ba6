"""One request of a person, as views receive it, and what views return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from chalicelib.features.organizations.records import Organization
from chalicelib.platform.clock import TestClock
from chalicelib.platform.http import Client
from chalicelib.platform.settings import settings

if TYPE_CHECKING:
    from chalicelib.features.members.records import SignedIn

# The last hex digits of an organization's id, which alone decide in its slug.
SLUG_DIGITS = 8


class Values(dict[str, list[str]]):
    """Names with their values, as forms and queries send them."""

    def one(self, name: str, default: str = "") -> str:
        """The last value of a name."""
        values = self.get(name)
        return values[-1] if values else default


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: a template and its values. `status`: of HTTP; `part`: whether it stands alone, without the frame."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that leads elsewhere. `to`: an address; `said`: the message that the next page shows; `cookies`: whole
    Set-Cookie values."""

    to: str
    said: str = ""
    cookies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """One request.

    `here`: its path; `values`: its query; `form`: what it posts; `signed`: who asks, None before the login; `organization`,
    `clock` and `api`: those of the address, unset outside of an organization; `now`: the organization's present;
    `real_now`: everybody's.
    """

    method: str
    here: str
    path: Mapping[str, str]
    query: Values
    form: Values
    headers: Mapping[str, str]
    real_now: datetime
    request_id: str
    ip: str
    signed: "SignedIn | None" = None
    organization_: Organization | None = None
    clock: TestClock | None = None
    api_: Client | None = None

    @property
    def organization(self) -> Organization:
        """The organization of the address."""
        assert self.organization_ is not None
        return self.organization_

    @property
    def api(self) -> Client:
        """The API, as a client of that organization."""
        assert self.api_ is not None
        return self.api_

    @property
    def member(self) -> "SignedIn":
        """The user who asks."""
        assert self.signed is not None
        return self.signed

    @property
    def now(self) -> datetime:
        """The organization's present."""
        return self.real_now if self.clock is None or self.clock.now is None else self.clock.now

    @property
    def is_htmx(self) -> bool:
        """Whether a script of a page asks for a part of it."""
        return self.headers.get("hx-request") == "true"

    @property
    def in_dialog(self) -> bool:
        """Whether the answer is shown in the page's dialog."""
        return self.is_htmx and "#dialog" in (self.headers.get("hx-target") or "")

    def link(self, *segments: str, **query: Any) -> str:
        """The address of a page below the organization's."""
        return link(slug(self.organization), *segments, **query)

    def same(self, **changes: Any) -> str:
        """This address with some parameters changed; None removes one."""
        query: dict[str, Any] = {name: list(values) for name, values in self.query.items()}
        query |= changes
        return self.here + _query(query)


def slug(organization: Organization) -> str:
    """The organization's place in addresses: its name, and the end of its id."""
    return slug_of(organization.name, organization.id)


def slug_of(name: str, organization_id: str) -> str:
    """The same of a name and an id."""
    words = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split())[:40]
    digits = organization_id.replace("-", "")[-SLUG_DIGITS:]
    return f"{words}-{digits}" if words else digits


def prefix() -> str:
    """The prefix of all paths: empty, or the name of API Gateway's stage."""
    return urlsplit(settings().public_url).path.rstrip("/")


def link(*segments: str, **query: Any) -> str:
    """The address of a page: segments below `/console`, each of any characters."""
    path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
    return f"{prefix()}/console{path}{_query(query)}"


def _query(values: Mapping[str, Any]) -> str:
    kept = [
        (name, text)
        for name, value in values.items()
        for text in (value if isinstance(value, list | tuple) else [value])
        if text is not None and text != ""
    ]
    return f"?{urlencode(kept)}" if kept else ""
