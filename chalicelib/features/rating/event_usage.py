"""Amounts that single events owe for a charge paid in advance, and the amount that a period has paid by now. Source:
rules/usage 7 and 9.

An event owes the amount that it adds at its place in time: the price of its period's events up to it less the price of
those before it. Where later events were charged first, it owes at most the price of all events metered so far less
their fees (docs/decisions/0018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation import advance, advance_prices
from chalicelib.domain.aggregation.advance import Change, Paid
from chalicelib.domain.aggregation.advance_prices import Tariff
from chalicelib.domain.aggregation.dimensions import Bucket, Group
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.aggregation.summaries import NOTHING, Summary, merged
from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.in_advance import EventFee
from chalicelib.domain.charges.usage import Priced
from chalicelib.domain.money import CONTEXT
from chalicelib.domain.periods import Span
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans.records import Charge, ChargeFilter
from chalicelib.features.rating import metered
from chalicelib.features.rating.buckets import Buckets, dimensions_of, parsed
from chalicelib.features.rating.metered import Used
from chalicelib.features.rating.usage_period import Period
from chalicelib.features.usage import service as usage

_MILLISECOND = timedelta(milliseconds=1)
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class EventFeeTarget:
    """The fee of a charge that bills an event: its filter and group, and its price."""

    asked: Buckets
    bucket: Bucket
    tariff: Tariff

    @property
    def filter(self) -> ChargeFilter | None:
        """Charge filter of the target; None where no filter takes the event."""
        return _filter_of(self.asked.charge, self.bucket)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The properties that price the target."""
        return self.asked.properties_of(self.bucket)

    @property
    def owes_the_same_in_any_order(self) -> bool:
        """Whether an event owes the same whatever came before it, or was charged already."""
        return self.tariff.is_the_same_in_any_order(self.asked.rule.aggregation)


@dataclass(frozen=True, slots=True)
class Owed:
    """The fee of one event. `limit`: how much may have been charged in its period, filter and group before it at most,
    in currency units, for the fee to hold."""

    used: Used
    limit: Decimal

    @property
    def amount(self) -> Decimal:
        """The amount owed, exact, in currency units."""
        return self.used.priced.amount


def target_of(period: Period, charge: Charge, metric: Metric, event: Reading) -> EventFeeTarget | None:
    """The fee of a charge that an event belongs to: its filter and group; None where the charge does not see it."""
    asked = Buckets(charge, metric, {})
    bucket = next((bucket for bucket, members in asked.split([event]).items() if members), None)
    if bucket is None or not advance.changes(asked.rule, [event]):
        return None
    return EventFeeTarget(asked, bucket, _tariff(period, asked, bucket))


def owed(
    period: Period, target: EventFeeTarget, event: Reading, *, charged: Decimal, stored: bool = True
) -> Owed | None:
    """Amount that an event owes; None where the event is gone.

    `charged`: the sum charged by now for its period, filter and group. It has to be read before this is called, so that
    this reads all events whose fees it includes. `stored`: the event is among the stored ones; False: it is priced as
    if it were.
    """
    if target.owes_the_same_in_any_order:
        (change,) = advance.changes(target.asked.rule, [event])
        return _owed(target, target.tariff.fee(target.tariff.begin, change), Decimal(0))
    opens_at = period.opens_at(recurring=target.asked.metric.recurring)
    if _may_only_grow(target.asked) and event.at >= opens_at:
        found = _from_rollups(period, target, event, opens_at, charged=charged, stored=stored)
        if found is not None:
            return found
    readings = _readings(period, target.asked.metric, Span(min(opens_at, event.at), _end(period, event)))
    members = target.asked.split([*readings, *(() if stored else (event,))]).get(target.bucket, [])
    walk = advance_prices.walk(
        target.tariff,
        advance.changes(target.asked.rule, members),
        opens_at=opens_at,
        counts_from=period.starts_at,
        event=event,
    )
    if walk.place is None:
        return None
    return _within(target, *walk.place, whole=walk.amount, charged=charged)


def _from_rollups(
    period: Period, target: EventFeeTarget, event: Reading, opens_at: datetime, *, charged: Decimal, stored: bool
) -> Owed | None:
    """Amount that an event owes, from rollups, at a cost that does not grow with the number of
    events. None where an event took something away."""
    rule = target.asked.rule
    (change,) = advance.changes(rule, [event])
    before = _summed_before(period, target, event, opens_at)
    if before.negative:
        return None
    place = advance.grown(rule, before)
    fee, price_before = target.tariff.fee(place, change), target.tariff.owed(place)
    if not fee.priced.amount or charged <= price_before:
        # It adds nothing, or the charged sum leaves room for it without any later event.
        return _owed(target, fee, price_before)
    whole = _summed(period, target, Span(opens_at, _end(period, event)))
    if not stored:
        whole = merged((whole, advance.summary(rule, [change])))
    if whole.negative:
        return None
    return _within(target, place, change, whole=target.tariff.owed(advance.grown(rule, whole)), charged=charged)


def _within(target: EventFeeTarget, before: Paid, change: Change, *, whole: Decimal, charged: Decimal) -> Owed:
    """The amount that an event owes by its place, at most the rest of the price of all."""
    fee = target.tariff.fee_of_rest(before, change, whole=whole, charged=charged)
    return _owed(target, fee, CONTEXT.subtract(whole, fee.priced.amount))


