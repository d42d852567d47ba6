"""Plans and charges as the API shows them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.plans import service
from chalicelib.features.plans.store import Charge, Plan
from chalicelib.features.taxes import service as taxes
from chalicelib.features.taxes.store import Tax
from chalicelib.platform.timestamps import iso


def show_all(organization_id: str, plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """Several plans; their metrics and taxes are read in one request each."""
    metrics = service.metrics_of(organization_id, plans)
    tax_ids = {i for plan in plans for i in (*plan.tax_ids, *(t for c in plan.charges for t in c.tax_ids))}
    known = {tax.id: tax for tax in taxes.live(organization_id, tax_ids)}
    return [show(plan, metrics, known) for plan in plans]


def show(plan: Plan, metrics: Mapping[str, Metric], known: Mapping[str, Tax]) -> dict[str, Any]:
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
        "charges": [show_charge(c, m, known) for c, m in service.live_charges(plan, metrics)],
        "fixed_charges": [],
        "usage_thresholds": [],
        "taxes": [taxes.show(known[i]) for i in plan.tax_ids if i in known],
    }
    if plan.metadata:
        shown["metadata"] = dict(plan.metadata)
    return shown


def show_charge(charge: Charge, metric: Metric, known: Mapping[str, Tax]) -> dict[str, Any]:
    """One charge."""
    return {
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
        "properties": charge.properties,
        "filters": [
            {"invoice_display_name": f.invoice_display_name, "properties": f.properties, "values": dict(f.values)}
            for f in charge.filters
        ],
        "taxes": [taxes.show(known[i]) for i in charge.tax_ids if i in known],
        "lago_parent_id": charge.parent_id,
        "accepts_target_wallet": None,
        "applied_pricing_unit": None,
    }
