"""Tasks of wallets: their end, recurring top-ups, the end of purchases, and the messages of changes."""

from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import usage_watch
from chalicelib.features.invoices import reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.organizations import service as organizations
from chalicelib.features.prepaid import cancelling, ongoing, recurring, settlement
from chalicelib.features.wallets import serializer
from chalicelib.features.wallets import service as wallets
from chalicelib.features.wallets import writing as wallet_writing
from chalicelib.features.wallets.records import Wallet, WalletTransaction
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.ids import CustomerId
from chalicelib.platform.timestamps import unstamp
from chalicelib.platform.unit import Unit


@runner.handles(wallet_writing.EXPIRE)
def expire(task: Task, now: datetime) -> None:
    """End a wallet at the instant that it says."""
    wallets.expire(task, now)


@runner.handles(wallet_writing.CLOSE)
def close(task: Task, now: datetime) -> None:
    """End a deleted customer's wallets, once none of its drafts is left to be paid."""
    organization, customer_id = task.organization, CustomerId(task.subject)
    if not task.in_clock and reading.drafts_of(organization.id, customer_id):
        agenda.wait(task, run_at=clock.utc_now() + limits.WALLET_WATCH_WINDOW)
        return
    wallets.end_all(organization, customer_id, agenda.done(task), now=now)


@runner.handles(wallet_writing.CANCEL)
def cancel(task: Task, now: datetime) -> None:
    """Give up what was purchased for a wallet that has ended, and not paid."""
    cancelling.cancel(task, now)


@runner.handles(wallet_writing.TOP_UP)
def top_up(task: Task, now: datetime) -> None:
    """Top a wallet up by its interval rule."""
    recurring.top_up(task, now)


@runner.handles(usage_watch.REFRESH)
def refresh(task: Task, now: datetime) -> None:
    """Look at what depends on a customer's ongoing balances."""
    recurring.refresh(task, now)


@runner.handles(invoices.SETTLE)
def settle(task: Task, now: datetime) -> None:
    """Add, or give up, what a credit invoice purchased."""
    settlement.settle(task, now)


@runner.handles(wallet_writing.TOLD)
def told(task: Task, now: datetime) -> None:
    """Send the messages of a change to every endpoint, together with the end of the task."""
    wallet = Wallet.model_validate(task.detail["wallet"])
    at = unstamp(task.detail["at"])
    shown = serializer.wallet(wallet, _usage_cents(task, wallet))
    messages: list[tuple[str, str, str, dict[str, Any]]] = []
    for each in task.detail["entries"]:
        entry = WalletTransaction.model_validate(each["entry"])
        name = each["message"]
        if entry.status == "failed":
            kind, body = "payment_provider_wallet_transaction_payment_error", serializer.payment_failure(entry)
            updated = serializer.transaction(entry, wallet) | {"wallet": shown}
            messages.append(("wallet_transaction.updated", "wallet_transaction", entry.id, updated))
        else:
            kind, body = "wallet_transaction", serializer.transaction(entry, wallet) | {"wallet": shown}
        messages.append((name, kind, entry.id, body))
    if task.detail["message"] is not None:
        messages.insert(0, (task.detail["message"], "wallet", wallet.id, shown))
    tasks: list[Task] = []
    for name, kind, about, body in messages:
        subject = f"{name}#{about}#{task.subject}"
        tasks += webhooks.announcement(task.organization, name, kind, body, subject=subject, now=at)
    Unit([agenda.put(each, now=at) for each in tasks], agenda.done(task)).commit()
    agenda.push(tasks)


def _usage_cents(task: Task, wallet: Wallet) -> int:
    """The usage that a wallet has to pay: as it was seen, or as it is now."""
    if "usage_cents" in task.detail:
        return int(task.detail["usage_cents"])
    if wallet.status != "active":
        return 0
    organization = task.organization
    items = customers.items_of(organization.id, wallet.customer_id)
    usage = ongoing.usage_of(organizations.get(organization.id), items, now=clock.now(organization))
    return usage.get(wallet.id, 0)
