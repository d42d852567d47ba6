"""Authentication: API keys of organizations, and the installation's admin key.

Only the SHA-256 of a key is stored. A process trusts a key that it has read for `limits.KEY_CACHE`.

Items
    pk                  sk    what it is
    apikey#<sha256>     -     {organization_id, sandbox, created_at, expires_at, last_used_at}
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.errors import Unauthorized
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.settings import settings
from chalicelib.platform.table import Action, ConditionFailed, Item, core
from chalicelib.platform.timestamps import stamp, unstamp


@dataclass(frozen=True, slots=True)
class _Known:
    organization: OrganizationRef
    expires_at: datetime | None
    read_at: float


_known: dict[str, _Known] = {}


def new_key() -> str:
    """A fresh random API key."""
    return f"tg_{secrets.token_hex(24)}"


def create_key(api_key: str, organization: OrganizationRef, now: datetime) -> Action:
    """The action that stores a key; refused if it exists."""
    return core.create(
        {
            "pk": f"apikey#{_digest(api_key)}",
            "sk": "-",
            "organization_id": organization.id,
            "sandbox": organization.sandbox,
            "created_at": stamp(now),
            "expires_at": None,
            "last_used_at": None,
        }
    )


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
    item = core.get(f"apikey#{digest}")
    if item is None:
        raise Unauthorized
    _note_use(item)
    expires = unstamp(item["expires_at"]) if item["expires_at"] else None
    organization = OrganizationRef(item["organization_id"], item["sandbox"])
    return _Known(organization, expires, time.monotonic())


def _note_use(item: Item) -> None:
    now = clock.utc_now()
    last = item["last_used_at"]
    if last and now - unstamp(last) < limits.KEY_LAST_USE_STEP:
        return
    try:
        core.write(
            core.update(
                (item["pk"], item["sk"]),
                "SET last_used_at = :now",
                values={":now": stamp(now)},
                condition="attribute_exists(pk)",
            )
        )
    except ConditionFailed:
        raise Unauthorized from None


def _digest(api_key: str) -> str:
    return hashlib.sha256(api_key.encode("utf-8", "surrogateescape")).hexdigest()
