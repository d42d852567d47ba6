"""Requests that create and change wallets, and top them up. Source: rules/invoices 8.1, 8.2, 8.4; rules/catalog 7.3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid, merge
from chalicelib.domain.intervals import Interval
from chalicelib.domain.wallets.credits import CreditPrice, added, cut
from chalicelib.features.plans.schemas import Metadata
from chalicelib.features.wallets.records import FeeTypeLimit, Method, Pair, Trigger, Wallet
from chalicelib.platform import schema

_ZERO = Decimal(0)


def _positive(value: Any) -> Decimal:
    number = schema.exact(value)
    if number <= 0 or number > limits.INTEGER_MAX:
        raise schema.refuse(ErrorCode.VALUE_IS_OUT_OF_RANGE)
    return number


def _credits(value: Any) -> Decimal:
    """Credits as text or number, from 0 on; null is none."""
    try:
        number = _ZERO if value is None or value == "" else schema.exact(value)
    except PydanticCustomError as error:
        raise schema.refuse(ErrorCode.INVALID_AMOUNT) from error
    if number < 0 or number > limits.INTEGER_MAX:
        raise schema.refuse(ErrorCode.INVALID_AMOUNT)
    return number


def _pairs(value: Any) -> Any:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise schema.refuse(ErrorCode.INVALID_TYPE)
    if len(value) > limits.WALLET_TRANSACTION_PAIRS_MAX:
        raise schema.refuse(ErrorCode.INVALID_COUNT)
    return value


Credits = Annotated[Decimal, Field(ge=0), BeforeValidator(_credits)]
Priority = Annotated[int, Field(strict=True, ge=1, le=50), schema.READ_INTEGER]


class PairInput(schema.Request):
    """One pair of a transaction's metadata."""

    key: Annotated[schema.Printed, Field(min_length=1, max_length=100), schema.FILLED]
    value: Annotated[schema.Printed, Field(min_length=1, max_length=255), schema.FILLED]


Pairs = Annotated[list[PairInput], Field(max_length=limits.WALLET_TRANSACTION_PAIRS_MAX), BeforeValidator(_pairs)]


class AppliesTo(schema.Request):
    """The fees that a wallet is restricted to."""

    fee_types: schema.ListOf[FeeTypeLimit] = []
    billable_metric_codes: schema.ListOf[schema.Text] = []


class RuleInput(schema.Request):
    """A recurring rule. `lago_id` names the one that it changes."""

    lago_id: schema.Text | None = None
    trigger: Trigger
    method: Method = "fixed"
    interval: Interval | None = None
    threshold_credits: Credits = _ZERO
    paid_credits: Credits = _ZERO
    granted_credits: Credits = _ZERO
    target_ongoing_balance: Credits | None = None
    grants_target_top_up: schema.Boolean | None = None
    started_at: schema.NullOr[schema.Instant] = None
    expiration_at: schema.NullOr[schema.Instant] = None
    invoice_requires_successful_payment: schema.Boolean | None = None
    ignore_paid_top_up_limits: schema.Boolean | None = None
    transaction_metadata: Pairs = []
    transaction_name: schema.OptionalName = None


def _one(value: Any) -> Any:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 1:
        raise schema.refuse(ErrorCode.INVALID_NUMBER_OF_RECURRING_RULES)
    return value


Rules = Annotated[list[RuleInput], schema.refused(ErrorCode.INVALID_RECURRING_RULE), BeforeValidator(_one)]


class WalletUpdate(schema.Request):
    """`PUT /wallets/:id`: what is absent stays."""

    name: schema.OptionalName = None
    code: schema.OptionalName = None
    priority: Priority = 50
    expiration_at: schema.NullOr[schema.Instant] = None
    invoice_requires_successful_payment: schema.Boolean = False
    paid_top_up_min_amount_cents: schema.Count | None = None
    paid_top_up_max_amount_cents: schema.Count | None = None
    applies_to: AppliesTo | None = None
    metadata: Metadata = {}
    recurring_transaction_rules: Rules = []


class WalletInput(WalletUpdate):
    """`POST /wallets`."""

    external_customer_id: schema.Text | None = None
    rate_amount: Annotated[Decimal, Field(gt=0), BeforeValidator(_positive), schema.GIVEN]
    currency: schema.NullOr[schema.Currency] = None
    transaction_name: schema.OptionalName = None
    transaction_priority: Priority = 50
    transaction_metadata: Pairs = []
    ignore_paid_top_up_limits_on_creation: schema.Boolean | None = None
    paid_credits: Credits = _ZERO
    granted_credits: Credits = _ZERO


