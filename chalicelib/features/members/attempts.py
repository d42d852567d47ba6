"""Attempts to log in: too many failed ones for an e-mail, or from an address, make the next ones wait.

An attempt counts as failed before its password is looked at, and is taken back when it succeeds: so of many at once no more
are tried than of many in a row.

Items
    pk                              sk    what it is
    login-failures#email#<sha256>   -     instants of failed attempts for an e-mail; expires when they count no more
    login-failures#address#<sha256> -     the same of an address

Access patterns
    1 begin(email, address)     BatchGet, then Transact under both optimistic locks; nothing is written while it waits
    2 succeed(email, address)   GetItem, then Transact
"""

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import TooManyAttempts
from chalicelib.features.members import tokens
from chalicelib.features.members.records import Kept
from chalicelib.platform.attributes import RecordAttribute, WholeAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import key
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# After so many doublings a wait has its full length, whatever it begins with.
_DOUBLINGS_MAX = 12
_SECOND = timedelta(seconds=1)


class Failures(Kept):
    """Failed attempts in a row, the oldest first. From `limit` of them on each one makes the next attempt wait, twice as long
    as the one before."""

    at: tuple[datetime, ...] = ()
    version: int = 0

    def blocked_until(self, limit: int) -> datetime | None:
        """The end of the wait that the last failure has caused."""
        if len(self.at) < limit:
            return None
        return self.at[-1] + min(limits.LOGIN_WAIT * (1 << len(self.at) - limit), limits.LOGIN_WAIT_MAX)

    def forgotten_at(self, limit: int) -> datetime:
        """The instant from which none of them counts."""
        return (self.blocked_until(limit) or self.at[-1]) + limits.LOGIN_FAILURES_WINDOW

    def with_one(self, limit: int, now: datetime) -> "Failures":
        """The failures after one more. Before the first wait only those of the window count; afterwards all of them do, until
        a whole window after a wait has passed."""
        if self.blocked_until(limit) is None:
            kept = tuple(each for each in self.at if now - each < limits.LOGIN_FAILURES_WINDOW)
        else:
            kept = self.at if now < self.forgotten_at(limit) else ()
        return self.model_copy(update={"at": tuple(sorted((*kept, now)))[-(limit + _DOUBLINGS_MAX) :]})

    def without(self, at: datetime) -> "Failures":
        """The failures less one of an instant."""
        kept = list(self.at)
        kept.remove(at)
        return self.model_copy(update={"at": tuple(kept)})


class FailuresRow(RecordRow):
    """Failed attempts."""

    record = RecordAttribute(Failures)
    expires_at = WholeAttribute()


def begin(email: str, address: str, *, now: datetime) -> None:
    """Count an attempt as failed.

    Raises: TooManyAttempts, where it has to wait; then it does not count.
    """

    def attempt() -> None:
        places = list(_places(email, address))
        found = FailuresRow.find_many([place for place, _ in places])
        before = [found[place].value if place in found else None for place, _ in places]
        ends = [each.blocked_until(limit) for each, (_, limit) in zip(before, places, strict=True) if each]
        wait = max((end - now for end in ends if end is not None), default=timedelta())
        if wait > timedelta():
            raise TooManyAttempts(-(-wait // _SECOND))
        unit = Unit()
        for (place, limit), old in zip(places, before, strict=True):
            unit.add(_write(place, limit, old, (old or Failures()).with_one(limit, now)))
        unit.commit()

    retrying(attempt, Resource.USER)


def succeed(email: str, address: str, *, at: datetime) -> None:
    """Take back the attempt that began at an instant, and forget all failures for its e-mail."""

    def attempt() -> None:
        (email_place, _), (address_place, limit) = _places(email, address)
        row = FailuresRow.find(*address_place)
        unit = Unit(FailuresRow.remove_key(email_place))
        if row is not None and at in row.value.at:
            unit.add(_write(address_place, limit, row.value, row.value.without(at)))
        unit.commit()

    retrying(attempt, Resource.USER)


def _places(email: str, address: str) -> Iterator[tuple[Key, int]]:
    for kind, text, limit in (
        ("email", email, limits.LOGIN_FAILURES_PER_EMAIL),
        ("address", _network(address), limits.LOGIN_FAILURES_PER_ADDRESS),
    ):
        yield (key("login-failures", kind, tokens.digest(text)), "-"), limit


def _network(address: str) -> str:
    """The address, of IPv6 the 64 bits of its network: whoever has one has all that are in it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))


def _write(place: Key, limit: int, old: Failures | None, new: Failures) -> Write:
    if not new.at:
        return FailuresRow.remove_key(place, None if old is None else FailuresRow.version == old.version)
    pk, sk = place
    expires_at = int(new.forgotten_at(limit).timestamp()) + 1
    row = FailuresRow(pk=pk, sk=sk, version=0, record=new, expires_at=expires_at)
    return row.create() if old is None else row.replace(old.version)
