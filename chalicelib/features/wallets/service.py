"""Wallets: finding, making and changing them, and what is written with each change of one."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.domain.wallets import intervals
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import usage_watch
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import BillingState
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.wallets import schemas, store
from chalicelib.features.wallets.ledger import WalletChange
from chalicelib.features.wallets.records import Rule, Wallet, WalletTransaction
from chalicelib.features.wallets.schemas import AppliesTo, RuleInput, WalletInput, WalletUpdate
from chalicelib.platform import agenda, clock, schema
from chalicelib.platform.agenda import Kind, Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import (
    CustomerId,
    OrganizationId,
    WalletId,
    WalletRuleId,
    WalletTransactionId,
    new_id,
)
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit, Write

# A wallet's end comes before the billing of its instant; a rule's top-up after it.
EXPIRE = agenda.kind("expire_wallet", rank=4)
TOP_UP = agenda.kind("top_up_wallet", rank=55)
# The wallets of a deleted customer end after its drafts became final, which they still pay. Source: rules/money 6, row 33.
CLOSE = agenda.kind("end_wallets", rank=25)
# The messages of a change. In real time whatever clock the organization has.
TOLD = agenda.kind("wallet_changed", rank=87, wall_clock=True)


# Reading.


def find(organization_id: OrganizationId, wallet_id: WalletId) -> Wallet:
    """A wallet, of any status.

    Raises: NotFound.
    """
    wallet = store.get(organization_id, wallet_id)
    if wallet is None:
        raise NotFound(Resource.WALLET)
    return wallet


def holder(organization_id: OrganizationId, wallet_id: WalletId) -> CustomerId:
    """The customer whose wallet an id names.

    Raises: NotFound.
    """
    customer_id = store.holder(organization_id, wallet_id)
    if customer_id is None:
        raise NotFound(Resource.WALLET)
    return customer_id


def among(items: CustomerItems) -> list[Wallet]:
    """The wallets among a customer's items, of any status, the oldest first."""
    return store.among(items)


def usable(items: CustomerItems, now: datetime) -> list[Wallet]:
    """A customer's wallets that may pay, in their order of use. Source: rules/invoices 8.3."""
    return sorted((w for w in store.among(items) if w.usable(now)), key=lambda w: (w.priority, w.created_at, w.id))


def of_id(items: CustomerItems, wallet_id: WalletId) -> Wallet:
    """One of a customer's wallets.

    Raises: NotFound.
    """
    found = next((wallet for wallet in store.among(items) if wallet.id == wallet_id), None)
    if found is None:
        raise NotFound(Resource.WALLET)
    return found


def of_code(items: CustomerItems, code: str) -> Wallet:
    """A customer's wallet of a code: the active one, else the latest.

    Raises: NotFound.
    """
    found = [wallet for wallet in store.among(items) if wallet.code == code]
    if not found:
        raise NotFound(Resource.WALLET)
    return max(found, key=lambda wallet: (wallet.status == "active", wallet.created_at, wallet.id))


def transaction(organization_id: OrganizationId, transaction_id: WalletTransactionId) -> WalletTransaction:
    """An entry of a ledger.

    Raises: NotFound.
    """
    entry = store.transaction(organization_id, transaction_id)
    if entry is None:
        raise NotFound(Resource.WALLET_TRANSACTION)
    return entry


def transactions(
    organization_id: OrganizationId, ids: Sequence[WalletTransactionId]
) -> dict[WalletTransactionId, WalletTransaction]:
    """Those of the entries under these ids that exist."""
    return store.transactions(organization_id, ids)


# Writing.


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
    """The tasks that follow a change: its messages, and a look at what depends on the balance. `occasion`: what changes
    several wallets of a customer, for which one look suffices."""
    wallet, entries = change.after, [each.after for each in change.entries]
    shown = {each.id for each in entries}
    kept = wallet.model_copy(update={"lots": tuple(lot for lot in wallet.lots if lot.transaction_id in shown)})
    version = 0 if change.before is None else change.before.version + 1
    detail: dict[str, Any] = {
        "message": change.message,
        "wallet": kept.model_dump(mode="json"),
        "entries": [
            {"message": _message_of(each.before is None, each.after), "entry": each.after.model_dump(mode="json")}
            for each in change.entries
        ],
        "at": stamp(now),
    }
    told = agenda.task(TOLD, organization, f"{wallet.id}#{version}", clock.utc_now(), detail)
    cause = occasion or f"{wallet.id}#{version}"
    refresh = usage_watch.refresh_task(organization, wallet.customer_id, cause, now)
    return [told, refresh] if wallet.status == "active" else [told]


