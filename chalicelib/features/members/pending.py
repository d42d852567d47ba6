"""Storage of invitations: the pending ones of an organization, and each by its token.

Items
    pk                      sk                      what it is
    <org>#members           invitation#<id>         a pending invitation; its id is made of its e-mail: one for each
    invitation#<sha256>     -                       an invitation by the hash of its token: "pending" or "accepted"; expires
                                                    once it was accepted

Access patterns
    1 of_organization(org)          Query     consistent
    2 of_id(org, id)                GetItem   consistent
    3 of_token(hash)                GetItem   consistent
    4 create_actions(it)            Put       refused where its e-mail has one; part of the change that invites
    5 renew_actions, revoke_actions   Put, Delete  refused where another token is the one by now; part of a change
    6 accept_actions(...)           Update, Delete  refused where it is not pending any more; part of the change that joins

Organizations of earlier versions have an invitation by its token only, without their name.
"""

from datetime import datetime
from typing import NamedTuple

from pynamodb.attributes import UnicodeAttribute

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.members.records import Invitation
from chalicelib.features.members.store import members_pk
from chalicelib.platform import rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, WholeAttribute
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import InvitationId, OrganizationId, derived_id, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write

_INVITATION = "invitation#"
_PENDING, _ACCEPTED = "pending", "accepted"


class InvitationRow(Row):
    """A pending invitation."""

    record = RecordAttribute(Invitation)


class LinkRow(Row):
    """An invitation by its token. `email`: empty where it names none; of the new member once it was accepted."""

    organization_id = UnicodeAttribute()
    organization_name = UnicodeAttribute(null=True)
    email = UnicodeAttribute()
    status = UnicodeAttribute()
    created_at = InstantAttribute()
    accepted_at = InstantAttribute(null=True)
    expires_at = WholeAttribute(null=True)


class Link(NamedTuple):
    """An invitation as its token finds it. `accepted_at`: None while it is pending; from then on its e-mail is that of the
    new member."""

    invitation: Invitation
    accepted_at: datetime | None


def id_of(organization_id: OrganizationId, email: str | None) -> InvitationId:
    """The id of an organization's invitation of an e-mail."""
    return InvitationId(derived_id(organization_id, "invitation", email or ""))


def of_organization(organization_id: OrganizationId) -> list[Invitation]:
    """The pending invitations of an organization."""
    found = InvitationRow.select(members_pk(organization_id), within=InvitationRow.sk.startswith(_INVITATION))
    return [row.record for row in found]


def of_id(organization_id: OrganizationId, invitation_id: str) -> Invitation | None:
    """A pending invitation."""
    found = InvitationRow.find(*_key(organization_id, invitation_id))
    return None if found is None else found.record


def of_token(token_hash: str) -> Link | None:
    """An invitation, pending or accepted."""
    row = LinkRow.find(*_link_key(token_hash))
    if row is None:
        return None
    organization_id, email = OrganizationId(row.organization_id), row.email or None
    invitation = Invitation(
        id=id_of(organization_id, email),
        organization_id=organization_id,
        organization_name=row.organization_name or "",
        email=email,
        created_at=row.created_at,
        token_hash=token_hash,
    )
    return Link(invitation, row.accepted_at)


def create_actions(new: Invitation) -> list[Write]:
    """Store a new invitation. Refused where its e-mail has one: `email: value_already_exist`."""
    return [_row(new).create(Invalid.field("email", ErrorCode.VALUE_ALREADY_EXIST)), _link_row(new).create()]


def renew_actions(old: Invitation, new: Invitation) -> list[Write]:
    """Give an invitation another token."""
    is_same = rows.field("token_hash") == old.token_hash
    return [_row(new).put(is_same), LinkRow.remove_key(_link_key(old.token_hash)), _link_row(new).create()]


def revoke_actions(old: Invitation) -> list[Write]:
    """Delete a pending invitation and its token."""
    is_same = rows.field("token_hash") == old.token_hash
    place = _key(old.organization_id, old.id)
    return [InvitationRow.remove_key(place, is_same), LinkRow.remove_key(_link_key(old.token_hash))]


def accept_actions(old: Invitation, email: str, *, now: datetime) -> list[Write]:
    """Use an invitation up, for the user of an e-mail. Its token stays for a while, so that a repeated request is known."""
    accepted = LinkRow.change(
        _link_key(old.token_hash),
        LinkRow.status.set(_ACCEPTED),
        LinkRow.email.set(email),
        LinkRow.accepted_at.set(now),
        LinkRow.expires_at.set(int((now + limits.USED_LINK_KEPT).timestamp())),
        condition=LinkRow.status == _PENDING,
    )
    return [accepted, InvitationRow.remove_key(_key(old.organization_id, old.id))]


def _key(organization_id: OrganizationId, invitation_id: str) -> Key:
    return members_pk(organization_id), f"{_INVITATION}{key(invitation_id)}"


def _link_key(token_hash: str) -> Key:
    return key("invitation", token_hash), "-"


def _row(invitation: Invitation) -> InvitationRow:
    pk, sk = _key(invitation.organization_id, invitation.id)
    return InvitationRow(pk=pk, sk=sk, record=invitation)


def _link_row(invitation: Invitation) -> LinkRow:
    pk, sk = _link_key(invitation.token_hash)
    return LinkRow(
        pk=pk,
        sk=sk,
        organization_id=invitation.organization_id,
        organization_name=invitation.organization_name,
        email=invitation.email or "",
        status=_PENDING,
        created_at=invitation.created_at,
    )
