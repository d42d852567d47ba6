"""Storage of users, their sessions and memberships.

Items
    pk                      sk                      what it is
    user#<user>             -                       the account, under its optimistic lock: each membership that comes or
                                                    goes, each new password and each end of sessions raises its version
    user#<user>             membership#<8 digits>   a membership, by the last 8 hex digits of the organization's id
    user#<user>             session#<sha256>        a session, by the hash of its token; expires when it ends
    user-email#<email>      -                       uniqueness item: one user per e-mail, names its id
    <org>#members           member#<email>          a member, one per e-mail, names the user's id

Access patterns
    1 signed_in(user, session, suffix)          BatchGet  consistent: account, session and membership in one request
    2 account(user)                             GetItem   consistent
    3 user_of_email(email)                      GetItem   uniqueness item
    4 items_of(user)                            Query     consistent: account, memberships and sessions
    5 memberships(user)                         Query     consistent
    6 members(org)                              Query     consistent, then their memberships by BatchGet
    7 create_account, replace_account           Put       part of a change; uniqueness item, optimistic lock
    8 replace_hash(account, hash)               Update    alone, while the hash is the one that was read
    9 create_session, remove_session            Put, Delete  part of a change, or alone
   10 move_session(session, ...)                Update    part of a change; refused if the session has ended
   11 note_session_use, note_membership_use     Update    alone, once an hour; refused if somebody else noted one
   12 join_actions, leave_actions               Put, Delete  membership and member together; part of a change
   13 membership_check, no_member_check         Check     part of a change
"""

from datetime import datetime
from typing import NamedTuple, cast

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid, Unauthorized
from chalicelib.features.members.records import Account, Membership, Session, slug_suffix
from chalicelib.platform import rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, WholeAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key, RawItem
from chalicelib.platform.ids import OrganizationId, UserId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Refusal, Write

_MEMBER, _MEMBERSHIP, _SESSION = "member#", "membership#", "session#"


class AccountRow(RecordRow):
    """An account."""

    record = RecordAttribute(Account)


class EmailRow(Row):
    """The uniqueness item of an e-mail, among all users or among the members of an organization."""

    id = UnicodeAttribute()


class SessionRow(Row):
    """A session. Its last use and its generation change by themselves."""

    record = RecordAttribute(Session)
    last_used_at = InstantAttribute()
    generation = WholeAttribute()
    expires_at = WholeAttribute()

    @property
    def value(self) -> Session:
        """The session as it stands."""
        return self.record.model_copy(update={"last_used_at": self.last_used_at, "generation": self.generation})


class MembershipRow(Row):
    """A membership. Its last use changes by itself."""

    record = RecordAttribute(Membership)
    last_seen_at = InstantAttribute()

    @property
    def value(self) -> Membership:
        """The membership as it stands."""
        return self.record.model_copy(update={"last_seen_at": self.last_seen_at})


class UserItems(NamedTuple):
    """All under a user's key."""

    account: Account | None
    memberships: list[Membership]
    sessions: list[Session]


class SignedInItems(NamedTuple):
    """Items that a request's session leads to, as far as they are there."""

    account: Account | None
    session: Session | None
    membership: Membership | None

    @property
    def is_torn(self) -> bool:
        """Whether account and session are of different generations: the session has ended, or a change of both came in
        between, as a batch is not read in one transaction."""
        if self.account is None or self.session is None:
            return False
        return self.account.generation != self.session.generation


def signed_in(user_id: UserId, session_id: str, suffix: str | None) -> SignedInItems:
    """A user's account and session, and the membership of the organization of a slug's suffix, read in one request."""
    pk = _user_pk(user_id)
    account_key, session_key = (pk, "-"), (pk, f"{_SESSION}{session_id}")
    wanted: dict[Key, type[Row]] = {account_key: AccountRow, session_key: SessionRow}
    membership_key = (pk, f"{_MEMBERSHIP}{suffix}")
    if suffix is not None:
        wanted[membership_key] = MembershipRow
    found = rows.find_together(wanted)
    account, session, membership = (found.get(each) for each in (account_key, session_key, membership_key))
    return SignedInItems(
        cast("AccountRow", account).value if account else None,
        cast("SessionRow", session).value if session else None,
        cast("MembershipRow", membership).value if membership else None,
    )


def account(user_id: UserId) -> Account | None:
    """A user's account."""
    found = AccountRow.find(_user_pk(user_id))
    return None if found is None else cast("Account", found.value)


def user_of_email(email: str) -> UserId | None:
    """The user who has an e-mail."""
    found = EmailRow.find(*_email_key(email))
    return None if found is None else UserId(found.id)


def items_of(user_id: UserId) -> UserItems:
    """All under a user's key: the account, the memberships, the sessions that have not expired yet."""
    made = UserItems(None, [], [])
    for item in rows.walk(_user_pk(user_id)):
        sk = item["sk"]["S"]
        if sk.startswith(_MEMBERSHIP):
            made.memberships.append(MembershipRow.read(item).value)
        elif sk.startswith(_SESSION):
            made.sessions.append(SessionRow.read(item).value)
        else:
            made = made._replace(account=AccountRow.read(item).value)
    return made


def memberships(user_id: UserId) -> list[Membership]:
    """The memberships of a user."""
    found = MembershipRow.select(_user_pk(user_id), within=MembershipRow.sk.startswith(_MEMBERSHIP))
    return [row.value for row in found]


