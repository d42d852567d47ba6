"""The member of the demo organization with whom people try the console: made once, its password kept in `.local/`."""

import os
import secrets
from pathlib import Path
from typing import NamedTuple

from chalicelib.console.visit import slug_of
from chalicelib.features.members import invitations, resets, service
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.platform import auth
from chalicelib.platform.clock import utc_now

EMAIL = "demo@example.com"
# For the words of a password, which is typed rather than pasted.
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


class DemoMember(NamedTuple):
    """Who logs in, and the address of the organization's pages below the console's."""

    email: str
    password: str
    place: str


def found_or_made(api_key: str, kept: Path) -> DemoMember:
    """The member of the organization of a key; `kept`: the file of the password."""
    organization = organizations.get(auth.identify({"authorization": f"Bearer {api_key}"}).id)
    is_member = any(each.email == EMAIL for each in service.members_of(organization.ref.id))
    if not (is_member and kept.exists()):
        password = kept.read_text().strip() if kept.exists() else _new_password()
        _keep(kept, password)
        _choose(organization, password, is_member=is_member)
    return DemoMember(EMAIL, kept.read_text().strip(), slug_of(organization.name, organization.id))


def _choose(organization: Organization, password: str, *, is_member: bool) -> None:
    """Let the member have a password: one that is there by a link to a new one, another by an invitation."""
    how = {"browser": "make run", "address": "127.0.0.1", "now": utc_now()}
    if is_member:
        resets.use(resets.make_link(EMAIL, now=utc_now()), password, **how)
        return
    token = _invited(organization)
    found = invitations.find(token)
    if found is None or not found.has_account:
        invitations.accept(token, password, **how)
        return
    # A member of another demo organization in the same folder.
    session = resets.use(resets.make_link(EMAIL, now=utc_now()), password, **how)
    invitations.join(token, session.user, now=utc_now())


def _invited(organization: Organization) -> str:
    """The token of an invitation, which replaces a pending one's."""
    pending = invitations.pending_of(organization.ref.id)
    same = next((each for each in pending if each.email == EMAIL), None)
    if same is not None:
        return invitations.renew(organization.ref.id, same.id, now=utc_now()).token
    return invitations.invite(organization.ref, organization.name, EMAIL, now=utc_now()).token


def _new_password() -> str:
    return "-".join("".join(secrets.choice(_SYLLABLES) for _ in range(3)) for _ in range(4))


def _keep(place: Path, text: str) -> None:
    place.unlink(missing_ok=True)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
