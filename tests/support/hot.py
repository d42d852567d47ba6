"""A hot subscription: many workers count events of four metrics in the same hour, and what these must come to."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from chalicelib import limits
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.aggregation.summaries import Summary
from chalicelib.domain.periods import Span
from chalicelib.features.audit.audit import audit
from chalicelib.features.billable_metrics.records import Metric, MetricFilter
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.metering import distinct_counters, layout, reading, write
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.metering.distinct_counters import Spec
from chalicelib.features.metering.event import Event
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import distinct, service
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import new_id
from chalicelib.platform.usage_table import usage
from tests.support.faults import Collisions, colliding
from tests.support.simulation import Turns
from tests.support.usage import ORG, event, message

CLOUDS = ("aws", "gcp", "azure")
HOUR = timedelta(hours=1)
_KEYS = (("cloud", frozenset(CLOUDS)),)
# By code of the metric: aggregation, and whether it has filters.
_METRICS = {"sum": ("sum_agg", True), "max": ("max_agg", True), "last": ("latest_agg", False)}
_UNIQUE = "unique"
_SPEC = Spec("user", ({"cloud": ("aws",)},), default=True)


@dataclass(frozen=True)
class Hot:
    """A subscription with metrics, and a register of distinct values that the meter keeps up. All events are of one
    hour."""

    hour: datetime
    organization: OrganizationRef = ORG
    subscription: str = "sub"

    @classmethod
    def begin(cls, hour: datetime, subscription: str = "sub", organization: OrganizationRef = ORG) -> "Hot":
        """With its metrics and its register."""
        at = clock.utc_now()
        for code, (aggregation, has_filters) in (_METRICS | {_UNIQUE: ("unique_count_agg", True)}).items():
            filters = (MetricFilter(key="cloud", values=CLOUDS),) if has_filters else ()
            fields = {"name": code, "code": code, "aggregation_type": aggregation}
            field_name = "user" if code == _UNIQUE else "v"
            if METRICS.find(organization.id, code) is None:
                METRICS.create(
                    organization.id,
                    Metric(id=new_id(), created_at=at, updated_at=at, filters=filters, field_name=field_name, **fields),
                )
        hot = cls(hour, organization, subscription)
        distinct.request_counter(distinct.Question(organization, subscription, _UNIQUE, hot.span, _SPEC), real_now=at)
        distinct_counters.forget()  # As all workers do within a minute.
        return hot

    @property
    def span(self) -> Span:
        """Its hour, and the one before."""
        return Span(self.hour - HOUR, self.hour + HOUR)

    def events(self, number: int, chance: random.Random, *, named: str = "t", users: int = 12) -> list[Event]:
        """So many, of all metrics in turn, and by so many users."""
        codes = (*_METRICS, _UNIQUE)
        return [
            event(
                f"{named}{n}",
                self.hour + timedelta(milliseconds=chance.randrange(3_600_000)),
                code=codes[n % len(codes)],
                sub=self.subscription,
                v=str(Decimal(chance.randrange(-100, 100_000)).scaleb(-2)),
                cloud=chance.choice(CLOUDS),
                user=f"u{chance.randrange(users)}",
            )
            for n in range(number)
        ]

    def records(self, events: Sequence[Event], size: int) -> list[dict[str, Any]]:
        """The events in messages, as the queue brings them."""
        return [message(events[n : n + size], self.organization) for n in range(0, len(events), size)]

    def wrong(self, events: Sequence[Event]) -> list[str]:
        """Differences from these events, each counted once; empty when all is right."""
        found = [str(each) for each in audit(now=clock.utc_now(), organization_id=self.organization.id)]
        found += self._differences(self._read(), self._recounted(events))
        numbers = self._distinct_values()
        expected = {bucket: len(of) for bucket, of in self._users(events).items()}
        return found + ([f"distinct values: {numbers}, not {expected}"] if numbers != expected else [])

    def parts(self) -> set[str]:
        """Those that its rows have."""
        pk = layout.usage_pk(self.organization.id, self.subscription)
        return reading.shards_of(usage.query(pk, begins="h#"))

    def _read(self) -> Mapping[str, Any]:
        rollup_dimensions = {
            code: RollupDimension(Aggregation(kind), "v", _KEYS if has_filters else ())
            for code, (kind, has_filters) in _METRICS.items()
        }
        counted = service.read(
            self.organization, Stream(self.subscription), self.span, {c: [v] for c, v in rollup_dimensions.items()}
        )
        found: dict[str, Any] = {f"{code} events": counted.events(code) for code in (*_METRICS, _UNIQUE)}
        for code, dimension in rollup_dimensions.items():
            for combination, summary in counted.summaries(code, dimension).items():
                found[f"{code} {combination}"] = _kept(code, summary)
        return found

    def _recounted(self, events: Sequence[Event]) -> Mapping[str, Any]:
        found: dict[str, Any] = {f"{code} events": 0 for code in (*_METRICS, _UNIQUE)}
        for each in sorted(events, key=lambda e: (e.timestamp_ms, e.transaction_id)):
            found[f"{each.code} events"] += 1
            if each.code != _UNIQUE:
                combination = (each.properties["cloud"],) if _METRICS[each.code][1] else ()
                name, value = f"{each.code} {combination}", Decimal(each.properties["v"])
                known = found.get(name)
                choose = {"sum": lambda a, b: a + b, "max": max, "last": lambda a, b: b}[each.code]
                found[name] = value if known is None else choose(known, value)
        return found

    @staticmethod
    def _differences(read: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
        names = sorted({*read, *expected})
        return [f"{n}: {read.get(n)}, not {expected.get(n)}" for n in names if read.get(n) != expected.get(n)]

    def _users(self, events: Sequence[Event]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for each in events:
            if each.code == _UNIQUE:
                bucket = "0" if each.properties["cloud"] == "aws" else "-"
                found.setdefault(bucket, set()).add(each.properties["user"])
        return found

    def _distinct_values(self) -> dict[str, int]:
        """Number in the distinct counter, once it is filled; filling changes no value that the meter has entered."""
        before = self._counter()
        task = agenda.task(
            distinct.FILL,
            self.organization,
            f"{self.subscription}#{before.name}",
            clock.utc_now() + limits.REGISTER_FILLED_AFTER,
        )
        standing = agenda.find(task.key)
        if standing is not None:
            distinct.fill(standing)
        assert dict(self._counter().numbers) == dict(before.numbers), "the meter had entered all"
        return {bucket: number for bucket, number in before.numbers.items() if number}

    def _counter(self) -> distinct_counters.DistinctCounter:
        items = usage.query(layout.usage_pk(self.organization.id, self.subscription), begins=f"u#{_UNIQUE}#")
        (register,) = distinct_counters.read(items)
        return register


def meeting(works: Sequence[Callable[[], object]], chance: random.Random) -> Collisions:
    """Carry out works at the same time: of all one goes on at a time, and at each request another one, drawn by
    chance. Their transactions collide; who waits lets others go on."""
    turns, real = Turns(len(works), chance), write._commit

    def wait(seconds: float) -> None:
        for _ in range(min(20, 1 + int(seconds * 500))):
            turns.pause()

    write._commit = partial(real, sleep=wait, draw=chance.random)
    try:
        with colliding(turns.pause) as met:
            turns.run(works)
    finally:
        write._commit = real
    return met


def _kept(code: str, summary: Summary) -> Decimal | None:
    if code == "last":
        return None if summary.latest is None else summary.latest[1]
    return summary.maximum if code == "max" else summary.total
