"""Making wallets and topping them up: granted credits count at once, purchased ones are invoiced and count once they are paid.

All of one request is one transaction: the wallet, the entries of its ledger, and the purchase's invoice with its number.
Source: rules/invoices 8.1, 8.2.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.money import decimal_string
from chalicelib.domain.wallets.credits import added
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import BillingState
from chalicelib.features.invoices.records import Fee
from chalicelib.features.invoicing import compose, issue_transaction
from chalicelib.features.invoicing.issue_transaction import Issue
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.rating import billing_context
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.wallets import ledger, schemas
from chalicelib.features.wallets import reading as wallet_reading
from chalicelib.features.wallets import service as wallets
from chalicelib.features.wallets import writing as wallet_writing
from chalicelib.features.wallets.ledger import EntryInput, WalletChange
from chalicelib.features.wallets.records import Wallet, WalletTransaction
from chalicelib.features.wallets.schemas import Amounts, TopUpInput, WalletInput
from chalicelib.platform import schema
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, FeeId, InvoiceId, WalletId, derived_id, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Write

_ZERO = Decimal(0)


def create(
    organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime, wallet_id: WalletId | None = None
) -> Wallet:
    """A new wallet with its first credits. `wallet_id`: the id to use, where the same request may come twice: the second
    finds the wallet of the first.

    Raises: Invalid; NotFound, for an unknown metric; ChangedMeanwhile.
    """
    request, findings = schema.examine(WalletInput, values)
    external_id = values.get("external_customer_id")
    customer = customers.find_live(organization.id, external_id) if isinstance(external_id, str) else None
    if customer is None:
        findings = {**findings, "customer": [ErrorCode.CUSTOMER_NOT_FOUND]}
    schemas.refuse_all(schemas.findings_of(findings))
    assert request is not None
    assert customer is not None
    wanted = Amounts(request.paid_credits, request.granted_credits)
    customer_id = customer.id

    def attempt() -> Wallet:
        own = organizations.get(organization.id)
        items = _items(own, customer_id)
        assert items.customer is not None
        made = next((each for each in wallet_reading.among(items) if each.id == wallet_id), None)
        if made is not None:
            return made
        currency = request.currency or items.customer.currency
        if currency is None:
            raise Invalid.field("currency", ErrorCode.VALUE_IS_INVALID)
        adopted = customers.check_currency(items.customer, currency)
        context = billing_context.read(own, items)
        wallet = wallets.new_wallet(organization.id, items, request, currency, context.zone, now=now)
        wallet = wallet if wallet_id is None else wallet.model_copy(update={"id": wallet_id})
        findings = schemas.worthless(wanted, wallet.price) | schemas.excessive(wanted, wallet)
        if not findings and not request.ignore_paid_top_up_limits_on_creation:
            outside = schemas.outside(wanted.paid, wallet)
            findings = {"paid_credits": outside} if outside else {}
        schemas.refuse_all(findings)
        how = EntryInput(
            name=request.transaction_name,
            priority=request.transaction_priority,
            metadata=schemas.pairs(request.transaction_metadata),
            invoice_requires_successful_payment=request.invoice_requires_successful_payment,
        )
        state = wallets.entered(items.state, wallet)
        # The lock of the billing state, which carry_out takes, excludes another wallet and another currency.
        extra = wallets.watch_actions(organization.id, items, state)
        if adopted != items.customer:
            extra = [*extra, customers.replace_action(organization.id, items.customer, adopted)]
        change = _added(ledger.begun(wallet), wanted, how, now=now)
        context = replace(context, customer=adopted)
        written = _carry_out(context, change, wanted.paid, how, extra, state=state, now=now)
        return written.after

    return retrying(attempt, Resource.WALLET)


def top_up(
    organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime, mark: str = ""
) -> tuple[Wallet, list[WalletTransaction]]:
    """Purchase, grant and void credits of a wallet; returns it, and the transactions that were made. `mark`: of a request that
    may come twice: the second finds the transactions of the first.

    Raises: Invalid; ChangedMeanwhile.
    """
    request, findings = schema.examine(TopUpInput, values)
    wallet_id = values.get("wallet_id")
    customer_id = _holder(organization, wallet_id)
    if customer_id is None:
        findings = {**findings, "wallet_id": [ErrorCode.WALLET_NOT_FOUND]}
    schemas.refuse_all(schemas.findings_of(findings))
    assert request is not None
    assert customer_id is not None
    wanted = Amounts(request.paid_credits, request.granted_credits, request.voided_credits)

    def attempt() -> tuple[Wallet, list[WalletTransaction]]:
        own = organizations.get(organization.id)
        items = customers.items_of(organization.id, customer_id)
        wallet = wallet_reading.of_id(items, WalletId(str(wallet_id)))
        before = _marked(organization, wallet, mark)
        if before:
            return wallet, before
        if not wallet.usable(now):
            raise Invalid.field("wallet_id", ErrorCode.WALLET_IS_TERMINATED)
        findings = schemas.worthless(wanted, wallet.price) | schemas.excessive(wanted, wallet)
        if "paid_credits" not in findings and not request.ignore_paid_top_up_limits:
            outside = schemas.outside(wanted.paid, wallet)
            findings |= {"paid_credits": outside} if outside else {}
        schemas.refuse_all(findings)
        requires = request.invoice_requires_successful_payment
        how = EntryInput(
            name=request.name,
            priority=request.priority,
            metadata=schemas.pairs(request.metadata),
            invoice_requires_successful_payment=(
                wallet.invoice_requires_successful_payment if requires is None else requires
            ),
            mark=mark,
        )
        change = _added(ledger.unchanged(wallet), wanted, how, now=now)
        context = billing_context.read(own, items)
        if not change.entries and not wanted.paid:
            return wallet, []
        written = _carry_out(context, change, wanted.paid, how, [], state=items.state, now=now)
        return written.after, _ordered(each.after for each in written.entries)

    return retrying(attempt, Resource.WALLET)


_ORDER = {"purchased": 0, "granted": 1, "voided": 2, "invoiced": 3}


def _ordered(entries: Iterable[WalletTransaction]) -> list[WalletTransaction]:
    return sorted(entries, key=lambda entry: _ORDER[entry.transaction_status])


def _marked(organization: OrganizationRef, wallet: Wallet, mark: str) -> list[WalletTransaction]:
    """The transactions that a request with this mark has made before."""
    ids = [ledger.marked_id(wallet.id, mark, kind) for kind in ("purchased", "granted", "voided")] if mark else []
    return _ordered(wallet_reading.transactions(organization.id, ids).values()) if ids else []


def automatic(
    context: BillingContext,
    wallet: Wallet,
    *,
    paid: Decimal,
    granted: Decimal,
    how: EntryInput,
    extra: Sequence[Write],
    changes: Mapping[str, Any],
    now: datetime,
) -> None:
    """The top-up of a recurring rule. `extra`: what is written with it; `changes`: what else it changes of the wallet.

    Raises: Cancelled.
    """
    begun = WalletChange(wallet, wallet.model_copy(update=dict(changes)))
    if granted > 0 and added(granted, wallet.price).cents:
        begun = ledger.granted(begun, granted, how, now=now)
    is_worth = paid > 0 and added(paid, wallet.price).cents
    _carry_out(context, begun, paid if is_worth else _ZERO, how, extra, state=context.state, now=now)


def _added(change: WalletChange, wanted: Amounts, how: EntryInput, *, now: datetime) -> WalletChange:
    """The change with what counts at once."""
    if wanted.granted > 0:
        change = ledger.granted(change, wanted.granted, how, now=now)
    if wanted.voided > 0:
        change = ledger.voided(change, wanted.voided, how, now=now)
    return change


def _carry_out(
    context: BillingContext,
    change: WalletChange,
    paid: Decimal,
    how: EntryInput,
    extra: Sequence[Write],
    *,
    state: BillingState,
    now: datetime,
) -> WalletChange:
    """Write a change, and the purchase of credits with its invoice, in one transaction."""
    issue = Issue(context, state)
    if paid > 0:
        invoice_id = InvoiceId(new_id())
        change, entry = ledger.purchased(change, paid, how, invoice_id=invoice_id, now=now)
        issue = _purchase(replace(context, state=state, credits=()), change.after, entry, invoice_id, now=now)
    ref = context.organization.ref
    actions = [*wallet_writing.writes(ref, change, now=now), *extra]
    tasks = [*issue.tasks, *wallet_writing.tasks(ref, change, now=now)]
    # The state that was read is the one that is replaced, whatever this change makes of it.
    issue = replace(issue, context=context, actions=[*issue.actions, *actions], tasks=tasks)
    issue_transaction.carry_out(issue, now=now)
    version = 0 if change.before is None else change.before.version + 1
    return replace(change, after=change.after.model_copy(update={"version": version}))


def _purchase(
    context: BillingContext, wallet: Wallet, entry: WalletTransaction, invoice_id: InvoiceId, *, now: datetime
) -> Issue:
    """The invoice of a purchase: final at once, or open until it is paid."""
    fee = _fee(wallet, entry, invoice_id, now=now)
    draft = compose.without_grace(context, "credit", [fee], wallet.currency, invoice_id, now=now)
    draft = draft.model_copy(update={"purchase_id": entry.id})
    if entry.invoice_requires_successful_payment:
        return Issue(context, context.state, draft.model_copy(update={"status": "open"}), [fee])
    return issue_transaction.finalized(context, draft, [fee], now=now)


def _fee(wallet: Wallet, entry: WalletTransaction, invoice_id: InvoiceId, *, now: datetime) -> Fee:
    """The one fee of a purchase, untaxed."""
    return Fee(
        id=FeeId(derived_id(invoice_id, "credit", entry.id)),
        invoice_id=invoice_id,
        customer_id=wallet.customer_id,
        external_customer_id=wallet.external_customer_id,
        subscription_id=None,
        external_subscription_id=None,
        charge_id=None,
        type="credit",
        item_id=entry.id,
        item_type="WalletTransaction",
        item_code="credit",
        item_name="credit",
        item_description=None,
        display_name=entry.name or "credit",
        amount_cents=entry.cents,
        precise_amount_cents=str(entry.cents),
        currency=wallet.currency,
        units=decimal_string(entry.credits),
        total_units=decimal_string(entry.credits),
        unit_amount=decimal_string(wallet.rate),
        events_count=None,
        details={},
        taxes_amount_cents=0,
        taxes_precise_cents="0",
        taxes_rate="0",
        applied_taxes=(),
        pay_in_advance=False,
        invoiceable=True,
        start=now,
        end=now,
        created_at=now,
    )


def _holder(organization: OrganizationRef, wallet_id: Any) -> CustomerId | None:
    if not isinstance(wallet_id, str) or not wallet_id:
        return None
    try:
        return wallet_reading.holder(organization.id, WalletId(wallet_id))
    except NotFound:
        return None


def _items(own: Organization, customer_id: CustomerId) -> CustomerItems:
    """A customer's items.

    Raises: Invalid, when it was deleted meanwhile.
    """
    items = customers.items_of(own.id, customer_id)
    if items.customer is None or items.customer.deleted_at is not None:
        raise Invalid.field("customer", ErrorCode.CUSTOMER_NOT_FOUND)
    return items
