"""One box for everything: eight lists asked at once, five results of each; a whole id or number opens its object."""

import contextvars
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from chalicelib.console import format
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.errors import Invalid
from chalicelib.features.add_ons import service as add_ons
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.coupons import service as coupons
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.plans import service as plans
from chalicelib.platform.ids import CreditNoteId, CustomerId, InvoiceId, OrganizationId

_PATIENCE_SECONDS = 1.0
_SHOWN = 5
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATUSES = ("active", "pending", "terminated", "canceled")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """A list to look into. `place`: of its page, and the name of its rows in the API; `title`, `note`: of a row; `find`: an
    object under an id, deleted ones too."""

    label: str
    place: str
    title: Callable[[Row], str]
    note: Callable[[Row], str]
    find: Callable[[OrganizationId, str], object] = lambda _organization, _id: None
    query: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a list has: title, note, state and address of each row. `late`: it took too long."""

    group: Group
    rows: Sequence[tuple[str, str, str, str]] = ()
    total: int = 0
    late: bool = False


def _named(row: Row) -> str:
    return str(row.get("name") or row.get("external_id") or row["lago_id"])


def _code(row: Row) -> str:
    return str(row["code"])


def _amount(row: Row) -> str:
    return format.money(row["total_amount_cents"], row["currency"])


GROUPS = (
    Group(
        "Customers",
        "customers",
        _named,
        lambda row: str(row["external_id"]),
        lambda organization, each: customers.get(organization, CustomerId(each)),
    ),
    Group(
        "Subscriptions",
        "subscriptions",
        lambda row: str(row["name"] or row["external_id"]),
        lambda row: f"{row['plan_code']}, {row['external_customer_id']}",
        query={"status": _STATUSES},
    ),
    Group(
        "Invoices",
        "invoices",
        lambda row: str(row["number"]),
        _amount,
        lambda organization, each: invoices.get(organization, InvoiceId(each)),
    ),
    Group(
        "Credit notes",
        "credit_notes",
        lambda row: str(row["number"]),
        _amount,
        lambda organization, each: credit_notes.get(organization, CreditNoteId(each)),
    ),
    Group("Plans", "plans", _named, _code, lambda org, each: plans.by_ids(org, [each]).get(each)),
    Group(
        "Billable metrics", "billable_metrics", _named, _code, lambda org, each: metrics.by_ids(org, [each]).get(each)
    ),
    Group("Coupons", "coupons", _named, _code, lambda org, each: coupons.by_ids(org, [each]).get(each)),
    Group("Add-ons", "add_ons", _named, _code, lambda org, each: add_ons.by_ids(org, [each]).get(each)),
)


def show(visit: Visit) -> Page | Redirect:
    """The results of a search."""
    term = visit.query.one("q").strip()[:200]
    if not term:
        return Page("search/show.html", {"term": "", "found": [], "late": []})
    is_id = _ID.fullmatch(term.lower()) is not None
    done, late = together(GROUPS, lambda group: _look(visit, group, term, is_id=is_id))
    for result in done:
        if isinstance(result, Redirect):
            return result
    found = [result for result in done if isinstance(result, Found) and result.rows]
    return Page("search/show.html", {"term": term, "found": found, "late": [group.label for group in late]})


def together(
    groups: Sequence[Group],
    look: Callable[[Group], Found | Redirect],
    *,
    patience: float = _PATIENCE_SECONDS,
) -> tuple[list[Found | Redirect], list[Group]]:
    """What looking into all groups at once gives in time, in their order, and the groups that took longer."""
    pool = ThreadPoolExecutor(max_workers=len(groups))
    asked: dict[Future[Found | Redirect], Group] = {}
    for group in groups:
        asked[pool.submit(contextvars.copy_context().run, look, group)] = group
    done, _ = wait(asked, timeout=patience)
    # Those that are late end by themselves; nobody waits for them.
    pool.shutdown(wait=False, cancel_futures=True)
    return [each.result() for each in asked if each in done], [asked[each] for each in asked if each not in done]


def _look(visit: Visit, group: Group, term: str, *, is_id: bool) -> Found | Redirect:
    if is_id:
        found = group.find(visit.organization.ref.id, term.lower())
        if found is not None and getattr(found, "deleted_at", None) is None:
            return Redirect(visit.link(group.place, term.lower()))
    query = {"search_term": term, "per_page": _SHOWN, **(group.query or {})}
    try:
        answer = visit.api.get(f"/{group.place}", query)
    except Invalid:  # No text that the list could look for.
        return Found(group)
    rows = answer[group.place]
    for row in rows:
        if term.lower() in (str(row["lago_id"]), str(row.get("number") or "").lower()):
            return Redirect(visit.link(group.place, row["lago_id"]))
    shown = [(group.title(row), group.note(row), _state(row), visit.link(group.place, row["lago_id"])) for row in rows]
    return Found(group, shown, int(answer["meta"]["total_count"]))


def _state(row: Row) -> str:
    """The state to show, where the object has one."""
    if "payment_status" in row and row.get("status") == "finalized":
        return "overdue" if row.get("payment_overdue") else str(row["payment_status"])
    return str(row.get("status") or "")
