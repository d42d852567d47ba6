"""The columns of each list: what of the API's rows they show, and under which name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import exponent

Row = Mapping[str, Any]
Read = Callable[[Row], str]

# With one of these a spreadsheet takes a cell for a formula, or looks behind it for one.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Export:
    """A list as a file. `path`, `root`: the API's list; `columns`: names with how to read a cell."""

    path: str
    root: str
    columns: Sequence[tuple[str, Read]]


def plain(value: object) -> str:
    """What somebody typed, or a word of the API, as a cell that is no formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text


def amount(cents: int | None, currency: str | None) -> str:
    """An amount in currency units, as plain digits: `-12.50`. It is a number, so that its sign makes no formula."""
    if cents is None or currency is None:
        return ""
    places = exponent(currency)
    return f"{Decimal(cents).scaleb(-places):.{places}f}"


def _field(path: str) -> tuple[str, Read]:
    """The field of this path, under its words."""
    parts = path.split(".")

    def read(row: Row) -> str:
        found: Any = row
        for part in parts:
            found = found.get(part) if isinstance(found, Mapping) else None
        return plain(", ".join(map(str, found)) if isinstance(found, list) else found)

    return "_".join(parts), read


def _amount(name: str, currency: str = "currency") -> tuple[str, Read]:
    """The amount that the API gives in minor units, under its name without `_cents`."""
    return name.removesuffix("_cents"), lambda row: amount(row.get(name), row.get(currency))


def _fields(*paths: str) -> list[tuple[str, Read]]:
    return [_field(path) for path in paths]


def _amounts(*names: str) -> list[tuple[str, Read]]:
    return [_amount(name) for name in names]


_INVOICES = [
    *_fields("lago_id", "number", "invoice_type", "status", "payment_status", "payment_overdue"),
    *_fields("customer.external_id", "customer.name", "issuing_date", "payment_due_date", "currency"),
    *_amounts("fees_amount_cents", "coupons_amount_cents", "sub_total_excluding_taxes_amount_cents"),
    *_amounts("taxes_amount_cents", "sub_total_including_taxes_amount_cents", "credit_notes_amount_cents"),
    *_amounts("prepaid_credit_amount_cents", "total_amount_cents", "total_due_amount_cents"),
    *_fields("created_at", "updated_at"),
]
_CUSTOMERS = [
    *_fields("lago_id", "external_id", "name", "legal_name", "legal_number", "tax_identification_number", "email"),
    *_fields("phone", "address_line1", "address_line2", "zipcode", "city", "state", "country", "currency"),
    *_fields("applicable_timezone", "net_payment_term", "created_at", "updated_at"),
]
_SUBSCRIPTIONS = [
    *_fields("lago_id", "external_id", "external_customer_id", "name", "status", "plan_code"),
    _amount("plan_amount_cents", "plan_amount_currency"),
    *_fields("plan_amount_currency", "billing_time", "subscription_at", "started_at", "ending_at", "terminated_at"),
    *_fields("canceled_at", "previous_plan_code", "next_plan_code", "current_billing_period_started_at"),
    *_fields("current_billing_period_ending_at", "created_at"),
]
_CREDIT_NOTES = [
    *_fields("lago_id", "number", "invoice_number", "customer.external_id", "customer.name", "credit_status"),
    *_fields("refund_status", "reason", "description", "issuing_date", "currency"),
    *_amounts("sub_total_excluding_taxes_amount_cents", "taxes_amount_cents", "total_amount_cents"),
    *_amounts("credit_amount_cents", "refund_amount_cents", "offset_amount_cents", "balance_amount_cents"),
    *_fields("created_at", "updated_at"),
]
_PAYMENTS = [
    *_fields("lago_id", "invoice_numbers", "external_customer_id", "payment_status", "type", "reference"),
    _amount("amount_cents", "amount_currency"),
    *_fields("amount_currency", "created_at"),
]

# By the word that addresses and titles have.
EXPORTS: Mapping[str, Export] = {
    "invoices": Export("/invoices", "invoices", _INVOICES),
    "customers": Export("/customers", "customers", _CUSTOMERS),
    "subscriptions": Export("/subscriptions", "subscriptions", _SUBSCRIPTIONS),
    "credit_notes": Export("/credit_notes", "credit_notes", _CREDIT_NOTES),
    "payments": Export("/payments", "payments", _PAYMENTS),
}
