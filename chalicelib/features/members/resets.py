"""Links to choose a new password, made by whoever runs the installation: no mail is sent.

Items
    pk                          sk    what it is
    password-reset#<sha256>     -     a link by the hash of its token, under its optimistic lock; expires

Access patterns
    1 make_link(email)      Put       after a look at the account
    2 use(token)            GetItem, then Transact: link, account and session together
"""

from datetime import datetime

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.members import attempts, emails, passwords, sessions, store, tokens
from chalicelib.features.members.records import Account, Kept, NewSession
from chalicelib.platform.attributes import RecordAttribute, WholeAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import UserId, key
from chalicelib.platform.retry import retrying
from chalicelib.platform.settings import settings
from chalicelib.platform.unit import Unit


class Reset(Kept):
    """A link. It counts for the generation of the account for which it was made."""

    user_id: UserId
    generation: int
    created_at: datetime
    used_at: datetime | None = None
    version: int = 0


class ResetRow(RecordRow):
    """A link."""

    record = RecordAttribute(Reset)
    expires_at = WholeAttribute()


def make_link(email: str, *, now: datetime) -> str:
    """The token of a new link for the user of an e-mail: it counts once, for an hour, and for as long as the user neither
    changes the password nor ends sessions.

    Raises: NotFound.
    """
    user_id = store.user_of_email(emails.lowered(email))
    account = None if user_id is None else store.account(user_id)
    if account is None:
        raise NotFound(Resource.USER)
    token = tokens.for_link()
    reset = Reset(user_id=account.user.id, generation=account.generation, created_at=now)
    _row(token.digest, reset).create().alone()
    return token.text


def url(token: str) -> str:
    """The link of a token."""
    return f"{settings().public_url}/console/reset/{token}"


def is_open(token: str, *, now: datetime) -> bool:
    """Whether a token may choose a password."""
    reset = _read(token, now)
    return reset is not None and reset.used_at is None and _account(reset) is not None


def use(token: str, password: str, *, browser: str, address: str, now: datetime) -> NewSession:
    """Choose a new password; all sessions end, and a new one begins. Again, at once and with the same password, begins
    another session only.

    Raises: NotFound, for a token that does not count; Invalid: what is wrong with the password.
    """
    digest = tokens.digest_of_link(token) or ""
    hashed: list[str] = []

    def attempt() -> NewSession | tuple[Account, datetime]:
        reset = _read(token, now)
        if reset is None:
            raise NotFound(Resource.PASSWORD_RESET)
        account = store.account(reset.user_id) if reset.used_at else _account(reset)
        if account is None:
            raise NotFound(Resource.PASSWORD_RESET)
        if reset.used_at is not None:
            return account, reset.used_at
        if not hashed:
            passwords.check(password, near=[account.user.email, *sessions.organization_names(account.user.id)])
            hashed.append(passwords.hashed(password))
        changes = {"password_hash": hashed[0], "generation": account.generation + 1, "updated_at": now}
        changed = account.model_copy(update=changes)
        new, session = sessions.opened(changed, browser=browser, address=address, now=now)
        used = _row(digest, reset.model_copy(update={"used_at": now})).replace(reset.version)
        Unit(used, store.replace_account(account, changed), session).commit()
        return new

    done = retrying(attempt, Resource.PASSWORD_RESET)
    if isinstance(done, NewSession):
        attempts.succeed(done.user.email, address, at=now)
        return done
    account, used_at = done
    refusal = NotFound(Resource.PASSWORD_RESET)
    return sessions.repeated(account.user.email, password, used_at, refusal, browser=browser, address=address, now=now)


def _read(token: str, now: datetime) -> Reset | None:
    digest = tokens.digest_of_link(token)
    row = None if digest is None else ResetRow.find(*_key(digest))
    if row is None or now >= row.value.created_at + limits.RESET_LINK_KEPT:
        return None
    found: Reset = row.value
    return found


def _account(reset: Reset) -> Account | None:
    """The account, while it is of the link's generation."""
    account = store.account(reset.user_id)
    return account if account is not None and account.generation == reset.generation else None


def _key(digest: str) -> Key:
    return key("password-reset", digest), "-"


def _row(digest: str, reset: Reset) -> ResetRow:
    pk, sk = _key(digest)
    expires_at = int((reset.created_at + limits.RESET_LINK_KEPT).timestamp()) + 1
    return ResetRow(pk=pk, sk=sk, version=reset.version, record=reset, expires_at=expires_at)
