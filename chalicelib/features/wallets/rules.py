"""Rules by which a wallet tops itself up: what a request makes of them, and when each is due next."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.wallets import intervals
from chalicelib.features.wallets import schemas
from chalicelib.features.wallets.records import Rule, Wallet
from chalicelib.features.wallets.schemas import RuleInput
from chalicelib.platform.ids import WalletRuleId, new_id


def ruled(wallet: Wallet, rules: Sequence[RuleInput], zone: ZoneInfo, *, now: datetime) -> Wallet:
    """The wallet with these rules; those that it has are changed by their ids, others go.

    Raises: Invalid, for a rule that never does anything, and for one whose single increment is outside the wallet's limits.
    """
    known = {rule.id: rule for rule in wallet.rules}
    made = tuple(_rule(known.get(WalletRuleId(each.lago_id or "")), each, zone, now=now) for each in rules)
    for rule in made:
        is_limited = rule.method == "fixed" and not rule.ignore_paid_top_up_limits
        if _is_idle(rule) or _is_excessive(rule, wallet) or (is_limited and schemas.outside(rule.paid_credits, wallet)):
            raise Invalid.field("recurring_transaction_rules", ErrorCode.INVALID_RECURRING_RULE)
    return wallet.model_copy(update={"rules": made})


def _is_idle(rule: Rule) -> bool:
    """Whether a rule never adds any credits: none are named, or its target is reached whenever its threshold is."""
    if rule.method == "fixed":
        return not rule.paid_credits and not rule.granted_credits
    return rule.trigger == "threshold" and (rule.target_ongoing_balance or 0) <= rule.threshold_credits


def _is_excessive(rule: Rule, wallet: Wallet) -> bool:
    """Whether one top-up would have more cents than an amount may have."""
    most = max(rule.paid_credits, rule.granted_credits, rule.target_ongoing_balance or Decimal(0))
    return wallet.price.precise_cents(most) >= limits.INTEGER_MAX


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
