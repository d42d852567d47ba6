"""The vocabulary of members: an organization, the people who join it, and what they send."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.members import founding, invitations, passwords, service, sessions
from chalicelib.features.members.records import NewSession, SignedIn, User, slug_suffix
from chalicelib.features.organizations.schemas import OrganizationCreate
from chalicelib.platform import aws
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.schema import parse
from chalicelib.platform.settings import settings
from chalicelib.platform.values import from_item

NOW = datetime(2026, 10, 19, 14, 20, 7, 123456, tzinfo=UTC)
PASSWORD, OTHER_PASSWORD = "dull-otter-sings-42", "seven quiet harbours"
HOW: dict[str, Any] = {"browser": "Firefox", "address": "192.0.2.7"}


@dataclass(frozen=True)
class Company:
    """An organization, and the token that its first member was invited by."""

    ref: OrganizationRef
    name: str
    first_token: str

    @classmethod
    def founded(cls, name: str = "Acme", email: str | None = "ann@acme.example", *, now: datetime = NOW) -> "Company":
        """A new organization."""
        made = founding.create(parse(OrganizationCreate, {"name": name, "email": email}), now=now)
        return cls(made.organization.ref, name, made.invite_url.rpartition("/")[2])

    @property
    def suffix(self) -> str:
        """The end of its slug."""
        return slug_suffix(self.ref.id)

    def invite(self, email: str, *, now: datetime = NOW) -> str:
        """The token of a new invitation."""
        return invitations.invite(self.ref, self.name, email, now=now).token

    def first(self, *, now: datetime = NOW) -> NewSession:
        """The first member comes."""
        return invitations.accept(self.first_token, PASSWORD, **HOW, now=now)

    def member(self, email: str, *, now: datetime = NOW) -> NewSession:
        """Somebody new is invited and comes."""
        return invitations.accept(self.invite(email, now=now), PASSWORD, **HOW, now=now)

    def joined_by(self, user: User, *, now: datetime = NOW) -> None:
        """A user of another organization is invited and joins."""
        invitations.join(self.invite(user.email, now=now), user, now=now)

    def seen(self, session: NewSession, *, after: timedelta = timedelta(0)) -> SignedIn | None:
        """A request with a session's cookie to the organization's address."""
        return service.signed_in(session.cookie, self.suffix, now=NOW + after)

    def emails(self) -> list[str]:
        """The e-mails of its members."""
        return [each.email for each in service.members_of(self.ref.id)]


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """Hashes of 8 KiB in one pass."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "ARGON2_KIB", 8)
        patch.setattr(limits, "ARGON2_PASSES", 1)
        passwords._hasher.cache_clear()
        yield
    passwords._hasher.cache_clear()


def log_in(email: str, password: str = PASSWORD, *, after: timedelta = timedelta(0), **how: str) -> NewSession:
    """Log in, so long after NOW."""
    return sessions.sign_in(email, password, **{**HOW, **how}, now=NOW + after)


def all_at_once(calls: list[Any]) -> list[Any]:
    """The results or errors of calls that begin together, each in a thread of its own."""
    gate = Barrier(len(calls))

    def one(call: Any) -> Any:
        gate.wait(60)
        try:
            return call()
        except Exception as error:  # noqa: BLE001  the test looks at it
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def whole_table() -> str:
    """All items of the core table as text."""
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=settings().core_table)
    return repr([from_item(item) for page in pages for item in page["Items"]])
