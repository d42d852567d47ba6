"""Pages: the templates' environment, what every template may use, the headers of every page, and refusals as pages."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from jinja2 import BaseLoader, Environment, StrictUndefined

from chalicelib.console import access, format, static_files, texts
from chalicelib.console.templates_loader import loader
from chalicelib.console.visit import Page, Visit, link, slug_of
from chalicelib.domain import errors
from chalicelib.platform.http import answers
from chalicelib.version import VERSION

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "HX-Request",
}
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


@dataclass(frozen=True, slots=True)
class Bare:
    """An answer that is drawn already."""

    text: str
    status: int = 200
    headers: Mapping[str, Any] = field(default_factory=dict)


def environment(source: BaseLoader) -> Environment:
    """The environment in which templates are compiled and drawn."""
    found = Environment(loader=source, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters |= {
        "money": format.money,
        "price": format.price,
        "units": format.units,
        "percent": format.percent,
        "count": format.count,
        "label": texts.label,
        "tone": texts.tone,
        "refusal": texts.refusal,
        "short": format.shortened,
    }
    found.globals |= {
        "static": static_address,
        "console": link,
        "slug_of": slug_of,
        "moment": format.moment,
        "ago": format.ago,
        "day": format.day,
        "last_day": format.last_day,
        "tip": format.tip,
        "day_tip": format.day_tip,
        "after": format.after,
        "typed": format.as_typed,
        "last_day_after": format.day_after,
        "offered_plans": offered_plans,
        "offered_customers": offered_customers,
        "initials": format.initials,
        "json_text": format.json_text,
        "VERSION": VERSION,
    }
    return found


def offered_plans(plans: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Plans to choose from: code and words."""
    return [
        (
            plan["code"],
            f"{plan['name']} ({format.money(plan['amount_cents'], plan['amount_currency'])} {plan['interval']})",
        )
        for plan in plans
    ]


def offered_customers(customers: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Customers to choose from: external id and words."""
    return [
        (each["external_id"], f"{each['name']} ({each['external_id']})" if each["name"] else each["external_id"])
        for each in customers
    ]


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment(loader())


def static_address(name: str) -> str:
    """The address of a file of `static/`."""
    return link("static", static_files.build(), name)


def drawn(visit: Visit, page: Page) -> Bare:
    """A page as text."""
    cookies = access.cookies(visit.headers)
    said = unquote(cookies.get("said", ""))
    values: dict[str, Any] = {
        "visit": visit,
        "frame": _frame(visit),
        "theme": cookies.get("theme") if cookies.get("theme") in ("light", "dark") else None,
        "said": said,
        **page.values,
    }
    text = _environment().get_template(page.template).render(values)
    headers: dict[str, Any] = dict(page.headers)
    if said and not visit.is_htmx:
        headers["Set-Cookie"] = [access.said_cookie("")]
    if access.is_deployed():
        headers |= _HTTPS_ONLY
    return Bare(text, page.status, headers)


def _frame(visit: Visit) -> str:
    """The template that a page stands in: the dialog's, that of people without an organization, or the whole frame."""
    if visit.in_dialog:
        return "frames/dialog.html"
    return "frames/plain.html" if visit.organization_ is None else "frames/console.html"


def not_found(visit: Visit) -> Page:
    """No such page, or one of an organization of others: the same answer."""
    return Page("errors/not_found.html", status=404)


def forbidden(visit: Visit) -> Page:
    """The request did not come from one of our forms."""
    return Page("errors/forbidden.html", status=403)


def refusal(visit: Visit, error: errors.BillingError) -> Page:
    """The answer to a refusal that no form can show. Acts by script show it as a message above the page."""
    if isinstance(error, errors.NotFound):
        return not_found(visit)
    status = answers.refusal(error).status_code
    details = error.details if isinstance(error, errors.Invalid) else {"base": [error.code]}
    found = texts.all_refusals(details)
    retry = getattr(error, "retry_after", None)
    headers = {} if retry is None else {"Retry-After": str(retry)}
    if visit.is_htmx and not visit.in_dialog:
        headers |= {"HX-Retarget": "#alerts", "HX-Reswap": "beforeend", "HX-Reselect": ".alert"}
    return Page("errors/refused.html", {"refusals": found, "status": status}, status, headers)


def failure(visit: Visit, *, status: int) -> Page:
    """Nobody foresaw it, or AWS is busy."""
    headers = {"Retry-After": "2"} if status == 503 else {}
    return Page("errors/failed.html", {"status": status}, status, headers)