class TopUpInput(schema.Request):
    """`POST /wallet_transactions`."""

    wallet_id: schema.Text | None = None
    name: schema.OptionalName = None
    priority: Priority = 50
    metadata: Pairs = []
    invoice_requires_successful_payment: schema.Boolean | None = None
    ignore_paid_top_up_limits: schema.Boolean | None = None
    paid_credits: Credits = _ZERO
    granted_credits: Credits = _ZERO
    voided_credits: Credits = _ZERO


_REFUSED = {
    "paid_credits": ErrorCode.INVALID_PAID_CREDITS,
    "granted_credits": ErrorCode.INVALID_GRANTED_CREDITS,
    "voided_credits": ErrorCode.INVALID_VOIDED_CREDITS,
}


@dataclass(frozen=True, slots=True)
class Amounts:
    """The credits that a request moves."""

    paid: Decimal = _ZERO
    granted: Decimal = _ZERO
    voided: Decimal = _ZERO


def findings_of(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The codes of wrong fields; credits that are no amount have two. Source: rules/catalog 7.3."""
    return {name: [_REFUSED[name], *codes] if name in _REFUSED else codes for name, codes in found.items()}


def worthless(wanted: Amounts, price: CreditPrice) -> dict[str, list[str]]:
    """The amounts that are worth nothing. Source: rules/money 2, row 11."""
    each = {"paid_credits": wanted.paid, "granted_credits": wanted.granted, "voided_credits": wanted.voided}
    return {
        name: [ErrorCode.AMOUNT_ROUNDS_TO_ZERO]
        for name, credits in each.items()
        if credits > 0 and not (price.cents(cut(credits)) if name == "voided_credits" else added(credits, price).cents)
    }


def excessive(wanted: Amounts, wallet: Wallet) -> dict[str, list[str]]:
    """The amounts that would bring the wallet to more cents than an amount may have."""
    each = {"paid_credits": wanted.paid, "granted_credits": wanted.granted}
    room = limits.INTEGER_MAX - wallet.balance_cents
    return {
        name: [ErrorCode.VALUE_IS_OUT_OF_RANGE]
        for name, credits in each.items()
        if credits > 0 and wallet.price.precise_cents(credits) >= room
    }


def crossed(least: int | None, most: int | None) -> dict[str, list[str]]:
    """The code of a maximum of purchases below their minimum."""
    if least is None or most is None or least <= most:
        return {}
    return {"paid_top_up_max_amount_cents": [ErrorCode.VALUE_IS_OUT_OF_RANGE]}


def outside(paid: Decimal, wallet: Wallet) -> list[str]:
    """The codes of a purchase beyond the wallet's limits."""
    cents = added(paid, wallet.price).cents
    least, most = wallet.paid_top_up_min_amount_cents, wallet.paid_top_up_max_amount_cents
    if paid > 0 and least is not None and cents < least:
        return [ErrorCode.AMOUNT_BELOW_MINIMUM]
    return [ErrorCode.AMOUNT_ABOVE_MAXIMUM] if paid > 0 and most is not None and cents > most else []


def incomplete(rules: Sequence[RuleInput], now: datetime) -> dict[str, list[str]]:
    """The code of a recurring rule that lacks what it needs."""
    if all(_complete(rule, now) for rule in rules):
        return {}
    return {"recurring_transaction_rules": [ErrorCode.INVALID_RECURRING_RULE]}


def _complete(rule: RuleInput, now: datetime) -> bool:
    """Whether a rule says all that its trigger and method need."""
    if rule.trigger == "interval" and rule.interval is None:
        return False
    if rule.trigger == "threshold" and "threshold_credits" not in rule.model_fields_set:
        return False
    if rule.expiration_at is not None and rule.expiration_at <= now:
        return False
    return rule.method == "fixed" or bool(rule.target_ongoing_balance)


def pairs(given: list[PairInput]) -> tuple[Pair, ...]:
    """Pairs of metadata as they are kept."""
    return tuple(Pair(key=each.key, value=each.value) for each in given)


def refuse_all(*findings: Mapping[str, list[str]]) -> None:
    """Raises: Invalid, with all findings, where there are any."""
    together: dict[str, list[str]] = {}
    for each in findings:
        together = merge(together, each)
    if together:
        raise Invalid(together)
