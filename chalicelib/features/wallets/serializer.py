"""Wallets and their transactions as the API shows them. Source: rules/invoices 8.4."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import decimal_string, from_cents
from chalicelib.features.wallets.records import Funding, Rule, Wallet, WalletTransaction
from chalicelib.platform.timestamps import iso, iso_or_none


def wallet(wallet: Wallet, usage_cents: int) -> dict[str, Any]:
    """A wallet with the usage that it will have to pay."""
    ongoing, price = wallet.balance_cents - usage_cents, wallet.price
    metadata = {"metadata": dict(wallet.metadata)} if wallet.metadata else {}
    return {
        "lago_id": wallet.id,
        "lago_customer_id": wallet.customer_id,
        "external_customer_id": wallet.external_customer_id,
        "billing_entity_code": "default",
        "status": wallet.status,
        "currency": wallet.currency,
        "name": wallet.name,
        "code": wallet.code,
        "priority": wallet.priority,
        "rate_amount": decimal_string(wallet.rate),
        "credits_balance": decimal_string(wallet.balance_credits),
        "balance": decimal_string(from_cents(Decimal(wallet.balance_cents), wallet.currency)),
        "balance_cents": wallet.balance_cents,
        "consumed_credits": decimal_string(wallet.consumed_credits),
        "created_at": iso(wallet.created_at),
        "expiration_at": iso_or_none(wallet.expiration_at),
        "last_balance_sync_at": iso_or_none(wallet.last_balance_at),
        "last_consumed_credit_at": iso_or_none(wallet.last_consumed_at),
        "terminated_at": iso_or_none(wallet.terminated_at),
        "invoice_requires_successful_payment": wallet.invoice_requires_successful_payment,
        "applies_to": {"fee_types": list(wallet.fee_types), "billable_metric_codes": list(wallet.metric_codes)},
        "recurring_transaction_rules": [_rule(wallet, rule) for rule in wallet.rules],
        "ongoing_balance_cents": ongoing,
        "ongoing_usage_balance_cents": usage_cents,
        "credits_ongoing_balance": decimal_string(
            wallet.balance_credits if not usage_cents else price.credits(ongoing)
        ),
        "credits_ongoing_usage_balance": decimal_string(price.credits(usage_cents)),
        "paid_top_up_min_amount_cents": wallet.paid_top_up_min_amount_cents,
        "paid_top_up_max_amount_cents": wallet.paid_top_up_max_amount_cents,
        "applied_invoice_custom_sections": [],
        "payment_method": None,
        "purchase_order_number": None,
        **metadata,
    }


def _rule(wallet: Wallet, rule: Rule) -> dict[str, Any]:
    target = rule.target_ongoing_balance
    return {
        "lago_id": rule.id,
        "trigger": rule.trigger,
        "method": rule.method,
        "interval": rule.interval,
        "status": wallet.status,
        "threshold_credits": decimal_string(rule.threshold_credits),
        "paid_credits": decimal_string(rule.paid_credits),
        "granted_credits": decimal_string(rule.granted_credits),
        "grants_target_top_up": rule.grants_target_top_up,
        "started_at": iso_or_none(rule.started_at),
        "target_ongoing_balance": None if target is None else decimal_string(target),
        "created_at": iso(rule.created_at),
        "expiration_at": iso_or_none(rule.expiration_at),
        "invoice_requires_successful_payment": rule.invoice_requires_successful_payment,
        "transaction_metadata": [pair.model_dump() for pair in rule.transaction_metadata],
        "transaction_name": rule.transaction_name,
        "ignore_paid_top_up_limits": rule.ignore_paid_top_up_limits,
        "applied_invoice_custom_sections": [],
        "payment_method": None,
        "purchase_order_number": None,
    }


def transaction(entry: WalletTransaction, holder: Wallet) -> dict[str, Any]:
    """An entry of a wallet's ledger. `holder`: the wallet, which knows what is left of an inbound one."""
    rest = _rest(entry, holder)
    return {
        "lago_id": entry.id,
        "lago_wallet_id": entry.wallet_id,
        "lago_invoice_id": entry.invoice_id,
        "lago_credit_note_id": None,
        "lago_voided_invoice_id": entry.voided_invoice_id,
        "status": entry.status,
        "source": entry.source,
        "transaction_status": entry.transaction_status,
        "transaction_type": entry.transaction_type,
        "amount": decimal_string(from_cents(Decimal(entry.cents), entry.currency)),
        "credit_amount": decimal_string(entry.credits),
        "remaining_amount_cents": None if rest is None else rest[0],
        "remaining_credit_amount": None if rest is None else decimal_string(rest[1]),
        "priority": entry.priority,
        "invoice_requires_successful_payment": entry.invoice_requires_successful_payment,
        "settled_at": iso_or_none(entry.settled_at),
        "failed_at": iso_or_none(entry.failed_at),
        "created_at": iso(entry.created_at),
        "metadata": [pair.model_dump() for pair in entry.metadata],
        "name": entry.name,
        "applied_invoice_custom_sections": [],
        "payment_method": None,
        "purchase_order_number": None,
    }


def _rest(entry: WalletTransaction, holder: Wallet) -> tuple[int, Decimal] | None:
    """The unspent cents and credits of a settled inbound entry; None for other entries."""
    if entry.transaction_type != "inbound" or entry.status != "settled":
        return None
    lot = next((lot for lot in holder.lots if lot.transaction_id == entry.id), None)
    return (0, Decimal(0)) if lot is None else (lot.cents, lot.credits)


def part(funding: Funding, part_id: str, created_at: str, other: Mapping[str, Any]) -> dict[str, Any]:
    """A part of an outbound entry that an inbound one paid for, with the one on its other side."""
    return {
        "lago_id": part_id,
        "amount_cents": funding.cents,
        "credit_amount": decimal_string(funding.credits),
        "created_at": created_at,
        "wallet_transaction": dict(other),
    }


def payment_failure(entry: WalletTransaction) -> dict[str, Any]:
    """The message that the payment of a purchase failed."""
    return {
        "lago_wallet_transaction_id": entry.id,
        "lago_customer_id": entry.customer_id,
        "external_customer_id": entry.external_customer_id,
        "provider_customer_id": None,
        "payment_provider": None,
        "payment_provider_code": None,
        "provider_error": {"message": None, "error_code": None},
        "error_details": {},
    }