def _owed(target: EventFeeTarget, fee: EventFee, limit: Decimal) -> Owed:
    used = Used(
        charge=target.asked.charge,
        metric=target.asked.metric,
        filter=target.filter,
        group=target.bucket.group,
        units=fee.units,
        total_units=fee.units,
        events_count=1,
        priced=fee.priced,
    )
    return Owed(used, limit)


def _tariff(period: Period, asked: Buckets, bucket: Bucket) -> Tariff:
    properties = parsed(asked.charge, asked.properties_of(bucket))
    return Tariff(asked.charge.charge_model, properties, period.window if asked.charge.prorated else None)


def _filter_of(charge: Charge, bucket: Bucket) -> ChargeFilter | None:
    return None if bucket.filter_index is None else charge.filters[bucket.filter_index]


def _end(period: Period, event: Reading) -> datetime:
    return max(period.closes_at, event.at + _MILLISECOND)


def _is_before(one: Reading, other: Reading) -> bool:
    return (one.at, one.order) < (other.at, other.order)


def _may_only_grow(asked: Buckets) -> bool:
    """Whether rollups can tell the units paid for: of a count or a sum that begins anew in each period."""
    return (
        asked.adds_up and not asked.metric.recurring and asked.rule.aggregation in (Aggregation.COUNT, Aggregation.SUM)
    )


def _summed_before(period: Period, target: EventFeeTarget, event: Reading, opens_at: datetime) -> Summary:
    """The summary of a fee's events before an event in its period."""
    earlier = _summed(period, target, Span(opens_at, event.at), is_of_period=False)
    same_instant = _readings(period, target.asked.metric, Span(event.at, event.at + _MILLISECOND))
    together = target.asked.split(same_instant).get(target.bucket, [])
    changes = advance.changes(target.asked.rule, [each for each in together if _is_before(each, event)])
    return merged((earlier, advance.summary(target.asked.rule, changes)))


def _summed(period: Period, target: EventFeeTarget, span: Span, *, is_of_period: bool = True) -> Summary:
    """The summary of a fee's events in a range, from rollups."""
    stream = period.subscription.stream
    counted = usage.read(period.organization, stream, span, dimensions_of([target.asked]), is_of_period=is_of_period)
    (found,) = target.asked.summaries(counted).get(target.bucket, (NOTHING,))
    return found


def _readings(period: Period, metric: Metric, span: Span) -> list[Reading]:
    found = usage.readings(
        period.organization, period.subscription.stream, span, {metric.code}, with_history=metric.recurring
    )
    return found[metric.code]


def paid_by_now(
    period: Period, charges: Sequence[tuple[Charge, Metric]], *, only: Mapping[str, str] | None = None
) -> list[Used]:
    """Usage that the charges in advance counted in the period, priced at the sum of the amounts that its events owe,
    each by its place. `only`: properties that events must have; usage is not grouped by them then."""
    # Full units are shown, not the prorated ones paid for. Single events are not rounded as a metric's units are.
    plain = {"rounding_function": None, "rounding_precision": None}
    full = [(c.model_copy(update={"prorated": False}), m.model_copy(update=plain)) for c, m in charges]
    counted = metered.used_by(period.organization, period.subscription.stream, full, period.window, only=only)
    found: list[Used] = []
    for charge, metric in charges:
        own = [each for each in counted if each.charge.id == charge.id]
        if not own:  # The period has no range at all.
            continue
        asked = Buckets(charge, metric, only or {})
        if _may_only_grow(asked) and all(each.only_grew for each in own):
            amounts = {_place_of(each): each.priced.amount if each.units else _NOTHING for each in own}
        else:
            amounts = _walked(period, asked)
        found += [_shown(each, charge, metric, amounts.get(_place_of(each), _NOTHING)) for each in own]
    return found


_Place = tuple[str | None, Group]


def _place_of(used: Used) -> _Place:
    return None if used.filter is None else used.filter.id, used.group


def _shown(used: Used, charge: Charge, metric: Metric, amount: Decimal) -> Used:
    """Priced usage with this amount, and with units as the metric rounds them."""
    units, level = (
        rounded(each, metric.rounding_function, metric.rounding_precision) for each in (used.units, used.total_units)
    )
    priced = Priced(amount, amount_per_unit(amount, units), {})
    return replace(used, charge=charge, metric=metric, units=units, total_units=level, priced=priced)


def _walked(period: Period, asked: Buckets) -> dict[_Place, Decimal]:
    """The prices of a charge's parts, from single events."""
    opens_at = period.opens_at(recurring=asked.metric.recurring)
    readings = _readings(period, asked.metric, period.days.span)
    found: dict[_Place, Decimal] = {}
    for bucket, members in asked.split(readings).items():
        changes = advance.changes(asked.rule, members)
        tariff = _tariff(period, asked, bucket)
        walk = advance_prices.walk(tariff, changes, opens_at=opens_at, counts_from=opens_at)
        chosen = _filter_of(asked.charge, bucket)
        renewed = _renewed(period, asked, bucket, [each for each in members if each.at < opens_at])
        found[None if chosen is None else chosen.id, bucket.group] = CONTEXT.add(renewed, walk.amount)
    return found


def _renewed(period: Period, asked: Buckets, bucket: Bucket, before: Sequence[Reading]) -> Decimal:
    """The amount that a renewal billed for the units held when the period began."""
    if not asked.metric.recurring or not period.renews:
        return Decimal(0)
    used = metered.held(asked, bucket, before, period.window)
    return used.priced.amount if used.units else Decimal(0)
