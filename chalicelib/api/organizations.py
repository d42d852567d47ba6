"""`/admin/organizations` and `/api/v1/organizations`."""

from typing import Any

from chalicelib.features.customers import organization_settings as changes
from chalicelib.features.organizations import hmac_keys, schemas, service
from chalicelib.features.organizations.records import Organization
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.taxes import service as taxes
from chalicelib.features.webhooks import secrets as webhook_secrets
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import clock
from chalicelib.platform.http import Answer, Call, Routes
from chalicelib.platform.schema import parse
from chalicelib.platform.timestamps import iso

routes = Routes(__name__)
admin = Routes(__name__, prefix="/admin")


@admin.post("/organizations", key="admin")
def create(call: Call) -> Answer:
    """A new organization with its first key. The body has no root."""
    # Few requests are about members, and all would wait for the import.
    from chalicelib.features.members import founding

    body = call.json()
    values = body.get("organization", body) if isinstance(body, dict) else {}
    request = parse(schemas.OrganizationCreate, values if isinstance(values, dict) else {})
    made = founding.create(request, now=call.now)
    shown = schemas.show(made.organization, urls=[], taxes=[])
    return Answer({"organization": shown, "api_key": made.api_key, "invite_url": made.invite_url}, status=201)


@routes.get("/organizations")
def show(call: Call) -> dict[str, Any]:
    """The organization of the key."""
    organization = service.get(call.organization.id)
    hmac_keys.move(organization)
    return {"organization": _shown(organization)}


@routes.put("/organizations")
def update(call: Call) -> dict[str, Any]:
    """Change settings; `webhook_url` makes or replaces the first webhook endpoint."""
    request = parse(schemas.OrganizationUpdate, call.root("organization"))
    organization = changes.update(call.organization.id, request, now=call.now)
    test_clock.run_due(call.organization, now=call.now)
    return {"organization": _shown(organization)}


@routes.get("/organizations/hmac_key")
def hmac_key(call: Call) -> dict[str, Any]:
    """The key of HMAC signatures, whole for whoever asks first, masked from then on."""
    keys, whole = hmac_keys.take(call.organization.id)
    return _key_shown(call, keys, whole=whole)


@routes.post("/organizations/rotate_hmac_key")
def rotate_hmac_key(call: Call) -> dict[str, Any]:
    """A new key of HMAC signatures, which is shown only here; the one before signs too for a day."""
    keys = webhook_secrets.rotate_hmac_key(call.organization, real_now=clock.utc_now())
    return _key_shown(call, keys, whole=True)


def _key_shown(call: Call, keys: hmac_keys.Keys, *, whole: bool) -> dict[str, Any]:
    until = keys.previous_until
    return {
        "organization": {
            "lago_id": call.organization.id,
            "hmac_key": keys.current if whole else keys.masked,
            "previous_hmac_key_until": None if until is None else iso(until),
        }
    }


def _shown(organization: Organization) -> dict[str, Any]:
    return schemas.show(
        organization,
        urls=webhooks.urls(organization.id),
        taxes=[taxes.show(tax) for tax in taxes.of_organization(organization.id)],
    )
