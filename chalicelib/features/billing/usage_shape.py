"""Current usage as the API shows it: a charge with the sums over its filters and groups. Source: usage.md section 9."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT, decimal_string
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.billing.metered import Used, group_keys
from chalicelib.features.plans.store import Charge, ChargeFilter


@dataclass(frozen=True, slots=True)
class Billed:
    """What was used, with its amount in whole cents."""

    used: Used
    amount_cents: int


def charge_usage(charge: Charge, metric: Metric, parts: Sequence[Billed], currency: str) -> dict[str, Any]:
    """One charge; `parts` are its filters and groups, in their order."""
    return {
        **_sums(parts),
        "amount_currency": currency,
        "pricing_unit_details": None,
        "charge": {
            "lago_id": charge.id,
            "code": charge.code,
            "charge_model": charge.charge_model,
            "invoice_display_name": charge.invoice_display_name,
        },
        "billable_metric": {
            "lago_id": metric.id,
            "name": metric.name,
            "code": metric.code,
            "aggregation_type": metric.aggregation_type,
        },
        "filters": _filters(charge, parts) if charge.filters else [],
        "grouped_usage": _groups(charge, parts),
    }


def _sums(parts: Sequence[Billed]) -> dict[str, Any]:
    units = total = Decimal(0)
    for part in parts:
        units = CONTEXT.add(units, part.used.units)
        total = CONTEXT.add(total, part.used.total_units)
    return {
        "units": decimal_string(units),
        "total_aggregated_units": decimal_string(total),
        "events_count": sum(part.used.events_count for part in parts),
        "amount_cents": sum(part.amount_cents for part in parts),
    }


def _filters(charge: Charge, parts: Sequence[Billed]) -> list[dict[str, Any]]:
    """Every filter, used or not, and the default, whose values are null."""
    wanted: list[ChargeFilter | None] = [*charge.filters, None]
    return [_filter(each, [part for part in parts if part.used.filter == each]) for each in wanted]


def _filter(of: ChargeFilter | None, parts: Sequence[Billed]) -> dict[str, Any]:
    return {
        **_sums(parts),
        "pricing_unit_details": None,
        "invoice_display_name": of.invoice_display_name if of else None,
        "values": {key: list(values) for key, values in of.values.items()} if of else None,
    }


def _groups(charge: Charge, parts: Sequence[Billed]) -> list[dict[str, Any]]:
    """One element per group seen, with the filters that it falls in; none where nothing is grouped."""
    if not any(group_keys(properties) for properties in (charge.properties, *(f.properties for f in charge.filters))):
        return []
    used = [part for part in parts if part.used.events_count or part.used.units or part.amount_cents]
    groups: dict[tuple[tuple[str, str | None], ...], list[Billed]] = {}
    for part in used or parts[-1:]:
        groups.setdefault(part.used.group, []).append(part)
    return [
        {
            **_sums(members),
            "pricing_unit_details": None,
            "grouped_by": dict(group),
            "filters": [_filter(part.used.filter, [part]) for part in members] if charge.filters else [],
        }
        for group, members in groups.items()
    ]
