"""Invoices and fees as the API shows them: half-open ranges end a second earlier here, and only here."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from chalicelib.domain.charges import ranges
from chalicelib.domain.money import CONTEXT, decimal_string, exponent, round_half_up
from chalicelib.features.invoices.parts import AppliedTaxPart, CouponPart, CreditPart, PeriodPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform.timestamps import iso, iso_or_none

_SHARE_DECIMALS = 5


def summary(
    invoice: Invoice, customer: Mapping[str, Any], *, file_url: str | None = None, wallet_cents: int = 0
) -> dict[str, Any]:
    """An invoice as lists show it. `wallet_cents`: what is left in the wallet whose credits it sold."""
    return {
        "lago_id": invoice.id,
        "billing_entity_code": "default",
        "sequential_id": invoice.sequential_id,
        "number": invoice.number,
        "issuing_date": invoice.issuing_date.isoformat(),
        "expected_finalization_date": invoice.finalize_on.isoformat(),
        "payment_due_date": invoice.payment_due_date.isoformat(),
        "net_payment_term": invoice.net_payment_term,
        "payment_overdue": invoice.payment_overdue,
        "payment_dispute_lost_at": iso_or_none(invoice.payment_dispute_lost_at),
        "invoice_type": invoice.invoice_type,
        "status": invoice.status,
        "payment_status": invoice.payment_status,
        "currency": invoice.currency,
        "fees_amount_cents": invoice.fees_amount_cents,
        "coupons_amount_cents": invoice.coupons_amount_cents,
        "credit_notes_amount_cents": invoice.credit_notes_amount_cents,
        "prepaid_credit_amount_cents": invoice.prepaid_credit_amount_cents,
        "prepaid_granted_credit_amount_cents": _prepaid(invoice, granted=True),
        "prepaid_purchased_credit_amount_cents": _prepaid(invoice, granted=False),
        "progressive_billing_credit_amount_cents": 0,
        "taxes_amount_cents": invoice.taxes_amount_cents,
        "taxes_rate": Decimal(invoice.taxes_rate),
        "sub_total_excluding_taxes_amount_cents": invoice.sub_total_excluding_taxes_amount_cents,
        "sub_total_including_taxes_amount_cents": invoice.sub_total_including_taxes_amount_cents,
        "total_amount_cents": invoice.total_amount_cents,
        "total_paid_amount_cents": invoice.total_paid_amount_cents,
        "total_due_amount_cents": invoice.due_amount_cents,
        "total_offsetted_credit_note_amount_cents": invoice.offset_amount_cents,
        "creditable_amount_cents": invoice.creditable_cents,
        "refundable_amount_cents": invoice.refundable_cents(wallet_cents),
        "version_number": invoice.version_number,
        "self_billed": False,
        "voided_at": iso_or_none(invoice.voided_at),
        "file_url": file_url,
        "web_url": None,
        "xml_url": None,
        "created_at": iso(invoice.created_at),
        "updated_at": iso(invoice.updated_at),
        "customer": dict(customer),
        "metadata": [
            {"lago_id": pair.id, "key": pair.key, "value": pair.value, "created_at": iso(pair.created_at)}
            for pair in invoice.metadata
        ],
        "applied_taxes": [_invoice_tax(invoice, tax) for tax in invoice.applied_taxes],
        "applied_invoice_custom_sections": [],
        "applied_usage_thresholds": [],
        **_legacy(invoice),
    }


def extended(
    invoice: Invoice,
    customer: Mapping[str, Any],
    subscriptions: Sequence[Mapping[str, Any]],
    fees: Sequence[Fee],
    *,
    file_url: str | None = None,
    wallet_cents: int = 0,
) -> dict[str, Any]:
    """An invoice as single answers and messages show it."""
    return summary(invoice, customer, file_url=file_url, wallet_cents=wallet_cents) | {
        "subscriptions": list(subscriptions),
        "billing_periods": [_period(period) for period in invoice.periods],
        "fees": [fee(each, invoice.payment_status) for each in fees],
        "credits": [
            *(_credit(part, invoice) for part in invoice.credits),
            *(coupon_credit(part, invoice) for part in invoice.coupons),
        ],
        "error_details": [],
        "preview_coupons": [],
    }


def fee(fee: Fee, payment_status: str) -> dict[str, Any]:
    """A fee; `lago_group_id` only where it is for a group of the legacy API."""
    units_of_currency = Decimal(1).scaleb(-exponent(fee.currency))
    precise, taxes = Decimal(fee.precise_amount_cents), Decimal(fee.taxes_precise_cents)
    group = {} if fee.group_id is None else {"lago_group_id": fee.group_id}
    return {
        "lago_id": fee.id,
        "lago_charge_id": fee.charge_id,
        "lago_charge_filter_id": fee.charge_filter_id,
        **group,
        "lago_fixed_charge_id": fee.fixed_charge_id,
        "lago_invoice_id": fee.invoice_id,
        "lago_true_up_fee_id": fee.true_up_fee_id,
        "lago_true_up_parent_fee_id": fee.true_up_parent_id,
        "lago_subscription_id": fee.subscription_id,
        "lago_customer_id": fee.customer_id,
        "external_customer_id": fee.external_customer_id,
        "external_subscription_id": fee.external_subscription_id,
        "amount_cents": fee.amount_cents,
        "precise_amount": decimal_string(CONTEXT.multiply(precise, units_of_currency)),
        "precise_total_amount": decimal_string(CONTEXT.multiply(CONTEXT.add(precise, taxes), units_of_currency)),
        "amount_currency": fee.currency,
        "taxes_amount_cents": fee.taxes_amount_cents,
        "taxes_precise_amount": decimal_string(CONTEXT.multiply(taxes, units_of_currency)),
        "taxes_rate": Decimal(fee.taxes_rate),
        "total_amount_cents": fee.amount_cents + fee.taxes_amount_cents,
        "total_amount_currency": fee.currency,
        "units": fee.units,
        "total_aggregated_units": fee.total_units,
        "precise_unit_amount": fee.unit_amount,
        "events_count": fee.events_count,
        "pay_in_advance": fee.pay_in_advance,
        "invoiceable": fee.invoiceable,
        "from_date": iso(fee.start),
        "to_date": _shown_end(fee.start, fee.end, exact=fee.exact_end),
        "payment_status": payment_status,
        "created_at": iso(fee.created_at),
        "succeeded_at": iso_or_none(fee.succeeded_at),
        "failed_at": iso_or_none(fee.failed_at),
        "refunded_at": iso_or_none(fee.refunded_at),
        "event_transaction_id": fee.event_transaction_id,
        "description": fee.item_description,
        "precise_coupons_amount_cents": _precise(fee.coupon_share),
        "sub_total_excluding_taxes_amount_cents": round_half_up(fee.amount_cents - fee.coupon_share),
        "sub_total_excluding_taxes_precise_amount_cents": _precise(Fraction(precise) - fee.coupon_share)
        if fee.coupon_share
        else decimal_string(precise),
        "amount_details": ranges.numbered(fee.details),
        "self_billed": False,
        "item": {
            "type": fee.type,
            "code": fee.item_code,
            "name": fee.item_name,
            "description": fee.item_description,
            "invoice_display_name": fee.display_name,
            "filters": fee.filter_values,
            "filter_invoice_display_name": fee.filter_display_name,
            "lago_item_id": fee.item_id,
            "item_type": fee.item_type,
            "grouped_by": dict(fee.grouped_by),
        },
        "applied_taxes": [
            _tax(tax, fee.currency, fee.created_at) | {"lago_fee_id": fee.id} for tax in fee.applied_taxes
        ],
        "vat_amount_cents": fee.taxes_amount_cents,
        "vat_amount_currency": fee.currency,
    }


def _prepaid(invoice: Invoice, *, granted: bool) -> int | None:
    """The part of the prepaid credits that was granted, or purchased. Source: rules/invoices 8.3."""
    if not invoice.wallet_payments:
        return None
    given = sum(each.granted_cents for each in invoice.wallet_payments)
    return given if granted else invoice.prepaid_credit_amount_cents - given


def coupon_credit(part: CouponPart, invoice: Invoice) -> dict[str, Any]:
    """The credit that an invoice took of an applied coupon."""
    item = {
        "lago_item_id": part.coupon_id,
        "type": "coupon",
        "code": part.code,
        "name": part.name,
        "description": part.description,
    }
    return _credit_of(part, item, invoice, before_taxes=part.before_taxes)


def _credit(part: CreditPart, invoice: Invoice) -> dict[str, Any]:
    item = {
        "lago_item_id": part.note_id,
        "type": "credit_note",
        "code": part.note_number,
        "name": part.note_invoice_number,
        "description": None,
    }
    return _credit_of(part, item, invoice, before_taxes=False)


def _credit_of(
    part: CreditPart | CouponPart, item: dict[str, Any], invoice: Invoice, *, before_taxes: bool
) -> dict[str, Any]:
    return {
        "lago_id": part.id,
        "amount_cents": part.amount_cents,
        "amount_currency": invoice.currency,
        "before_taxes": before_taxes,
        "item": item,
        "invoice": {"lago_id": invoice.id, "payment_status": invoice.payment_status},
    }


def _precise(cents: Fraction) -> str:
    """Exact cents as the API shows those without a last digit: to five decimals."""
    return decimal_string(Decimal(round_half_up(cents * 10**_SHARE_DECIMALS)).scaleb(-_SHARE_DECIMALS, context=CONTEXT))


def _period(period: PeriodPart) -> dict[str, Any]:
    exact = period.exact_end
    return {
        "lago_subscription_id": period.subscription_id,
        "external_subscription_id": period.external_subscription_id,
        "lago_plan_id": period.plan_id,
        "subscription_from_datetime": iso(period.start),
        "subscription_to_datetime": _shown_end(period.start, period.end, exact=exact),
        "charges_from_datetime": iso_or_none(period.charges_start),
        "charges_to_datetime": _end_or_none(period.charges_start, period.charges_end, exact=exact),
        "fixed_charges_from_datetime": iso_or_none(period.fixed_start),
        "fixed_charges_to_datetime": _end_or_none(period.fixed_start, period.fixed_end, exact=exact),
        "invoicing_reason": period.reason,
    }


def _end_or_none(start: datetime | None, end: datetime | None, *, exact: bool) -> str | None:
    return None if start is None or end is None else _shown_end(start, end, exact=exact)


def _shown_end(start: datetime, end: datetime, *, exact: bool) -> str:
    """The end of a half-open range as the API shows it: its last second, but the exact instant at which a subscription
    ended; an empty range ends where it begins."""
    return iso(end if exact else max(start, end - timedelta(seconds=1)))


def _invoice_tax(invoice: Invoice, tax: AppliedTaxPart) -> dict[str, Any]:
    shown = _tax(tax, invoice.currency, invoice.created_at)
    return shown | {"lago_invoice_id": invoice.id, "fees_amount_cents": tax.base_cents}


def _tax(tax: AppliedTaxPart, currency: str, created_at: datetime) -> dict[str, Any]:
    return {
        "lago_id": tax.id,
        "lago_tax_id": tax.tax_id,
        "tax_name": tax.name,
        "tax_code": tax.code,
        "tax_rate": Decimal(tax.rate),
        "tax_description": tax.description,
        "amount_cents": tax.amount_cents,
        "amount_currency": currency,
        "created_at": iso(created_at),
    }


def _legacy(invoice: Invoice) -> dict[str, Any]:
    """Names of the legacy API, which old clients still read. Source: rules/invoices 3."""
    currency = invoice.currency
    return {
        "legacy": False,
        "amount_cents": invoice.fees_amount_cents,
        "amount_currency": currency,
        "vat_amount_cents": invoice.taxes_amount_cents,
        "vat_amount_currency": currency,
        "credit_amount_cents": invoice.coupons_amount_cents + invoice.credit_notes_amount_cents,
        "credit_amount_currency": currency,
        "total_amount_currency": currency,
        "sub_total_vat_excluded_amount_cents": invoice.sub_total_excluding_taxes_amount_cents,
        "sub_total_vat_included_amount_cents": invoice.sub_total_including_taxes_amount_cents,
    }
