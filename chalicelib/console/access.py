"""The user of a request, and whether it is theirs: cookies, sessions, and the two marks that other sites' forms lack.

Source: decisions/0030
"""

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from chalicelib.console.visit import SLUG_DIGITS, Visit, prefix
from chalicelib.features.members import service as members
from chalicelib.features.members.records import SignedIn
from chalicelib.platform.settings import settings

_SESSION_SECONDS = 14 * 24 * 3600


def is_deployed() -> bool:
    """Whether people reach the console by https."""
    return settings().public_url.startswith("https://")


def session_cookie_name() -> str:
    """A browser gives a cookie of the first name to nobody but this host, and takes it from no other."""
    return "__Host-tollgate" if is_deployed() else "tollgate"


def session_cookie(value: str) -> str:
    """The cookie of a new session."""
    return f"{session_cookie_name()}={value}; Path=/; Max-Age={_SESSION_SECONDS}{_marks()}"


def no_session_cookie() -> str:
    """It ends a session in the browser."""
    return f"{session_cookie_name()}=; Path=/; Max-Age=0{_marks()}"


def theme_cookie(theme: str) -> str:
    """The choice of colours."""
    return kept_cookie("theme", theme)


def kept_cookie(name: str, value: str) -> str:
    """A choice that a browser keeps for a year."""
    return f"{name}={value}; Path=/; Max-Age=31536000{_marks()}"


def said_cookie(text: str) -> str:
    """A message for the next page; empty: it was shown."""
    return f"said={text}; Path=/; Max-Age={10 if text else 0}{_marks()}"


def _marks() -> str:
    return "; HttpOnly; SameSite=Lax" + ("; Secure" if is_deployed() else "")


def cookies(headers: Mapping[str, str]) -> dict[str, str]:
    """The cookies of a request; none where they cannot be read."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie") or "").items()}
    except CookieError:
        return {}


def signed_in(visit: Visit, slug: str | None) -> SignedIn | None:
    """The user of the request's session, with the membership of the address's organization: one request to storage."""
    cookie = cookies(visit.headers).get(session_cookie_name())
    if not cookie:
        return None
    digits = None if slug is None else slug[-SLUG_DIGITS:].lower()
    return members.signed_in(cookie, digits, now=visit.real_now)


def comes_from_here(headers: Mapping[str, str]) -> bool:
    """Whether a page of ours sent the request: browsers say so, and no page of others can."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return False
    return origin == "{0.scheme}://{0.netloc}".format(urlsplit(settings().public_url)) or (
        not is_deployed() and origin == f"http://{headers.get('host')}"
    )


def has_token(visit: Visit, signed: SignedIn) -> bool:
    """Whether the form carries the session's secret."""
    given = visit.headers.get("x-csrf-token") or visit.form.one("csrf")
    return hmac.compare_digest(given.encode(), signed.session.csrf_secret.encode())


def page_before(headers: Mapping[str, str]) -> str | None:
    """The page of the console from which a form was sent, where the browser says so."""
    before = urlsplit(headers.get("referer") or "")
    return safe_next(before.path + (f"?{before.query}" if before.query else ""))


def safe_next(address: str) -> str | None:
    """The address to go on to after the login, if it is one of the console's."""
    start = f"{prefix()}/console/"
    parts = urlsplit(address)
    harmless = not parts.scheme and not parts.netloc and "\\" not in address and address.isprintable()
    return address if harmless and address.startswith(start) and ".." not in address else None