def _message_of(is_new: bool, entry: WalletTransaction) -> str:  # noqa: FBT001
    if entry.status == "failed":
        return "wallet_transaction.payment_failure"
    return "wallet_transaction.created" if is_new else "wallet_transaction.updated"


def depleted_task(organization: OrganizationRef, wallet: Wallet, usage_cents: int, *, now: datetime) -> Task:
    """The message that the ongoing balance is used up, by this usage."""
    detail = {
        "usage_cents": usage_cents,
        "message": "wallet.depleted_ongoing_balance",
        "wallet": wallet.model_copy(update={"lots": ()}).model_dump(mode="json"),
        "entries": [],
        "at": stamp(now),
    }
    return agenda.task(TOLD, organization, f"{wallet.id}#{wallet.version + 1}#depleted", clock.utc_now(), detail)


def mark_action(organization_id: OrganizationId, wallet: Wallet, **values: Any) -> Write:
    """Write what was seen of a wallet: no change of its balance."""
    return store.replace_action(organization_id, wallet, wallet.model_copy(update=values))


# Making and changing.


def new_wallet(
    organization_id: OrganizationId,
    items: CustomerItems,
    request: WalletInput,
    currency: str,
    zone: ZoneInfo,
    *,
    now: datetime,
) -> Wallet:
    """A wallet as a request wants it, not yet written.

    Raises: Invalid; NotFound, for an unknown metric.
    """
    customer = items.customer
    assert customer is not None, "who asks knows the customer"
    known = usable(items, now)
    findings = _limits_of(len(known), request.expiration_at, now)
    rules = request.recurring_transaction_rules
    taken = {wallet.code for wallet in known}
    if request.code and request.code in taken:
        findings["code"] = [ErrorCode.VALUE_ALREADY_EXIST]
    schemas.refuse_all(findings, schemas.incomplete(rules, now))
    wallet = Wallet(
        id=WalletId(new_id()),
        created_at=now,
        updated_at=now,
        customer_id=customer.id,
        external_customer_id=customer.external_id,
        name=request.name,
        code=request.code or _free_code(request.name, taken),
        priority=request.priority,
        currency=currency,
        rate=request.rate_amount,
        expiration_at=request.expiration_at,
        invoice_requires_successful_payment=request.invoice_requires_successful_payment,
        paid_top_up_min_amount_cents=request.paid_top_up_min_amount_cents,
        paid_top_up_max_amount_cents=request.paid_top_up_max_amount_cents,
        metadata=dict(request.metadata),
        last_balance_at=now,
        **_scope(organization_id, request.applies_to),
    )
    return _ruled(wallet, rules, zone, now=now)


def _limits_of(number: int, expiration_at: datetime | None, now: datetime) -> dict[str, list[str]]:
    findings: dict[str, list[str]] = {}
    if number >= limits.WALLETS_PER_CUSTOMER_MAX:
        findings["customer"] = [ErrorCode.WALLET_LIMIT_REACHED]
    if expiration_at is not None and expiration_at <= now:
        findings["expiration_at"] = [ErrorCode.INVALID_DATE]
    return findings


def _free_code(name: str | None, taken: Collection[str]) -> str:
    """The name in snake case, with a number where an active wallet has it."""
    base = re.sub(r"[^a-z0-9]+", "_", (name or "").lower()).strip("_") or "default"
    return next(code for code in (base, *(f"{base}_{n}" for n in range(2, len(taken) + 3))) if code not in taken)


def _scope(organization_id: OrganizationId, applies_to: AppliesTo | None) -> dict[str, Any]:
    """What a wallet is restricted to.

    Raises: NotFound, for an unknown metric.
    """
    wanted = applies_to or AppliesTo()
    codes = list(dict.fromkeys(wanted.billable_metric_codes))
    known = billable_metrics.CATALOG.find_many(organization_id, codes) if codes else {}
    if any(code not in known for code in codes):
        raise NotFound(Resource.BILLABLE_METRICS)
    return {"fee_types": tuple(dict.fromkeys(wanted.fee_types)), "metric_codes": tuple(codes)}


