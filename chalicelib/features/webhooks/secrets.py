"""Secrets of endpoints, with which the headers of Standard Webhooks are signed; and rotation of all that signs.

A secret stands encrypted in its endpoint's record, under the organization and the endpoint as context: no copy elsewhere can be
read. It is shown once, where it is made. After a rotation the secret before signs too, until its end; ends are in real time,
in sandboxes as well, as the outside world has no other.

Access patterns (by `store.ENDPOINTS`, and `organizations.hmac_keys`)
    1 rotate(org, id)       GetItem, Transact   the endpoint, under its optimistic lock
    2 rotate_hmac_key(org)  Query, BatchGetItem, GetItem, Transact   the key, and the endpoints that it signs for
"""

import base64
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.organizations import hmac_keys
from chalicelib.features.webhooks import store
from chalicelib.features.webhooks.records import Endpoint
from chalicelib.features.webhooks.store import ENDPOINTS
from chalicelib.platform import secret
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit

_PREFIX = "whsec_"
_SHOWN = 4

# What this process has opened, by ciphertext and context: KMS would be asked for each delivery.
_opened: dict[tuple[str, str, str], str] = {}


def made(organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> dict[str, Any]:
    """The fields of an endpoint's record that hold a new secret."""
    plain = _PREFIX + base64.b64encode(os.urandom(limits.WEBHOOK_SECRET_BYTES)).decode()
    sealed = base64.b64encode(secret.seal(plain, _context(organization_id, endpoint_id))).decode()
    _remember((sealed, organization_id, endpoint_id), plain)
    return {"sealed_secret": sealed, "secret_end": plain[-_SHOWN:]}


def plain(organization_id: OrganizationId, endpoint: Endpoint) -> str:
    """The secret, to be shown where it was made."""
    assert endpoint.sealed_secret is not None, "it was made before"
    return _open(organization_id, endpoint.id, endpoint.sealed_secret)


def masked(endpoint: Endpoint) -> str | None:
    """The secret as it is shown later; None for an endpoint of earlier versions, which gets one by its first rotation."""
    return None if endpoint.secret_end is None else f"{_PREFIX}••••{endpoint.secret_end}"


def current(organization_id: OrganizationId, endpoint: Endpoint, *, at: datetime) -> list[str]:
    """The secrets that sign at a real instant, the newest first."""
    before = endpoint.previous_sealed_secret
    still = before if endpoint.previous_until is not None and at < endpoint.previous_until else None
    return [_open(organization_id, endpoint.id, sealed) for sealed in (endpoint.sealed_secret, still) if sealed]


def rotate(
    organization: OrganizationRef, endpoint_id: WebhookEndpointId, *, now: datetime, real_now: datetime
) -> Endpoint:
    """Give an endpoint a new secret; the one before signs too for `limits.WEBHOOK_SECRET_OVERLAP`.

    Raises: NotFound; ChangedMeanwhile.
    """
    fresh = made(organization.id, endpoint_id)

    def attempt() -> Endpoint:
        old = ENDPOINTS.get(organization.id, endpoint_id)
        if old is None or old.deleted_at is not None:
            raise NotFound(Resource.WEBHOOK_ENDPOINT)
        until = real_now + limits.WEBHOOK_SECRET_OVERLAP if old.sealed_secret else None
        before = {"previous_sealed_secret": old.sealed_secret, "previous_until": until}
        return ENDPOINTS.replace(organization.id, old, old.changed(now=now, **fresh, **before))

    return retrying(attempt, Resource.WEBHOOK_ENDPOINT)


def rotate_hmac_key(organization: OrganizationRef, *, real_now: datetime) -> hmac_keys.Keys:
    """Give an organization a new key of HMAC signatures. Its endpoints note when, so that a process that remembers the old
    key does not sign with it alone.

    Raises: ChangedMeanwhile.
    """

    def attempt() -> hmac_keys.Keys:
        endpoints = store.live(organization.id)
        keys, rotation = hmac_keys.rotated(organization.id, real_now=real_now)
        noted = [
            ENDPOINTS.replace_action(organization.id, each, each.model_copy(update={"hmac_rotated_at": real_now}))
            for each in endpoints
        ]
        Unit(rotation, noted).commit()
        return keys

    keys = retrying(attempt, Resource.ORGANIZATION)
    hmac_keys.forget(organization.id)
    return keys


def _open(organization_id: OrganizationId, endpoint_id: str, sealed: str) -> str:
    place = sealed, organization_id, endpoint_id
    found = _opened.get(place)
    if found is None:
        found = secret.unseal(base64.b64decode(sealed), _context(organization_id, endpoint_id))
        _remember(place, found)
    return found


def _remember(place: tuple[str, str, str], plain: str) -> None:
    if len(_opened) >= limits.WEBHOOK_SECRETS_REMEMBERED:
        _opened.clear()
    _opened[place] = plain


def _context(organization_id: OrganizationId, endpoint_id: str) -> Mapping[str, str]:
    return {"purpose": "tollgate-webhook-secret", "organization": organization_id, "endpoint": endpoint_id}
