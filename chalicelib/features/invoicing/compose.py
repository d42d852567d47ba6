"""Composing an invoice: its rows with their boundaries, its dates and its amounts, before it is issued."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from chalicelib.domain import fixed_charges, periods
from chalicelib.domain.billing_line import IN_ADVANCE_CHARGE, IN_ADVANCE_CHARGE_PERIODIC, BillingLine, Days
from chalicelib.domain.invoicing import dates, numbers
from chalicelib.domain.invoicing.coupons import shares_of_fees
from chalicelib.domain.invoicing.dates import DocumentDates
from chalicelib.domain.invoicing.steps import (
    AFTER_TAX,
    BEFORE_TAX,
    NO_CREDITS,
    VERSION_NUMBERS,
    Credits,
    TaxedFee,
    Totals,
    totals,
)
from chalicelib.domain.invoicing.taxes import fee_taxes
from chalicelib.domain.money import to_decimal
from chalicelib.features.credits.wallets import bucket_of
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices import amounts
from chalicelib.features.invoices.parts import AppliedTaxPart, DaysPart, PeriodPart
from chalicelib.features.invoices.records import Fee, Invoice, InvoiceType
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.features.subscriptions.lifecycle import Outcome
from chalicelib.features.subscriptions.records import FixedPaid
from chalicelib.platform.ids import InvoiceId, new_id


def period_part(outcome: Outcome, line: BillingLine, *, kept_metric_ids: Sequence[str] = ()) -> PeriodPart:
    """A row of billing as an invoice keeps it. `kept_metric_ids`: metrics of the plan that follows an upgrade."""
    subscription, fee = outcome.after, line.fee
    delta = line.reason == IN_ADVANCE_CHARGE and outcome.before.units_changed_at is not None
    paid = subscription.fixed_paid
    return PeriodPart(
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        plan_id=outcome.plan.id,
        parent_plan_id=outcome.plan.parent_id,
        reason=line.reason,
        start=line.period.start,
        end=line.period.end,
        charges_start=line.charges.start if line.charges else None,
        charges_end=line.charges.end if line.charges else None,
        bills_usage=line.bills_usage,
        exact_end=line.exact_end,
        fee_start=fee.span.start if fee else None,
        fee_end=fee.span.end if fee else None,
        fee_days=fee.days if fee else None,
        fee_of_days=fee.of_days if fee else None,
        fee_period_start=fee.whole.start if fee else None,
        fee_period_end=fee.whole.end if fee else None,
        usage_days=_days_part(line.usage_days),
        fixed_start=line.fixed.start if line.fixed else None,
        fixed_end=line.fixed.end if line.fixed else None,
        fixed_arrears=_days_part(line.fixed_arrears),
        fixed_advance=_days_part(line.fixed_advance),
        fixed_paid_units=_paid_units(paid, line.fixed_advance) if delta else None,
        fixed_last_units={each.charge_id: each.units for each in paid} if delta else {},
        fixed_deductions={} if delta else _deductions(subscription.fixed_carried, line.fixed_advance),
        commitment=_days_part(line.commitment),
        kept_metric_ids=tuple(kept_metric_ids),
        earlier_invoices=subscription.period_invoices if line.commitment else (),
        renewal=_days_part(line.renewed) if outcome.plan.charges_in_advance else None,
    )


def _days_part(days: Days | None) -> DaysPart | None:
    if days is None:
        return None
    return DaysPart(
        start=days.span.start,
        end=days.span.end,
        first=days.first,
        last=days.last,
        whole_start=days.whole.start,
        whole_end=days.whole.end,
    )


def _paid_units(paid: Sequence[FixedPaid], days: Days | None) -> dict[str, str]:
    units = {} if days is None else fixed_charges.most_paid_units(paid, period_end=days.whole.end)
    return {charge_id: str(most) for charge_id, most in units.items()}


def _deductions(carried: Sequence[FixedPaid], days: Days | None) -> dict[str, int]:
    return {} if days is None else fixed_charges.deductions_cents(carried, first=days.first)


def bills_in_advance_only(lines: Sequence[InvoicedSubscription]) -> bool:
    """Whether an invoice has charges in advance and nothing of a billing day."""
    return all(line.period.reason in (IN_ADVANCE_CHARGE, IN_ADVANCE_CHARGE_PERIODIC) for line in lines)


def has_no_grace(context: BillingContext, lines: Sequence[InvoicedSubscription]) -> bool:
    """Whether an invoice is final at once: charges in advance are, and what ends with its plan or customer.

    Source: rules/invoices 1; rules/catalog 2.2.
    """
    gone = context.customer.deleted_at is not None or any(line.plan.deleted_at is not None for line in lines)
    return context.grace_days == 0 or gone or bills_in_advance_only(lines)


def drafted(
    context: BillingContext,
    lines: Sequence[InvoicedSubscription],
    fees: Sequence[Fee],
    *,
    invoice_id: InvoiceId,
    now: datetime,
) -> Invoice:
    """The invoice before anything is decided about its number and state: amounts, dates and boundaries."""
    configuration = context.customer.billing_configuration
    anchor = configuration.subscription_invoice_issuing_date_anchor or dates.NEXT_PERIOD_START
    day = dates.document_dates(
        periods.local_date(now, context.zone),
        grace_days=0 if has_no_grace(context, lines) else context.grace_days,
        net_payment_term_days=context.net_payment_term,
        anchor=dates.NEXT_PERIOD_START if bills_in_advance_only(lines) else anchor,
        adjustment=configuration.subscription_invoice_issuing_date_adjustment or dates.ALIGN,
    )
    plain = _unissued(context, "subscription", fees, day, lines[0].plan.amount_currency, invoice_id, now=now)
    return plain.model_copy(update={"periods": tuple(line.period for line in lines)})


def without_grace(
    context: BillingContext,
    invoice_type: InvoiceType,
    fees: Sequence[Fee],
    currency: str,
    invoice_id: InvoiceId,
    *,
    now: datetime,
) -> Invoice:
    """An invoice of no subscription before it has a number: without a grace period, whatever the customer's is."""
    day = dates.document_dates(
        periods.local_date(now, context.zone), grace_days=0, net_payment_term_days=context.net_payment_term
    )
    return _unissued(context, invoice_type, fees, day, currency, invoice_id, now=now)


