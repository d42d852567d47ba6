"""Charges in advance over HTTP, of events in whatever order: what is charged.
Source: decisions/0018."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from chalicelib.features.metering.advance import CHARGE_EVENT
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner
from chalicelib.platform.ids import key
from chalicelib.platform.unit import Unit
from chalicelib.tasks import worker as work_service
from tests.support.capacity import counting
from tests.support.charging import tiers, ts
from tests.support.in_advance import (
    JANUARY_2,
    advance,
    cents,
    charged_one_by_one,
    event_fees,
    paid,
    shown,
    summed,
    unique,
)
from tests.support.items import core
from tests.support.story import Story, meter, work

PACKAGES = {"amount": "10", "package_size": 10, "free_units": 0}
TEN_PERCENT = {"rate": "10"}


@pytest.mark.parametrize("invoiceable", [True, False])
def test_twelve_counts_in_packages_of_ten_cost_twenty_in_any_order(story, invoiceable):
    story.plan(charges=[advance(story.metric(), PACKAGES, "package", invoiceable=invoiceable)])
    story.subscribe()
    for n in reversed(range(12)):
        charged_one_by_one(story, "calls", n)
    assert cents(story) == [1000, *[0] * 9, 1000, 0]
    assert shown(story) == 2000
    assert sum(invoice["total_amount_cents"] for invoice in story.invoices()) == (2000 if invoiceable else 0)


def test_a_seat_added_again_with_an_earlier_date_is_charged_once(story):
    story.plan(charges=[advance(unique(story), {"amount": "10"})])
    story.subscribe()
    for hours in (5, 3, 7):
        charged_one_by_one(story, "users", hours, id="a")
    assert paid(story) == [("1.0", 1000), ("1.0", 0), ("0.0", 0)]
    assert shown(story) == 1000


@pytest.mark.parametrize(
    ("model", "properties", "values", "expected"),
    [
        pytest.param("standard", {"amount": "10"}, (3, 1, 2), (3000, 1000, 2000), id="at one price: each its own"),
        pytest.param(
            "graduated",
            {"graduated_ranges": tiers((0, 2, "10", "0"), (3, None, "1", "5"))},
            (1, 1, 1),
            (1000, 1000, 600),
            id="tiers",
        ),
        pytest.param("percentage", TEN_PERCENT | {"free_units_per_events": 1}, (50, 100), (0, 0), id="one event free"),
        pytest.param(
            "percentage", TEN_PERCENT | {"per_transaction_max_amount": "5"}, (10, 100), (100, 500), id="bounds of each"
        ),
        pytest.param("percentage", TEN_PERCENT | {"fixed_amount": "1"}, (10, 100), (200, 1100), id="fixed amounts"),
        pytest.param("package", PACKAGES, (5, 5, 5), (1000, 0, 1000), id="packages: units 15 begin a second one"),
    ],
)
def test_sums_newest_first(story, model, properties, values, expected):
    story.plan(charges=[advance(summed(story), properties, model)])
    story.subscribe()
    for n, value in enumerate(values):
        charged_one_by_one(story, "gb", 9 - n, n=value)
    assert cents(story) == list(expected)
    assert sum(expected) <= shown(story)


def test_each_filter_and_group_has_a_sum_of_its_own(story):
    """Newest first, one event each of two users and a filter: all begin a package, and none begins a second one."""
    calls = story.metric(filters=[{"key": "cloud", "values": ["aws", "gcp"]}])
    charge = advance(calls, PACKAGES | {"pricing_group_keys": ["user"]}, "package")
    charge["filters"] = [{"values": {"cloud": ["aws"]}, "properties": PACKAGES}]
    story.plan(charges=[charge])
    story.subscribe()
    for n, (cloud, user) in enumerate(
        [("gcp", "a"), ("gcp", "b"), ("aws", "a"), ("aws", "b"), ("gcp", "a"), ("gcp", None), ("gcp", None)]
    ):
        charged_one_by_one(story, "calls", 20 - n, cloud=cloud, **({"user": user} if user else {}))
    assert cents(story) == [1000, 1000, 1000, 0, 0, 1000, 0]
    assert shown(story) == 4000


def test_periods_and_subscriptions_have_sums_of_their_own(story):
    """A package a month, and one of each plan after an upgrade."""
    calls = story.metric()
    story.plan("small", amount_cents=100, charges=[advance(calls, PACKAGES, "package")])
    story.plan("large", amount_cents=200, charges=[advance(calls, PACKAGES | {"amount": "30"}, "package")])
    story.subscribe("small")
    charged_one_by_one(story, "calls", 48)
    story.travel("2024-02-10T00:00:00Z")
    charged_one_by_one(story, "calls", 24 * 38)
    charged_one_by_one(story, "calls", 24)  # Late, for January.
    story.subscribe("large")
    for day in ("12", "11", "05"):  # The last is the first plan's still.
        story.use("calls", at=ts(f"2024-02-{day}T00:00:00"))
        meter()
        work()
    assert cents(story) == [1000, 1000, 0, 3000, 0, 0]


def test_seats_said_to_be_older_are_not_charged_again_in_their_month(aws):
    """Recurring and prorated: 30.00 a seat. Added on the 21st of 29 days (9 / 29), then said to be added on the 11th (19 / 29):
    the days between are charged, no day twice. In March it is renewed once."""
    story = Story.begin(at="2024-02-01T00:00:00Z")
    story.plan(charges=[advance(unique(story, recurring=True), {"amount": "30"}, prorated=True)])
    story.subscribe()
    story.travel("2024-02-21T12:00:00Z")
    for day in ("21", "11"):
        story.use("users", at=ts(f"2024-02-{day}T00:00:00"), id="a")
        meter()
        work()
    assert cents(story) == [931, 1034]  # 0.31035 and 0.65518 x 30: 9.3105, and 19.6554 less that.
    assert shown(story) == 1966
    story.travel("2024-03-01T00:00:00Z")
    assert shown(story) == 3000


def test_what_is_metered_before_any_is_charged_owes_its_place_whichever_is_charged_first(story):
    """Twelve counts at once, newest first: the first and the eleventh by time begin a package each."""
    story.plan(charges=[advance(story.metric(), PACKAGES, "package")])
    story.subscribe()
    for n in reversed(range(12)):
        story.use("calls", at=JANUARY_2 + n)
    meter()
    work()
    assert cents(story) == [0, 1000, *[0] * 9, 1000]


def test_estimates_say_what_would_be_charged_still(story):
    """A package was charged for an event of the 5th; one of the 2nd would cost nothing more, and neither would the next."""
    story.plan(charges=[advance(story.metric(), PACKAGES, "package")])
    story.subscribe()
    story.travel("2024-01-05T00:00:00Z")
    charged_one_by_one(story, "calls", 72)
    event = {"code": "calls", "external_subscription_id": "sub"}
    for timestamp in (JANUARY_2, JANUARY_2 + 72 * 3600):
        (fee,) = story.ok("POST", "/events/estimate_fees", {"event": {**event, "timestamp": timestamp}})["fees"]
        assert fee["amount_cents"] == 0
    for hours in range(9):
        charged_one_by_one(story, "calls", hours)
    found = story.ok("POST", "/events/estimate_fees", {"event": {**event, "timestamp": JANUARY_2 - 60}})["fees"]
    assert [fee["amount_cents"] for fee in found] == [1000]  # The eleventh, which would be the first by time.
    assert shown(story) == 1000


def test_a_deleted_fee_is_forgiven_and_not_left_to_another_event(story):
    story.plan(charges=[advance(story.metric(), PACKAGES, "package", invoiceable=False)])
    story.subscribe()
    charged_one_by_one(story, "calls", 5)
    (fee,) = event_fees(story)
    story.ok("DELETE", f"/fees/{fee['lago_id']}")
    for hours in (3, 7):
        charged_one_by_one(story, "calls", hours)
    assert cents(story) == [0, 0]


def test_a_changed_price_begins_anew_and_takes_nothing_off_later_events(story):
    """Ten units at 10.00, then the price falls to 1.00: the next unit costs 1.00, though all would cost 11.00 now."""
    metric = summed(story)
    story.plan(charges=[advance(metric, {"amount": "10"}, code="gb")])
    story.subscribe()
    charged_one_by_one(story, "gb", 1, n=10)
    story.ok("PUT", "/plans/plan/charges/gb", {"charge": {"properties": {"amount": "1"}}})
    charged_one_by_one(story, "gb", 2, n=1)
    assert cents(story) == [10000, 100]


def test_amounts_with_more_digits_than_a_number_holds_are_charged_exactly(story):
    """At 1.5 and then at 100,000,000 and some: 24 digits before the point and 15 after it."""
    prices = tiers((0, 1, "1.5", "0"), (2, None, "100000000.000000000000001", "0"))
    story.plan(charges=[advance(summed(story), {"graduated_ranges": prices}, "graduated", invoiceable=False)])
    story.subscribe()
    for hours, value in ((9, "1"), (8, "999999999999999"), (7, "1"), (10, "0.000000000000001")):
        charged_one_by_one(story, "gb", hours, n=value)
    # By their places: 1.50; 1.50 and the rest; 1.50, of which all is charged but what the first one left; and next to nothing.
    exact = [Fraction(fee["precise_amount"]) for fee in event_fees(story)]
    dear = Fraction("100000000.000000000000001")
    assert exact[:2] == [Fraction("1.5"), Fraction("1.5") + (10**15 - 2) * dear]
    assert 0 <= exact[2] <= Fraction("1.5")
    assert exact[3] == dear / 10**15
    assert sums(story)[0]["amount"] > 10**22


# Repeated, at once, and in real time.


def tasks(story: Story) -> list[agenda.Task]:
    """What charges events and is still to be done, in the order in which they were received."""
    found = agenda.tasks_of_clock(story.ref, until=datetime(2030, 1, 1, tzinfo=UTC))
    return [task for task in found if task.kind == CHARGE_EVENT]


@pytest.mark.parametrize("invoiceable", [True, False])
@pytest.mark.parametrize("kind", ["package of a count", "seats"])
def test_two_events_charged_at_the_same_time_share_what_is_there_for_one(story, monkeypatch, kind, invoiceable):
    """The later one is priced before the earlier one is metered, and charged after it: whoever comes second is computed
    again, and owes nothing."""
    if kind == "seats":
        story.plan(charges=[advance(unique(story), {"amount": "10"}, invoiceable=invoiceable)])
    else:
        story.plan(charges=[advance(story.metric("users"), PACKAGES, "package", invoiceable=invoiceable)])
    story.subscribe()
    story.use("users", at=JANUARY_2 + 60, id="a")
    meter()
    (later,) = tasks(story)
    real, once = Unit.commit, list[int]()

    def racing(unit: Unit) -> None:
        if not once:
            once.append(1)
            story.use("users", at=JANUARY_2, id="a")
            meter()
            assert runner.run(next(t for t in tasks(story) if t.key != later.key), now=later.due_at) is None
        real(unit)

    monkeypatch.setattr(Unit, "commit", racing)
    assert runner.run(later, now=later.due_at) is None
    assert once
    assert tasks(story) == []
    assert cents(story) == [0, 1000]
    assert shown(story) == 1000


def test_a_task_that_runs_twice_charges_once_and_enters_it_once(story):
    story.plan(charges=[advance(story.metric(), PACKAGES, "package", invoiceable=False)])
    story.subscribe()
    for hours in (9, 8):
        story.use("calls", at=JANUARY_2 + 3600 * hours)
        meter()
        standing = tasks(story)
        for task in (*standing, *standing, *standing):
            assert runner.run(task, now=task.due_at) is None
    for hours in range(7, -1, -1):
        charged_one_by_one(story, "calls", hours)
    charged_one_by_one(story, "calls", 20)
    assert cents(story) == [1000, *[0] * 9, 1000]


def test_in_real_time_late_events_are_charged_alike(aws):
    story = Story.begin(sandbox=False)
    story.plan(charges=[advance(story.metric(), PACKAGES, "package", invoiceable=False)])
    story.subscribe()
    now = clock.utc_now().timestamp()
    for n in range(12):
        story.use("calls", at=now + 60 - n)
        meter()
        if n % 2:  # Every other message is lost, and the tick finds what it was for.
            work()
        else:
            work_service.tick(real_now=clock.utc_now())
            work()
    assert sorted(cents(story)) == [0] * 10 + [1000, 1000]


# What it costs.


def sums(story: Story) -> list[Any]:
    """What is kept of what the subscription was charged."""
    subscription = story.ok("GET", "/subscriptions/sub")["subscription"]["lago_id"]
    return list(core.query(key(story.ref.id, "charged", subscription)))


def charging(story: Story, **properties: Any) -> Any:
    """The requests of charging one event."""
    story.use("calls", at=properties.pop("at"), **properties)
    meter()
    (task,) = tasks(story)
    with counting() as asked:
        assert runner.run(task, now=task.due_at) is None
    return asked


def test_what_was_charged_costs_one_write_in_the_transaction_and_no_request_in_order(story):
    """A count in packages: in order the sum is read with the fee's marker; only after later ones all is read again."""
    story.plan(charges=[advance(story.metric(), PACKAGES, "package", invoiceable=False)])
    story.subscribe()
    first = charging(story, at=JANUARY_2 + 3600)
    assert first.requests["transact_write_items"] == 1
    free = charging(story, at=JANUARY_2 + 7200)
    assert first.write_units - free.write_units == 2
    assert first.total == free.total
    late = charging(story, at=JANUARY_2)
    assert late.total - free.total <= 3


def test_counts_at_one_price_read_no_usage_and_keep_no_sum(aws):
    asked = {}
    for model, properties in (("package", PACKAGES), ("standard", {"amount": "1"})):
        story = Story.begin()
        story.plan(charges=[advance(story.metric(), properties, model, invoiceable=False)])
        story.subscribe()
        charged_one_by_one(story, "calls", 5)
        asked[model] = charging(story, at=JANUARY_2 + 24 * 3600)
        assert bool(sums(story)) is (model == "package")
    assert asked["package"].requests["query"] > asked["standard"].requests["query"]
