"""Creating organizations, and reading and changing their settings."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import existing
from chalicelib.features.organizations import hmac_keys, logos, store
from chalicelib.features.organizations.records import BillingConfiguration, Organization
from chalicelib.features.organizations.schemas import OrganizationCreate, OrganizationUpdate
from chalicelib.platform import api_keys, auth
from chalicelib.platform.ids import OrganizationId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Write


def drafted(request: OrganizationCreate, *, now: datetime) -> Organization:
    """A new organization, not yet stored."""
    organization_id = OrganizationId(new_id())
    return Organization(
        id=organization_id,
        name=request.name,
        email=request.email,
        sandbox=request.sandbox,
        created_at=now,
        updated_at=now,
        document_number_prefix=default_prefix(request.name, organization_id),
    )


def create(organization: Organization, extra: Sequence[Write], *, wanted_key: str | None, now: datetime) -> str:
    """Store a new organization with its first API key, and `extra` with them; the key is shown only here. `wanted_key`: the
    key itself, which counts on a local stack only.

    Raises: Invalid, when the wanted key is in use.
    """
    api_key = wanted_key if wanted_key and settings().local else auth.new_key()
    keys = api_keys.create_actions(api_key, organization.ref, now)
    retrying(lambda: store.create([*keys, *extra], organization), Resource.ORGANIZATION)
    return api_key


def get(organization_id: OrganizationId) -> Organization:
    """The organization.

    Raises: NotFound.
    """
    return existing(find(organization_id), Resource.ORGANIZATION)


def find(organization_id: OrganizationId) -> Organization | None:
    """The organization, None where there is none."""
    return store.get(organization_id)


def get_many(organization_ids: Sequence[OrganizationId]) -> list[Organization]:
    """The organizations under these ids that there are, in their order."""
    return store.get_many(organization_ids)


def ids() -> Iterator[str]:
    """The ids of all organizations; a scan of the whole table, for maintenance only."""
    return store.ids()


def next_customer_number(organization_id: OrganizationId) -> int:
    """Draw a customer's number at once; one whose customer is not made after all stays unused."""
    return store.next_number(organization_id, "customers")


def replace_action(old: Organization, new: Organization) -> Write:
    """Write `new` (see `changed`) over `old`; refused if somebody else wrote in between."""
    return store.replace_action(old, new)


def changed(old: Organization, request: OrganizationUpdate, *, now: datetime) -> Organization:
    """The next version of an organization with the settings that the request names, not yet written; the nested
    configuration changes key by key."""
    values = request.given()
    values.pop("webhook_url", None)
    if "logo" in values:
        values["logo"] = None if request.logo is None else logos.store(old.id, request.logo)
    if "billing_configuration" in values:
        given = request.billing_configuration.given()
        merged = old.billing_configuration.model_dump() | _without_null_defaults(given)
        values["billing_configuration"] = BillingConfiguration.model_validate(merged)
    if values.get("net_payment_term", 0) is None:
        values["net_payment_term"] = 0
    return old.model_copy(update={**values, "updated_at": now, "version": old.version + 1})


def hmac_key(organization_id: OrganizationId) -> str:
    """The key with which the organization's webhooks are signed where it asks for HMAC."""
    return hmac_keys.read(organization_id)


def default_prefix(name: str, organization_id: OrganizationId) -> str:
    """First three letters of the name, without their marks, and the last four of the id. Source: rules/invoices 9."""
    letters = re.sub(r"[^A-Za-z0-9]", "", unicodedata.normalize("NFKD", name))[:3] or "ORG"
    return f"{letters}-{organization_id[-4:]}".upper()


def _without_null_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Null clears a setting: a setting with a default goes back to it."""
    defaults = BillingConfiguration().model_dump()
    return {name: defaults[name] if value is None else value for name, value in given.items()}
