"""Current usage and invoices of a run by a daily clock agree: what was shown last of a period is what is billed for it.

All intervals and billing times in two zones over five weeks with changes of clocks; `domain/test_open_usage.py` has the
ranges of a year in all zones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib import limits
from chalicelib.domain import periods
from tests.support import aws as support
from tests.support.story import Story

DAY = timedelta(days=1)
# Interval, whether its months are billed, and how long before the run its subscriptions began.
PLANS = (
    ("weekly", False, 5),
    ("monthly", False, 20),
    ("quarterly", False, 75),
    ("semiannual", False, 160),
    ("semiannual", True, 151),
    ("yearly", False, 340),
    ("yearly", True, 349),
)
TIERS = [
    {"from_value": 0, "to_value": 5, "per_unit_amount": "0.33", "flat_amount": "1"},
    {"from_value": 6, "to_value": None, "per_unit_amount": "0.1", "flat_amount": "0.5"},
]


@dataclass
class Run:
    """One organization with a customer per zone, its clock moved day by day."""

    story: Story
    zones: Sequence[str]
    begin: datetime
    customers: dict[str, str] = field(default_factory=dict)
    sent: dict[str, list[Decimal]] = field(default_factory=dict)
    shown: dict[tuple[str, str], Any] = field(default_factory=dict)
    ends: dict[str, datetime] = field(default_factory=dict)

    def prepare(self) -> None:
        """Plans, and each of them for each customer by both billing times."""
        miles = self.story.metric("miles", "sum_agg", field_name="distance")["lago_id"]
        calls = self.story.metric("calls")["lago_id"]
        charges = [
            {"billable_metric_id": miles, "charge_model": "standard", "properties": {"amount": "0.0137"}},
            {"billable_metric_id": calls, "charge_model": "graduated", "properties": {"graduated_ranges": TIERS}},
        ]
        for n, (interval, monthly, _) in enumerate(PLANS):
            more = {"bill_charges_monthly": True} if monthly else {}
            code = f"{interval}-{monthly}"
            self.story.plan(code, charges, interval=interval, amount_cents=1000 * n, pay_in_advance=n % 2 == 1, **more)
        for zone in self.zones:
            customer = zone.replace("/", "-")
            self.story.customer(customer, timezone=zone, currency="EUR")
            for (interval, monthly, age), billing_time in product(PLANS, ("calendar", "anniversary")):
                name = f"{customer}-{interval}-{monthly}-{billing_time}"
                at = (self.begin - age * DAY).isoformat()
                plan = f"{interval}-{monthly}"
                self.story.subscribe(plan, name, customer, subscription_at=at, billing_time=billing_time)
                self.customers[name] = customer
                self.sent[name] = []

    def live(self, days: int) -> None:
        """Each day: look at current usage before what ends is billed, and move the clock; events come a week ahead."""
        names = list(self.customers)
        for n in range(days):
            if n % 7 == 0:
                self.send(range(n and n + 1, min(n + 8, days + 1)))
            following = self.begin + (n + 1) * DAY
            for position, name in enumerate(names):
                if name not in self.ends or self.ends[name] < following or (n + position) % 20 == 0:
                    self.look(name)
            self.story.travel(following.isoformat())
            for name in names:
                if self.ends[name] < following:
                    self.look(name)

    def send(self, days: Iterable[int]) -> None:
        """One event per subscription for each local day."""
        batch = []
        for (position, name), n in product(enumerate(self.customers), days):
            zone = ZoneInfo(self.customers[name].replace("-", "/"))
            at = instant_of(periods.local_date(self.begin, zone) + n * DAY, zone, n + position)
            value = Decimal(n * 17 + position + 1) / 100
            self.sent[name].append(value)
            for code in ("miles", "calls"):
                event = {"transaction_id": f"{name}-{n}-{code}", "external_subscription_id": name, "code": code}
                batch.append({**event, "timestamp": f"{at.timestamp():.3f}", "properties": {"distance": str(value)}})
        for part in range(0, len(batch), limits.EVENTS_PER_BATCH_MAX):
            self.story.ok("POST", "/events/batch", {"events": batch[part : part + limits.EVENTS_PER_BATCH_MAX]})

    def look(self, name: str) -> None:
        """Read current usage; the last one of a period stays."""
        usage = self.story.usage(name, self.customers[name])
        assert usage["from_datetime"] <= usage["to_datetime"]
        self.shown[name, usage["from_datetime"]] = usage
        self.ends[name] = datetime.fromisoformat(usage["to_datetime"])


def instant_of(on: date, zone: ZoneInfo, n: int) -> datetime:
    """The first instant of a local day, its last one or any other, by `n`."""
    first, following = periods.start_of_day(on, zone), periods.start_of_day(on + DAY, zone)
    if n % 3 == 0:
        return first
    if n % 3 == 1:
        return following - timedelta(milliseconds=1)
    return (first + (following - first) * (n * 37 % 100) / 100).replace(microsecond=0)


def amounts_of(usage: Any) -> list[tuple[str, Decimal, int, int]]:
    """What current usage shows of each charge that was used: units, events and cents."""
    return [
        (each["billable_metric"]["code"], Decimal(each["units"]), each["events_count"], each["amount_cents"])
        for each in usage["charges_usage"]
        if each["events_count"] or each["amount_cents"]
    ]


def assert_agree(run: Run) -> int:
    """Usage shown and invoices; how many rows of invoices were compared."""
    rows: dict[str, list[tuple[str, str, list[tuple[str, Decimal, int, int]]]]] = {name: [] for name in run.customers}
    for invoice in run.story.invoices():
        for period in invoice["billing_periods"]:
            name = period["external_subscription_id"]
            start, end = period["charges_from_datetime"], period["charges_to_datetime"]
            own = [
                fee
                for fee in invoice["fees"]
                if fee["item"]["type"] == "charge" and fee["external_subscription_id"] == name
            ]
            assert all((fee["from_date"], fee["to_date"]) == (start, end) for fee in own)
            fees = [
                (fee["item"]["code"], Decimal(fee["units"]), fee["events_count"], fee["amount_cents"]) for fee in own
            ]
            if period["invoicing_reason"] == "subscription_periodic":
                rows[name].append((start, end, fees))
    compared = 0
    for name, billed in rows.items():
        usage = run.story.usage(name, run.customers[name])
        for (_, end, _), (start, _, _) in pairwise(sorted(billed)):
            assert second_after(end) == start, name
        for start, end, fees in billed:
            last = run.shown[name, start]
            assert (last["to_datetime"], amounts_of(last)) == (end, fees), (name, start)
            compared += 1
        if billed:
            assert second_after(max(end for _, end, _ in billed)) == usage["from_datetime"], name
        units = [each for _, _, fees in billed for each in fees] + amounts_of(usage)
        for code, wanted in (
            ("miles", sum(run.sent[name])),
            ("calls", Decimal(len(run.sent[name]))),
        ):
            assert sum(u for metric, u, _, _ in units if metric == code) == wanted, (name, code)
            assert sum(n for metric, _, n, _ in units if metric == code) == len(run.sent[name]), (name, code)
    return compared


def second_after(text: str) -> str:
    return (datetime.fromisoformat(text) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def story(environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """A sandbox whose clock may go far in one call."""
    monkeypatch.setattr(limits, "CLOCK_INLINE_SECONDS", 600)
    with support.in_memory():
        yield Story.begin(at="2024-03-04T15:00:00Z")


def test_the_last_current_usage_of_a_period_is_what_its_invoice_bills(story):
    """New York's clocks go on by an hour on 10 March, those of Lord Howe back by half an hour on 7 April."""
    run = Run(story, ("America/New_York", "Australia/Lord_Howe"), datetime(2024, 3, 4, 15, tzinfo=UTC))
    run.prepare()
    run.live(35)
    assert assert_agree(run) > 30
