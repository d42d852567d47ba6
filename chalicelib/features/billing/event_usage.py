"""What single events add to a charge paid in advance, and what a period has paid by now. Source: usage.md sections 7 and 9.

An event is priced against the events of its period before it, by timestamp and then by reception, whenever that is
computed: so events carried out in any order owe the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.aggregation import advance
from chalicelib.domain.aggregation.advance import Change, Paid
from chalicelib.domain.aggregation.dimensions import Bucket
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.aggregation.summaries import NOTHING, Summary, merged
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.charges.in_advance import EventFee, event_fee, prorated_event_fee
from chalicelib.domain.charges.models import ChargeModel, Priced, price
from chalicelib.domain.charges.prorated import prorated_units
from chalicelib.domain.money import CONTEXT, total
from chalicelib.domain.periods import Span
from chalicelib.domain.subscriptions import Days
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.billing import metered
from chalicelib.features.billing.buckets import Buckets, parsed, views_of
from chalicelib.features.billing.metered import Used
from chalicelib.features.plans.store import Charge
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.usage import service as usage
from chalicelib.platform.clock import OrganizationRef

_MILLISECOND = timedelta(milliseconds=1)
_NOTHING = Priced(Decimal(0), Decimal(0), {})


@dataclass(frozen=True, slots=True)
class Period:
    """The usage period of a subscription that contains an instant."""

    organization: OrganizationRef
    subscription: Subscription
    days: Days
    zone: ZoneInfo

    @property
    def window(self) -> Window:
        """As units are prorated in it."""
        return Window(self.days.span, self.zone, self.days.whole.days, self.days.first, self.days.last)

    def opens_at(self, *, recurring: bool) -> datetime:
        """From when its units are new. What recurs was paid for until the next renewal by the plan before an upgrade too."""
        start = self.days.span.start.replace(microsecond=0)
        if recurring and self.subscription.previous_id is not None:
            return min(start, periods.start_of_day(self.days.whole.start, self.zone))
        return start


@dataclass(frozen=True, slots=True)
class Part:
    """Which fee of a charge an event is billed with: its filter and group, and the properties that price it."""

    bucket: Bucket
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an event stands in its fee: what the period had paid for before it, and what it changes."""

    before: Paid
    change: Change
    part: Part


def charged(of: Period, charge: Charge, metric: Metric, event: Reading, *, stored: bool = True) -> Used | None:
    """The fee of one event; None where the charge does not see it. `stored`: it is among the events that are read."""
    place = _place(of, charge, metric, event, stored=stored)
    if place is None:
        return None
    fee = _fee(of, charge, place, event)
    bucket = place.part.bucket
    return Used(
        charge=charge,
        metric=metric,
        filter=None if bucket.filter_index is None else charge.filters[bucket.filter_index],
        group=bucket.group,
        units=fee.units,
        total_units=fee.units,
        events_count=1,
        priced=fee.priced,
    )


def _fee(of: Period, charge: Charge, place: _Place, event: Reading) -> EventFee:
    properties = parsed(charge, place.part.properties)
    before, change = place.before, place.change
    if charge.prorated:
        window = of.window
        growth = before.level.growth(change.units)
        days = window.days(window.day_of(event.at), None)
        return prorated_event_fee(properties, change=change.units, growth=growth, days=days, of_days=window.of_days)
    after = before if change.repeats else before.after(change)
    return event_fee(
        ChargeModel(charge.charge_model), properties, change=change.units, before=before.usage, after=after.usage
    )


def _place(of: Period, charge: Charge, metric: Metric, event: Reading, *, stored: bool) -> _Place | None:
    asked = Buckets(charge, metric, {})
    opens_at = of.opens_at(recurring=metric.recurring)
    if _may_only_grow(asked) and event.at >= opens_at:
        changes = advance.changes(asked.rule, [event])
        bucket = next((bucket for bucket, members in asked.split([event]).items() if members), None)
        if not changes or bucket is None:
            return None
        before = _summed_before(of, asked, bucket, event, opens_at)
        if not before.negative:
            return _Place(advance.grown(asked.rule, before), changes[0], Part(bucket, asked.properties_of(bucket)))
    found = _readings(of, metric, Span(min(opens_at, event.at), event.at + _MILLISECOND))
    up_to = [*found, *(() if stored else (event,))]
    up_to = [each for each in up_to if _is_before(each, event) or _same(each, event)]
    for bucket, readings in asked.split(up_to).items():
        changes = advance.changes(asked.rule, readings)
        if changes and _same(changes[-1].reading, event):
            part = Part(bucket, asked.properties_of(bucket))
            return _Place(advance.paid(changes[:-1], opens_at=opens_at), changes[-1], part)
    return None


