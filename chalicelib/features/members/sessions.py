"""Sessions: logging in and out, and the password that begins them.

A session belongs to a generation of its account. Ending others raises the generation and takes the own session along, in
one transaction: so all others end at that instant, however many there are, those that are just beginning too.
"""

import contextlib
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import BillingError, Invalid, Unauthorized
from chalicelib.features.members import attempts, emails, passwords, service, store, tokens
from chalicelib.features.members.records import Account, NewSession, Session, User
from chalicelib.features.organizations import service as organizations
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import UserId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# The id of no user: looking for it costs the same as looking for one.
_NOBODY = UserId("-")
_ADDRESS_CHARS_MAX = 64


def sign_in(email: str, password: str, *, browser: str, address: str, now: datetime) -> NewSession:
    """Begin a session. It takes the same time whether or not a user has the e-mail.

    Raises: Invalid, `incorrect_login_or_password`, whatever is wrong; TooManyAttempts, before anything is looked at.
    """
    email = emails.lowered(email)
    attempts.begin(email, address, now=now)
    account = store.account(store.user_of_email(email) or _NOBODY)
    passwords.require(account.password_hash if account else None, password)
    assert account is not None  # No password is the one of nobody.
    attempts.succeed(email, address, at=now)
    _renew_hash(account, password)
    new, write = opened(account, browser=browser, address=address, now=now)
    write.alone()
    return new


def sign_out(session: Session) -> None:
    """End a session; again does nothing."""
    store.remove_session(session).alone()


def sessions_of(user_id: UserId, *, now: datetime) -> list[Session]:
    """The live sessions of a user, the last used first."""
    found = store.items_of(user_id)
    live = [each for each in found.sessions if now < each.ends_at]
    ours = [each for each in live if found.account is not None and each.generation == found.account.generation]
    return sorted(ours, key=lambda each: (each.last_used_at, each.created_at, each.id), reverse=True)


def end_others(session: Session) -> None:
    """End all other sessions of a session's user.

    Raises: Unauthorized, where the session itself has ended.
    """

    def attempt() -> None:
        account = store.account(session.user_id)
        if account is None:
            raise Unauthorized
        _move_on(account, account, session)

    retrying(attempt, Resource.USER)


def change_password(user: User, session: Session, old: str, new: str, *, now: datetime) -> None:
    """Choose another password; all other sessions of the user end. Again, with the same two, does nothing.

    Raises: Invalid: `incorrect_login_or_password` on `old_password`, or what is wrong with the new one on `password`;
    TooManyAttempts, after too many wrong old ones; Unauthorized, where the session has ended.
    """
    attempts.begin(user.email, session.address, now=now)
    verified = store.account(user.id)
    known = verified.password_hash if verified else None
    done = not passwords.matches(known, old)
    if done:  # By a click before this one, or the old password is wrong.
        passwords.require(known, new, field="old_password")
    attempts.succeed(user.email, session.address, at=now)
    if done:
        return
    passwords.check(new, near=[user.email, *organization_names(user.id)])
    password_hash = passwords.hashed(new)

    def attempt() -> None:
        account = store.account(user.id)
        if account is None:
            raise Unauthorized
        if account.password_hash != known:  # Somebody else has just chosen another one: then the old one must fit that.
            passwords.require(account.password_hash, old, field="old_password")
        changed = account.model_copy(update={"password_hash": password_hash, "updated_at": now})
        _move_on(account, changed, session)

    retrying(attempt, Resource.USER)


def opened(account: Account, *, browser: str, address: str, now: datetime) -> tuple[NewSession, Write]:
    """A new session of an account, and the write that stores it."""
    token = tokens.for_session()
    session = Session(
        id=token.digest,
        user_id=account.user.id,
        csrf_secret=tokens.for_session().text,
        browser=_storable(browser)[: limits.BROWSER_CHARS_MAX],
        address=_storable(address)[:_ADDRESS_CHARS_MAX],
        created_at=now,
        last_used_at=now,
        generation=account.generation,
    )
    new = NewSession(cookie=f"{account.user.id}.{token.text}", session=session, user=account.user)
    return new, store.create_session(session)


def repeated(
    email: str, password: str, first_at: datetime, refusal: BillingError, *, browser: str, address: str, now: datetime
) -> NewSession:
    """A session for a second click on the form that chose this password at `first_at`.

    Raises: the refusal, when it comes late or with another password; TooManyAttempts.
    """
    if now - first_at >= limits.LINK_REPEATED_WITHIN:
        raise refusal
    try:
        return sign_in(email, password, browser=browser, address=address, now=now)
    except Invalid:
        raise refusal from None


def organization_names(user_id: UserId) -> list[str]:
    """The names of a user's organizations, which make no good password."""
    found = (organizations.find(each.organization_id) for each in service.memberships_of(user_id))
    return [each.name for each in found if each is not None]


def _renew_hash(account: Account, password: str) -> None:
    """Hash a password anew where the parameters of hashes have grown since."""
    if passwords.is_outdated(account.password_hash):
        with contextlib.suppress(ConditionFailed):
            store.replace_hash(account, passwords.hashed(password)).alone()


def _move_on(old: Account, new: Account, session: Session) -> None:
    """Replace an account by its next generation, into which only this session goes along."""
    generation = old.generation + 1
    replaced = store.replace_account(old, new.model_copy(update={"generation": generation}))
    Unit(replaced, store.move_session(session, seen=old.generation, to=generation)).commit()


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