def members(organization_id: OrganizationId) -> list[Membership]:
    """The memberships of an organization."""
    found = EmailRow.select(members_pk(organization_id), within=EmailRow.sk.startswith(_MEMBER))
    keys = [_membership_key(organization_id, UserId(row.id)) for row in found]
    return [row.value for row in MembershipRow.find_many(keys).values()]


# Accounts and sessions.


def create_account(new: Account) -> list[Write]:
    """Store a new account under its e-mail; who took the e-mail meanwhile was faster."""
    pk, sk = _email_key(new.user.email)
    return [EmailRow(pk=pk, sk=sk, id=new.user.id).create(), _account_row(new).create()]


def replace_account(old: Account, new: Account) -> Write:
    """Replace an account, under its optimistic lock."""
    return _account_row(new).replace(old.version)


def replace_hash(old: Account, password_hash: str) -> Write:
    """Replace the hash of the same password by one of other parameters; refused where the password is another one by now."""
    at = rows.field("password_hash")
    return AccountRow.change((_user_pk(old.user.id), "-"), at.set(password_hash), condition=at == old.password_hash)


def create_session(session: Session) -> Write:
    """Store a new session."""
    pk, sk = _session_key(session)
    return SessionRow(
        pk=pk,
        sk=sk,
        record=session,
        last_used_at=session.last_used_at,
        generation=session.generation,
        expires_at=_expiry(session.ends_at),
    ).create()


def remove_session(session: Session) -> Write:
    """Delete a session."""
    return SessionRow.remove_key(_session_key(session))


def move_session(session: Session, *, seen: int, to: int) -> Write:
    """Bring a session over from the account's generation to a new one. Refused if it has ended: `Unauthorized`."""
    return SessionRow.change(
        _session_key(session),
        SessionRow.generation.set(to),
        condition=SessionRow.generation == seen,
        refusal=Unauthorized(),
    )


def note_session_use(old: Session, now: datetime) -> Write:
    """Note a use; refused where somebody else has noted one meanwhile, or the session is gone."""
    used = old.model_copy(update={"last_used_at": now})
    changes = SessionRow.last_used_at.set(now), SessionRow.expires_at.set(_expiry(used.ends_at))
    return SessionRow.change(_session_key(old), *changes, condition=SessionRow.last_used_at == old.last_used_at)


def note_membership_use(old: Membership, now: datetime) -> Write:
    """Note a use; refused where somebody else has noted one meanwhile, or the membership is gone."""
    seen = MembershipRow.last_seen_at
    place = _membership_key(old.organization_id, old.user_id)
    return MembershipRow.change(place, seen.set(now), condition=seen == old.last_seen_at)


# Memberships.


def join_actions(new: Membership) -> list[Write]:
    """Make a user a member. Who made the same membership meanwhile was faster; a membership of another organization with the
    same last digits refuses: `email: value_already_exist`."""

    def taken(item: RawItem | None) -> Exception | None:
        same = item is not None and MembershipRow.read(item).value.organization_id == new.organization_id
        return None if same else Invalid.field("email", ErrorCode.VALUE_ALREADY_EXIST)

    pk, sk = _membership_key(new.organization_id, new.user_id)
    member_pk, member_sk = _member_key(new.organization_id, new.email)
    return [
        MembershipRow(pk=pk, sk=sk, record=new, last_seen_at=new.last_seen_at).create(taken),
        EmailRow(pk=member_pk, sk=member_sk, id=new.user_id).create(),
    ]


def leave_actions(old: Membership) -> list[Write]:
    """End a membership. Who ended it meanwhile was faster."""
    place = _membership_key(old.organization_id, old.user_id)
    return [
        MembershipRow.remove_key(place, MembershipRow.pk.exists()),
        EmailRow.remove_key(_member_key(old.organization_id, old.email)),
    ]


def membership_check(organization_id: OrganizationId, user_id: UserId, refusal: Refusal) -> Write:
    """Refuse a transaction unless a user is a member."""
    is_one = rows.field("organization_id") == organization_id
    return MembershipRow.check(_membership_key(organization_id, user_id), is_one, refusal)


def no_member_check(organization_id: OrganizationId, email: str, refusal: Refusal) -> Write:
    """Refuse a transaction where a member has an e-mail."""
    return EmailRow.check(_member_key(organization_id, email), EmailRow.pk.does_not_exist(), refusal)


def members_pk(organization_id: OrganizationId) -> str:
    """The key under which an organization's members stand, and its pending invitations."""
    return key(organization_id, "members")


def _user_pk(user_id: UserId) -> str:
    return key("user", user_id)


def _email_key(email: str) -> Key:
    return key("user-email", email), "-"


def _session_key(session: Session) -> Key:
    return _user_pk(session.user_id), f"{_SESSION}{session.id}"


def _membership_key(organization_id: OrganizationId, user_id: UserId) -> Key:
    return _user_pk(user_id), f"{_MEMBERSHIP}{slug_suffix(organization_id)}"


def _member_key(organization_id: OrganizationId, email: str) -> Key:
    return members_pk(organization_id), f"{_MEMBER}{key(email)}"


def _account_row(account: Account) -> AccountRow:
    return AccountRow(pk=_user_pk(account.user.id), sk="-", version=account.version, record=account)


def _expiry(at: datetime) -> int:
    """The whole second after which DynamoDB may delete an item that ends at an instant."""
    return int(at.timestamp()) + 1
