"""All fees of an invoice, in their order; computed alike when it is made, when a draft is made again, and for a preview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib.domain import commitments, fixed_charges, periods
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.billing_line import Days
from chalicelib.domain.charges import minimum
from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.invoicing.taxes import TaxRate
from chalicelib.domain.timeline import ZONE_MOVE
from chalicelib.features.add_ons.records import AddOn
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.fees import service as fee_service
from chalicelib.features.invoices import reading as invoice_reading
from chalicelib.features.invoices.parts import DaysPart, PeriodPart
from chalicelib.features.invoices.records import Fee
from chalicelib.features.plans import active_parts
from chalicelib.features.plans.records import Charge, FixedCharge, Plan
from chalicelib.features.rating import metered, pricing, renewals, tax_resolver
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.metered import Used
from chalicelib.features.rating.pricing import LineItemContext
from chalicelib.features.rating.tax_resolver import TaxResolver
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform.ids import InvoiceId


@dataclass(frozen=True, slots=True)
class InvoicedSubscription:
    """One subscription on an invoice to be issued."""

    subscription: Subscription
    plan: Plan
    period: PeriodPart


@dataclass(frozen=True, slots=True)
class _Known:
    """The records that fees refer to, read once for all lines."""

    metrics: Mapping[str, Metric]
    add_ons: Mapping[str, AddOn]
    taxes: TaxResolver


def fees_of(
    context: BillingContext, lines: Sequence[InvoicedSubscription], *, invoice_id: InvoiceId, now: datetime
) -> list[Fee]:
    """All fees of an invoice: per subscription its base amount, its charges and fixed charges in the plan's order, and
    what it lacks of its commitment."""
    plans = [line.plan for line in lines]
    known = _Known(
        active_parts.metrics_of(context.organization.id, plans),
        active_parts.add_ons_of(context.organization.id, plans),
        tax_resolver.read(context, plans),
    )
    fees: list[Fee] = []
    for line in lines:
        owner = LineItemContext(line.subscription, line.plan, line.period, invoice_id, now)
        base = pricing.subscription_fee(owner, known.taxes.of(line.plan.tax_ids))
        own = [base] if base else []
        if line.period.bills_usage:
            own += _charge_fees(context, owner, known)
        own += _renewal_fees(context, owner, known)
        own += _fixed_charge_fees(context, owner, known)
        own += _commitment_fees(context, owner, known, own)
        fees += own
    return fees


def _charge_fees(context: BillingContext, owner: LineItemContext, known: _Known) -> list[Fee]:
    period = owner.period
    assert period.charges_start is not None
    assert period.charges_end is not None
    charges = [
        (charge, metric)
        for charge, metric in active_parts.live_charges(owner.plan, known.metrics)
        # Charges in advance were charged with their events.
        if not charge.pay_in_advance
        # The next plan bills the metrics that it goes on counting. Source: rules/billing-periods 7.1.
        and not (metric.recurring and not charge.prorated and metric.id in period.kept_metric_ids)
    ]
    window = window_of(period, context.zone)
    used = metered.used_by(context.organization.ref, owner.subscription.stream, charges, window)
    fees = []
    for charge, _ in charges:
        owed = known.taxes.of(charge.tax_ids, owner.plan.tax_ids)
        fees += _fees_of_charge(charge, [each for each in used if each.charge.id == charge.id], window, owner, owed)
    return fees


def _renewal_fees(context: BillingContext, owner: LineItemContext, known: _Known) -> list[Fee]:
    """The fees of recurring charges in advance for the period that begins; standalone fees are made apart."""
    if owner.period.renewal is None:
        return []
    charges = [pair for pair in active_parts.live_charges(owner.plan, known.metrics) if pair[0].invoiceable]
    used = renewals.used_at(context, owner.subscription, charges, owner.period.renewal)
    return [renewals.fee_of(each, owner, known.taxes) for each in used]


def _fees_of_charge(
    charge: Charge, used: Sequence[Used], window: Window, owner: LineItemContext, taxes: Sequence[TaxRate]
) -> list[Fee]:
    """A fee for each filter and group, and what they lack of the charge's minimum, on the fee without a filter (on the
    first one, where only groups have a price).

    Source: rules/usage 8.1.
    """
    candidates = sorted(used, key=lambda each: each.filter is not None) if charge.min_amount_cents else []
    parent = candidates[0] if candidates else None
    found = [(each, pricing.charge_fee(each, owner, taxes, kept=each is parent)) for each in used]
    fees = [fee for _, fee in found if fee is not None]
    if parent is None:
        return fees
    lacks = minimum.true_up_cents(
        charge.min_amount_cents,
        days=window.days_without_upgrade,
        of_days=window.of_days,
        fees_cents=sum(fee.amount_cents for fee in fees),
    )
    stands_on = next(fee for each, fee in found if each is parent and fee is not None)
    if not lacks:
        return [fee for fee in fees if fee is not stands_on or _is_shown(parent, fee)]
    true_up = pricing.true_up_fee(parent, stands_on, lacks, owner, taxes)
    linked = stands_on.model_copy(update={"true_up_fee_id": true_up.id})
    return [*(linked if fee is stands_on else fee for fee in fees), true_up]


def _is_shown(used: Used, fee: Fee) -> bool:
    return bool(used.units or fee.amount_cents or used.events_count)


def window_of(period: PeriodPart, zone: ZoneInfo) -> Window:
    """The range of usage that a row bills."""
    assert period.charges_start is not None
    assert period.charges_end is not None
    span = periods.Span(period.charges_start, period.charges_end)
    days = period.usage_days
    first = days.first if days else periods.local_date(span.start, zone)
    last = days.last if days else periods.local_date(span.end, zone)
    of_days = (days.whole_end - days.whole_start).days if days else (last - first).days + 1
    return Window(span, zone, of_days, first, last, upgraded=period.exact_end)


def _fixed_charge_fees(context: BillingContext, owner: LineItemContext, known: _Known) -> list[Fee]:
    deductions = dict(owner.period.fixed_deductions)
    fees = []
    for fixed, add_on in active_parts.live_fixed_charges(owner.plan, known.add_ons):
        days = owner.period.fixed_advance if fixed.pay_in_advance else owner.period.fixed_arrears
        if days is None:
            continue
        billed = _billed(fixed, days, owner, context.zone)
        if billed.units == _last_units(fixed, owner.period):
            continue  # Other units changed, not these.
        deducted = deductions.pop(add_on.id, 0) if fixed.prorated and fixed.pay_in_advance else 0
        owed = known.taxes.of(fixed.tax_ids, owner.plan.tax_ids)
        fee = pricing.fixed_charge_fee(billed, fixed, add_on, days, owner, owed, deducted_cents=deducted)
        fees += [fee] if fee else []
    return fees


def _billed(
    fixed: FixedCharge, part: DaysPart, owner: LineItemContext, zone: ZoneInfo
) -> fixed_charges.PricedFixedCharge:
    model = ChargeModel(fixed.charge_model)
    charge = fixed_charges.FixedCharge(
        model=model,
        properties=charge_properties.parse(model, fixed.properties),
        prorated=fixed.prorated,
        first_units=Decimal(fixed.first_units),
        changes=tuple(
            fixed_charges.UnitsChange(Decimal(change.units), change.at, change.immediately) for change in fixed.changes
        ),
    )
    days = _days(part)
    plan_terms, life = schedule.terms_of(owner.plan), schedule.life_of(owner.subscription)
    paid = owner.period.fixed_paid_units
    if paid is None:
        return fixed_charges.billed(charge, plan_terms, life, days, known_at=owner.now, zone=zone)
    # Units paid before the subscription got a plan of its own were paid for the plan's charge.
    units = max(Decimal(paid.get(charge_id or "", "0")) for charge_id in (fixed.id, fixed.parent_id))
    return fixed_charges.exceeding(charge, plan_terms, life, days, paid_units=units, known_at=owner.now, zone=zone)


def _days(part: DaysPart) -> Days:
    whole = periods.Period(part.whole_start, part.whole_end)
    return Days(periods.Span(part.start, part.end), part.first, part.last, whole)


def _last_units(fixed: FixedCharge, period: PeriodPart) -> Decimal | None:
    """The units for which a fixed charge was billed last, on a row of changed units only."""
    known = period.fixed_last_units
    units = known.get(fixed.id, known.get(fixed.parent_id or ""))
    return None if units is None else Decimal(units)


def _commitment_fees(context: BillingContext, owner: LineItemContext, known: _Known, own: Sequence[Fee]) -> list[Fee]:
    """The true-up of the period settled here, over all fees that were billed for it, on earlier invoices too."""
    commitment, part = owner.plan.minimum_commitment, owner.period.commitment
    if commitment is None or part is None:
        return []
    days = _days(part)
    earlier: list[Fee] = []
    for invoice_id in owner.period.earlier_invoices:
        invoice = invoice_reading.get(context.organization.id, InvoiceId(invoice_id))
        if invoice is not None and invoice.status != "voided":
            earlier += invoice_reading.fees_of(context.organization.id, invoice)
    counted = [fee for fee in (*earlier, *own) if _counts(fee, owner.subscription, days, context.zone)]
    in_advance = _paid_in_advance_cents(context, owner.subscription, days)
    if not any(fee.type == "subscription" for fee in counted):
        return []  # Nothing was owed yet: a trial over the whole of it, or a start in the past.
    lacks = commitments.true_up_cents(
        commitment.amount_cents,
        days=days.number,
        of_days=days.whole.days,
        fees_cents=sum(fee.amount_cents for fee in counted) + in_advance,
    )
    fee = pricing.commitment_fee(lacks, owner, known.taxes.of(commitment.tax_ids, owner.plan.tax_ids))
    return [fee] if fee else []


def _counts(fee: Fee, subscription: Subscription, days: Days, zone: ZoneInfo) -> bool:
    """Whether a fee was billed for a period."""
    if fee.subscription_id != subscription.id or fee.type not in ("subscription", "charge", "fixed_charge"):
        return False
    return commitments.counts_for(days.whole, fee.start, fee.end, zone)


def _paid_in_advance_cents(context: BillingContext, subscription: Subscription, days: Days) -> int:
    """The amount that events and renewals paid for a period, without an invoice of a billing day."""
    low, high = (periods.start_of_day(day, context.zone) for day in (days.whole.start, days.whole.end))
    paid = fee_service.paid_between(context.organization.id, subscription.id, low - ZONE_MOVE, high)
    return sum(each.cents for each in paid if commitments.counts_for(days.whole, each.start, each.end, context.zone))
