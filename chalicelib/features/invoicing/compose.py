"""Issuing invoices: fees are written under a build that nobody reads yet, then one transaction flips the invoice.

The flip takes everything that must agree: the subscriptions (whose versions hold which periods are billed), the customer's
billing state with its number, the next task, totals and the announcement. A crash before it leaves nothing visible;
after it, nothing is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.domain import periods
from chalicelib.domain.fixed_charges import already_paid_cents
from chalicelib.domain.invoicing import dates, numbers
from chalicelib.domain.invoicing.totals import VERSION_NUMBERS, TaxedFee, Totals, totals
from chalicelib.domain.subscriptions import IN_ADVANCE_CHARGE, IN_ADVANCE_CHARGE_PERIODIC, BillingLine, Days
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.customers.records import BillingState
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices.records import AppliedTaxPart, CreditPart, DaysPart, Fee, Invoice, PeriodPart
from chalicelib.features.organizations import store as organization_store
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.features.subscriptions.lifecycle import Outcome
from chalicelib.features.subscriptions.records import FixedPaid
from chalicelib.platform import counters
from chalicelib.platform.ids import InvoiceId, derived_id, new_id
from chalicelib.platform.unit import Write

# Invoices numbered per customer, counted for the day on which an organization goes over to one sequence.
NUMBERED = "invoices-numbered-per-customer"


def period_part(outcome: Outcome, row: BillingLine, *, kept_metric_ids: Sequence[str] = ()) -> PeriodPart:
    """A row of billing as an invoice keeps it. `kept_metric_ids`: metrics of the plan that follows an upgrade."""
    subscription, fee = outcome.after, row.fee
    delta = row.reason == IN_ADVANCE_CHARGE and outcome.before.units_changed_at is not None
    paid = subscription.fixed_paid
    return PeriodPart(
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        plan_id=outcome.plan.id,
        reason=row.reason,
        start=row.period.start,
        end=row.period.end,
        charges_start=row.charges.start if row.charges else None,
        charges_end=row.charges.end if row.charges else None,
        bills_usage=row.bills_usage,
        exact_end=row.exact_end,
        fee_start=fee.span.start if fee else None,
        fee_end=fee.span.end if fee else None,
        fee_days=fee.days if fee else None,
        fee_of_days=fee.of_days if fee else None,
        fee_period_start=fee.whole.start if fee else None,
        fee_period_end=fee.whole.end if fee else None,
        usage_days=_days_part(row.usage_days),
        fixed_start=row.fixed.start if row.fixed else None,
        fixed_end=row.fixed.end if row.fixed else None,
        fixed_arrears=_days_part(row.fixed_arrears),
        fixed_advance=_days_part(row.fixed_advance),
        fixed_paid_units=_paid_units(paid, row.fixed_advance) if delta else None,
        fixed_last_units={each.charge_id: each.units for each in paid} if delta else {},
        fixed_deductions={} if delta else _deductions(subscription.fixed_carried, row.fixed_advance),
        commitment=_days_part(row.commitment),
        kept_metric_ids=tuple(kept_metric_ids),
        earlier_invoices=subscription.period_invoices if row.commitment else (),
        renewal=_days_part(row.renewed) if outcome.plan.charges_in_advance else None,
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
    """The most units of each fixed charge that were paid for in the running period."""
    units: dict[str, str] = {}
    for each in paid:
        if days is not None and each.end == days.whole.end:
            units[each.charge_id] = str(max(Decimal(each.units), Decimal(units.get(each.charge_id, "0"))))
    return units


def _deductions(carried: Sequence[FixedPaid], days: Days | None) -> dict[str, int]:
    """By add-on, what the plan before an upgrade was paid for the days that are left."""
    sums: dict[str, int] = {}
    for each in carried if days is not None else ():
        assert days is not None
        left, paid_days = (each.end - days.first).days, (each.end - each.first).days
        cents = already_paid_cents(each.amount_cents, days_left=left, paid_days=paid_days)
        sums[each.add_on_id] = sums.get(each.add_on_id, 0) + cents
    return sums


def bills_in_advance_only(lines: Sequence[InvoicedSubscription]) -> bool:
    """Whether an invoice has charges in advance and nothing of a billing day."""
    return all(line.period.reason in (IN_ADVANCE_CHARGE, IN_ADVANCE_CHARGE_PERIODIC) for line in lines)


def has_no_grace(account: BillingContext, lines: Sequence[InvoicedSubscription]) -> bool:
    """Whether an invoice is final at once: charges in advance are, and what ends with its plan or customer.

    Source: rules/invoices 1; rules/catalog 2.2.
    """
    gone = account.customer.deleted_at is not None or any(line.plan.deleted_at is not None for line in lines)
    return account.grace_days == 0 or gone or bills_in_advance_only(lines)


def drafted(
    account: BillingContext,
    lines: Sequence[InvoicedSubscription],
    fees: Sequence[Fee],
    *,
    invoice_id: InvoiceId,
    now: datetime,
) -> Invoice:
    """The invoice before anything is decided about its number and state: amounts, dates and boundaries."""
    sums = sums_of(fees)
    configuration = account.customer.billing_configuration
    anchor = configuration.subscription_invoice_issuing_date_anchor or dates.NEXT_PERIOD_START
    day = dates.document_dates(
        periods.local_date(now, account.zone),
        grace_days=0 if has_no_grace(account, lines) else account.grace_days,
        net_payment_term_days=account.net_payment_term,
        anchor=dates.NEXT_PERIOD_START if bills_in_advance_only(lines) else anchor,
        adjustment=configuration.subscription_invoice_issuing_date_adjustment or dates.ALIGN,
    )
    return Invoice(
        id=invoice_id,
        created_at=now,
        updated_at=now,
        customer_id=account.customer.id,
        external_customer_id=account.customer.external_id,
        invoice_type="subscription",
        status="draft",
        payment_status="pending",
        number=numbers.draft(account.organization.document_number_prefix),
        sequential_id=None,
        currency=lines[0].plan.amount_currency,
        timezone=account.zone.key,
        issuing_date=day.issuing_date,
        payment_due_date=day.payment_due_date,
        net_payment_term=account.net_payment_term,
        finalize_on=day.finalized_on,
        version_number=VERSION_NUMBERS[account.organization.billing_configuration.coupon_application],
        periods=tuple(line.period for line in lines),
        build=new_id(),
        customer_search=CUSTOMERS.search(account.customer),
        **amounts(sums, invoice_id),
    )


def sums_of(fees: Sequence[Fee], notes: Sequence[CreditNote] = ()) -> Totals:
    """The totals of these fees, less what these credit notes hold."""
    taxed = [TaxedFee(fee.amount_cents, tuple(part.tax for part in fee.applied_taxes)) for fee in fees]
    return totals(taxed, [note.balance_amount_cents for note in notes])


def amounts(sums: Totals, invoice_id: InvoiceId) -> dict[str, object]:
    """Totals as an invoice keeps them."""
    return {
        "fees_amount_cents": sums.fees_amount_cents,
        "coupons_amount_cents": sums.coupons_amount_cents,
        "taxes_amount_cents": sums.taxes.amount_cents,
        "taxes_rate": format(sums.taxes.rate.normalize(), "f"),
        "sub_total_excluding_taxes_amount_cents": sums.sub_total_excluding_taxes_amount_cents,
        "sub_total_including_taxes_amount_cents": sums.sub_total_including_taxes_amount_cents,
        "credit_notes_amount_cents": sums.credit_notes_amount_cents,
        "prepaid_credit_amount_cents": sums.prepaid_credit_amount_cents,
        "total_amount_cents": sums.total_amount_cents,
        "applied_taxes": tuple(
            AppliedTaxPart.of(each, derived_id(invoice_id, "tax", each.tax.id or each.tax.code))
            for each in sums.taxes.applied
        ),
    }


@dataclass(frozen=True, slots=True)
class Finalized:
    """An invoice made final, and what changes with it: the billing state that drew its number, the actions of the number,
    and what it took of which credit notes."""

    invoice: Invoice
    state: BillingState
    actions: tuple[Write, ...] = ()
    taken: tuple[tuple[str, int], ...] = ()


def finalized(account: BillingContext, draft: Invoice, fees: Sequence[Fee], *, now: datetime) -> Finalized:
    """The invoice made final: credits taken, number, sequence and payment status.

    Both sequences count every numbered invoice, whichever mode numbered it. Source: rules/invoices 3, 7.3, 9.
    """
    organization, state = account.organization, account.state
    if draft.fees_amount_cents == 0 and account.skips_zero_invoices:
        closed = draft.model_copy(update={"status": "closed", "finalized_at": now, "updated_at": now})
        return Finalized(closed, state)
    usable = [n for n in account.notes if n.currency == draft.currency and n.invoice_id != draft.id]
    usable = usable[: limits.CREDIT_NOTES_PER_INVOICE_MAX]
    sums = sums_of(fees, usable)
    taken = [(note, cents) for note, cents in zip(usable, sums.taken_from_notes, strict=True) if cents]
    sequence = state.invoices + 1
    number = numbers.per_customer(organization.document_number_prefix, account.customer.sequential_id, sequence)
    if organization.document_numbering == "per_organization":
        # One sequence: it goes on from all that were numbered before, in either mode.
        per_customer = counters.total(organization.id, NUMBERED)
        seen = organization_store.numbers(organization.id)["invoices"]
        finalized_on = periods.local_date(now, ZoneInfo(organization.timezone))
        number = numbers.per_organization(organization.document_number_prefix, finalized_on, per_customer + seen + 1)
        actions = [organization_store.number_action(organization.id, "invoices", seen=seen)]
    else:
        # Spread counters, as every invoice moves them: one row would make all of an organization's invoices conflict.
        actions = counters.moved(organization.id, NUMBERED, draft.id, {"all": 1})
    final = draft.model_copy(
        update={
            "status": "finalized",
            "number": number,
            "sequential_id": sequence,
            **amounts(sums, draft.id),
            "credits": tuple(_credit(draft.id, note, cents) for note, cents in taken),
            "payment_status": "succeeded" if sums.total_amount_cents == 0 else "pending",
            "finalized_at": now,
            "updated_at": now,
        }
    )
    numbered = state.model_copy(update={"invoices": sequence})
    return Finalized(final, numbered, tuple(actions), tuple((note.id, cents) for note, cents in taken))


def _credit(invoice_id: InvoiceId, note: CreditNote, cents: int) -> CreditPart:
    return CreditPart(
        id=derived_id(invoice_id, "credit", note.id),
        amount_cents=cents,
        note_id=note.id,
        note_number=note.number,
        note_invoice_number=note.invoice_number,
    )
