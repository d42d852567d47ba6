"""The vocabulary of stories about fixed charges."""

from typing import Any

from tests.support.books import Books
from tests.support.story import Story

Lines = dict[str, int]


def add_ons(story: Story, *codes: str) -> None:
    for code in codes:
        body = {"name": code.title(), "code": code, "amount_cents": 1, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": body})


def fixed(add_on: str, units: float, price: str, **fields: Any) -> dict[str, Any]:
    """A standard fixed charge."""
    return {
        "add_on_code": add_on,
        "units": units,
        "charge_model": "standard",
        "properties": {"amount": price},
        **fields,
    }


def lines(invoice: Any) -> Lines:
    """Cents by what they are for."""
    return {fee["item"]["code"]: fee["amount_cents"] for fee in invoice["fees"]}


def billed(books: Books) -> dict[str, list[tuple[str, Lines]]]:
    """Each customer's invoices: the day, and cents by what they are for."""
    found: dict[str, list[tuple[str, Lines]]] = {}
    for invoice in books.invoices():
        found.setdefault(invoice["customer"]["external_id"], []).append((invoice["issuing_date"], lines(invoice)))
    return found


def reasons(invoice: Any) -> list[str]:
    return [row["invoicing_reason"] for row in invoice["billing_periods"]]


def same(at: str) -> tuple[str, str]:
    """A range of no length."""
    return (at, at)
