"""Invoices: the list with its figures, and one invoice with its tabs, its fees and its document."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, get_args
from zoneinfo import ZoneInfo

from chalicelib.console import format, lists
from chalicelib.console.lists import Filter, Listed, Tab
from chalicelib.console.texts import label
from chalicelib.console.views import credit_notes, invoice_parts
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.documents import addresses, orders
from chalicelib.features.invoices import figures, reading, serializer, service
from chalicelib.features.invoices import whole as whole_invoices
from chalicelib.features.invoices.figures import Figures, Sum
from chalicelib.features.invoices.records import VISIBLE, Invoice, InvoiceType, PaymentStatus
from chalicelib.features.payments import listings as payments
from chalicelib.features.plans import service as plans
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import InvoiceId, PlanId

# Fees that are shown at once; beyond it each group is read when it is opened, in pieces.
_FEES_OPEN, _FEES_PIECE = 200, 100
_EVENTS_SHOWN = 20

_Query = Mapping[str, str | tuple[str, ...]]
_TABS: Sequence[tuple[str, str, _Query]] = (
    ("All", "all", {}),
    ("Draft", "draft", {"status": "draft"}),
    ("Outstanding", "outstanding", {"status": "finalized", "payment_status": ("pending", "failed")}),
    ("Overdue", "overdue", {"payment_overdue": "true"}),
    ("Succeeded", "succeeded", {"status": "finalized", "payment_status": "succeeded"}),
    ("Failed", "failed", {"status": "finalized", "payment_status": "failed"}),
    ("Voided", "voided", {"status": "voided"}),
)


def _choices(values: Sequence[str]) -> list[tuple[str, str]]:
    return [(each, label(each)) for each in values]


# Statuses by their plural names, as the tabs have the singular ones.
_STATES = (
    Filter("Status", ("statuses",), "choices", _choices(VISIBLE)),
    Filter("Payment status", ("payment_statuses",), "choices", _choices(get_args(PaymentStatus))),
)
_OVERDUE = Filter("Overdue", ("payment_overdue",), "choice", [("true", "Yes"), ("false", "No")])
_OTHERS = (
    Filter("Issuing date", ("issuing_date_from", "issuing_date_to"), "days"),
    Filter("Customer", ("external_customer_id",), placeholder="External ID"),
    Filter("Type", ("invoice_type",), "choices", _choices(get_args(InvoiceType))),
    Filter("Currency", ("currency",), "select", [(each, each) for each in sorted(CURRENCIES)]),
    Filter("Amount", ("amount_from", "amount_to"), "amounts"),
    Filter("Metadata", ("metadata_key", "metadata_value"), "pair"),
)


_QUERIES = [Tab(name, query) for name, _, query in _TABS]
# The parameters of all filters and tabs.
NAMES = lists.names_of((*_STATES, _OVERDUE, *_OTHERS), _QUERIES)


def asked(visit: Visit) -> dict[str, Any]:
    """What a visit asks of the API's list of invoices.

    Raises: Invalid.
    """
    return _asked(visit, lists.asked(visit, (*_STATES, _OVERDUE, *_OTHERS), _QUERIES))


def index(visit: Visit) -> Page:
    """All invoices, newest issuing date first, with the figures above them."""
    found = figures.read(visit.organization.id, periods.local_date(visit.now, ZoneInfo(visit.organization.timezone)))
    tabs = [Tab(name, query, found.numbers[key] if found else None) for name, key, query in _TABS]
    listed = lists.gather(
        visit,
        "/invoices",
        "invoices",
        filters=_filters(visit),
        tabs=tabs,
        fetch=lambda query: visit.api.get("/invoices", _asked(visit, query)),
    )
    return Page("invoices/index.html", {"listed": listed, "figures": _figures(visit, found)})


def _filters(visit: Visit) -> tuple[Filter, ...]:
    """The filters beside the open tab: not those that it sets itself."""
    states = () if any(visit.query.one(name) for name in ("status", "payment_status")) else _STATES
    return (*states, *(() if visit.query.one("payment_overdue") == "true" else (_OVERDUE,)), *_OTHERS)


def _asked(visit: Visit, query: Mapping[str, Any]) -> dict[str, Any]:
    """The query as the API takes it: amounts in minor units, metadata by key.

    Raises: Invalid.
    """
    asked = dict(query)
    currency = visit.query.one("currency") or str(visit.organization.default_currency)
    for name in ("amount_from", "amount_to"):
        text = visit.query.one(name)
        if text:
            cents = format.as_minor(text, currency) if currency in CURRENCIES else None
            asked[name] = text if cents is None else cents
    key, value = (visit.query.one(f"metadata_{part}").strip() for part in ("key", "value"))
    for name in ("metadata_key", "metadata_value"):
        asked.pop(name, None)
    if key and value:
        asked[f"metadata[{key}]"] = value
    elif key or value:
        raise Invalid.field("metadata", ErrorCode.VALUE_IS_MANDATORY)
    return asked


def _figures(visit: Visit, found: Figures | None) -> list[tuple[str, str, str, list[str]]]:
    """Label, figure and notes of each; none where nothing was invoiced, or not all of it is known."""
    if found is None or not found.numbers["all"]:
        return []
    own = str(visit.organization.default_currency)
    sums = (
        ("Outstanding", found.outstanding),
        ("Overdue", found.overdue),
        ("Drafts", found.draft),
        ("Paid this month", found.paid),
    )
    return [(name, *_figure(by_currency, own)) for name, by_currency in sums]


def _figure(by_currency: Mapping[str, Sum], own: str) -> tuple[str, str, list[str]]:
    """The sum of the organization's currency, or the first one, how many invoices it is of, and the sums of all others."""
    order = sorted(by_currency, key=lambda each: (each != own, each)) or [own]
    first = by_currency.get(order[0], Sum())
    others = [f"{format.money(by_currency[each].cents, each)} · {_number(by_currency[each])}" for each in order[1:]]
    return format.money(first.cents, order[0]), _number(first), others


