"""Login, logout, invitations, links to a new password, colours, static files: pages before an organization."""

from chalicelib.console import access, forms, pages, static_files, texts
from chalicelib.console.forms import Form
from chalicelib.console.static_files import Served
from chalicelib.console.visit import Page, Redirect, Visit, link, slug_of
from chalicelib.domain.errors import BillingError, NotFound
from chalicelib.features.members import invitations, resets, sessions
from chalicelib.features.members import service as members
from chalicelib.features.members.records import NewSession
from chalicelib.features.organizations import service as organizations

View = Page | Redirect

# It leads from an address with a secret in it: nobody else shall learn that.
_SECRET = {"Referrer-Policy": "no-referrer"}


def start(visit: Visit) -> View:
    """To the only organization of a user, or to choose one; to the login without a session."""
    if visit.signed is None:
        return Redirect(link("login"))
    found = members.memberships_of(visit.signed.user.id)
    if len(found) == 1:
        organization = organizations.get(found[0].organization_id)
        return Redirect(link(slug_of(organization.name, organization.id)))
    return Redirect(link("organizations"))


def login(visit: Visit) -> View:
    """The login."""
    target = access.safe_next(visit.query.one("next")) or link()
    if visit.signed is not None and visit.method == "GET":
        return Redirect(target)
    form = Form()
    if visit.method == "POST":
        form = Form(values={"email": [visit.form.one("email")]})
        session = forms.submit(form, lambda: _signed_in(visit))
        if session is not None:
            return Redirect(target, cookies=[access.session_cookie(session.cookie)])
    return Page("entry/login.html", {"form": form, "action": visit.same()}, form.status, form.headers)


def _signed_in(visit: Visit) -> NewSession:
    return sessions.sign_in(
        visit.form.one("email"),
        visit.form.one("password"),
        browser=visit.headers.get("user-agent") or "",
        address=visit.ip,
        now=visit.real_now,
    )


def logout(visit: Visit) -> View:
    """The end of a session."""
    if visit.signed is not None:
        sessions.sign_out(visit.signed.session)
    return Redirect(link("login"), cookies=[access.no_session_cookie()])


def invitation(visit: Visit) -> View:
    """Accepting an invitation: with a new password, or by an account that there is."""
    token = visit.path["token"]
    found = invitations.find(token)
    user = None if visit.signed is None else visit.signed.user
    if found is None:
        return _invited_again(visit, token)
    home = link(slug_of(found.organization_name, found.organization_id))
    if user is not None and found.email in (None, user.email):
        if visit.method == "POST":
            invitations.join(token, user, now=visit.real_now)
            return Redirect(home, said="Welcome")
        return Page("entry/join.html", {"found": found, "form": Form(), "action": visit.here}, headers=_SECRET)
    if found.has_account:
        login_first = link("login", next=visit.here)
        return Page("entry/log_in_to_join.html", {"found": found, "login": login_first}, headers=_SECRET)
    form = Form(values={"email": [found.email or ""]})
    if visit.method == "POST":
        form = forms.posted(visit)
        session = forms.submit(form, lambda: _accepted(visit, form, token))
        if session is not None:
            return Redirect(home, said="Welcome", cookies=[access.session_cookie(session.cookie)])
    values = {"found": found, "form": form, "action": visit.here}
    return Page("entry/invitation.html", values, form.status, {**_SECRET, **form.headers})


def _invited_again(visit: Visit, token: str) -> View:
    """A link that leads nowhere any more; a second click on its form, right after the first, leads where that one did."""
    if visit.method == "POST":
        form = forms.posted(visit)
        try:
            session = _accepted(visit, form, token)
        except BillingError:
            session = None
        if session is not None:
            return Redirect(link(), said="Welcome", cookies=[access.session_cookie(session.cookie)])
    return Page("entry/link_used.html", {"what": "invitation"}, 404, _SECRET)


def _accepted(visit: Visit, form: Form, token: str) -> NewSession | None:
    if not _same_twice(form):
        return None
    return invitations.accept(
        token,
        visit.form.one("password"),
        email=visit.form.one("email"),
        browser=visit.headers.get("user-agent") or "",
        address=visit.ip,
        now=visit.real_now,
    )


def reset(visit: Visit) -> View:
    """A new password by a link that who runs the installation made."""
    form = Form()
    if visit.method == "GET" and not resets.is_open(visit.path["token"], now=visit.real_now):
        return Page("entry/link_used.html", {"what": "link"}, 404, _SECRET)
    if visit.method == "POST":
        form = forms.posted(visit)
        try:
            session = forms.submit(form, lambda: _reset(visit, form))
        except NotFound:
            return Page("entry/link_used.html", {"what": "link"}, 404, _SECRET)
        if session is not None:
            return Redirect(link(), said="Password changed", cookies=[access.session_cookie(session.cookie)])
    return Page("entry/reset.html", {"form": form, "action": visit.here}, form.status, {**_SECRET, **form.headers})


def _reset(visit: Visit, form: Form) -> NewSession | None:
    if not _same_twice(form):
        return None
    return resets.use(
        visit.path["token"],
        visit.form.one("password"),
        browser=visit.headers.get("user-agent") or "",
        address=visit.ip,
        now=visit.real_now,
    )


def _same_twice(form: Form) -> bool:
    """Whether the password was typed the same twice; else the form is refused."""
    same = form.value("password") == form.value("password_confirmation")
    if not same:
        form.mark("password_confirmation", texts.DOES_NOT_MATCH)
    return same


def theme(visit: Visit) -> Redirect:
    """Light or dark, from now on."""
    chosen = "dark" if visit.form.one("theme") == "dark" else "light"
    return Redirect(access.page_before(visit.headers) or link(), cookies=[access.theme_cookie(chosen)])


def static(visit: Visit) -> Served | Page:
    """A static file."""
    accepted = visit.headers.get("accept-encoding") or ""
    found = static_files.answer(visit.path["build"], visit.path["name"], accepted=accepted)
    return pages.not_found(visit) if found is None else found
