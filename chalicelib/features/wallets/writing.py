"""All that is written with a change of a wallet: its ledger, its scheduled tasks, and the tasks that tell of it."""

from datetime import datetime
from typing import Any

from chalicelib.features.customers import usage_watch
from chalicelib.features.wallets import store
from chalicelib.features.wallets.ledger import WalletChange
from chalicelib.features.wallets.records import Wallet, WalletTransaction
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Kind, Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import (
    OrganizationId,
)
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

# A wallet's end comes before the billing of its instant; a rule's top-up after it.
EXPIRE = agenda.kind("expire_wallet", rank=4)
TOP_UP = agenda.kind("top_up_wallet", rank=55)
# The wallets of a deleted customer end after its drafts became final, which they still pay. Source: rules/money 6, row 33.
CLOSE = agenda.kind("end_wallets", rank=25)
# The purchases of a wallet that has ended are given up.
CANCEL = agenda.kind("cancel_purchases", rank=5)
# The messages of a change. In real time whatever clock the organization has.
TOLD = agenda.kind("wallet_changed", rank=87, real_time=True)


def writes(organization: OrganizationRef, change: WalletChange, *, now: datetime) -> list[Write]:
    """The wallet and the entries of a change, and the moves of the wallet's scheduled tasks."""
    before, after = change.before, change.after
    if before is None:
        actions = store.create_actions(organization.id, after)
    else:
        actions = [store.replace_action(organization.id, before, after)]
    for entry in change.entries:
        if entry.before is None:
            actions.append(store.create_transaction(organization.id, entry.after))
        else:
            actions.append(store.replace_transaction(organization.id, entry.before, entry.after))
    old, new = _planned(before), _planned(after)
    for kind, subject in dict.fromkeys((*old, *new)):
        place = kind, subject
        actions += agenda.reschedule(
            kind, organization, subject, old_due_at=old.get(place), new_due_at=new.get(place), now=now
        )
    return actions


def _planned(wallet: Wallet | None) -> dict[tuple[Kind, str], datetime]:
    """The tasks that a wallet has, each with its instant."""
    if wallet is None or wallet.status != "active":
        return {}
    planned = {(TOP_UP, f"{wallet.id}#{rule.id}"): rule.due_at for rule in wallet.rules}
    planned[(EXPIRE, wallet.id)] = wallet.expiration_at
    return {place: at for place, at in planned.items() if at is not None}


def tasks(
    organization: OrganizationRef, change: WalletChange, *, now: datetime, occasion: str | None = None
) -> list[Task]:
    """The tasks that follow a change: its messages, and a look at what depends on the balance or, at the wallet's end, at its
    purchases. `occasion`: what changes several wallets of a customer, for which one look suffices."""
    wallet, version = change.after, 0 if change.before is None else change.before.version + 1
    told = _told(organization, change, f"{wallet.id}#{version}", now=now)
    if change.message == "wallet.terminated":
        return [*told, agenda.task(CANCEL, organization, wallet.id, now)]
    cause = occasion or f"{wallet.id}#{version}"
    refresh = usage_watch.refresh_task(organization, wallet.customer_id, cause, now)
    return [*told, refresh] if wallet.status == "active" else told


def _told(organization: OrganizationRef, change: WalletChange, subject: str, *, now: datetime) -> list[Task]:
    """The task that sends the messages of a change; none where nobody wants any of them."""
    names = [_message_of(each.before is None, each.after) for each in change.entries]
    # A purchase that failed is also one that was updated.
    failed = ["wallet_transaction.updated"] if any(each.after.status == "failed" for each in change.entries) else []
    if not webhooks.listening(organization.id, *names, *failed, *([change.message] if change.message else [])):
        return []
    shown = {each.after.id for each in change.entries}
    lots = tuple(lot for lot in change.after.lots if lot.transaction_id in shown)
    detail: dict[str, Any] = {
        "message": change.message,
        "wallet": change.after.model_copy(update={"lots": lots}).model_dump(mode="json"),
        "entries": [
            {"message": name, "entry": each.after.model_dump(mode="json")}
            for name, each in zip(names, change.entries, strict=True)
        ],
        "at": stamp(now),
    }
    return [agenda.task(TOLD, organization, subject, clock.utc_now(), detail)]


def _message_of(is_new: bool, entry: WalletTransaction) -> str:  # noqa: FBT001
    if entry.status == "failed":
        return "wallet_transaction.payment_failure"
    return "wallet_transaction.created" if is_new else "wallet_transaction.updated"


def depleted_tasks(organization: OrganizationRef, wallet: Wallet, usage_cents: int, *, now: datetime) -> list[Task]:
    """The message that the ongoing balance is used up, by this usage; none where nobody wants it."""
    if not webhooks.listening(organization.id, "wallet.depleted_ongoing_balance"):
        return []
    detail = {
        "usage_cents": usage_cents,
        "message": "wallet.depleted_ongoing_balance",
        "wallet": wallet.model_copy(update={"lots": ()}).model_dump(mode="json"),
        "entries": [],
        "at": stamp(now),
    }
    return [agenda.task(TOLD, organization, f"{wallet.id}#{wallet.version + 1}#depleted", clock.utc_now(), detail)]


def check_wallet(organization_id: OrganizationId, seen: Wallet) -> Write:
    """Refuse the transaction if somebody wrote a wallet since it was read."""
    return store.check_action(organization_id, seen)


def check_entry(organization_id: OrganizationId, seen: WalletTransaction) -> Write:
    """Refuse the transaction if somebody wrote an entry since it was read."""
    return store.check_transaction(organization_id, seen)


def mark_action(organization_id: OrganizationId, wallet: Wallet, **values: Any) -> Write:
    """Write what was seen of a wallet: no change of its balance."""
    return store.replace_action(organization_id, wallet, wallet.model_copy(update=values))
