"""The usage that charges' metrics counted in a range, by the fee that bills it, and its price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation import summaries, unique
from chalicelib.domain.aggregation.aggregate import aggregate
from chalicelib.domain.aggregation.aggregated import Aggregated
from chalicelib.domain.aggregation.dimensions import Bucket, Group
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.aggregation.summaries import NOTHING
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges import prorated
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.prorated import ProratedUsage
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.periods import Span
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans.records import Charge, ChargeFilter
from chalicelib.features.rating.buckets import Buckets, dimensions_of, parsed
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import service as usage
from chalicelib.features.usage.distinct import Question
from chalicelib.platform.clock import OrganizationRef

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Used:
    """Usage that one fee of a charge is for. `units`: full ones, rounded by the metric's rule. `total_units`: of a
    weighted sum the level at the end. `only_grew`: as in `Aggregated`."""

    charge: Charge
    metric: Metric
    filter: ChargeFilter | None
    group: Group
    units: Decimal
    total_units: Decimal
    events_count: int
    priced: Priced
    only_grew: bool = False


def used_by(
    organization: OrganizationRef,
    stream: Stream,
    charges: Sequence[tuple[Charge, Metric]],
    window: Window,
    *,
    only: Mapping[str, str] | None = None,
) -> list[Used]:
    """Usage of each charge's metric, in the charges' order; empty for an empty range. `only`: properties that events
    must have; usage is not grouped by them then."""
    if not charges or window.span.start == window.span.end:
        return []
    asked = [Buckets(charge, metric, only or {}) for charge, metric in charges]
    stream_key = (organization, stream)
    summed = _summed(*stream_key, [each for each in asked if each.adds_up], window)
    recounted = _recounted(*stream_key, [each for each in asked if not each.adds_up], window)
    return [
        _used(each, bucket, aggregated)
        for each in asked
        for bucket, aggregated in (summed if each.adds_up else recounted)[each.charge.id].items()
    ]


Found = dict[str, dict[Bucket, Aggregated]]


def _summed(organization: OrganizationRef, stream: Stream, asked: Sequence[Buckets], window: Window) -> Found:
    """The usage that rollups know, by charge and bucket."""
    if not asked:
        return {}
    stream_key = (organization, stream)
    inside = usage.read(*stream_key, window.span, dimensions_of(asked))
    recurring = [each for each in asked if each.metric.recurring]
    before = usage.history(*stream_key, window.span.start, dimensions_of(recurring)) if recurring else None
    found: Found = {}
    for each in asked:
        ranges = (inside,) if before is None or not each.metric.recurring else (inside, before)
        found[each.charge.id] = {
            bucket: summaries.aggregate(each.rule, own, window, before=held[0] if held else NOTHING)
            for bucket, (own, *held) in each.summaries(*ranges).items()
        }
    return found


def _recounted(organization: OrganizationRef, stream: Stream, asked: Sequence[Buckets], window: Window) -> Found:
    """Usage from raw events, by charge and bucket: events of the range, and the whole history for a recurring metric.
    Where distinct counters hold the values, only those are read."""
    found: Found = {}
    questions = {each.charge.id: _question(organization, stream, each, window) for each in asked}
    for each in asked:
        question = questions[each.charge.id]
        numbers = None if question is None else usage.distinct_values(question)
        if numbers is not None:
            found[each.charge.id] = {bucket: unique.counted(n) for bucket, n in each.of_numbers(numbers).items()}
    left = [each for each in asked if each.charge.id not in found]
    readings: dict[str, list[Reading]] = {}
    for with_history in (False, True):
        codes = {each.metric.code for each in left if each.metric.recurring is with_history}
        if codes:
            readings |= usage.readings(organization, stream, window.span, codes, with_history=with_history)
    for each in left:
        own = readings[each.metric.code]
        found[each.charge.id] = {
            bucket: aggregate(each.rule, members, window, prorated=each.charge.prorated)
            for bucket, members in each.split(own).items()
        }
        question = questions[each.charge.id]
        if question is not None:
            usage.recounted(question, len(own))
    return found


def _question(organization: OrganizationRef, stream: Stream, asked: Buckets, window: Window) -> Question | None:
    """The question that distinct counters may answer for a charge: for a recurring metric, events of all time count."""
    span = Span(_EPOCH, window.span.end) if asked.metric.recurring else window.span
    if asked.spec is None or stream.contested(span) is not None:
        return None
    return Question(organization, stream.external_id, asked.metric.code, stream.cut(span), asked.spec)


def held(buckets: Buckets, bucket: Bucket, readings: Sequence[Reading], window: Window) -> Used:
    """The usage that a recurring metric holds after these events of a bucket, in full units, as a renewal bills it."""
    full = replace(buckets, charge=buckets.charge.model_copy(update={"prorated": False}))
    return _used(full, bucket, aggregate(buckets.rule, readings, window, prorated=False))


def _used(buckets: Buckets, bucket: Bucket, aggregated: Aggregated) -> Used:
    charge, metric = buckets.charge, buckets.metric

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
        priced=_priced(charge, aggregated, brought, buckets.properties_of(bucket)),
        only_grew=aggregated.only_grew,
    )


def _priced(charge: Charge, aggregated: Aggregated, brought: Any, properties: Mapping[str, Any]) -> Priced:
    """The exact price in currency units. A sum below 0 is billed as nothing at all, flat amounts included."""
    model, own = charge.charge_model, parsed(charge, properties)
    if aggregated.prorated_units is not None:
        steps = aggregated.changes.steps if aggregated.changes else ()
        # Not floored: the running level of a recurring metric may be below 0, which pricing knows. Nor rounded where
        # the single changes that lead to it are priced.
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