def _number(found: Sum) -> str:
    return f"{found.number:,} invoice{'' if found.number == 1 else 's'}"


def show(visit: Visit) -> Page:
    """One invoice: its overview, or its payments, credit notes or messages."""
    record = found(visit)
    tab = visit.path.get("tab", "overview")
    if tab == "overview":
        return _overview(visit, record)
    lists_of = {"payments": _payments, "credit_notes": _credit_notes, "messages": _messages}
    if tab not in lists_of:
        raise NotFound(Resource.INVOICE)
    values = {"invoice": summary(visit, record), "listed": lists_of[tab](visit, record), "tab": tab}
    return Page(f"invoices/{tab}.html", values | _counts(record))


def found(visit: Visit) -> Invoice:
    """The record of the address.

    Raises: NotFound.
    """
    return service.find(visit.organization.id, InvoiceId(visit.path["id"]))


def summary(visit: Visit, record: Invoice) -> dict[str, Any]:
    """An invoice as the API's list shows it: what heads and dialogs need costs two requests."""
    return whole_invoices.show_many(visit.organization.id, [record], now=visit.now)[0]


def whole(visit: Visit) -> dict[str, Any]:
    """The invoice of the address as the API shows it, with everything."""
    answer: dict[str, Any] = visit.api.get(path_of("invoices", visit.path["id"]))["invoice"]
    return answer


def _counts(record: Invoice) -> dict[str, int | None]:
    """Of payments only those that were made are counted."""
    return {"payments": record.payments or None, "credit_notes": len(record.note_ids)}


