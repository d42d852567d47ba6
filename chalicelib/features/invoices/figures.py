"""Sums of invoices by state and currency, kept in the same transactions as the invoices.

Names of counters under the list of invoices, beside those of its own totals:

    final=<payment status>                          final invoices
    draft=<currency>, draft_cents=<currency>        drafts, and their totals
    outstanding=…, outstanding_cents=…              final ones that are not paid, and what is due of them
    overdue=…, overdue_cents=…                      those of them that are overdue
    in_months                                       final ones that the counters of their months know

and by month: `paid=<currency>`, `paid_cents=<currency>`: final ones above 0 that were paid in it; `invoiced=<currency>`,
`invoiced_cents=<currency>`: final ones above 0 that were issued in it. The month of an issue is that of the issuing date, as it
stands on the document and in the list: one item more in the transaction that makes an invoice final. An invoice from before
there were such sums is in none of them, whatever becomes of it (`Invoice.in_months`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import get_args
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.features.invoices.records import Invoice, PaymentStatus
from chalicelib.platform import counters
from chalicelib.platform.ids import OrganizationId

LIST = "invoice"
# A hundred invoices a second, each of 3 KB and written twice, are too many for one key.
LIST_PARTS = 2


@dataclass(frozen=True, slots=True)
class Sum:
    """So many invoices of one currency, and their amount in cents."""

    number: int = 0
    cents: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums that are outstanding, overdue, drafted, and were paid in one month, by currency. `numbers`: of invoices
    by quick filter: all, draft, outstanding, overdue, succeeded, failed, voided."""

    outstanding: Mapping[str, Sum]
    overdue: Mapping[str, Sum]
    draft: Mapping[str, Sum]
    paid: Mapping[str, Sum]
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Invoiced:
    """What was invoiced by month, the oldest first. `by_currency`: a sum for each of the months; `before`: so many final
    invoices are from before such sums were kept, and in none of them."""

    months: Sequence[date]
    by_currency: Mapping[str, Sequence[Sum]]
    before: int


def read(organization_id: OrganizationId, today: date) -> Figures | None:
    """The figures, with what was paid in the month of a day; None where some invoices are from before figures were kept."""
    return _figures(counters.totals(organization_id, LIST, month=month_of(today)))


def by_month(organization_id: OrganizationId, today: date, number: int) -> tuple[Figures | None, Invoiced]:
    """The same figures, and what was invoiced in so many months up to that of a day: all in one request."""
    months = _months(today, number)
    found = counters.since(organization_id, LIST, month_of(months[0]))
    own = found.get("", {})
    sums = [_sums(found.get(month_of(month), {}), "invoiced") for month in months]
    currencies = sorted({currency for each in sums for currency in each})
    by_currency = {currency: [each.get(currency, Sum()) for each in sums] for currency in currencies}
    before = own.get("status=finalized", 0) - own.get("in_months", 0)
    return _figures({**found.get(month_of(today), {}), **own}), Invoiced(months, by_currency, before)


def _months(today: date, number: int) -> list[date]:
    last = today.year * 12 + today.month - 1
    return [date(each // 12, each % 12 + 1, 1) for each in range(last - number + 1, last + 1)]


def _figures(found: Mapping[str, int]) -> Figures | None:
    finals, drafts = _finals(found), _sums(found, "draft")
    if finals is None or sum(each.number for each in drafts.values()) != found.get("status=draft", 0):
        return None
    outstanding, overdue = _sums(found, "outstanding"), _sums(found, "overdue")
    numbers = {
        "all": found.get("all", 0),
        "draft": found.get("status=draft", 0),
        "outstanding": finals["pending"] + finals["failed"],
        "overdue": sum(each.number for each in overdue.values()),
        "succeeded": finals["succeeded"],
        "failed": finals["failed"],
        "voided": found.get("status=voided", 0),
    }
    return Figures(outstanding, overdue, drafts, _sums(found, "paid"), numbers)


def finals(organization_id: OrganizationId) -> Mapping[str, int] | None:
    """Final invoices by payment status; None where some are from before figures were kept."""
    return _finals(counters.totals(organization_id, LIST))


def _finals(found: Mapping[str, int]) -> Mapping[str, int] | None:
    numbers = {status: found.get(f"final={status}", 0) for status in get_args(PaymentStatus)}
    # An invoice from before is in the list's own totals alone, and stays missing here whatever becomes of it.
    return numbers if sum(numbers.values()) == found.get("status=finalized", 0) else None


def dated(new: Invoice, old: Invoice | None, timezone: str, *, now: datetime) -> Invoice:
    """An invoice with what its figures rest on: that its month counts it from the moment that makes it final, and the day on
    which it was paid, in line with its payment status: the organization's day."""
    if new.status == "finalized" and (old is None or old.status != "finalized"):
        new = new.model_copy(update={"in_months": True})
    if new.payment_status != "succeeded":
        return new if new.paid_on is None else new.model_copy(update={"paid_on": None})
    if old is not None and old.payment_status == "succeeded":
        return new
    return new.model_copy(update={"paid_on": periods.local_date(now, ZoneInfo(timezone))})


def totals(invoice: Invoice) -> dict[str, int]:
    """Additions of one invoice to the figures of the list."""
    if invoice.status == "draft":
        return _one("draft", invoice.currency, invoice.total_amount_cents)
    if invoice.status != "finalized":
        return {}
    found = {f"final={invoice.payment_status}": 1, "in_months": int(invoice.in_months)}
    if invoice.payment_status != "succeeded":
        found |= _one("outstanding", invoice.currency, invoice.due_amount_cents)
        if invoice.payment_overdue:
            found |= _one("overdue", invoice.currency, invoice.due_amount_cents)
    return found


def paid(invoice: Invoice) -> tuple[str, dict[str, int]] | None:
    """The month in which an invoice was paid, and what it adds to its figures; None where it was not paid."""
    is_paid = invoice.status == "finalized" and invoice.paid_on is not None and invoice.total_amount_cents > 0
    if not is_paid or invoice.paid_on is None:
        return None
    return month_of(invoice.paid_on), _one("paid", invoice.currency, invoice.total_amount_cents)


def invoiced(invoice: Invoice) -> tuple[str, dict[str, int]] | None:
    """The month in which a final invoice was issued, and what it adds to its figures; None where it is in none."""
    if invoice.status != "finalized" or not invoice.in_months or invoice.total_amount_cents <= 0:
        return None
    return month_of(invoice.issuing_date), _one("invoiced", invoice.currency, invoice.total_amount_cents)


def month_of(day: date) -> str:
    """The name of a day's month."""
    return f"{day:%Y-%m}"


def _one(name: str, currency: str, cents: int) -> dict[str, int]:
    return {f"{name}={currency}": 1, f"{name}_cents={currency}": cents}


def _sums(found: Mapping[str, int], name: str) -> dict[str, Sum]:
    start = f"{name}="
    return {
        each[len(start) :]: Sum(number, found.get(f"{name}_cents={each[len(start) :]}", 0))
        for each, number in sorted(found.items())
        if each.startswith(start) and number
    }
