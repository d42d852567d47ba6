"""Current usage as the API shows it: a charge with the sums over its filters and groups. Source: rules/usage 9."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation.dimensions import Group
from chalicelib.domain.money import CONTEXT, decimal_string
from chalicelib.features.billable_metrics.groups import groups_of
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans.records import Charge, ChargeFilter
from chalicelib.features.rating.metered import Used


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """Usage with its amount in whole cents."""

    used: Used
    amount_cents: int


def sums(parts: Sequence[PricedUsage]) -> dict[str, Any]:
    """Sums of some parts, in the API's form."""
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


@dataclass(frozen=True, slots=True)
class UsagePresentation:
    """Form of usage in the API: `sums` of parts, and `no_values` for usage that no filter takes."""

    sums: Callable[[Sequence[PricedUsage]], dict[str, Any]] = sums
    no_values: Mapping[str, Any] | None = None


DEFAULT_PRESENTATION = UsagePresentation()


def charge_usage(
    charge: Charge,
    metric: Metric,
    parts: Sequence[PricedUsage],
    currency: str,
    presentation: UsagePresentation = DEFAULT_PRESENTATION,
) -> dict[str, Any]:
    """One charge; `parts` are its filters and groups, in their order."""
    shown: dict[str, Any] = {
        **presentation.sums(parts),
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
            "aggregation_type": metric.declared_type,
        },
        "filters": _filters(charge, parts, presentation) if charge.filters else [],
        "grouped_usage": _grouped(charge, parts, presentation),
    }
    return shown if metric.group is None else shown | {"groups": _groups(charge, metric, parts, presentation)}


def _filters(charge: Charge, parts: Sequence[PricedUsage], presentation: UsagePresentation) -> list[dict[str, Any]]:
    """Every filter, used or not, and the default."""
    default: list[ChargeFilter | None] = [None] if charge.default_fee else []
    return [
        _filter(each, [part for part in parts if part.used.filter == each], presentation)
        for each in [*charge.filters, *default]
    ]


def _filter(
    charge_filter: ChargeFilter | None, parts: Sequence[PricedUsage], presentation: UsagePresentation
) -> dict[str, Any]:
    return {
        **presentation.sums(parts),
        "pricing_unit_details": None,
        "invoice_display_name": charge_filter.invoice_display_name if charge_filter else None,
        "values": {key: list(values) for key, values in charge_filter.values.items()}
        if charge_filter
        else presentation.no_values,
    }


def _grouped(charge: Charge, parts: Sequence[PricedUsage], presentation: UsagePresentation) -> list[dict[str, Any]]:
    """One element per group seen, with the filters that it falls in; none where nothing is grouped."""
    # Without usage each filter has one part still, whose group has its keys.
    widest = max(parts, key=lambda part: len(part.used.group), default=None)
    if widest is None or not widest.used.group:
        return []
    used = [part for part in parts if part.used.events_count or part.used.units or part.amount_cents]
    groups: dict[Group, list[PricedUsage]] = {}
    for part in used or [widest]:
        groups.setdefault(part.used.group, []).append(part)
    return [
        {
            **presentation.sums(members),
            "pricing_unit_details": None,
            "grouped_by": dict(group),
            "filters": [_filter(part.used.filter, [part], presentation) for part in members] if charge.filters else [],
        }
        for group, members in groups.items()
    ]


def _groups(
    charge: Charge, metric: Metric, parts: Sequence[PricedUsage], presentation: UsagePresentation
) -> list[dict[str, Any]]:
    """Groups of the legacy API that the charge prices."""
    priced = {each.group_id for each in charge.filters}
    shown = []
    for group in groups_of(metric):
        own = [part for part in parts if part.used.filter is not None and part.used.filter.group_id == group.id]
        shown += [{**group.show(), **presentation.sums(own)}] if group.id in priced else []
    return shown
