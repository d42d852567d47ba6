"""Fees of a billing line: the subscription fee, charges for usage, fixed charges and the commitment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain import money
from chalicelib.domain.fixed_charges import PricedFixedCharge
from chalicelib.domain.invoicing.taxes import TaxRate, fee_taxes
from chalicelib.domain.money import decimal_string
from chalicelib.domain.periods import Span
from chalicelib.domain.proration import prorated
from chalicelib.features.add_ons.records import AddOn
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.invoices.parts import AppliedTaxPart, DaysPart, PeriodPart
from chalicelib.features.invoices.records import Fee, FeeType
from chalicelib.features.plans.records import ChargeFilter, FixedCharge, Plan
from chalicelib.features.rating.metered import Used
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform.ids import ChargeId, FixedChargeId, InvoiceId, derived_id


@dataclass(frozen=True, slots=True)
class LineItemContext:
    """The owner of a fee: one row of one invoice."""

    subscription: Subscription
    plan: Plan
    period: PeriodPart
    invoice_id: InvoiceId
    now: datetime


@dataclass(frozen=True, slots=True)
class _Item:
    """The item that a fee is for: `named_by` names it on the invoice, `subject` distinguishes it within its row."""

    type: FeeType
    id: str
    kind: str
    named_by: Plan | Metric | AddOn
    display_name: str
    subject: tuple[str, ...]
    charge_id: ChargeId | None = None
    fixed_charge_id: FixedChargeId | None = None
    filter: ChargeFilter | None = None
    grouped_by: Mapping[str, str | None] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def subscription_fee(owner: LineItemContext, taxes: Sequence[TaxRate]) -> Fee | None:
    """The base amount of a period, by the days owed of it; None where the row has none.

    Source: rules/billing-periods 4.
    """
    subscription, plan, period = owner.subscription, owner.plan, owner.period
    if period.fee_days is None or period.fee_of_days is None or period.fee_start is None or period.fee_end is None:
        return None
    precise = prorated(plan.amount_cents, days=period.fee_days, period_days=period.fee_of_days)
    item = _Item(
        type="subscription",
        id=subscription.id,
        kind="Subscription",
        named_by=plan,
        display_name=subscription.name or plan.invoice_display_name or plan.name,
        subject=("subscription",),
        details={"plan_amount_cents": plan.amount_cents},
    )
    span = Span(period.fee_start, period.fee_end)
    amount_cents = money.round_half_up(precise)
    return _once(owner, item, span, amount_cents, precise, taxes, pay_in_advance=plan.pay_in_advance)


def charge_fee(used: Used, owner: LineItemContext, taxes: Sequence[TaxRate], *, kept: bool = False) -> Fee | None:
    """The fee of a charge, or of one of its filters and groups; None where nothing was used and nothing is owed, unless
    it is `kept` for a true-up to stand on. Source: rules/usage 8."""
    period, charge, metric = owner.period, used.charge, used.metric
    assert period.charges_start is not None
    assert period.charges_end is not None
    precise = money.to_cents(used.priced.amount, owner.plan.amount_currency)
    amount_cents = money.round_half_up(precise)
    if not used.units and not amount_cents and not used.events_count and not kept:
        return None
    group = tuple(f"{key}={'' if value is None else value}#{value is None}" for key, value in used.group)
    item = _Item(
        type="charge",
        id=metric.id,
        kind="BillableMetric",
        named_by=metric,
        display_name=charge.invoice_display_name or metric.name,
        subject=("charge", charge.id, *((used.filter.id,) if used.filter else ()), *group),
        charge_id=charge.id,
        filter=used.filter,
        grouped_by=dict(used.group),
        details=dict(used.priced.details),
    )
    return _fee(
        owner,
        item,
        Span(period.charges_start, period.charges_end),
        amount_cents,
        precise,
        taxes,
        units=used.units,
        total_units=used.total_units,
        unit_amount=used.priced.unit_amount,
        events_count=used.events_count,
        invoiceable=charge.invoiceable,
    )


def true_up_fee(used: Used, parent: Fee, true_up_cents: int, owner: LineItemContext, taxes: Sequence[TaxRate]) -> Fee:
    """True-up fee of a charge, up to its minimum. `parent`: the fee that it belongs to, for `used`.

    Source: rules/usage 8.1.
    """
    item = _Item(
        type="charge",
        id=used.metric.id,
        kind="BillableMetric",
        named_by=used.metric,
        display_name=f"{parent.display_name} - True-up",
        subject=("true_up", used.charge.id),
        charge_id=used.charge.id,
    )
    fee = _once(owner, item, Span(parent.start, parent.end), true_up_cents, Decimal(true_up_cents), taxes)
    return fee.model_copy(update={"true_up_parent_id": parent.id, "events_count": 0})


def fixed_charge_fee(
    billed: PricedFixedCharge,
    fixed: FixedCharge,
    add_on: AddOn,
    days: DaysPart,
    owner: LineItemContext,
    taxes: Sequence[TaxRate],
    *,
    deducted_cents: int,
) -> Fee | None:
    """The fee of a fixed charge; None where units and amount are 0. `deducted_cents`: cents that an earlier plan's fee
    for the same add-on paid of it already.

    Source: rules/billing-periods 11.
    """
    precise = money.to_cents(billed.priced.amount, owner.plan.amount_currency)
    amount_cents = max(0, money.round_half_up(precise) - deducted_cents)
    if not billed.units and not amount_cents:
        return None
    item = _Item(
        type="fixed_charge",
        id=add_on.id,
        kind="AddOn",
        named_by=add_on,
        display_name=fixed.invoice_display_name or add_on.invoice_display_name or add_on.name,
        subject=("fixed_charge", fixed.id),
        fixed_charge_id=fixed.id,
        details=dict(billed.priced.details),
    )
    return _fee(
        owner,
        item,
        Span(days.start, days.end),
        amount_cents,
        max(Decimal(0), precise - deducted_cents),
        taxes,
        units=billed.units,
        unit_amount=billed.priced.unit_amount,
        pay_in_advance=fixed.pay_in_advance,
    )


def commitment_fee(true_up_cents: int, owner: LineItemContext, taxes: Sequence[TaxRate]) -> Fee | None:
    """True-up fee of a period, up to the plan's minimum commitment; None where the period reaches it.

    Source: rules/billing-periods 12.
    """
    commitment, days = owner.plan.minimum_commitment, owner.period.commitment
    if not true_up_cents or commitment is None or days is None:
        return None
    name = commitment.invoice_display_name or "Minimum commitment - True up"
    item = _Item(
        type="commitment",
        id=commitment.id,
        kind="Subscription",
        named_by=owner.plan,
        display_name=name,
        subject=("commitment",),
    )
    return _once(owner, item, Span(days.start, days.end), true_up_cents, Decimal(true_up_cents), taxes)


def _once(
    owner: LineItemContext,
    item: _Item,
    span: Span,
    amount_cents: int,
    precise: Decimal,
    taxes: Sequence[TaxRate],
    *,
    pay_in_advance: bool = False,
) -> Fee:
    """A fee of one unit, whose price is its amount."""
    return _fee(
        owner,
        item,
        span,
        amount_cents,
        precise,
        taxes,
        units=Decimal(1),
        unit_amount=money.from_cents(Decimal(amount_cents), owner.plan.amount_currency),
        pay_in_advance=pay_in_advance,
    )


def _fee(
    owner: LineItemContext,
    item: _Item,
    span: Span,
    amount_cents: int,
    precise: Decimal,
    taxes: Sequence[TaxRate],
    *,
    units: Decimal,
    unit_amount: Decimal,
    total_units: Decimal | None = None,
    events_count: int | None = None,
    pay_in_advance: bool = False,
    invoiceable: bool = True,
) -> Fee:
    subscription = owner.subscription
    fee_id = derived_id(owner.invoice_id, item.subject[0], subscription.id, *item.subject[1:])
    found = fee_taxes(Decimal(amount_cents), taxes)
    return Fee(
        id=fee_id,
        invoice_id=owner.invoice_id,
        customer_id=subscription.customer_id,
        external_customer_id=subscription.external_customer_id,
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        charge_id=item.charge_id,
        charge_filter_id=item.filter.id if item.filter else None,
        filter_values=dict(item.filter.values) if item.filter else None,
        filter_display_name=item.filter.invoice_display_name if item.filter else None,
        group_id=item.filter.group_id if item.filter else None,
        grouped_by=dict(item.grouped_by),
        fixed_charge_id=item.fixed_charge_id,
        type=item.type,
        item_id=item.id,
        item_type=item.kind,
        item_code=item.named_by.code,
        item_name=item.named_by.name,
        item_description=item.named_by.description,
        display_name=item.display_name,
        amount_cents=amount_cents,
        precise_amount_cents=format(precise, "f"),
        currency=owner.plan.amount_currency,
        units=decimal_string(units),
        total_units=decimal_string(units if total_units is None else total_units),
        unit_amount=decimal_string(unit_amount),
        events_count=events_count,
        details=dict(item.details),
        taxes_amount_cents=found.amount_cents,
        taxes_precise_cents=format(money.to_decimal(found.precise_cents), "f"),
        taxes_rate=format(found.rate, "f"),
        applied_taxes=tuple(AppliedTaxPart.of(each, derived_id(fee_id, each.tax.code)) for each in found.applied),
        pay_in_advance=pay_in_advance,
        invoiceable=invoiceable,
        start=span.start,
        end=span.end,
        exact_end=owner.period.exact_end,
        created_at=owner.now,
    )
