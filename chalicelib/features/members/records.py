"""Users, sessions, memberships and invitations as they are kept and handed out."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from chalicelib import limits
from chalicelib.platform.ids import InvitationId, OrganizationId, UserId


class Kept(BaseModel):
    """Base of this room's values, which never change in place."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")


class User(Kept):
    """A person. `email`: in lower case; nobody else has it."""

    id: UserId
    email: str
    created_at: datetime


class Account(Kept):
    """A user with what only this room may see. `generation`: sessions and links of earlier generations have ended."""

    user: User
    password_hash: str = Field(repr=False)
    updated_at: datetime
    generation: int = 0
    version: int = 0


class Session(Kept):
    """A session. `id`: the SHA-256 of its token, in hex; `last_used_at`: to the hour."""

    id: str
    user_id: UserId
    csrf_secret: str = Field(repr=False)
    browser: str
    address: str
    created_at: datetime
    last_used_at: datetime
    generation: int = 0

    @property
    def ends_at(self) -> datetime:
        """The instant from which the session is over, if it is not used any more."""
        return min(self.created_at + limits.SESSION_MAX, self.last_used_at + limits.SESSION_UNUSED)


class NewSession(Kept):
    """A session that has just begun. `cookie`: the only place where its token is."""

    cookie: str = Field(repr=False)
    session: Session
    user: User


class Membership(Kept):
    """A user's belonging to an organization. `last_seen_at`: to the hour."""

    organization_id: OrganizationId
    user_id: UserId
    email: str
    joined_at: datetime
    last_seen_at: datetime


class SignedIn(Kept):
    """The sender of a request. `membership`: of the organization that the request is about, None where there is none."""

    user: User
    session: Session
    membership: Membership | None


class Invitation(Kept):
    """A pending invitation. `email`: None where whoever has the link chooses it, as the first member may."""

    id: InvitationId
    organization_id: OrganizationId
    organization_name: str
    email: str | None
    created_at: datetime
    token_hash: str = Field(repr=False)


class Invited(Kept):
    """An invitation with its token, which is shown only now."""

    invitation: Invitation
    token: str = Field(repr=False)


class OpenInvitation(Kept):
    """A pending invitation as its link shows it. `has_account`: whether its e-mail joins by logging in."""

    organization_id: OrganizationId
    organization_name: str
    email: str | None
    has_account: bool


def slug_suffix(organization_id: OrganizationId) -> str:
    """The last 8 digits of an organization's id, by which addresses name it among the memberships of a user."""
    return organization_id[-8:]
