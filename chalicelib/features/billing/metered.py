"""What charges' metrics counted in a range, by the fee that it is billed with, and its price.

Plain counts and sums come from rollups, whose reading costs the same at any number of events; whatever looks at single
events (filters, groups, other aggregations, prices of single transactions) reads raw events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation import dimensions
from chalicelib.domain.aggregation.aggregate import aggregate
from chalicelib.domain.aggregation.aggregated import Aggregated
from chalicelib.domain.aggregation.dimensions import Bucket, Filter, Group
from chalicelib.domain.aggregation.readings import Reading, text_of
from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges import prorated
from chalicelib.domain.charges.models import ChargeModel, ChargeUsage, Priced, price
from chalicelib.domain.charges.prorated import ProratedUsage
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.plans.store import Charge, ChargeFilter
from chalicelib.features.usage import service as usage
from chalicelib.platform.clock import OrganizationRef

_IN_ROWS = (Aggregation.COUNT, Aggregation.SUM)


@dataclass(frozen=True, slots=True)
class Used:
    """What one fee of a charge is for. `units` full ones, rounded as the metric says; `total_units`: of a weighted sum the
    level at the end."""

    charge: Charge
    metric: Metric
    filter: ChargeFilter | None
    group: Group
    units: Decimal
    total_units: Decimal
    events_count: int
    priced: Priced


def used_by(
    organization: OrganizationRef,
    external_subscription_id: str,
    charges: Sequence[tuple[Charge, Metric]],
    window: Window,
    *,
    only: Mapping[str, str] | None = None,
) -> list[Used]:
    """What each charge's metric counted, in the charges' order; nothing at all in an empty range. `only`: of events with
    these properties, by which they are not grouped then."""
    if not charges or window.span.start == window.span.end:
        return []
    rolled = [] if only else [(charge, metric) for charge, metric in charges if in_rows(charge, metric)]
    by_rows = {charge.id for charge, _ in rolled}
    single = [metric for charge, metric in charges if charge.id not in by_rows]
    counted = _counted(organization, external_subscription_id, rolled, window)
    readings = _readings(organization, external_subscription_id, single, window)
    found: list[Used] = []
    for charge, metric in charges:
        if charge.id in counted:
            found.append(_used(charge, metric, Bucket(None), counted[charge.id], charge.properties))
        else:
            found += _by_bucket(charge, metric, having(readings[metric.code], only or {}), window, only or {})
    return found


def having(readings: Sequence[Reading], only: Mapping[str, str]) -> list[Reading]:
    """Those of the readings that have these properties."""
    return [
        reading
        for reading in readings
        if all(text_of(reading.properties.get(key)) == value for key, value in only.items())
    ]


def group_keys(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """The properties by which a charge, or a filter of it, makes a fee for each combination of values."""
    return tuple(properties.get("pricing_group_keys") or properties.get("grouped_by") or ())


def rule_of(metric: Metric) -> MetricRule:
    """A metric's rule."""
    return MetricRule(Aggregation(metric.aggregation_type), metric.field_name, metric.recurring)


def metric_values(metric: Metric) -> dict[str, tuple[str, ...]]:
    """The values that a metric lists by key."""
    return {each.key: each.values for each in metric.filters}


def in_rows(charge: Charge, metric: Metric) -> bool:
    """Whether rollups hold all that the charge's price needs."""
    model = ChargeModel(charge.charge_model)
    return (
        metric.aggregation_type in _IN_ROWS
        and not metric.recurring
        and not charge.filters
        and not group_keys(charge.properties)
        and model is not ChargeModel.DYNAMIC
        and not charge_properties.needs_values(model, parsed(charge, charge.properties))
    )


def _counted(
    organization: OrganizationRef,
    external_subscription_id: str,
    charges: Sequence[tuple[Charge, Metric]],
    window: Window,
) -> dict[str, Aggregated]:
    if not charges:
        return {}
    wanted = [usage.Wanted(code=metric.code, field_name=metric.field_name, span=window.span) for _, metric in charges]
    counted = usage.read(organization, external_subscription_id, wanted)
    return {
        charge.id: Aggregated(each.units, each.events_count, (), each.units, Decimal(0))
        for (charge, _), each in zip(charges, counted, strict=True)
    }


