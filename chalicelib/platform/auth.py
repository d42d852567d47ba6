"""Authentication: API keys of organizations, and the installation's admin key.

Only the SHA-256 of a key is stored. A process trusts a key that it has read for `limits.KEY_CACHE`.

Items
    pk                  sk    what it is
    apikey#<sha256>     -     {organization_id, sandbox, created_at, expires_at, last_used_at}; the last two where there are any

Access patterns
    1 identify(...)         GetItem   consistent, at a key's first request in `limits.KEY_CACHE`
    2 create_key(...)       Put       refused where the key exists; part of the transaction that makes an organization
    3 identify(...)         Update    the last use, once in `limits.KEY_LAST_USE_STEP`; refused to a key that is gone
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid, Unauthorized
from chalicelib.platform import clock
from chalicelib.platform.attributes import InstantAttribute
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.rows import Row
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Write


class KeyRow(Row):
    """An API key, by its hash."""

    organization_id = UnicodeAttribute()
    sandbox = BooleanAttribute()
    created_at = InstantAttribute()
    expires_at = InstantAttribute(null=True)
    last_used_at = InstantAttribute(null=True)


@dataclass(frozen=True, slots=True)
class _Known:
    organization: OrganizationRef
    expires_at: datetime | None
    read_at: float


_known: dict[str, _Known] = {}


def new_key() -> str:
    """A fresh random API key."""
    return f"tg_{secrets.token_hex(24)}"


def create_key(api_key: str, organization: OrganizationRef, now: datetime) -> Write:
    """Store a key. Refused where it exists: `api_key: value_already_exist`."""
    row = KeyRow(
        pk=_pk(_digest(api_key)), sk="-", organization_id=organization.id, sandbox=organization.sandbox, created_at=now
    )
    return row.create(Invalid.field("api_key", ErrorCode.VALUE_ALREADY_EXIST))


def identify(headers: Mapping[str, str]) -> OrganizationRef:
    """The organization whose key the request carries: `Authorization: Bearer <key>`.

    Raises: Unauthorized.
    """
    words = (headers.get("authorization") or "").split()
    if len(words) != 2 or words[0].lower() != "bearer":
        raise Unauthorized
    digest = _digest(words[1])
    known = _known.get(digest)
    if known is None or time.monotonic() - known.read_at > limits.KEY_CACHE.total_seconds():
        known = _read(digest)
        _known[digest] = known
    if known.expires_at is not None and known.expires_at <= clock.utc_now():
        raise Unauthorized
    return known.organization


def require_admin(headers: Mapping[str, str]) -> None:
    """Refuse a request without the installation's admin key. Where the settings have none, every request is refused.

    Raises: Unauthorized.
    """
    expected, given = settings().admin_api_key, headers.get("x-admin-api-key") or ""
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise Unauthorized


def forget() -> None:
    """Forget all keys that this process has read."""
    _known.clear()


def _read(digest: str) -> _Known:
    row = KeyRow.find(_pk(digest))
    if row is None:
        raise Unauthorized
    _note_use(row)
    organization = OrganizationRef(OrganizationId(row.organization_id), row.sandbox)
    return _Known(organization, row.expires_at, time.monotonic())


def _note_use(row: KeyRow) -> None:
    now = clock.utc_now()
    if row.last_used_at is not None and now - row.last_used_at < limits.KEY_LAST_USE_STEP:
        return
    try:
        KeyRow.change(row.key, KeyRow.last_used_at.set(now), condition=KeyRow.pk.exists()).alone()
    except ConditionFailed:
        raise Unauthorized from None


def _pk(digest: str) -> str:
    return f"apikey#{digest}"


def _digest(api_key: str) -> str:
    return hashlib.sha256(api_key.encode("utf-8", "surrogateescape")).hexdigest()
