"""Items of API keys: by its hash for whoever sends one, and under its organization for whoever looks after it.

Only the SHA-256 of a key is stored, with its last four characters. Keys of earlier versions have no item under their
organization until they are used.

Items
    pk                  sk       what it is
    apikey#<sha256>     -        {organization_id, sandbox, created_at, id, expires_at, last_used_at}; id: of the
                                 item below; the last two where there are any
    <org>#apikeys       <id>     {name, last_four, digest, created_at}

Access patterns
    1 find(digest)              GetItem   consistent
    2 of_organization(org)      Query     consistent, then the items by hash by BatchGet
    3 get(org, id)              GetItem   consistent, twice
    4 create_actions(...)       Put       both; refused where the key exists
    5 adopt_actions(...)        Put, Update   of a key of an earlier version
    6 note_use(digest, now)     Update    refused to a key that is gone
    7 expire(digest, at)        Update    refused to a key that is gone
    8 remove_actions(...)       Delete    both; refused where they are gone
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.platform.attributes import InstantAttribute
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import ApiKeyId, OrganizationId, derived_id, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write

FIRST_NAME = "First key"


class KeyRow(Row):
    """An API key, by its hash."""

    organization_id = UnicodeAttribute()
    sandbox = BooleanAttribute()
    created_at = InstantAttribute()
    id = UnicodeAttribute(null=True)
    expires_at = InstantAttribute(null=True)
    last_used_at = InstantAttribute(null=True)


class NamedKeyRow(Row):
    """An API key under its organization."""

    name = UnicodeAttribute()
    last_four = UnicodeAttribute()
    digest = UnicodeAttribute()
    created_at = InstantAttribute()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its organization knows it. `last_used_at`: to the hour; `expires_at`: None for ever."""

    id: ApiKeyId
    name: str
    last_four: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


def digest_of(api_key: str) -> str:
    """The SHA-256 of a key, in hex."""
    return hashlib.sha256(api_key.encode("utf-8", "surrogateescape")).hexdigest()


def find(digest: str) -> KeyRow | None:
    """The item of a hash."""
    return KeyRow.find(*_hash_key(digest))


def of_organization(organization_id: OrganizationId) -> list[ApiKey]:
    """The keys of an organization, as far as they are known under it."""
    named = list(NamedKeyRow.select(key(organization_id, "apikeys")))
    by_hash = KeyRow.find_many([_hash_key(row.digest) for row in named])
    return [_value(row, by_hash[_hash_key(row.digest)]) for row in named if _hash_key(row.digest) in by_hash]


def get(organization_id: OrganizationId, key_id: ApiKeyId) -> ApiKey | None:
    """A key of an organization."""
    named = NamedKeyRow.find(*_named_key(organization_id, key_id))
    row = None if named is None else find(named.digest)
    return None if named is None or row is None else _value(named, row)


def create_actions(
    api_key: str,
    organization: OrganizationRef,
    now: datetime,
    *,
    name: str = FIRST_NAME,
    expires_at: datetime | None = None,
    key_id: ApiKeyId | None = None,
) -> list[Write]:
    """Store a key. Refused where it exists: `api_key: value_already_exist`. Who stored one of this id meanwhile was faster."""
    digest = digest_of(api_key)
    made = key_id or id_of(organization.id, digest)
    pk, sk = _hash_key(digest)
    row = KeyRow(pk=pk, sk=sk, organization_id=organization.id, sandbox=organization.sandbox, created_at=now, id=made)
    row.expires_at = expires_at
    taken = Invalid.field("api_key", ErrorCode.VALUE_ALREADY_EXIST)
    return [row.create(taken), _named(organization.id, made, name, api_key, now).create()]


def adopt_actions(api_key: str, row: KeyRow) -> list[Write]:
    """Bring a key of an earlier version under its organization. Who did that meanwhile was faster."""
    organization_id = OrganizationId(row.organization_id)
    made = id_of(organization_id, digest_of(api_key))
    named = _named(organization_id, made, FIRST_NAME, api_key, row.created_at)
    return [named.create(), KeyRow.change(row.key, KeyRow.id.set(made), condition=KeyRow.pk.exists())]


def note_use(digest: str, now: datetime) -> Write:
    """Note a use. Refused where the key is gone."""
    return KeyRow.change(_hash_key(digest), KeyRow.last_used_at.set(now), condition=KeyRow.pk.exists())


def expire(digest: str, at: datetime) -> Write:
    """Let a key end at an instant. Refused where it is gone."""
    return KeyRow.change(_hash_key(digest), KeyRow.expires_at.set(at), condition=KeyRow.pk.exists())


def remove_actions(organization_id: OrganizationId, old: ApiKey) -> list[Write]:
    """Delete a key. Refused where it is gone."""
    return [
        NamedKeyRow.remove_key(_named_key(organization_id, old.id), NamedKeyRow.digest == old.digest),
        KeyRow.remove_key(_hash_key(old.digest), KeyRow.pk.exists()),
    ]


def id_of(organization_id: OrganizationId, name: str) -> ApiKeyId:
    """The id of a key that comes with a mark of its own: its hash, or that of the form that asks for it."""
    return ApiKeyId(derived_id(organization_id, "api_key", name))


def _named(organization_id: OrganizationId, key_id: ApiKeyId, name: str, api_key: str, at: datetime) -> NamedKeyRow:
    pk, sk = _named_key(organization_id, key_id)
    digest = digest_of(api_key)
    return NamedKeyRow(pk=pk, sk=sk, name=name, last_four=api_key[-4:], digest=digest, created_at=at)


def _value(named: NamedKeyRow, row: KeyRow) -> ApiKey:
    return ApiKey(
        ApiKeyId(named.sk),
        named.name,
        named.last_four,
        named.digest,
        named.created_at,
        row.expires_at,
        row.last_used_at,
    )


def _hash_key(digest: str) -> Key:
    return f"apikey#{digest}", "-"


def _named_key(organization_id: OrganizationId, key_id: ApiKeyId) -> Key:
    return key(organization_id, "apikeys"), key_id
