"""Past usage of a subscription, from the stored fees of its invoices. Source: rules/usage 9."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.usage import Priced
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics.groups import Dimensions
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.parts import PeriodPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Charge, ChargeFilter
from chalicelib.features.rating.metered import Used
from chalicelib.features.usage_views import shape as usage_shape
from chalicelib.features.usage_views.shape import PricedUsage
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import ChargeId, CustomerId, OrganizationId
from chalicelib.platform.timestamps import iso

# The keys of an amount's details identify the model of a charge that has left its plan.
_MODELS = {
    "graduated_ranges": "graduated",
    "graduated_percentage_ranges": "graduated_percentage",
    "per_package_size": "package",
    "rate": "percentage",
    "flat_unit_amount": "volume",
}


@dataclass(frozen=True, slots=True)
class _InvoicedRange:
    """A range of usage on an invoice."""

    invoice: Invoice
    period: PeriodPart


def page(call: Call, customer: Customer) -> tuple[list[dict[str, Any]], dict[str, int | None]]:
    """One page of `usage_periods`, newest first, and its `meta`.

    Raises: Invalid, without a subscription or for a count that is none; NotFound, for an unknown metric.
    """
    external_id = call.one("external_subscription_id")
    if external_id is None:
        raise Invalid.field("external_subscription_id", ErrorCode.VALUE_IS_MANDATORY)
    code = call.one("billable_metric_code")
    metric = None if code is None else metrics.find(call.organization.id, code)
    wanted = listing.wanted(call)
    found = _periods_of(call.organization.id, customer.id, external_id)[: parameters.count(call, "periods_count")]
    chosen = found[(wanted.number - 1) * wanted.size : wanted.number * wanted.size]
    return [_show(call.organization.id, each, metric) for each in chosen], listing.meta(wanted, len(found))


def _periods_of(
    organization_id: OrganizationId, customer_id: CustomerId, external_subscription_id: str
) -> list[_InvoicedRange]:
    """All ranges of usage that were billed for an external id, the latest first."""
    found = [
        _InvoicedRange(invoice, period)
        for invoice in invoices.of_customer(organization_id, customer_id)
        for period in invoice.periods
        if period.external_subscription_id == external_subscription_id and _has_usage(period)
    ]
    return sorted(found, key=lambda each: (each.period.charges_start, each.invoice.created_at), reverse=True)


def _has_usage(period: PeriodPart) -> bool:
    """Whether a row has boundaries of usage: a first invoice in advance has empty ones."""
    start, end = period.charges_start, period.charges_end
    return start is not None and end is not None and (period.bills_usage or start < end)


def _show(organization_id: OrganizationId, billed: _InvoicedRange, only: Metric | None) -> dict[str, Any]:
    invoice, period = billed.invoice, billed.period
    assert period.charges_start is not None
    assert period.charges_end is not None
    last = period.charges_end if period.exact_end else period.charges_end - timedelta(seconds=1)
    fees = invoices.fees_of(organization_id, invoice)
    taxes_cents = sum(fee.taxes_amount_cents for fee in fees)
    return {
        "from_datetime": iso(period.charges_start),
        "to_datetime": iso(max(period.charges_start, last)),
        "issuing_date": invoice.issuing_date.isoformat(),
        "lago_invoice_id": invoice.id,
        "currency": invoice.currency,
        "amount_cents": invoice.fees_amount_cents,
        "amount_currency": invoice.currency,
        "taxes_amount_cents": taxes_cents,
        "vat_amount_cents": taxes_cents,
        "total_amount_cents": invoice.fees_amount_cents + taxes_cents,
        "total_amount_currency": invoice.currency,
        "charges_usage": _charges(organization_id, billed, fees, only),
    }


def _charges(
    organization_id: OrganizationId, billed: _InvoicedRange, fees: Sequence[Fee], only: Metric | None
) -> list[dict[str, Any]]:
    """The charges with usage, in the order of their fees. What was owed beyond usage (true-ups) is no usage."""
    by_charge: dict[ChargeId, list[Fee]] = {}
    for fee in fees:
        own = fee.subscription_id == billed.period.subscription_id
        if own and fee.charge_id is not None and fee.true_up_parent_id is None:
            by_charge.setdefault(fee.charge_id, []).append(fee)
    if not by_charge:
        return []
    plan = plans.by_ids(organization_id, [billed.period.plan_id])[billed.period.plan_id]
    charges = {charge.id: charge for charge in plan.charges}
    known = metrics.by_ids(organization_id, [members[0].item_id for members in by_charge.values()])
    shown = []
    for charge_id, members in by_charge.items():
        metric = known[members[0].item_id]
        if only is None or metric.id == only.id:
            charge = _as_billed(charges.get(charge_id), members, metric)
            parts = [_billed(charge, metric, fee) for fee in members]
            shown.append(usage_shape.charge_usage(charge, metric, parts, billed.invoice.currency))
    return shown


def _as_billed(charge: Charge | None, fees: Sequence[Fee], metric: Metric) -> Charge:
    """The charge with the filters that its fees have, whatever has become of it since."""
    first = fees[0]
    if charge is None:
        model = next((name for key, name in _MODELS.items() if key in first.details), "standard")
        charge = Charge(
            id=str(first.charge_id),
            code=first.item_code,
            metric_id=first.item_id,
            charge_model=model,
            created_at=first.created_at,
            properties={},
            invoice_display_name=None if first.display_name == first.item_name else first.display_name,
        )
    filters = {each.id: each for each in charge.filters}
    for fee in fees:
        if fee.charge_filter_id is not None:
            filters[fee.charge_filter_id] = _filter_of(fee, filters.get(fee.charge_filter_id), metric)
    return charge.model_copy(update={"filters": tuple(filters.values())})


def _filter_of(fee: Fee, known: ChargeFilter | None, metric: Metric) -> ChargeFilter:
    values = fee.filter_values or {}
    return ChargeFilter(
        id=str(fee.charge_filter_id),
        invoice_display_name=fee.filter_display_name,
        properties={},
        values=values,
        group_id=known.group_id if known else Dimensions(metric).group_id(values),
    )


def _billed(charge: Charge, metric: Metric, fee: Fee) -> PricedUsage:
    used = Used(
        charge=charge,
        metric=metric,
        filter=next((each for each in charge.filters if each.id == fee.charge_filter_id), None),
        group=tuple(fee.grouped_by.items()),
        units=Decimal(fee.units),
        total_units=Decimal(fee.total_units),
        events_count=fee.events_count or 0,
        priced=Priced(Decimal(fee.precise_amount_cents), Decimal(fee.unit_amount), fee.details),
    )
    return PricedUsage(used, fee.amount_cents)