def _unissued(
    context: BillingContext,
    invoice_type: InvoiceType,
    fees: Sequence[Fee],
    day: DocumentDates,
    currency: str,
    invoice_id: InvoiceId,
    *,
    now: datetime,
) -> Invoice:
    return Invoice(
        id=invoice_id,
        created_at=now,
        updated_at=now,
        customer_id=context.customer.id,
        external_customer_id=context.customer.external_id,
        invoice_type=invoice_type,
        status="draft",
        payment_status="pending",
        number=draft_number(context),
        sequential_id=None,
        currency=currency,
        timezone=context.zone.key,
        issuing_date=day.issuing_date,
        payment_due_date=day.payment_due_date,
        net_payment_term=context.net_payment_term,
        finalize_on=day.finalized_on,
        version_number=VERSION_NUMBERS[context.organization.billing_configuration.coupon_application],
        periods=(),
        build=new_id(),
        customer_search=CUSTOMERS.search(context.customer),
        **amounts.of(sums_of(fees), invoice_id),
    )


def draft_number(context: BillingContext) -> str:
    """The number of an invoice that has none of its own yet. Source: rules/invoices 9."""
    return numbers.draft(context.organization.document_number_prefix)


def sums_of(fees: Sequence[Fee], credits: Credits = NO_CREDITS, mode: str = AFTER_TAX) -> Totals:
    """The totals of these fees, lowered by these credits. `mode`: whether coupons come before or after tax."""
    return totals([taxed(fee) for fee in fees], credits, mode)


def discounted(fees: Sequence[Fee], sums: Totals, mode: str) -> list[Fee]:
    """The fees with their shares of the invoice's coupons; before tax, with the taxes of what these leave."""
    if not sums.discounts:
        return list(fees)
    shares = zip(fees, shares_of_fees(sums.discounts, len(fees)), strict=True)
    if mode == BEFORE_TAX:
        return [_with_share(fee, share) for fee, share in shares]
    return [fee.model_copy(update={"late_coupon_share_cents": str(share)}) for fee, share in shares]


def _with_share(fee: Fee, share_cents: Fraction) -> Fee:
    found = fee_taxes(fee.amount_cents - share_cents, [part.tax for part in fee.applied_taxes])
    parts = zip(fee.applied_taxes, found.applied, strict=True)
    return fee.model_copy(
        update={
            "coupon_share_cents": str(share_cents),
            "taxes_amount_cents": found.amount_cents,
            "taxes_precise_cents": format(to_decimal(found.precise_cents), "f"),
            "applied_taxes": tuple(AppliedTaxPart.of(tax, part.id) for part, tax in parts),
        }
    )


def taxed(fee: Fee) -> TaxedFee:
    """A fee as the computation of totals sees it."""
    return TaxedFee(fee.amount_cents, tuple(part.tax for part in fee.applied_taxes), bucket_of(fee))