def _same(one: Reading, other: Reading) -> bool:
    return (one.at, one.order) == (other.at, other.order)


def _is_before(one: Reading, other: Reading) -> bool:
    return (one.at, one.order) < (other.at, other.order)


def _may_only_grow(asked: Buckets) -> bool:
    """Whether rollups can tell what was paid for: of a count or a sum that begins anew in each period."""
    return (
        asked.adds_up and not asked.metric.recurring and asked.rule.aggregation in (Aggregation.COUNT, Aggregation.SUM)
    )


def _summed_before(of: Period, asked: Buckets, bucket: Bucket, event: Reading, opens_at: datetime) -> Summary:
    """What the events of a fee come to that stand before an event in its period, from rollups: at a cost that does not grow
    with their number."""
    span = Span(opens_at, event.at)
    counted = usage.read(of.organization, of.subscription.stream, span, views_of([asked]), is_of_period=False)
    (earlier,) = asked.summaries(counted).get(bucket, (NOTHING,))
    together = asked.split(_readings(of, asked.metric, Span(event.at, event.at + _MILLISECOND))).get(bucket, [])
    changes = advance.changes(asked.rule, [each for each in together if _is_before(each, event)])
    return merged((earlier, advance.summary(asked.rule, changes)))


def _readings(of: Period, metric: Metric, span: Span) -> list[Reading]:
    found = usage.readings(of.organization, of.subscription.stream, span, {metric.code}, with_history=metric.recurring)
    return found[metric.code]


def paid_by_now(
    of: Period, charges: Sequence[tuple[Charge, Metric]], *, only: Mapping[str, str] | None = None
) -> list[Used]:
    """What the charges in advance have counted in the period, at the price of the highest level that was paid for. `only`:
    of events with these properties, by which they are not grouped then."""
    # Full units are shown, whatever is paid for them.
    full = [(charge.model_copy(update={"prorated": False}), metric) for charge, metric in charges]
    shown = metered.used_by(of.organization, of.subscription.stream, full, of.window, only=only)
    found: list[Used] = []
    for charge, metric in charges:
        own = [replace(each, charge=charge) for each in shown if each.charge.id == charge.id]
        if not own:  # The period has no range at all.
            continue
        asked = Buckets(charge, metric, only or {})
        if _may_only_grow(asked) and all(each.only_grew for each in own):
            found += [each if each.units else replace(each, priced=_NOTHING) for each in own]
            continue
        parts = asked.split(_readings(of, metric, of.days.span))
        priced = [_paid(of, asked, bucket, readings) for bucket, readings in parts.items()]
        # Both are split alike: by the same events, filters and groups.
        found += [replace(each, priced=amount) for each, amount in zip(own, priced, strict=True)]
    return found


def _paid(of: Period, asked: Buckets, bucket: Bucket, readings: Sequence[Reading]) -> Priced:
    opens_at = of.opens_at(recurring=asked.metric.recurring)
    changes = advance.changes(asked.rule, readings)
    properties = parsed(asked.charge, asked.properties_of(bucket))
    if not asked.charge.prorated:
        paid = advance.paid(changes, opens_at=opens_at).usage
        return price(ChargeModel(asked.charge.charge_model), paid, properties) if paid.units else _NOTHING
    window = of.window
    units = [advance.held_units(changes, opens_at=opens_at)]
    units += [
        prorated_units(grown, days=window.days(window.day_of(reading.at), None), of_days=window.of_days)
        for reading, grown in advance.growths(changes, opens_at=opens_at)
    ]
    amount = CONTEXT.multiply(total(units), properties.amount)
    return Priced(amount, properties.amount, {})
