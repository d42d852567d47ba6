"""Plans and their parts as the API shows them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges import ranges
from chalicelib.domain.money import decimal_string
from chalicelib.features.add_ons import service as add_ons
from chalicelib.features.add_ons.records import AddOn
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans import active_parts
from chalicelib.features.plans.records import Charge, ChargeFilter, FixedCharge, MinimumCommitment, Plan
from chalicelib.features.taxes import service as taxes
from chalicelib.features.taxes.records import Tax
from chalicelib.platform.collection import get_together
from chalicelib.platform.ids import OrganizationId, TaxId
from chalicelib.platform.timestamps import iso


@dataclass(frozen=True, slots=True)
class PlanReferences:
    """Objects that plans refer to, by id."""

    metrics: Mapping[str, Metric]
    add_ons: Mapping[str, AddOn]
    taxes: Mapping[TaxId, Tax]

    @classmethod
    def of(cls, organization_id: OrganizationId, plans: Sequence[Plan]) -> "PlanReferences":
        """All that these plans refer to, read in one request."""
        metrics, priced, known = get_together(
            organization_id,
            (billable_metrics.CATALOG, (charge.metric_id for plan in plans for charge in plan.charges)),
            (add_ons.CATALOG, (charge.add_on_id for plan in plans for charge in plan.fixed_charges)),
            (taxes.CATALOG, (tax_id for plan in plans for tax_id in _tax_ids(plan))),
        )
        return cls(metrics, priced, {tax.id: tax for tax in known.values() if tax.deleted_at is None})


def show_all(organization_id: OrganizationId, plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """Several plans."""
    book = PlanReferences.of(organization_id, plans)
    return [show(plan, book) for plan in plans]


def show(plan: Plan, references: PlanReferences) -> dict[str, Any]:
    """One plan."""
    shown: dict[str, Any] = {
        "lago_id": plan.id,
        "name": plan.name,
        "invoice_display_name": plan.invoice_display_name,
        "created_at": iso(plan.created_at),
        "code": plan.code,
        "interval": plan.interval,
        "description": plan.description,
        "amount_cents": plan.amount_cents,
        "amount_currency": plan.amount_currency,
        "trial_period": Decimal(plan.trial_period),
        "pay_in_advance": plan.pay_in_advance,
        "bill_charges_monthly": plan.bill_charges_monthly,
        "bill_fixed_charges_monthly": plan.bill_fixed_charges_monthly,
        "customers_count": 0,
        "active_subscriptions_count": 0,
        "draft_invoices_count": 0,
        "parent_id": plan.parent_id,
        "pending_deletion": False,
        "charges": show_charges(plan, references),
        "fixed_charges": show_fixed_charges(plan, references),
        "usage_thresholds": [],
        "taxes": _taxes(plan.tax_ids, references.taxes),
    }
    if plan.minimum_commitment is not None:
        shown["minimum_commitment"] = _show_commitment(plan, plan.minimum_commitment, references.taxes)
    if plan.metadata:
        shown["metadata"] = dict(plan.metadata)
    return shown


def show_charges(plan: Plan, references: PlanReferences) -> list[dict[str, Any]]:
    """The charges of a plan that count."""
    return [
        show_charge(charge, metric, references.taxes)
        for charge, metric in active_parts.live_charges(plan, references.metrics)
    ]


def show_charge(charge: Charge, metric: Metric, known: Mapping[TaxId, Tax]) -> dict[str, Any]:
    """One charge; `group_properties` only where its metric was declared with groups. Where only groups have a price, no
    properties were given, and none are shown."""
    shown: dict[str, Any] = {
        "lago_id": charge.id,
        "lago_billable_metric_id": metric.id,
        "code": charge.code,
        "billable_metric_code": metric.code,
        "invoice_display_name": charge.invoice_display_name,
        "created_at": iso(charge.created_at),
        "charge_model": charge.charge_model,
        "pay_in_advance": charge.pay_in_advance,
        "invoiceable": charge.invoiceable,
        "regroup_paid_fees": charge.regroup_paid_fees,
        "prorated": charge.prorated,
        "min_amount_cents": charge.min_amount_cents,
        "properties": ranges.numbered(charge.properties) if charge.default_fee else {},
        "filters": [show_filter(charge, each) for each in charge.filters],
        "taxes": _taxes(charge.tax_ids, known),
        "lago_parent_id": charge.parent_id,
        "accepts_target_wallet": None,
        "applied_pricing_unit": None,
    }
    if metric.group is not None:
        shown["group_properties"] = [_show_group(each) for each in charge.filters if each.group_id is not None]
    return shown


def show_filter(charge: Charge, charge_filter: ChargeFilter) -> dict[str, Any]:
    """One filter of a charge."""
    return {
        "lago_id": charge_filter.id,
        "charge_code": charge.code,
        "invoice_display_name": charge_filter.invoice_display_name,
        "properties": ranges.numbered(charge_filter.properties),
        "values": {key: list(values) for key, values in charge_filter.values.items()},
    }


def _show_group(charge_filter: ChargeFilter) -> dict[str, Any]:
    """A filter's price as the legacy API's groups show it."""
    return {
        "group_id": charge_filter.group_id,
        "values": ranges.numbered(charge_filter.properties),
        "invoice_display_name": charge_filter.invoice_display_name,
    }


def show_fixed_charges(plan: Plan, references: PlanReferences) -> list[dict[str, Any]]:
    """The fixed charges of a plan that count."""
    return [
        show_fixed_charge(c, add_on, references.taxes)
        for c, add_on in active_parts.live_fixed_charges(plan, references.add_ons)
    ]


def show_fixed_charge(charge: FixedCharge, add_on: AddOn, known: Mapping[TaxId, Tax]) -> dict[str, Any]:
    """One fixed charge. Its display name is never null: callers rely on it."""
    return {
        "lago_id": charge.id,
        "lago_add_on_id": add_on.id,
        "add_on_code": add_on.code,
        "code": charge.code,
        "invoice_display_name": charge.invoice_display_name or add_on.invoice_display_name or add_on.name,
        "created_at": iso(charge.created_at),
        "charge_model": charge.charge_model,
        "pay_in_advance": charge.pay_in_advance,
        "prorated": charge.prorated,
        "properties": ranges.numbered(charge.properties),
        "units": decimal_string(Decimal(charge.units)),
        "lago_parent_id": charge.parent_id,
        "taxes": _taxes(charge.tax_ids, known),
    }


def _show_commitment(plan: Plan, commitment: MinimumCommitment, known: Mapping[TaxId, Tax]) -> dict[str, Any]:
    return {
        "lago_id": commitment.id,
        "plan_code": plan.code,
        "amount_cents": commitment.amount_cents,
        "invoice_display_name": commitment.invoice_display_name,
        "interval": plan.interval,
        "created_at": iso(commitment.created_at),
        "updated_at": iso(commitment.updated_at),
        "taxes": _taxes(commitment.tax_ids, known),
    }


def _taxes(ids: Iterable[TaxId], known: Mapping[TaxId, Tax]) -> list[dict[str, Any]]:
    return [taxes.show(known[tax_id]) for tax_id in ids if tax_id in known]


def _tax_ids(plan: Plan) -> Iterable[str]:
    yield from plan.tax_ids
    for charge in plan.charges:
        yield from charge.tax_ids
    for fixed_charge in plan.fixed_charges:
        yield from fixed_charge.tax_ids
    if plan.minimum_commitment is not None:
        yield from plan.minimum_commitment.tax_ids
