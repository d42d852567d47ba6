"""An organization's API keys: making, replacing and revoking them. Each key is shown once, when it is made.

Keys live in real time, also those of sandboxes. A process that knows a revoked key trusts it for `limits.KEY_CACHE`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.platform import api_keys, auth, schema
from chalicelib.platform.api_keys import ApiKey
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import ApiKeyId, OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


class NameInput(schema.Request):
    """The name of a key."""

    name: schema.Name


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that has just been made; the only place where it stands."""

    api_key: str = field(repr=False)
    name: str


def of_organization(organization_id: OrganizationId) -> list[ApiKey]:
    """The keys of an organization, the oldest first. One of an earlier version is among them once it was used."""
    return sorted(api_keys.of_organization(organization_id), key=lambda each: (each.created_at, each.id))


def get(organization_id: OrganizationId, key_id: ApiKeyId) -> ApiKey:
    """A key of an organization.

    Raises: NotFound.
    """
    found = api_keys.get(organization_id, key_id)
    if found is None:
        raise NotFound(Resource.API_KEY)
    return found


def create(
    organization: OrganizationRef, name: str, *, expires_at: datetime | None = None, request_id: str, now: datetime
) -> NewKey:
    """Make a key. The same request again replaces its key as long as nobody has used that: there is one key, which is the one
    shown last.

    Raises: Invalid on `name`; Conflict, where the key of the same request is in use already.
    """
    name = schema.parse(NameInput, {"name": name}).name
    key_id, made = api_keys.id_of(organization.id, f"request#{request_id}"), auth.new_key()

    def attempt() -> None:
        old = api_keys.get(organization.id, key_id)
        if old is not None and old.last_used_at is not None:
            raise Conflict(ErrorCode.VALUE_ALREADY_EXIST)
        if old is not None:
            Unit(api_keys.remove_actions(organization.id, old)).commit()
        Unit(api_keys.create_actions(made, organization, now, name=name, expires_at=expires_at, key_id=key_id)).commit()

    retrying(attempt, Resource.API_KEY)
    return NewKey(made, name)


def rotate(
    organization: OrganizationRef, key_id: ApiKeyId, *, overlap: timedelta, request_id: str, now: datetime
) -> NewKey:
    """Make a key of the same name that follows an old one, which works beside it for `overlap`, or until its own end if that is
    sooner. The same request again is as for `create`.

    Raises: NotFound; Conflict, as `create`.
    """
    old = get(organization.id, key_id)
    made = create(organization, old.name, request_id=request_id, now=now)
    end = now + overlap

    def attempt() -> None:
        current = get(organization.id, key_id)
        if current.expires_at is None or current.expires_at > end:
            Unit(api_keys.expire(current.digest, end)).commit()

    retrying(attempt, Resource.API_KEY)
    return made


def revoke(organization_id: OrganizationId, key_id: ApiKeyId) -> None:
    """End a key now. Again does nothing.

    Raises: ChangedMeanwhile.
    """

    def attempt() -> None:
        old = api_keys.get(organization_id, key_id)
        if old is not None:
            Unit(api_keys.remove_actions(organization_id, old)).commit()

    retrying(attempt, Resource.API_KEY)
