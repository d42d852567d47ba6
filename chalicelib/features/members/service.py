"""Sessions and memberships of users, and removing a member."""

import contextlib
import re
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotAllowed, NotFound
from chalicelib.features.members import pending, store, tokens
from chalicelib.features.members.records import Membership, SignedIn
from chalicelib.platform.busy import Busy
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import OrganizationId, UserId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

_COOKIE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9a-f]{64})")
_SUFFIX = re.compile(r"[0-9a-f]{8}")


def signed_in(cookie: str, slug_suffix: str | None, *, now: datetime) -> SignedIn | None:
    """The user, session and membership of a request, read in one request; None where the cookie is of no live session.

    `slug_suffix`: the last 8 digits of the address's organization, where it has one. Uses are noted once an hour.
    """
    parts = _COOKIE.fullmatch(cookie)
    if parts is None:
        return None
    suffix = slug_suffix if slug_suffix is not None and _SUFFIX.fullmatch(slug_suffix) else None
    place = UserId(parts[1]), tokens.digest(parts[2]), suffix
    found = store.signed_in(*place)
    if found.is_torn:
        found = store.signed_in(*place)
    account, session, membership = found
    if account is None or session is None or found.is_torn or now >= session.ends_at:
        return None
    if now - session.last_used_at >= limits.SESSION_USE_STEP and _noted(store.note_session_use(session, now)):
        session = session.model_copy(update={"last_used_at": now})
    if membership is not None and now - membership.last_seen_at >= limits.SESSION_USE_STEP:
        _noted(store.note_membership_use(membership, now))
    return SignedIn(user=account.user, session=session, membership=membership)


def memberships_of(user_id: UserId) -> list[Membership]:
    """The memberships of a user, the oldest first."""
    return sorted(store.memberships(user_id), key=_age)


def members_of(organization_id: OrganizationId) -> list[Membership]:
    """The memberships of an organization, the oldest first."""
    return sorted(store.members(organization_id), key=_age)


def remove(organization_id: OrganizationId, user_id: UserId, *, by: UserId, now: datetime) -> None:
    """End a membership. Where it is the user's last one, all of the user's sessions end with it.

    Whoever removes is a member when it happens: so of two members who remove each other one stays, and no organization loses
    its last one.
    Raises: NotAllowed, for one's own membership; NotFound, where either of them is no member.
    """
    if user_id == by:
        raise NotAllowed(ErrorCode.CANNOT_REVOKE_OWN_MEMBERSHIP)

    def attempt() -> None:
        found = store.items_of(user_id)
        membership = next((each for each in found.memberships if each.organization_id == organization_id), None)
        if found.account is None or membership is None:
            raise NotFound(Resource.MEMBERSHIP)
        changes: dict[str, object] = {"updated_at": now}
        if len(found.memberships) == 1:
            changes["generation"] = found.account.generation + 1
        unit = Unit(
            store.replace_account(found.account, found.account.model_copy(update=changes)),
            store.leave_actions(membership),
            store.membership_check(organization_id, by, NotFound(Resource.MEMBERSHIP)),
        )
        # A link that is still open for this e-mail would lead back.
        invitation = pending.of_id(organization_id, pending.id_of(organization_id, membership.email))
        if invitation is not None:
            unit.add(pending.revoke_actions(invitation))
        unit.commit()

    retrying(attempt, Resource.MEMBERSHIP)


def _noted(use: Write) -> bool:
    """Whether this request noted the use. Where another one did, or the item has just gone, nothing is lost."""
    with contextlib.suppress(ConditionFailed, Busy):
        use.alone()
        return True
    return False


def _age(membership: Membership) -> tuple[datetime, str, str]:
    return membership.joined_at, membership.organization_id, membership.user_id
