"""The clock of a sandbox: choosing where it goes, setting out, and what the bar tells while it moves."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from chalicelib.console import access, format, forms, pages, texts
from chalicelib.console.forms import Form
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.sandbox import ahead, service
from chalicelib.features.sandbox.ahead import Line

# Pages of what tasks are about.
_PAGES = {
    "bill_customer": "customers",
    "finalize_invoice": "invoices",
    "invoice_overdue": "invoices",
    "expire_coupon": "coupons",
    "expire_wallet": "wallets",
    "top_up_wallet": "wallets",
}
_DAYS = {"day": 1, "week": 7}


def show(visit: Visit) -> Page | Redirect:
    """Choosing an instant, with what is due until then; and setting out."""
    if not visit.organization.sandbox:
        return pages.not_found(visit)
    if visit.method == "POST":
        return _act(visit)
    form = Form(values={name: [visit.query.one(name)] for name in ("day", "time")})
    asked = bool(form.value("day"))
    if not asked:
        form = Form(values=_proposed(visit))
    if asked and visit.is_htmx and not visit.in_dialog:
        return Page("clock/preview.html", _planned(visit, form))
    return _chosen(visit, form)


def _act(visit: Visit) -> Page | Redirect:
    ref, by = visit.organization.ref, visit.form.one("by")
    if visit.form.one("_do") == "cancel":
        service.begin_to_cancel(ref)
        return Redirect(_back(visit))
    if by == "billing":
        to = ahead.next_billing(ref, now=visit.now)
        if to is None:
            return Redirect(_back(visit), said="Nothing is planned to be billed")
        return _set_out(visit, to)
    if by in _DAYS:
        return _set_out(visit, ahead.days_later(visit.now, _DAYS[by], visit.organization.timezone))
    form = forms.posted(visit)
    chosen = _instant(visit, form)
    if chosen is None:
        form.mark("day", ErrorCode.INVALID_DATE)
        return _chosen(visit, form)
    led = forms.submit(form, lambda: _set_out(visit, chosen), names={"now": "day"})
    return led or _chosen(visit, form)


def _set_out(visit: Visit, to: datetime) -> Redirect:
    service.begin_to_advance(visit.organization.ref, to)
    return Redirect(_back(visit))


def state(visit: Visit) -> Page:
    """The bar while the clock moves; when it has arrived, the whole page is drawn again."""
    if not visit.organization.sandbox or visit.clock is None:
        return pages.not_found(visit)
    done = _made(ahead.invoices_made(visit.organization.ref, visit.clock))
    headers: dict[str, Any] = {}
    if not visit.clock.advancing:
        said = f"The clock has arrived{': ' if done else ''}{done}"
        headers = {"HX-Refresh": "true", "Set-Cookie": [access.said_cookie(quote(said))]}
    return Page("clock/bar.html", {"done": done}, headers=headers)


def _chosen(visit: Visit, form: Form) -> Page:
    values = {"form": form, "failed": _failures(visit), **_planned(visit, form)}
    return Page("clock/show.html", values, form.status)


def _planned(visit: Visit, form: Form) -> dict[str, Any]:
    """Tasks that are due until the instant in the form, and the label of its button."""
    to = _instant(visit, form)
    is_later = to is not None and (visit.clock is None or visit.clock.now is None or to >= visit.clock.now)
    found = ahead.until(visit.organization, to) if to is not None and is_later else None
    word = "Move" if visit.clock is not None and visit.clock.now is not None else "Set"
    shown = "" if to is None else f" to {format.moment(to, visit.organization.timezone, time=True)}"
    return {"ahead": found, "verb": f"{word}{shown}", "due_text": _due_text}


def _proposed(visit: Visit) -> dict[str, list[str]]:
    """The first of the next month, when it has begun in most time zones."""
    local = visit.now.astimezone(ZoneInfo(visit.organization.timezone))
    following = (local.replace(day=1) + timedelta(days=32)).replace(day=1)
    return {"day": [following.date().isoformat()], "time": ["09:00"]}


def _instant(visit: Visit, form: Form) -> datetime | None:
    """The instant that the form says, in the organization's zone; None where it says none."""
    try:
        local = datetime.fromisoformat(f"{form.value('day')}T{form.value('time') or '00:00'}")
        return local.replace(tzinfo=ZoneInfo(visit.organization.timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _failures(visit: Visit) -> list[tuple[str, str]]:
    """Tasks that failed too often, as text, each with the page of its subject."""
    found: list[Mapping[str, Any]] = visit.api.get("/test_clock")["test_clock"].get("failed_tasks", [])
    told = []
    for task in found:
        kind = str(task["kind"])
        when = format.moment(task["due_at"], visit.organization.timezone, time=True)
        page = _PAGES.get(kind)
        told.append((f"{texts.label(kind)}, {when}", visit.link(page, str(task["subject"])) if page else ""))
    return told


def _back(visit: Visit) -> str:
    before = access.page_before(visit.headers)
    return before if before and before.partition("?")[0] != visit.link("clock") else visit.link()


def _due_text(line: Line) -> str:
    one = line.number == 1
    number = format.count(line.number)
    if line.event == "billed":
        zones = f" in {', '.join(line.zones[:3])}" if line.zones else ""
        return f"{number} customer{'' if one else 's'} billed{zones}{' and other zones' if len(line.zones) > 3 else ''}"
    return {
        "finalized": f"{number} draft{' becomes' if one else 's become'} final",
        "overdue": f"{number} invoice{' becomes' if one else 's become'} overdue",
        "coupon_expires": f"{number} coupon{' expires' if one else 's expire'}",
        "wallet_expires": f"{number} wallet{' expires' if one else 's expire'}",
        "topped_up": f"{number} wallet{' is' if one else 's are'} topped up",
    }[line.event]


def _made(numbers: Mapping[str, int]) -> str:
    invoices, drafts = numbers.get("finalized", 0), numbers.get("draft", 0)
    parts = [f"{format.count(invoices)} invoice{'' if invoices == 1 else 's'}"] if invoices else []
    parts += [f"{format.count(drafts)} draft{'' if drafts == 1 else 's'}"] if drafts else []
    return ", ".join(parts)