def _overview(visit: Visit, record: Invoice) -> Page:
    reading.read_ahead(visit.organization.id, record)
    invoice = whole(visit)
    known = plans.by_ids(visit.organization.id, [PlanId(each["lago_plan_id"]) for each in invoice["billing_periods"]])
    cards = invoice_parts.cards(invoice, {plan_id: plan.name for plan_id, plan in known.items()})
    asked = visit.query.one("fees")
    values: dict[str, Any] = {"invoice": invoice, "tab": "overview", **_counts(record)}
    closed = len(invoice["fees"]) > _FEES_OPEN
    if closed and asked:
        number = max(1, int(visit.query.one("page"))) if visit.query.one("page").isdecimal() else 1
        card = next((each for each in cards if each.id == asked), None)
        if card is None:
            raise NotFound(Resource.INVOICE)
        begin = (number - 1) * _FEES_PIECE
        piece = card.lines[begin : begin + _FEES_PIECE]
        more = number + 1 if begin + _FEES_PIECE < len(card.lines) else None
        values |= {"card": card, "lines": piece, "more": more, "first": begin + 1}
        return Page("invoices/fees_part.html" if visit.is_htmx else "invoices/fees.html", values)
    is_open = record.payment_under_way is not None or record.payment_status == "failed"
    last = payments.last_of(visit.organization.id, record) if is_open and record.status == "finalized" else None
    values |= {"cards": cards, "closed": closed, "sums": invoice_parts.sums(invoice), "last": last}
    return Page("invoices/show.html", values | {"until": invoice_parts.usage_until(invoice)})


def _payments(visit: Visit, record: Invoice) -> Listed:
    return lists.gather(visit, "/payments", "payments", fixed={"invoice_id": record.id})


def _credit_notes(visit: Visit, record: Invoice) -> Listed:
    fetch = partial(credit_notes.heads, visit)
    fixed = {"invoice_number": record.number}
    return lists.gather(visit, "/credit_notes", "credit_notes", fixed=fixed, fetch=fetch)


def _messages(visit: Visit, record: Invoice) -> Listed:
    """What endpoints were told of it. A sandbox's invoices have times of its own clock, messages never."""
    since = {} if visit.organization.ref.sandbox else {"from": record.created_at.isoformat()}
    return lists.gather(visit, "/webhooks", "webhooks", fixed={"object_id": record.id, **since})


def pdf(visit: Visit) -> Page | Redirect:
    """Lead to the document, or say that it is being printed; the page asks again."""
    invoice = service.download(visit.organization, InvoiceId(visit.path["id"]))
    if orders.ready(invoice.file_key):
        return Redirect(str(addresses.link(invoice)))
    template = "invoices/printing_part.html" if visit.is_htmx else "invoices/printing.html"
    return Page(template, {"invoice": {"lago_id": invoice.id, "number": invoice.number}})


def fee(visit: Visit) -> Page:
    """The origin of a fee: the formula with its numbers, and the events behind it."""
    record = found(visit)
    fees = reading.fees_among(visit.organization.id, record, {visit.path["fee"]}, at_once=_FEES_PIECE)
    if not fees:
        raise NotFound(Resource.FEE)
    shown = serializer.fee(fees[0], record.payment_status)
    line = invoice_parts.line(shown, set())
    is_used = shown["item"]["type"] == "charge" and shown["external_subscription_id"] and shown["events_count"]
    query = {
        "external_subscription_id": shown["external_subscription_id"],
        "code": shown["item"]["code"],
        "timestamp_from": shown["from_date"],
        "timestamp_to": shown["to_date"],
    }
    # Reading them costs as much as the rest of the page, so that they come after it.
    asked = is_used and visit.query.one("events")
    events = visit.api.get("/events", {**query, "per_page": _EVENTS_SHOWN}) if asked else None
    values = {
        "invoice": {"lago_id": record.id, "number": record.number, "currency": record.currency},
        "line": line,
        "zone": record.timezone,
        "has_events": is_used,
        "events": events,
        "query": query,
    }
    is_part = visit.is_htmx and not visit.in_dialog and asked
    return Page("invoices/fee_events.html" if is_part else "invoices/fee.html", values)