def _ruled(wallet: Wallet, rules: Sequence[RuleInput], zone: ZoneInfo, *, now: datetime) -> Wallet:
    """The wallet with these rules; those that it has are changed by their ids, others go.

    Raises: Invalid, for a fixed rule whose single increment is outside the wallet's limits.
    """
    known = {rule.id: rule for rule in wallet.rules}
    made = tuple(_rule(known.get(WalletRuleId(each.lago_id or "")), each, zone, now=now) for each in rules)
    for rule in made:
        is_limited = rule.method == "fixed" and not rule.ignore_paid_top_up_limits
        if is_limited and schemas.outside(rule.paid_credits, wallet):
            raise Invalid.field("recurring_transaction_rules", ErrorCode.INVALID_RECURRING_RULE)
    return wallet.model_copy(update={"rules": made})


def _rule(old: Rule | None, request: RuleInput, zone: ZoneInfo, *, now: datetime) -> Rule:
    fields = request.given()
    fields.pop("lago_id", None)
    if "transaction_metadata" in fields:
        fields["transaction_metadata"] = schemas.pairs(request.transaction_metadata)
    for name in ("grants_target_top_up", "invoice_requires_successful_payment", "ignore_paid_top_up_limits"):
        if name in fields:
            fields[name] = fields[name] is True
    base = old or Rule(id=WalletRuleId(new_id()), created_at=now, trigger=request.trigger, method=request.method)
    return planned(base.model_copy(update=fields), zone, after=now)


def planned(rule: Rule, zone: ZoneInfo, *, after: datetime) -> Rule:
    """The rule with its first instant after another, where it has one."""
    due_at = None
    if rule.trigger == "interval" and rule.interval is not None:
        due_at = intervals.next_at(
            rule.interval, created_at=rule.created_at, started_at=rule.started_at, after=after, zone=zone
        )
    is_over = due_at is not None and rule.expiration_at is not None and due_at >= rule.expiration_at
    return rule.model_copy(update={"due_at": None if is_over else due_at})


def update(
    organization: OrganizationRef, wallet_id: WalletId, values: Mapping[str, Any], zone_of: str, *, now: datetime
) -> tuple[Wallet, list[Task]]:
    """Change the fields present. `zone_of`: the organization's time zone.

    Raises: Invalid; NotAllowed, for a wallet that has ended; NotFound; ChangedMeanwhile.
    """
    return _change(organization, wallet_id, lambda old: values, zone_of, now=now)


def change_metadata(
    organization: OrganizationRef,
    wallet_id: WalletId,
    change: Callable[[Mapping[str, str | None]], Mapping[str, Any]],
    zone_of: str,
    *,
    now: datetime,
) -> tuple[Wallet, list[Task]]:
    """Other pairs of metadata, made of those before.

    Raises: as `update`; whatever `change` raises.
    """
    return _change(organization, wallet_id, lambda old: {"metadata": change(old.metadata)}, zone_of, now=now)


def _change(
    organization: OrganizationRef,
    wallet_id: WalletId,
    values_of: Callable[[Wallet], Mapping[str, Any]],
    zone_of: str,
    *,
    now: datetime,
) -> tuple[Wallet, list[Task]]:
    def attempt() -> tuple[Wallet, list[Task]]:
        items = customers.items_of(organization.id, holder(organization.id, wallet_id))
        assert items.customer is not None, "a wallet has a customer, deleted or not"
        old = of_id(items, wallet_id)
        if old.status != "active":
            raise NotAllowed(ErrorCode.WALLET_IS_TERMINATED)
        zone = items.customer.zone(zone_of)
        request = schema.parse(WalletUpdate, values_of(old))
        new = _updated(organization.id, items, old, request, zone, now=now)
        # The lock of the billing state excludes another wallet that takes the code meanwhile.
        locked = (
            customers.billing_actions(organization, items.state, items.state, now=now) if new.code != old.code else []
        )
        return _written(organization, WalletChange(old, new), locked, now=now)

    return retrying(attempt, Resource.WALLET)


