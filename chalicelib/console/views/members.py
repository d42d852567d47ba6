"""Members of the organization and their invitations. Members live in real time, also those of sandboxes."""

from datetime import timedelta

from chalicelib.console import forms
from chalicelib.console.forms import Form
from chalicelib.console.views import settings
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.members import emails, invitations, service
from chalicelib.features.members.records import Invitation, Invited, Membership
from chalicelib.platform.ids import UserId

# A second click on the same button comes within so long.
_SECOND_CLICK = timedelta(seconds=30)


def index(visit: Visit) -> Page:
    """All members, and whom they have invited."""
    values = {
        "tabs": settings.tabs(visit),
        "members": service.members_of(visit.organization.id),
        "pending": invitations.pending_of(visit.organization.id),
    }
    return Page("members/index.html", values)


def invite(visit: Visit) -> Page:
    """A link for an e-mail, shown once."""
    form = forms.posted(visit) if visit.method == "POST" else Form(values={})
    made = forms.submit(form, lambda: _invited(visit)) if visit.method == "POST" else None
    if made is None:
        return Page("members/invite.html", {"form": form}, form.status)
    return _link(made)


def _invited(visit: Visit) -> Invited:
    email = visit.form.one("email")
    recent = _asked_just_now(visit, email)
    if recent is not None:
        return invitations.renew(visit.organization.id, recent.id, now=visit.real_now)
    return invitations.invite(visit.organization.ref, visit.organization.name, email, now=visit.real_now)


def _asked_just_now(visit: Visit, email: str) -> Invitation | None:
    """The invitation that the first of two clicks made: the second one shows a link too."""
    pending = invitations.pending_of(visit.organization.id)
    same = (each for each in pending if each.email == emails.lowered(email))
    return next((each for each in same if visit.real_now - each.created_at < _SECOND_CLICK), None)


def renew(visit: Visit) -> Page:
    """Another link in the place of a pending one."""
    invitation = _pending(visit)
    if visit.method == "GET":
        return Page("members/renew.html", {"invitation": invitation, "form": Form()})
    return _link(invitations.renew(visit.organization.id, invitation.id, now=visit.real_now))


def revoke(visit: Visit) -> Page | Redirect:
    """Take an invitation back."""
    invitation = _pending(visit)
    if visit.method == "GET":
        return Page("members/revoke.html", {"invitation": invitation, "form": Form()})
    invitations.revoke(visit.organization.id, invitation.id, now=visit.real_now)
    return Redirect(visit.link("settings", "members"), said="Invitation revoked")


def remove(visit: Visit) -> Page | Redirect:
    """End a membership."""
    member = _member(visit)
    form = Form()
    if visit.method == "POST" and forms.submit(form, lambda: _removed(visit, member)):
        return Redirect(visit.link("settings", "members"), said=f"{member.email} removed")
    return Page("members/remove.html", {"member": member, "form": form}, form.status)


def _removed(visit: Visit, member: Membership) -> bool:
    service.remove(visit.organization.id, member.user_id, by=visit.member.user.id, now=visit.real_now)
    return True


def _link(made: Invited) -> Page:
    values = {"email": made.invitation.email, "url": invitations.url(made.token)}
    return Page("members/link.html", values, headers={"Referrer-Policy": "no-referrer"})


def _pending(visit: Visit) -> Invitation:
    found = invitations.pending_of(visit.organization.id)
    invitation = next((each for each in found if each.id == visit.path["id"]), None)
    if invitation is None:
        raise NotFound(Resource.INVITE)
    return invitation


def _member(visit: Visit) -> Membership:
    user_id = UserId(visit.path["id"])
    found = next((each for each in service.members_of(visit.organization.id) if each.user_id == user_id), None)
    if found is None:
        raise NotFound(Resource.MEMBERSHIP)
    return found
