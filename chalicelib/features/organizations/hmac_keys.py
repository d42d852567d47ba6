"""An organization's own key for signatures of its webhooks, made at its first use.

Items
    pk                  sk    what it is
    <org>#hmac-key      -     {encrypted}: the key, encrypted by KMS for this organization

Access patterns
    1 read(org)     GetItem    consistent, at the first use in `limits.KEY_CACHE`
    2 read(org)     Transact   at the very first use: the key, if nobody wrote one, and the record without its old one

Organizations of earlier versions have their key in plain text in their record: it moves here when it is used, or when the
organization is read.
"""

import secrets
import time
from collections.abc import Mapping

from pynamodb.attributes import BinaryAttribute

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.features.organizations import store
from chalicelib.features.organizations.records import Organization
from chalicelib.platform import secret
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.retry import retrying
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Unit


class HmacKeyRow(Row):
    """An organization's key, encrypted."""

    encrypted = BinaryAttribute(legacy_encoding=False)


# Keys that this process has read: organization -> (the key, when). Decrypting asks KMS, which costs as much as a delivery.
_known: dict[str, tuple[str, float]] = {}


def read(organization_id: OrganizationId) -> str:
    """The key; of two makers at once the first one's stays.

    Raises: NotFound, for an unknown organization.
    """
    found = _known.get(organization_id)
    if found is not None and time.monotonic() - found[1] < limits.KEY_CACHE.total_seconds():
        return found[0]
    plain = _read_or_made(organization_id)
    if len(_known) >= limits.HMAC_KEYS_REMEMBERED:
        _known.clear()
    _known[organization_id] = plain, time.monotonic()
    return plain


def move(organization: Organization) -> None:
    """Take an old key out of the organization's record, if one stands there."""
    if organization.hmac_key is not None:
        read(organization.id)


def forget() -> None:
    """Drop what this process knows of keys."""
    _known.clear()


def _kept(organization_id: OrganizationId) -> str | None:
    row = HmacKeyRow.find(*_key(organization_id))
    return None if row is None else secret.unseal(row.encrypted, _context(organization_id))


def _read_or_made(organization_id: OrganizationId) -> str:
    """The key as it stands; else the key of the record, or a new one, encrypted."""

    def attempt() -> str:
        kept = _kept(organization_id)
        if kept is not None:
            return kept
        organization = store.get(organization_id)
        plain = (organization and organization.hmac_key) or secrets.token_hex(32)
        pk, sk = _key(organization_id)
        unit = Unit(HmacKeyRow(pk=pk, sk=sk, encrypted=secret.seal(plain, _context(organization_id))).create())
        if organization is not None and organization.hmac_key is not None:
            unit.add(store.without_hmac_key(organization))
        unit.commit()
        return plain

    return retrying(attempt, Resource.ORGANIZATION)


def _key(organization_id: OrganizationId) -> tuple[str, str]:
    return key(organization_id, "hmac-key"), "-"


def _context(organization_id: OrganizationId) -> Mapping[str, str]:
    return {"purpose": "tollgate-webhook-hmac", "organization": organization_id}
