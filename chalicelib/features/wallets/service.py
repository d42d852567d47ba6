"""Making, changing and ending wallets."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotAllowed, NotFound
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import usage_watch
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import BillingState
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.wallets import reading, schemas, writing
from chalicelib.features.wallets.ledger import WalletChange
from chalicelib.features.wallets.records import Wallet
from chalicelib.features.wallets.rules import ruled
from chalicelib.features.wallets.schemas import AppliesTo, WalletInput, WalletUpdate
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, OrganizationId, WalletId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


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
    assert customer is not None, "the caller has read the customer"
    # As the billing state has them: its lock, not the rows beside it, says how many there are.
    taken = items.state.wallet_codes
    findings = _limits_of(len(taken), request.expiration_at, now)
    rules = request.recurring_transaction_rules
    if request.code and request.code in taken:
        findings["code"] = [ErrorCode.VALUE_ALREADY_EXIST]
    crossed = schemas.crossed(request.paid_top_up_min_amount_cents, request.paid_top_up_max_amount_cents)
    schemas.refuse_all(findings, crossed, schemas.incomplete(rules, now))
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
    return ruled(wallet, rules, zone, now=now)


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
    """The fields that restrict a wallet: fee types and metrics.

    Raises: NotFound, for an unknown metric.
    """
    wanted = applies_to or AppliesTo()
    codes = list(dict.fromkeys(wanted.billable_metric_codes))
    known = billable_metrics.CATALOG.find_many(organization_id, codes) if codes else {}
    if any(code not in known for code in codes):
        raise NotFound(Resource.BILLABLE_METRICS)
    return {"fee_types": tuple(dict.fromkeys(wanted.fee_types)), "metric_codes": tuple(codes)}


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
        items = customers.items_of(organization.id, reading.holder(organization.id, wallet_id))
        assert items.customer is not None, "a wallet has a customer, deleted or not"
        old = reading.of_id(items, wallet_id)
        if old.status != "active":
            raise NotAllowed(ErrorCode.WALLET_IS_TERMINATED)
        zone = items.customer.zone(zone_of)
        request = schema.parse(WalletUpdate, values_of(old))
        new = _updated(organization.id, items, old, request, zone, now=now)
        renamed = _renamed(organization, items, {old.code: new.code}, now=now) if new.code != old.code else []
        return _written(organization, WalletChange(old, new), renamed, now=now)

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
        if fields["code"] != old.code and fields["code"] in items.state.wallet_codes:
            findings["code"] = [ErrorCode.VALUE_ALREADY_EXIST]
    rules = request.recurring_transaction_rules
    schemas.refuse_all(findings, schemas.incomplete(rules, now))
    if "metadata" in request.model_fields_set:
        fields["metadata"] = dict(request.metadata)
    if "applies_to" in request.model_fields_set:
        fields |= _scope(organization_id, request.applies_to)
    new: Wallet = old.changed(now=now, **fields)
    schemas.refuse_all(schemas.crossed(new.paid_top_up_min_amount_cents, new.paid_top_up_max_amount_cents))
    return ruled(new, rules, zone, now=now) if "recurring_transaction_rules" in request.model_fields_set else new


def terminate(organization: OrganizationRef, wallet_id: WalletId, *, now: datetime) -> tuple[Wallet, list[Task]]:
    """End a wallet: what it has left is lost. One that has ended stays as it is.

    Raises: NotFound; ChangedMeanwhile.
    """

    def attempt() -> tuple[Wallet, list[Task]]:
        items = customers.items_of(organization.id, reading.holder(organization.id, wallet_id))
        old = reading.of_id(items, wallet_id)
        if old.status != "active":
            return old, []
        return _written(
            organization,
            ended(old, now=now),
            _renamed(organization, items, {old.code: None}, now=now),
            now=now,
        )

    return retrying(attempt, Resource.WALLET)


def ended(old: Wallet, *, now: datetime) -> WalletChange:
    """The end of a wallet."""
    new: Wallet = old.changed(now=now, status="terminated", terminated_at=now)
    return WalletChange(old, new, message="wallet.terminated")


def entered(state: BillingState, wallet: Wallet) -> BillingState:
    """The billing state with another active wallet."""
    return state.model_copy(update={"attached": True, "wallet_codes": (*state.wallet_codes, wallet.code)})


def watch_actions(organization_id: OrganizationId, items: CustomerItems, new: BillingState) -> list[Write]:
    """Let the meter know where a customer has its first wallet, or no wallet any more."""
    if items.state.watched == new.watched:
        return []
    ids = [each.external_id for each in subscriptions.among(items) if each.live]
    return usage_watch.actions(organization_id, new.customer_id, ids, watch=new.watched)


def _renamed(
    organization: OrganizationRef, items: CustomerItems, codes: Mapping[str, str | None], *, now: datetime
) -> list[Write]:
    """Write the billing state with other codes in place of some, or without them."""
    left = (codes.get(code, code) for code in items.state.wallet_codes)
    state = items.state.model_copy(update={"wallet_codes": tuple(code for code in left if code is not None)})
    watching = watch_actions(organization.id, items, state)
    return [*watching, *customers.billing_actions(organization, items.state, state, now=now)]


def end_all(organization: OrganizationRef, customer_id: CustomerId, done: Write, *, now: datetime) -> None:
    """End all wallets of a customer. `done`: goes with the last one's end.

    Raises: Cancelled.
    """
    items = customers.items_of(organization.id, customer_id)
    active = [wallet for wallet in reading.among(items) if wallet.status == "active"]
    changes = [ended(each, now=now) for each in active]
    following = [task for each in changes for task in writing.tasks(organization, each, now=now)]
    Unit(
        (write for each in changes for write in writing.writes(organization, each, now=now)),
        _renamed(organization, items, {each.code: None for each in active}, now=now),
        (agenda.put(each, now=now) for each in following),
        done,
    ).commit()
    agenda.push([each for each in following if not each.in_clock])


def _written(
    organization: OrganizationRef, change: WalletChange, extra: Sequence[Write], *, now: datetime
) -> tuple[Wallet, list[Task]]:
    following = writing.tasks(organization, change, now=now)
    actions = writing.writes(organization, change, now=now)
    Unit(actions, extra, (agenda.put(each, now=now) for each in following)).commit()
    version = 0 if change.before is None else change.before.version + 1
    return change.after.model_copy(update={"version": version}), following


def expire(task: Task, now: datetime) -> None:
    """End a wallet at the instant that it says."""
    organization = task.organization
    wallet = reading.find(organization.id, WalletId(task.subject))
    if wallet.status != "active" or wallet.expiration_at != task.due_at:
        agenda.done(task).alone()
        return
    items = customers.items_of(organization.id, wallet.customer_id)
    change = ended(reading.of_id(items, wallet.id), now=now)
    _, following = _written(organization, change, _renamed(organization, items, {wallet.code: None}, now=now), now=now)
    agenda.push([each for each in following if not each.in_clock])
