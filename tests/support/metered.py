"""A world of usage (tests/support/worlds.py) set up over the API, metered by messages, and read as bills read it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fractions import Fraction
from typing import Any
from urllib.parse import quote

from botocore.exceptions import EndpointConnectionError

from chalicelib import wiring
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout, reading
from chalicelib.features.plans import active_parts
from chalicelib.features.plans.store import PLANS
from chalicelib.features.rating import metered
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.platform import auth
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.timestamps import iso
from chalicelib.platform.usage_table import usage
from tests.support import recount
from tests.support.faults import Killed
from tests.support.recount import Fact, Gauge, Line, Price, Range
from tests.support.story import Story
from tests.support.worlds import Metering, Usage

Fault = Callable[[], AbstractContextManager[Any]]


class World:
    """An organization with one subscription, `sub`, in a plan of weeks. `story`: its own, of before the world
    begins."""

    def __init__(self, of: Usage, story: Story, *, sandbox: bool = True) -> None:
        self.of, self.story = of, story
        self.story.travel(iso(of.begins))
        known = auth.identify({"authorization": f"Bearer {self.story.api_key}"})
        # Messages of a production organization let the meter remember metrics for a while.
        self.organization = OrganizationRef(known.id, sandbox)
        self.sent = {event.transaction_id: event for event in of.events}
        self.gauges: dict[str, Gauge] = {}
        self._prices: dict[str, tuple[str, Price]] = {}
        self.story.plan(interval="weekly")
        self.story.customer(timezone=of.zone.key)
        self.describe(each for each in of.meterings if not each.late)

    # Metered usage.

    def subscribe(self) -> None:
        """From the world's begin on."""
        self.story.subscribe(subscription_at=iso(self.of.begins))

    def describe(self, meterings: Iterable[Metering]) -> None:
        """Make metrics and their charges."""
        plan = self.story.ok("GET", "/plans/plan")["plan"]
        charges = [{"id": charge["lago_id"]} for charge in plan["charges"]]
        for each in meterings:
            metric = self.story.metric(each.code, each.gauge.kind, **_fields(each.gauge))
            charges += self._charges(each, metric)
        self.story.ok("PUT", "/plans/plan", {"plan": {"charges": charges}})

    def define_anew(self, metering: Metering) -> None:
        """Let a metric be another one from now on, which it can be while no plan has it."""
        self.story.ok("PUT", "/plans/plan", {"plan": {"charges": []}})
        self._prices.clear()
        fields = {"aggregation_type": metering.gauge.kind, **_fields(metering.gauge)}
        path = f"/billable_metrics/{_escaped(metering.code)}"
        metric = self.story.ok("PUT", path, {"billable_metric": fields})["billable_metric"]
        self.story.ok("PUT", "/plans/plan", {"plan": {"charges": self._charges(metering, metric)}})

    def _charges(self, metering: Metering, metric: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.gauges[metering.code] = metering.gauge
        named = {f"{metering.code} {n}": price for n, price in enumerate(metering.prices)}
        self._prices |= {code: (metering.code, price) for code, price in named.items()}
        return [_charge(metric, code, price) for code, price in named.items()]

    def change(self, code: str, listed: Mapping[str, Sequence[str]]) -> None:
        """Let a metric list other values."""
        path = f"/billable_metrics/{_escaped(code)}"
        self.story.ok("PUT", path, {"billable_metric": {"filters": _filters(listed)}})
        self.gauges[code] = replace(self.gauges[code], listed=listed)

    # Accounts of the truth.

    def facts(self) -> dict[str, list[Fact]]:
        """By code, the events that are stored: each as it was sent."""
        keys = {layout.event_key(self.organization.id, each, "sub"): each for each in self.sent}
        facts: dict[str, list[Fact]] = {}
        for key, item in usage.get_many(list(keys)).items():
            event, kept = self.sent[keys[key]], reading.read(item)
            assert replace(kept, sent=None) == event
            order = (str(item["received"]), int(item["place"]), event.transaction_id)
            fact = Fact(event.at, order, event.properties, event.precise_total_amount_cents)
            facts.setdefault(event.code, []).append(fact)
        return facts

    def expected(self, of: Range, only: Mapping[str, str] | None = None) -> dict[str, list[Line]]:
        """The lines of each charge, recounted."""
        facts = self.facts()
        return {
            charge: recount.lines(self.gauges[code], price, facts.get(code, ()), of, only)
            for charge, (code, price) in self._prices.items()
        }

    # Readings.

    def assert_equals_recount(self, of: Range, only: Mapping[str, str] | None = None) -> None:
        """Usage as bills read it says what the recount says, of each filter and group."""
        expected = self.expected(of, only)
        found: dict[str, list[Line]] = {charge: [] for charge in expected}
        for each in self.read(of, only):
            place = None if each.filter is None else [f.id for f in each.charge.filters].index(each.filter.id)
            exact = (Fraction(each.units), Fraction(each.total_units))
            line = Line(place, each.group, *exact, each.events_count, Fraction(each.priced.amount))
            found[each.charge.code].append(line)
        for charge, own in expected.items():
            assert _alike(found[charge]) == _alike(own), (charge, found[charge], own)

    def read(self, of: Range, only: Mapping[str, str] | None = None) -> list[metered.Used]:
        """Usage of each charge."""
        plan = PLANS.find(self.organization.id, "plan")
        assert plan is not None
        charges = active_parts.live_charges(plan, active_parts.metrics_of(self.organization.id, [plan]))
        days = (of.of_days, of.first_day, of.last_day)
        window = Window(Span(of.start, of.end), of.zone, *days, upgraded=of.upgraded)
        return metered.used_by(self.organization, Stream("sub"), charges, window, only=only)

    def assert_api_equals_recount(self) -> None:
        """Current usage over HTTP as well, of the subscription's week."""
        expected = self.expected(self.of.week)
        shown = self.story.usage()
        for each in shown["charges_usage"]:
            own = expected[each["charge"]["code"]]
            assert _shown(each) == _summed(own), each["charge"]["code"]
            places = [*range(len(each["filters"]) - 1), None] if each["filters"] else []
            for place, part in zip(places, each["filters"], strict=True):
                assert _shown(part) == _summed([line for line in own if line.filter == place])
        assert shown["amount_cents"] == sum(line.cents for own in expected.values() for line in own)


def deliver(records: Sequence[Mapping[str, Any]], fault: Fault = nullcontext) -> set[str]:
    """Hand records to the meter; which of them need not come again."""
    with fault():
        try:
            answer = wiring.meter(records)
        except (Killed, EndpointConnectionError):
            return set()
    return {record["messageId"] for record in records} - {
        failure["itemIdentifier"] for failure in answer["batchItemFailures"]
    }


def _fields(gauge: Gauge) -> dict[str, Any]:
    rounding = gauge.rounding or (None, None)
    return {
        "field_name": gauge.field_name,
        "recurring": gauge.recurring,
        "filters": _filters(gauge.listed),
        "weighted_interval": "seconds" if gauge.kind == "weighted_sum_agg" else None,
        **dict(zip(("rounding_function", "rounding_precision"), rounding, strict=True)),
    }


def _filters(listed: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [{"key": key, "values": list(values)} for key, values in listed.items()]


def _charge(metric: Mapping[str, Any], code: str, price: Price) -> dict[str, Any]:
    return {
        "billable_metric_id": metric["lago_id"],
        "code": code,
        "charge_model": price.model,
        "properties": dict(price.properties),
        "prorated": price.prorated,
        "filters": [{"values": dict(values), "properties": dict(own)} for values, own in price.filters],
    }


def _escaped(code: str) -> str:
    return quote(code, safe="")


def _alike(lines: Iterable[Line]) -> Counter[Any]:
    """Lines to compare. Shares without end are kept to so many digits that prices differ at most from the 24th on."""
    return Counter(
        (each.filter, each.group, each.units, each.level, each.events_count, recount.half_up(each.amount * 10**22))
        for each in lines
    )


def _summed(lines: Sequence[Line]) -> tuple[Fraction, Fraction | None, int, int]:
    units = sum((each.units for each in lines), Fraction(0))
    level = sum((each.level for each in lines), Fraction(0))
    return units, level, sum(each.events_count for each in lines), sum(each.cents for each in lines)


def _shown(of: Mapping[str, Any]) -> tuple[Fraction, Fraction, int, int]:
    return Fraction(of["units"]), Fraction(of["total_aggregated_units"]), of["events_count"], of["amount_cents"]
