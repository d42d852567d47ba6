"""A user's own pages: password, sessions, organizations."""

from chalicelib.console import forms, texts
from chalicelib.console.forms import Form
from chalicelib.console.visit import Page, Redirect, Visit, link
from chalicelib.features.members import service as members
from chalicelib.features.members import sessions
from chalicelib.features.organizations import service as organizations_service


def show(visit: Visit) -> Page | Redirect:
    """Password and sessions."""
    user, session = visit.member.user, visit.member.session
    form = Form()
    if visit.method == "POST":
        form = forms.posted(visit)
        if form.value("password") != form.value("password_confirmation"):
            form.mark("password_confirmation", texts.DOES_NOT_MATCH)
        elif _changed(visit, form):
            return Redirect(link("account"), said="Password changed. Other sessions have ended.")
    values = {"form": form, "sessions": sessions.sessions_of(user.id, now=visit.real_now), "present": session}
    return Page("account/show.html", values, form.status)


def _changed(visit: Visit, form: Form) -> bool:
    old, new = form.value("old_password"), form.value("password")

    def change() -> bool:
        sessions.change_password(visit.member.user, visit.member.session, old, new, now=visit.real_now)
        return True

    return forms.submit(form, change) is not None


def end_sessions(visit: Visit) -> Redirect:
    """End all sessions but this one."""
    sessions.end_others(visit.member.session)
    return Redirect(link("account"), said="Other sessions have ended")


def organizations(visit: Visit) -> Page | Redirect:
    """The organizations of a user."""
    found = members.memberships_of(visit.member.user.id)
    return Page(
        "account/organizations.html",
        {"organizations": organizations_service.get_many([m.organization_id for m in found])},
    )
