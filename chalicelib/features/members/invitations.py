"""Invitations: a link leads its e-mail into an organization, once and without expiry."""

from datetime import datetime

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.members import emails, passwords, pending, sessions, store, tokens
from chalicelib.features.members.pending import Link
from chalicelib.features.members.records import (
    Account,
    Invitation,
    Invited,
    Membership,
    NewSession,
    OpenInvitation,
    User,
)
from chalicelib.features.organizations import service as organizations
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, UserId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Unit, Write


def invite(organization: OrganizationRef, organization_name: str, email: str, *, now: datetime) -> Invited:
    """Invite an e-mail. Its token is shown only here.

    Raises: Invalid on `email`: what is no address; `value_already_exist`, where it is a member's or invited already.
    """
    invited, writes = first(organization.id, organization_name, emails.checked(email), now=now)
    email = invited.invitation.email or ""
    taken = Invalid.field("email", ErrorCode.VALUE_ALREADY_EXIST)
    unit = Unit(writes, store.no_member_check(organization.id, email, taken))
    retrying(unit.commit, Resource.INVITE)
    return invited


def first(
    organization_id: OrganizationId, organization_name: str, email: str | None, *, now: datetime
) -> tuple[Invited, list[Write]]:
    """An invitation to an organization that may be just being made, and the writes that store it. `email` None: whoever has
    the link chooses it."""
    token = tokens.for_link()
    invitation = Invitation(
        id=pending.id_of(organization_id, email),
        organization_id=organization_id,
        organization_name=organization_name,
        email=email,
        created_at=now,
        token_hash=token.digest,
    )
    return Invited(invitation=invitation, token=token.text), pending.create_actions(invitation)


def url(token: str) -> str:
    """The link of an invitation."""
    return f"{settings().public_url}/invitation/{token}"


def pending_of(organization_id: OrganizationId) -> list[Invitation]:
    """The pending invitations of an organization, the oldest first."""
    return sorted(pending.of_organization(organization_id), key=lambda each: (each.created_at, each.id))


def renew(organization_id: OrganizationId, invitation_id: str, *, now: datetime) -> Invited:
    """Give a pending invitation a new token; the old one leads nowhere any more. The invitation keeps its age.

    Raises: NotFound, where it is not pending.
    """
    token = tokens.for_link()

    def attempt() -> Invitation:
        old = _pending(organization_id, invitation_id)
        new = old.model_copy(update={"token_hash": token.digest})
        Unit(pending.renew_actions(old, new)).commit()
        return new

    return Invited(invitation=retrying(attempt, Resource.INVITE), token=token.text)


def revoke(organization_id: OrganizationId, invitation_id: str, *, now: datetime) -> None:
    """Take a pending invitation back.

    Raises: NotFound, where it is not pending.
    """

    def attempt() -> None:
        Unit(pending.revoke_actions(_pending(organization_id, invitation_id))).commit()

    retrying(attempt, Resource.INVITE)


def find(token: str) -> OpenInvitation | None:
    """The pending invitation of a token."""
    link = _link(token)
    if link is None or link.accepted_at is not None:
        return None
    invitation = link.invitation
    return OpenInvitation(
        organization_id=invitation.organization_id,
        organization_name=_name(invitation),
        email=invitation.email,
        has_account=invitation.email is not None and store.user_of_email(invitation.email) is not None,
    )


def accept(
    token: str, password: str, *, email: str | None = None, browser: str, address: str, now: datetime
) -> NewSession:
    """Make the invited e-mail a user and member, with this password, and begin a session. `email` counts where the
    invitation names none. Again, at once and with the same password, begins another session only.

    Raises: NotFound, for a token that is not pending; Invalid: what is wrong with the password; `value_already_exist` on
    `email`, where it has an account, which joins by logging in.
    """
    link = _link(token)
    if link is None:
        raise NotFound(Resource.INVITE)
    if link.accepted_at is not None:
        return _again(link, password, browser=browser, address=address, now=now)
    chosen = link.invitation.email or emails.checked(email or "")
    passwords.check(password, near=[chosen, _name(link.invitation)])
    user = User(id=UserId(new_id()), email=chosen, created_at=now)
    account = Account(user=user, password_hash=passwords.hashed(password), updated_at=now)
    new, session = sessions.opened(account, browser=browser, address=address, now=now)

    def attempt() -> Link | None:
        # The e-mail first: where a parallel call has just used this link for it, the link says so.
        has_account = store.user_of_email(chosen) is not None
        found = _link(token)
        if found is None:
            raise NotFound(Resource.INVITE)
        if found.accepted_at is not None:
            return found
        if has_account:
            raise Invalid.field("email", ErrorCode.VALUE_ALREADY_EXIST)
        joined = store.join_actions(_membership(found.invitation, user, now))
        used = pending.accept_actions(found.invitation, chosen, now=now)
        Unit(used, store.create_account(account), joined, session).commit()
        return None

    meanwhile = retrying(attempt, Resource.INVITE)
    return new if meanwhile is None else _again(meanwhile, password, browser=browser, address=address, now=now)


def join(token: str, user: User, *, now: datetime) -> Membership:
    """Make a user who is logged in a member. Again does nothing.

    Raises: NotFound, for a token that is not pending, or of another e-mail.
    """

    def attempt() -> Membership:
        link = _link(token)
        if link is None or link.invitation.email not in (None, user.email):
            raise NotFound(Resource.INVITE)
        found = store.items_of(user.id)
        invitation = link.invitation
        own = next((each for each in found.memberships if each.organization_id == invitation.organization_id), None)
        if link.accepted_at is not None:
            if own is None:
                raise NotFound(Resource.INVITE)
            return own
        if found.account is None:
            raise NotFound(Resource.USER)
        unit = Unit(pending.accept_actions(invitation, user.email, now=now))
        joined = own or _membership(invitation, user, now)
        if own is None:
            changed = found.account.model_copy(update={"updated_at": now})
            unit.add(store.replace_account(found.account, changed), store.join_actions(joined))
        unit.commit()
        return joined

    return retrying(attempt, Resource.INVITE)


def _link(token: str) -> Link | None:
    digest = tokens.digest_of_link(token)
    return None if digest is None else pending.of_token(digest)


def _again(link: Link, password: str, *, browser: str, address: str, now: datetime) -> NewSession:
    assert link.accepted_at is not None
    refusal, email = NotFound(Resource.INVITE), link.invitation.email or ""
    return sessions.repeated(email, password, link.accepted_at, refusal, browser=browser, address=address, now=now)


def _pending(organization_id: OrganizationId, invitation_id: str) -> Invitation:
    found = pending.of_id(organization_id, invitation_id)
    if found is None:
        raise NotFound(Resource.INVITE)
    return found


def _name(invitation: Invitation) -> str:
    """The organization's name; those of earlier versions' invitations are not in them."""
    if invitation.organization_name:
        return invitation.organization_name
    organization = organizations.find(invitation.organization_id)
    return organization.name if organization else ""


def _membership(invitation: Invitation, user: User, now: datetime) -> Membership:
    return Membership(
        organization_id=invitation.organization_id, user_id=user.id, email=user.email, joined_at=now, last_seen_at=now
    )
