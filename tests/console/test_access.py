"""Who may ask for a page, and what a request needs to change something."""

from datetime import timedelta

import pytest

from chalicelib.console import access, router
from chalicelib.console.visit import link
from chalicelib.features.members import service as members
from chalicelib.features.members import sessions
from chalicelib.platform.clock import utc_now
from tests.support import console
from tests.support.console import PASSWORD, Visitor, member_of, posted
from tests.support.story import Story

OURS = {"Sec-Fetch-Site": "same-origin"}


def log_in(email: str, password: str, **headers: str) -> console.Shown:
    return posted("/console/login", {"email": email, "password": password}, {**OURS, **headers})


def test_a_login_begins_a_session_and_leads_on(visitor: Visitor):
    answer = posted(
        "/console/login?next=/console/x/customers", {"email": "marie@example.com", "password": PASSWORD}, OURS
    )
    assert answer.status == 303
    assert answer.location == "/console/x/customers"
    (cookie,) = answer.headers["Set-Cookie"]
    assert cookie.startswith("tollgate=")
    assert "HttpOnly; SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_whatever_is_wrong_with_a_login_is_said_in_the_same_words(visitor: Visitor):
    answers = [log_in("marie@example.com", "wrong"), log_in("nobody@example.com", PASSWORD), log_in("", "")]
    assert {answer.status for answer in answers} == {422}
    assert all("incorrect_login_or_password" in answer.text for answer in answers)
    assert PASSWORD not in answers[1].text


def test_too_many_attempts_have_to_wait(visitor: Visitor):
    for _ in range(5):
        assert log_in("marie@example.com", "wrong").status == 422
    answer = log_in("marie@example.com", PASSWORD)
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/console/",
        "//evil.example/console/",
        "/\\evil.example",
        "/console/../api",
        "javascript:x",
        "/api/v1/x",
    ],
)
def test_a_login_leads_nowhere_else(visitor: Visitor, target):
    answer = posted(visitor_login(target), {"email": "marie@example.com", "password": PASSWORD}, OURS)
    assert answer.location == "/console"


def visitor_login(target: str) -> str:
    return link("login", next=target)


def test_without_a_session_every_page_leads_to_the_login(visitor: Visitor):
    nobody = Visitor(visitor.story, "", visitor.slug, "")
    for method, address in addresses(visitor.slug, "GET,POST", "user", "member"):
        answer = nobody.at(address) if method == "GET" else nobody.send(address, {})
        assert answer.status == 303, (method, address)
        assert answer.location.startswith("/console/login"), address


def test_a_script_without_a_session_is_led_to_the_login_too(visitor: Visitor):
    nobody = Visitor(visitor.story, "", visitor.slug, "", {"HX-Request": "true"})
    answer = nobody.get("customers")
    assert (answer.status, answer.headers["HX-Redirect"]) == (401, "/console/login")


def addresses(slug: str, methods: str = "GET,POST", *who: str) -> list[tuple[str, str]]:
    """Method and address of every page for these people; names stand for what is not there."""
    return [
        (method, "/console/" + "/".join(slug if s == "{org}" else "x" if s[0] == "{" else s for s in route.segments))
        for route in router.ROUTES
        for method in route.methods.split(",")
        if route.who in who and method in methods
    ]


def test_pages_of_others_are_not_there(visitor: Visitor):
    other = Story.begin()
    slug = member_of(other, "other@example.com").slug
    for method, address in addresses(slug, "GET,POST", "member"):
        answer = visitor.at(address) if method == "GET" else visitor.send(address, {})
        assert answer.status == 404, (method, address)
        assert "There is no such page" in answer.words


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, True, id="from another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, True, id="from a neighbour"),
        pytest.param({}, True, id="from nobody knows where"),
        pytest.param({"Origin": "https://evil.example"}, True, id="by another origin"),
        pytest.param(OURS, False, id="without the token"),
    ],
)
def test_forms_of_others_change_nothing(visitor: Visitor, headers, token):
    who = ("anyone", "user", "member") if token else ("user", "member")  # The first have no session yet.
    values = {"csrf": visitor.csrf if token else "x"}
    for _, address in addresses(visitor.slug, "POST", *who):
        answer = posted(address, values, {"Cookie": f"tollgate={visitor.cookie}", **headers})
        assert answer.status == 403, address


def test_a_form_of_a_browser_without_fetch_metadata_counts(visitor: Visitor):
    headers = {"Cookie": f"tollgate={visitor.cookie}", "Origin": console.ORIGIN}
    assert posted("/console/theme", {"csrf": visitor.csrf, "theme": "dark"}, headers).status == 303


def test_a_logout_ends_the_session_at_once(visitor: Visitor):
    assert visitor.get().status == 200
    assert visitor.send("/console/logout", {}).status == 303
    assert visitor.get().location.startswith("/console/login")


def test_a_removed_member_is_out_at_the_next_click(visitor: Visitor):
    other = member_of(visitor.story, "other@example.com")
    assert other.get("customers").status == 200
    mine = members.signed_in(visitor.cookie, None, now=utc_now())
    theirs = members.signed_in(other.cookie, None, now=utc_now())
    members.remove(visitor.story.ref.id, theirs.user.id, by=mine.user.id, now=utc_now())
    assert other.get("customers").location.startswith("/console/login")


def test_a_session_ends_after_a_day_without_use(visitor: Visitor, monkeypatch):
    later = utc_now() + timedelta(hours=24, seconds=1)
    monkeypatch.setattr("chalicelib.platform.clock.utc_now", lambda: later)
    assert visitor.get().location.startswith("/console/login")


def test_the_account_page_changes_the_password_and_ends_other_sessions(visitor: Visitor):
    again = sessions.sign_in("marie@example.com", PASSWORD, browser="b", address="a", now=utc_now())
    new = "quartz-lantern-meadow-41"
    form = {"old_password": PASSWORD, "password": new, "password_confirmation": new}
    assert visitor.send("/console/account", {**form, "password_confirmation": "x"}).status == 422
    assert visitor.send("/console/account", {**form, "old_password": "x"}).status == 422
    assert visitor.send("/console/account", form).status == 303
    assert members.signed_in(again.cookie, None, now=utc_now()) is None
    assert log_in("marie@example.com", new).status == 303


def test_every_page_tells_browsers_what_it_may_do(visitor: Visitor):
    headers = visitor.get("customers").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_behind_tls_and_a_stage_cookies_and_links_say_so(visitor: Visitor, monkeypatch):
    monkeypatch.setenv("PUBLIC_URL", "https://billing.example/prod")
    from chalicelib.platform.settings import settings

    settings.cache_clear()
    try:
        assert access.session_cookie("x").startswith("__Host-tollgate=x; Path=/;")
        assert "Secure" in access.session_cookie("x")
        assert link("login") == "/prod/console/login"
        page = posted("/console/login", {}, {"Origin": "https://billing.example"})
        assert page.status == 422
        assert 'action="/prod/console/login"' in page.text
        assert page.headers["Strict-Transport-Security"]
    finally:
        settings.cache_clear()
