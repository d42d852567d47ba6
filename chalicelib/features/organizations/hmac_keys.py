"""An organization's own key for signatures of its webhooks, made at its first use, shown once, and rotated.

Items
    pk                  sk    what it is
    <org>#hmac-key      -     {encrypted, previous, previous_until, rotated_at, shown}: the key and, after a rotation, the one
                              before until its end, both encrypted by KMS for this organization

Access patterns
    1 read_all(org), read(org)  GetItem    consistent, at the first use in `limits.KEY_CACHE`
    2 read(org)         Transact   at the very first use: the key, if nobody wrote one, and the record without its old one
    3 take(org)         GetItem, Update    whoever is first to ask gets to see it
    4 rotated(org)      GetItem, Put       refused if somebody else rotated meanwhile; part of the rotation's transaction, with
                                           the record without its old key

Organizations of earlier versions have their key in plain text in their record: it moves here when it is used, or when the
organization is read.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pynamodb.attributes import BinaryAttribute, BooleanAttribute

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.features.organizations import store
from chalicelib.features.organizations.records import Organization
from chalicelib.platform import secret
from chalicelib.platform.attributes import InstantAttribute
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.retry import retrying
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Unit, Write

# What a key begins with that is not shown whole.
MASK = "••••"


class HmacKeyRow(Row):
    """An organization's key, encrypted. `shown`: somebody has seen it."""

    encrypted = BinaryAttribute(legacy_encoding=False)
    previous = BinaryAttribute(legacy_encoding=False, null=True)
    previous_until = InstantAttribute(null=True)
    rotated_at = InstantAttribute(null=True)
    shown = BooleanAttribute(null=True)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of an organization. `previous_until`, `rotated_at`: real instants, None before the first rotation."""

    current: str
    previous: str | None = None
    previous_until: datetime | None = None
    rotated_at: datetime | None = None

    @property
    def masked(self) -> str:
        """The key as it is shown to whoever cannot see it any more."""
        return f"{MASK}{self.current[-4:]}"

    def previous_at(self, real_now: datetime) -> str | None:
        """The key before the last rotation, while it signs too."""
        return self.previous if self.previous_until is not None and real_now < self.previous_until else None


# What this process has read: organization -> (the keys, when). Decrypting asks KMS, which costs as much as a delivery.
_known: dict[str, tuple[Keys, float]] = {}


def read(organization_id: OrganizationId) -> str:
    """The key; of two makers at once the first one's stays.

    Raises: NotFound, for an unknown organization.
    """
    return read_all(organization_id).current


def read_all(organization_id: OrganizationId, *, rotated_at: datetime | None = None) -> Keys:
    """The key, and the one before. `rotated_at`: the last rotation that is known of; what this process remembers from before it
    does not count.

    Raises: NotFound, for an unknown organization.
    """
    found = _known.get(organization_id)
    if found is not None and time.monotonic() - found[1] < limits.KEY_CACHE.total_seconds():
        known = found[0].rotated_at
        if rotated_at is None or (known is not None and known >= rotated_at):
            return found[0]
    keys = _read_or_made(organization_id)
    if len(_known) >= limits.HMAC_KEYS_REMEMBERED:
        _known.clear()
    _known[organization_id] = keys, time.monotonic()
    return keys


def take(organization_id: OrganizationId) -> tuple[Keys, bool]:
    """The keys, and whether the key may be shown: to whoever asks first after it was made, and to nobody later."""
    _read_or_made(organization_id)
    row = HmacKeyRow.find(*_key(organization_id))
    assert row is not None, "it was made above"
    keys = _opened(organization_id, row)
    unseen = HmacKeyRow.shown.does_not_exist() & (HmacKeyRow.encrypted == row.encrypted)
    try:
        HmacKeyRow.change(_key(organization_id), HmacKeyRow.shown.set(True), condition=unseen).alone()
    except ConditionFailed:
        return keys, False
    return keys, True


def rotated(organization_id: OrganizationId, *, real_now: datetime) -> tuple[Keys, list[Write]]:
    """The keys after a rotation, and the writes that carry it out; refused if somebody else rotated meanwhile. A key that
    nobody used yet has no overlap."""
    row = HmacKeyRow.find(*_key(organization_id))
    organization = store.get(organization_id) if row is None else None
    of_record = None if organization is None else organization.hmac_key
    old = _opened(organization_id, row).current if row is not None else of_record
    until = None if old is None else real_now + limits.WEBHOOK_SECRET_OVERLAP
    keys = Keys(secrets.token_hex(32), old, until, real_now)
    pk, sk = _key(organization_id)
    fresh = HmacKeyRow(
        pk=pk,
        sk=sk,
        encrypted=secret.seal(keys.current, _context(organization_id)),
        previous=None if old is None else secret.seal(old, _context(organization_id)),
        previous_until=until,
        rotated_at=real_now,
        shown=True,
    )
    writes = [fresh.create() if row is None else fresh.put(HmacKeyRow.encrypted == row.encrypted)]
    return keys, [*writes, *([store.without_hmac_key(organization)] if organization and of_record else [])]


def move(organization: Organization) -> None:
    """Take an old key out of the organization's record, if one stands there."""
    if organization.hmac_key is not None:
        read(organization.id)


def forget(organization_id: OrganizationId | None = None) -> None:
    """Drop what this process knows of keys: all, or one organization's."""
    if organization_id is None:
        _known.clear()
    else:
        _known.pop(organization_id, None)


def _opened(organization_id: OrganizationId, row: HmacKeyRow) -> Keys:
    context = _context(organization_id)
    previous = None if row.previous is None else secret.unseal(row.previous, context)
    return Keys(secret.unseal(row.encrypted, context), previous, row.previous_until, row.rotated_at)


def _read_or_made(organization_id: OrganizationId) -> Keys:
    """The keys as they stand; else the key of the record, or a new one, encrypted."""

    def attempt() -> Keys:
        row = HmacKeyRow.find(*_key(organization_id))
        if row is not None:
            return _opened(organization_id, row)
        organization = store.get(organization_id)
        plain = (organization and organization.hmac_key) or secrets.token_hex(32)
        pk, sk = _key(organization_id)
        unit = Unit(HmacKeyRow(pk=pk, sk=sk, encrypted=secret.seal(plain, _context(organization_id))).create())
        if organization is not None and organization.hmac_key is not None:
            unit.add(store.without_hmac_key(organization))
        unit.commit()
        return Keys(plain)

    return retrying(attempt, Resource.ORGANIZATION)


def _key(organization_id: OrganizationId) -> tuple[str, str]:
    return key(organization_id, "hmac-key"), "-"


def _context(organization_id: OrganizationId) -> Mapping[str, str]:
    return {"purpose": "tollgate-webhook-hmac", "organization": organization_id}
