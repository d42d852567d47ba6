"""Founding an organization: the organization, its first key and the invitation of its first member, all or none."""

from datetime import datetime
from typing import NamedTuple

from chalicelib.features.members import emails, invitations
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.organizations.schemas import OrganizationCreate


class Founded(NamedTuple):
    """A new organization. Key and link are shown only here."""

    organization: Organization
    api_key: str
    invite_url: str


def create(request: OrganizationCreate, *, now: datetime) -> Founded:
    """A new organization, its first API key and the link that invites its first member.

    Raises: Invalid, when the requested key is in use.
    """
    organization = organizations.drafted(request, now=now)
    email = emails.first_of(organization.email)
    invited, writes = invitations.first(organization.ref.id, organization.name, email, now=now)
    api_key = organizations.create(organization, writes, wanted_key=request.api_key, now=now)
    return Founded(organization, api_key, invitations.url(invited.token))
