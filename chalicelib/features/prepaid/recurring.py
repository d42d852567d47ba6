"""Changes that nobody asks for: recurring top-ups by interval and by threshold, and the message that a balance is used up.

Nothing is polled: tasks of the agenda come at the instants of interval rules, and after usage was metered or a balance moved.
Source: rules/invoices 8.4; rules/money 2, rows 13 to 15.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT
from chalicelib.domain.wallets import refills
from chalicelib.domain.wallets.refills import NOTHING, Limits, Refill
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.prepaid import ongoing, top_ups
from chalicelib.features.rating import billing_context
from chalicelib.features.wallets import reading as wallet_reading
from chalicelib.features.wallets import rules as wallet_rules
from chalicelib.features.wallets import writing as wallet_writing
from chalicelib.features.wallets.ledger import EntryInput, WalletChange
from chalicelib.features.wallets.records import Rule, Wallet
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import CustomerId, WalletId
from chalicelib.platform.unit import Unit


def refresh(task: Task, now: datetime) -> None:
    """Look at each usable wallet of a customer: its threshold rule, and whether its ongoing balance is used up."""
    own = organizations.get(task.organization.id)
    customer_id = CustomerId(task.subject.split("#")[0])
    seen: set[WalletId] = set()
    is_new = True
    while is_new:
        is_new = False
        items = customers.items_of(own.id, customer_id)
        usage = {} if items.customer is None else ongoing.usage_of(own, items, now=now)
        for wallet in wallet_reading.usable(items, now):
            if wallet.id in usage and wallet.id not in seen and not is_new:
                seen.add(wallet.id)
                # A change of one wallet may change the share of the others.
                is_new = _look(own, items, wallet, usage[wallet.id], now=now)
    agenda.done(task).alone()


def _look(own: Organization, items: CustomerItems, wallet: Wallet, usage_cents: int, *, now: datetime) -> bool:
    """Carry out what a wallet's ongoing balance calls for; whether that was anything."""
    left = wallet.balance_cents - usage_cents
    changes: dict[str, Any] = {}
    messages: list[Task] = []
    if (left <= 0) != wallet.depleted:
        changes["depleted"] = left <= 0
        messages = wallet_writing.depleted_tasks(own.ref, wallet, usage_cents, now=now) if left <= 0 else []
    rule = wallet.rule("threshold", now)
    refill = NOTHING if rule is None else _threshold_refill(wallet, rule, usage_cents, now=now)
    if rule is not None and refill != NOTHING:
        top_ups.automatic(
            billing_context.read(own, items),
            wallet,
            paid=refill.paid,
            granted=refill.granted,
            how=_how(rule),
            extra=[agenda.put(each, now=now) for each in messages],
            changes=changes,
            now=now,
        )
    elif changes:
        mark = wallet_writing.mark_action(own.id, wallet, **changes)
        Unit(mark, (agenda.put(each, now=now) for each in messages)).commit()
    else:
        return False
    agenda.push(messages)
    return True


def top_up(task: Task, now: datetime) -> None:
    """The top-up of an interval rule, and the plan of its next one."""
    own = organizations.get(task.organization.id)
    wallet_id, _, rule_id = task.subject.partition("#")
    customer_id = wallet_reading.holder(own.id, WalletId(wallet_id))
    items = customers.items_of(own.id, customer_id)
    wallet = wallet_reading.of_id(items, WalletId(wallet_id))
    rule = next((each for each in wallet.rules if each.id == rule_id), None)
    if rule is None or items.customer is None or rule.due_at != task.due_at or not wallet.usable(now):
        agenda.done(task).alone()
        return
    next_rule = wallet_rules.planned(rule, items.customer.zone(own.timezone), after=task.due_at)
    rules = tuple(next_rule if each.id == rule.id else each for each in wallet.rules)
    refill = Refill(rule.paid_credits, rule.granted_credits)
    if rule.method == "target":
        usage = ongoing.usage_of(own, items, now=now).get(wallet.id, 0)
        refill = _target_refill(wallet, rule, _level(wallet, usage))
    if refill == NOTHING:
        planned = WalletChange(wallet, wallet.model_copy(update={"rules": rules}))
        Unit(wallet_writing.writes(own.ref, planned, now=now)).commit()
        return
    # The rule's next instant moves the task on.
    top_ups.automatic(
        billing_context.read(own, items),
        wallet,
        paid=refill.paid,
        granted=refill.granted,
        how=_how(rule),
        extra=[],
        changes={"rules": rules},
        now=now,
    )


def _threshold_refill(wallet: Wallet, rule: Rule, usage_cents: int, *, now: datetime) -> Refill:
    level = _level(wallet, usage_cents)
    if not refills.is_due(level, rule.threshold_credits):
        return NOTHING
    if rule.method == "target":
        refill = _target_refill(wallet, rule, level)
    else:
        increment = Refill(rule.paid_credits, rule.granted_credits)
        refill = refills.fixed(level, rule.threshold_credits, increment, wallet.price, _limits(wallet, rule))
    rests = refill.paid > 0 and wallet.rests_until is not None and now < wallet.rests_until
    return NOTHING if rests else refill


def _target_refill(wallet: Wallet, rule: Rule, level: Decimal) -> Refill:
    wanted = rule.target_ongoing_balance or Decimal(0)
    return refills.target(level, wanted, wallet.price, _limits(wallet, rule), grants=rule.grants_target_top_up)


def _level(wallet: Wallet, usage_cents: int) -> Decimal:
    """The ongoing balance in credits, with all purchases on their way."""
    left = wallet.balance_cents - usage_cents
    credits = wallet.price.credits(left) if usage_cents else wallet.balance_credits
    return CONTEXT.add(credits, wallet.pending_credits)


def _limits(wallet: Wallet, rule: Rule) -> Limits:
    if rule.ignore_paid_top_up_limits:
        return Limits()
    return Limits(wallet.paid_top_up_min_amount_cents, wallet.paid_top_up_max_amount_cents)


def _how(rule: Rule) -> EntryInput:
    return EntryInput(
        name=rule.transaction_name,
        metadata=rule.transaction_metadata,
        invoice_requires_successful_payment=rule.invoice_requires_successful_payment,
        source=rule.trigger,
    )