def _updated(
    organization_id: OrganizationId,
    items: CustomerItems,
    old: Wallet,
    request: WalletUpdate,
    zone: ZoneInfo,
    *,
    now: datetime,
) -> Wallet:
    fields = request.given(
        "name",
        "code",
        "priority",
        "expiration_at",
        "invoice_requires_successful_payment",
        "paid_top_up_min_amount_cents",
        "paid_top_up_max_amount_cents",
    )
    findings: dict[str, list[str]] = {}
    if "expiration_at" in fields and fields["expiration_at"] != old.expiration_at:
        findings = _limits_of(0, fields["expiration_at"], now)
    if "code" in fields:
        fields["code"] = fields["code"] or old.code
        if any(other.code == fields["code"] and other.id != old.id for other in usable(items, now)):
            findings["code"] = [ErrorCode.VALUE_ALREADY_EXIST]
    rules = request.recurring_transaction_rules
    schemas.refuse_all(findings, schemas.incomplete(rules, now))
    if "metadata" in request.model_fields_set:
        fields["metadata"] = dict(request.metadata)
    if "applies_to" in request.model_fields_set:
        fields |= _scope(organization_id, request.applies_to)
    new: Wallet = old.changed(now=now, **fields)
    return _ruled(new, rules, zone, now=now) if "recurring_transaction_rules" in request.model_fields_set else new


def terminate(organization: OrganizationRef, wallet_id: WalletId, *, now: datetime) -> tuple[Wallet, list[Task]]:
    """End a wallet: what it has left is lost. One that has ended stays as it is.

    Raises: NotFound; ChangedMeanwhile.
    """

    def attempt() -> tuple[Wallet, list[Task]]:
        items = customers.items_of(organization.id, holder(organization.id, wallet_id))
        old = of_id(items, wallet_id)
        if old.status != "active":
            return old, []
        return _written(
            organization,
            ended(old, now=now),
            unwatched(organization, items, {old.id}, now=now),
            now=now,
        )

    return retrying(attempt, Resource.WALLET)


def ended(old: Wallet, *, now: datetime) -> WalletChange:
    """The end of a wallet."""
    new: Wallet = old.changed(now=now, status="terminated", terminated_at=now)
    return WalletChange(old, new, message="wallet.terminated")


def unwatched(
    organization: OrganizationRef, items: CustomerItems, gone: Collection[WalletId], *, now: datetime
) -> list[Write]:
    """Let the meter forget a customer whose last wallets end."""
    if not items.state.watched or any(w.status == "active" and w.id not in gone for w in among(items)):
        return []
    return watch(organization, items, items.state.model_copy(update={"watched": False}), now=now)


def watch(
    organization: OrganizationRef, items: CustomerItems, state: BillingState, *, now: datetime, locked: bool = True
) -> list[Write]:
    """Let the meter know whether to tell of a customer's usage. `locked`: the new billing state is written here."""
    ids = [each.external_id for each in subscriptions.among(items) if each.live]
    told = usage_watch.actions(organization.id, state.customer_id, ids, watch=state.watched)
    return [*told, *(customers.billing_actions(organization, items.state, state, now=now) if locked else [])]


def end_all(organization: OrganizationRef, customer_id: CustomerId, done: Write, *, now: datetime) -> None:
    """End all wallets of a customer. `done`: goes with the last one's end.

    Raises: Cancelled.
    """
    items = customers.items_of(organization.id, customer_id)
    active = [wallet for wallet in among(items) if wallet.status == "active"]
    changes = [ended(each, now=now) for each in active]
    following = [task for each in changes for task in tasks(organization, each, now=now)]
    Unit(
        (write for each in changes for write in writes(organization, each, now=now)),
        unwatched(organization, items, {each.id for each in active}, now=now),
        (agenda.put(each, now=now) for each in following),
        done,
    ).commit()
    agenda.push(following)


def _written(
    organization: OrganizationRef, change: WalletChange, extra: Sequence[Write], *, now: datetime
) -> tuple[Wallet, list[Task]]:
    following = tasks(organization, change, now=now)
    actions = writes(organization, change, now=now)
    Unit(actions, extra, (agenda.put(each, now=now) for each in following)).commit()
    version = 0 if change.before is None else change.before.version + 1
    return change.after.model_copy(update={"version": version}), following


def expire(task: Task, now: datetime) -> None:
    """End a wallet at the instant that it says."""
    organization = task.organization
    wallet = store.get(organization.id, WalletId(task.subject))
    if wallet is None or wallet.status != "active" or wallet.expiration_at != task.due_at:
        agenda.done(task).alone()
        return
    items = customers.items_of(organization.id, wallet.customer_id)
    change = ended(of_id(items, wallet.id), now=now)
    _, following = _written(organization, change, unwatched(organization, items, {wallet.id}, now=now), now=now)
    agenda.push([each for each in following if not each.in_clock])