def _readings(
    organization: OrganizationRef, external_subscription_id: str, metrics: Sequence[Metric], window: Window
) -> dict[str, list[Reading]]:
    """Raw events by code: of the range, and the whole history for what recurs."""
    recurring = {metric.code for metric in metrics if metric.recurring}
    metered = {metric.code for metric in metrics} - recurring
    found: dict[str, list[Reading]] = {}
    for codes, with_history in ((metered, False), (recurring, True)):
        if codes:
            found |= usage.readings(
                organization, external_subscription_id, window.span, codes, with_history=with_history
            )
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """What one fee of a charge is made of: its filter and group, their events, and the properties that price them."""

    bucket: Bucket
    readings: Sequence[Reading]
    properties: Mapping[str, Any]


def parts_of(
    charge: Charge, metric: Metric, readings: Sequence[Reading], only: Mapping[str, str] | None = None
) -> list[Part]:
    """The readings of a charge by filter and group. `only`: keys by which they are not grouped."""

    def keys_of(properties: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(key for key in group_keys(properties) if key not in (only or {}))

    filters = [Filter(each.values, keys_of(each.properties)) for each in charge.filters]
    default = keys_of(charge.properties) if charge.default_fee else None
    return [
        Part(
            bucket,
            members,
            charge.properties if bucket.filter_index is None else charge.filters[bucket.filter_index].properties,
        )
        for bucket, members in dimensions.split(readings, filters, default, metric_values(metric)).items()
    ]


def _by_bucket(
    charge: Charge, metric: Metric, readings: Sequence[Reading], window: Window, only: Mapping[str, str]
) -> list[Used]:
    found = []
    for part in parts_of(charge, metric, readings, only):
        aggregated = aggregate(rule_of(metric), part.readings, window, prorated=charge.prorated)
        found.append(_used(charge, metric, part.bucket, aggregated, part.properties))
    return found


def _used(
    charge: Charge, metric: Metric, bucket: Bucket, aggregated: Aggregated, properties: Mapping[str, Any]
) -> Used:
    def brought(units: Decimal) -> Decimal:
        return rounded(max(units, Decimal(0)), metric.rounding_function, metric.rounding_precision)

    return Used(
        charge=charge,
        metric=metric,
        filter=None if bucket.filter_index is None else charge.filters[bucket.filter_index],
        group=bucket.group,
        units=brought(aggregated.units),
        total_units=brought(aggregated.total_aggregated_units),
        events_count=aggregated.events_count,
        priced=_priced(charge, aggregated, brought, properties),
    )


def _priced(charge: Charge, aggregated: Aggregated, brought: Any, properties: Mapping[str, Any]) -> Priced:
    """The exact price in currency units. A sum below 0 is billed as nothing at all, flat amounts included."""
    model, own = ChargeModel(charge.charge_model), parsed(charge, properties)
    if aggregated.prorated_units is not None:
        steps = aggregated.changes.steps if aggregated.changes else ()
        # Not floored: the running level of a recurring metric may be below 0, which pricing knows. Nor rounded where the
        # single changes that lead to it are priced.
        exact = aggregated.units < 0 or model is ChargeModel.GRADUATED
        full = aggregated.units if exact else brought(aggregated.units)
        part = brought(aggregated.prorated_units) if aggregated.prorated_units >= 0 else aggregated.prorated_units
        return prorated.price(model, ProratedUsage(full, part, steps), own)
    if aggregated.units < 0:
        return Priced(Decimal(0), Decimal(0), {})
    values = aggregated.values if charge_properties.needs_values(model, own) else None
    used = ChargeUsage(
        units=brought(aggregated.units),
        events_count=aggregated.events_count,
        values=values,
        precise_total_cents=aggregated.precise_total_cents,
    )
    return price(model, used, own)


def parsed(charge: Charge, properties: Mapping[str, Any]) -> Any:
    """The properties of a charge, or of a filter of it, as its model has them."""
    return charge_properties.parse(ChargeModel(charge.charge_model), properties)
