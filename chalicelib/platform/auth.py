"""Authentication: API keys of organizations, and the installation's admin key.

A process trusts a key that it has read for `limits.KEY_CACHE`. The items are those of `platform/api_keys.py`.
"""

import contextlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.errors import Unauthorized
from chalicelib.platform import api_keys, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Unit


@dataclass(frozen=True, slots=True)
class _Known:
    organization: OrganizationRef
    expires_at: datetime | None
    read_at: float


_known: dict[str, _Known] = {}


def new_key() -> str:
    """A fresh random API key."""
    return f"tg_{secrets.token_hex(24)}"


def identify(headers: Mapping[str, str]) -> OrganizationRef:
    """The organization whose key the request carries: `Authorization: Bearer <key>`.

    Raises: Unauthorized.
    """
    words = (headers.get("authorization") or "").split()
    if len(words) != 2 or words[0].lower() != "bearer":
        raise Unauthorized
    digest = api_keys.digest_of(words[1])
    known = _known.get(digest)
    if known is None or time.monotonic() - known.read_at > limits.KEY_CACHE.total_seconds():
        known = _read(words[1], digest)
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


def _read(api_key: str, digest: str) -> _Known:
    row = api_keys.find(digest)
    if row is None:
        raise Unauthorized
    if row.id is None:
        with contextlib.suppress(
            Cancelled
        ):  # Another process was faster; or the key is gone, which the next read says.
            Unit(api_keys.adopt_actions(api_key, row)).commit()
    _note_use(digest, row.last_used_at)
    organization = OrganizationRef(OrganizationId(row.organization_id), row.sandbox)
    return _Known(organization, row.expires_at, time.monotonic())


def _note_use(digest: str, last_used_at: datetime | None) -> None:
    now = clock.utc_now()
    if last_used_at is not None and now - last_used_at < limits.KEY_LAST_USE_STEP:
        return
    try:
        api_keys.note_use(digest, now).alone()
    except ConditionFailed:
        raise Unauthorized from None
