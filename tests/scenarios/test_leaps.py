"""Billing by test clock in one leap equals billing in any sequence of steps, invoice by invoice, cent by cent.

One script over fourteen months, carried through the API; `domain/test_leaps.py` has the same without storage in volume.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.domain import periods
from tests.support import aws as support
from tests.support.quick_tables import State, go_back_to, state
from tests.support.story import Story, meter

BEGIN, END = datetime(2024, 1, 31, 12, 30, tzinfo=UTC), datetime(2025, 4, 2, 6, tzinfo=UTC)
ZONES = ("Asia/Kathmandu", "Pacific/Apia", "America/New_York", "Europe/Paris", "UTC")

Documents = dict[str, list[Any]]

# One worker: what comes before the clock moves is told once.
pytestmark = pytest.mark.xdist_group("leaps")


def text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def customer_of(zone: str) -> str:
    return zone.rpartition("/")[2].lower()


def catalog(story: Story) -> None:
    """Plans of all intervals, with each thing that is billed in its own way."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.ok("POST", "/taxes", {"tax": {"name": "City", "code": "city", "rate": 1.375}})
    seat = {"name": "Seat", "code": "seat", "amount_cents": 100, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": seat})
    calls = story.metric("calls")["lago_id"]
    miles = story.metric("miles", "sum_agg", field_name="distance")["lago_id"]
    tiers = [
        {"from_value": 0, "to_value": 10, "per_unit_amount": "0.333", "flat_amount": "1"},
        {"from_value": 11, "to_value": None, "per_unit_amount": "0.1", "flat_amount": "0"},
    ]
    counted = {"billable_metric_id": calls, "charge_model": "graduated", "properties": {"graduated_ranges": tiers}}
    summed = {"billable_metric_id": miles, "charge_model": "standard", "properties": {"amount": "0.0137"}}
    volume = [
        {"from_value": 0, "to_value": 100, "per_unit_amount": "0.05", "flat_amount": "2"},
        {"from_value": 101, "to_value": None, "per_unit_amount": "0.04", "flat_amount": "0"},
    ]
    bulk = {"billable_metric_id": miles, "charge_model": "volume", "properties": {"volume_ranges": volume}}
    seats = {"add_on_code": "seat", "charge_model": "standard", "properties": {"amount": "0.77"}, "units": "7"}
    story.plan(
        "advance",
        amount_cents=4999,
        pay_in_advance=True,
        charges=[counted, summed],
        fixed_charges=[
            {**seats, "code": "arrears", "prorated": True},
            {**seats, "code": "first", "pay_in_advance": True},
        ],
        tax_codes=["city"],
    )
    story.plan(
        "year",
        interval="yearly",
        amount_cents=120_000,
        bill_charges_monthly=True,
        charges=[counted],
        fixed_charges=[{**seats, "code": "yearly"}],
        minimum_commitment={"amount_cents": 150_000},
    )
    story.plan("week", interval="weekly", amount_cents=700, charges=[summed])
    story.plan("quarter", interval="quarterly", amount_cents=9100, pay_in_advance=True, charges=[bulk])
    story.plan("trial", amount_cents=3100, pay_in_advance=True, trial_period=14.5, charges=[summed])
    story.plan(
        "half",
        interval="semiannual",
        amount_cents=60_000,
        pay_in_advance=True,
        bill_charges_monthly=True,
        bill_fixed_charges_monthly=True,
        charges=[counted],
        fixed_charges=[{**seats, "code": "monthly", "prorated": True}],
    )
    story.plan(
        "dear",
        amount_cents=2000,
        charges=[summed],
        fixed_charges=[{**seats, "code": "begin", "pay_in_advance": True}],
        minimum_commitment={"amount_cents": 5000},
    )
    story.plan("cheap", interval="quarterly", amount_cents=3000, charges=[bulk])


def subscriptions(story: Story) -> None:
    """Starts in the past, now and later; ends; a change that waits; a grace period."""
    for zone in ZONES:
        grace = {"invoice_grace_period": 3} if zone == "America/New_York" else {}
        story.customer(
            customer_of(zone), timezone=zone, currency="EUR", net_payment_term=10, billing_configuration=grace
        )
    story.subscribe("advance", "a", "kathmandu", ending_at="2024-10-20T00:00:00Z")
    story.subscribe("year", "b", "kathmandu", billing_time="anniversary", subscription_at="2024-01-09T20:00:00Z")
    story.subscribe("week", "c", "apia", ending_at="2024-03-01T05:00:00Z")
    story.subscribe("quarter", "d", "apia", billing_time="anniversary", subscription_at="2024-05-31T10:00:01Z")
    story.subscribe("trial", "e", "new_york", billing_time="anniversary", ending_at="2024-08-15T00:00:00Z")
    story.subscribe("half", "f", "new_york", ending_at="2024-08-03T12:00:00Z")
    story.subscribe("dear", "g", "paris", billing_time="anniversary", ending_at="2025-03-30T00:30:00Z")
    story.subscribe("cheap", "g", "paris")
    story.subscribe("week", "h", "paris", subscription_at="2025-03-14T22:59:59Z", consolidate_invoice=False)


def events(story: Story) -> None:
    """Usage of the whole span, sent before the clock moves: at any instants and about midnights of each zone."""
    chance = Random(1)
    batch: list[dict[str, Any]] = []
    for n, subscription in enumerate("abcdefgh"):
        zone = ZoneInfo(ZONES[n // 2])
        for day in range(n % 3, (END - BEGIN).days, 23):
            midnight = periods.start_of_day((BEGIN + timedelta(days=day)).date().replace(day=1), zone)
            for at in (
                BEGIN + timedelta(days=day, seconds=chance.randrange(86_400)),
                midnight + timedelta(milliseconds=chance.choice((-1, 0, 1))),
            ):
                for code in ("calls", "miles"):
                    batch.append(
                        {
                            "transaction_id": f"tx-{len(batch)}",
                            "external_subscription_id": subscription,
                            "code": code,
                            "timestamp": str(at.timestamp()),
                            "properties": {"distance": chance.randrange(1, 99_999) / 100},
                        }
                    )
    for part in range(0, len(batch), limits.EVENTS_PER_BATCH_MAX):
        story.ok("POST", "/events/batch", {"events": batch[part : part + limits.EVENTS_PER_BATCH_MAX]})


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Story, State]]:
    """The organization as the script leaves it before its clock moves, and all that is stored then."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in support.variables().items():
            patch.setenv(name, value)
        patch.setattr(limits, "CLOCK_INLINE_SECONDS", 600)
        with support.in_memory():
            story = Story.begin(at=text(BEGIN))
            catalog(story)
            subscriptions(story)
            events(story)
            meter()
            yield story, state()


def carried(told: tuple[Story, State], steps: Sequence[datetime]) -> Documents:
    """All documents of the script after its span, with a stop at each of these instants."""
    story, begin = told
    go_back_to(begin)
    for at in (*steps, END):
        story.travel(text(at))
    return documents(story)


def documents(story: Story) -> Documents:
    statuses = "&".join(f"status[]={status}" for status in ("active", "pending", "terminated", "canceled"))
    shown = story.ok("GET", f"/subscriptions?per_page=1000&{statuses}")["subscriptions"]
    return {
        "invoices": story.invoices(),
        "credit notes": story.notes(),
        "subscriptions": sorted(shown, key=lambda each: each["lago_id"]),
        "usage": [story.usage(*each) for each in (("b", "kathmandu"), ("d", "apia"), ("h", "paris"))],
    }


@pytest.fixture(scope="module")
def leap(told: tuple[Story, State]) -> Documents:
    """What one leap bills."""
    return carried(told, [])


@st.composite
def instants(draw: st.DrawFn) -> datetime:
    """An instant of the span: a midnight of some zone or a second beside it, on the first of a month or any day."""
    on = draw(st.dates(BEGIN.date() + timedelta(days=1), END.date() - timedelta(days=1)))
    midnight = periods.start_of_day(
        draw(st.sampled_from((on, on.replace(day=1)))), ZoneInfo(draw(st.sampled_from(ZONES)))
    )
    at = midnight + timedelta(seconds=draw(st.sampled_from((-1, 0, 1)) | st.integers(0, 86_399)))
    return min(max(at, BEGIN), END)


def test_the_leap_bills_what_the_script_is_about(leap):
    """So that the comparison below compares something of each kind."""
    fees = [fee for invoice in leap["invoices"] for fee in invoice["fees"]]
    assert {fee["item"]["type"] for fee in fees} == {"subscription", "charge", "fixed_charge", "commitment"}
    reasons = {period["invoicing_reason"] for invoice in leap["invoices"] for period in invoice["billing_periods"]}
    assert reasons == {
        "subscription_starting",
        "subscription_periodic",
        "subscription_terminating",
        "in_advance_charge",
    }
    assert leap["credit notes"]
    assert {each["status"] for each in leap["subscriptions"]} == {"active", "terminated"}
    assert len(leap["invoices"]) > 50


@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(instants(), min_size=1, max_size=25, unique=True).map(sorted))
def test_steps_bill_what_one_leap_bills(told, leap, steps):
    stepped = carried(told, steps)
    for kind, expected in leap.items():
        assert stepped[kind] == expected, kind
