"""Verbs of stories with wallets, and the check that balances are the sums of their ledgers."""

from decimal import Decimal
from typing import Any

from tests.support.story import Story


def wallet(story: Story, customer: str = "cust", **fields: Any) -> Any:
    """A wallet in euros, a credit for each."""
    body = {"external_customer_id": customer, "rate_amount": "1", "currency": "EUR", **fields}
    return story.ok("POST", "/wallets", {"wallet": body})["wallet"]


def read(story: Story, wallet: Any) -> Any:
    """The wallet as it is now."""
    return story.ok("GET", f"/wallets/{wallet['lago_id']}")["wallet"]


def top_up(story: Story, wallet: Any, **fields: Any) -> list[Any]:
    """The transactions that a top-up makes."""
    body = {"wallet_transaction": {"wallet_id": wallet["lago_id"], **fields}}
    return list(story.ok("POST", "/wallet_transactions", body)["wallet_transactions"])


def ledger(story: Story, wallet: Any, query: str = "") -> list[Any]:
    """A wallet's transactions, newest first."""
    path = f"/wallets/{wallet['lago_id']}/wallet_transactions?per_page=1000{query}"
    return list(story.ok("GET", path)["wallet_transactions"])


def pay(story: Story, invoice_id: str, status: str = "succeeded") -> None:
    """Set an invoice's payment status."""
    story.ok("PUT", f"/invoices/{invoice_id}", {"invoice": {"payment_status": status}})


def check(story: Story, customer: str | None = None) -> None:
    """The balance of each wallet (of a customer, where one is named) is the sum of its settled entries, in cents and
    credits; so is what is left of inbound ones; and what invoices took is what wallets lost."""
    of = "" if customer is None else f"&external_customer_id={customer}"
    used: dict[str, int] = {}
    for each in story.ok("GET", f"/wallets?per_page=1000{of}")["wallets"]:
        cents, credits, left = 0, Decimal(0), 0
        for entry in ledger(story, each):
            sign = 1 if entry["transaction_type"] == "inbound" else -1
            amount = round(Decimal(entry["amount"]) * 100)
            if entry["status"] == "settled":
                cents += sign * amount
                credits += sign * Decimal(entry["credit_amount"])
                left += entry["remaining_amount_cents"] or 0
            if entry["transaction_status"] == "invoiced":
                used[entry["lago_invoice_id"]] = used.get(entry["lago_invoice_id"], 0) + amount
        assert (each["balance_cents"], Decimal(each["credits_balance"])) == (cents, credits), each
        assert left == cents, each
        assert cents >= 0
        assert (cents == 0) == (credits == 0), each
    taken = {i["lago_id"]: i["prepaid_credit_amount_cents"] for i in story.invoices(of)}
    assert {key: cents for key, cents in taken.items() if cents} == used
