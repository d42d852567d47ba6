"""Billing days in the customer's own time: daylight saving, odd offsets, days that lack a midnight, and moves."""

import itertools
from datetime import datetime, timedelta

import pytest

from tests.support.story import Story


def used_story(at: str, **organization) -> Story:
    story = Story.begin(at=at, **organization)
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("plan", amount_cents=3000, charges=[charge])
    story.plan("week", interval="weekly", amount_cents=700, charges=[charge])
    return story


def rows(story: Story, customer: str = "cust") -> list[tuple[str, str, str, str, str]]:
    found = story.invoices(f"&external_customer_id={customer}")
    return [
        (
            invoice["issuing_date"],
            period["subscription_from_datetime"],
            period["subscription_to_datetime"],
            period["charges_from_datetime"],
            period["charges_to_datetime"],
        )
        for invoice in found
        for period in invoice["billing_periods"]
    ]


def test_months_of_several_zones_begin_at_their_own_midnights(aws):
    story = used_story("2023-02-20T00:00:00Z")
    zones = ["America/New_York", "Europe/Paris", "Asia/Kathmandu", "Pacific/Chatham"]
    for zone in zones:
        story.customer(zone, timezone=zone)
        story.subscribe("plan", zone, customer=zone, subscription_at="2023-02-01T12:00:00Z")
    story.travel("2023-05-02T00:00:00Z")
    assert [row[1:3] for row in rows(story, "America/New_York")][1:] == [
        ("2023-03-01T05:00:00Z", "2023-04-01T03:59:59Z"),
        ("2023-04-01T04:00:00Z", "2023-05-01T03:59:59Z"),
    ]
    assert rows(story, "Europe/Paris")[1][1:3] == ("2023-02-28T23:00:00Z", "2023-03-31T21:59:59Z")
    assert rows(story, "Asia/Kathmandu")[1][1:3] == ("2023-02-28T18:15:00Z", "2023-03-31T18:14:59Z")
    assert rows(story, "Pacific/Chatham")[1][1:3] == ("2023-02-28T10:15:00Z", "2023-03-31T10:14:59Z")
    for zone in zones:
        found = rows(story, zone)
        assert [row[0] for row in found] == ["2023-03-01", "2023-04-01", "2023-05-01"]
    made = [i["created_at"] for i in story.invoices("&external_customer_id=Pacific/Chatham")]
    assert made == ["2023-02-28T10:15:00Z", "2023-03-31T10:15:00Z", "2023-04-30T11:15:00Z"]


@pytest.mark.parametrize(
    ("zone", "anchor", "edge", "at"),
    [
        ("Africa/Cairo", "2024-03-26", "2024-04-26", "2024-04-25T22:00:00Z"),  # Midnight does not exist.
        ("America/Havana", "2024-10-03", "2024-11-03", "2024-11-03T04:00:00Z"),  # Midnight exists twice: the first.
    ],
)
def test_a_billing_day_without_a_plain_midnight(aws, zone, anchor, edge, at):
    story = used_story(f"{anchor}T12:00:00Z")
    story.customer(timezone=zone)
    story.subscribe("plan", billing_time="anniversary")
    story.travel(f"{edge}T12:00:00Z")
    (invoice,) = story.invoices()
    assert (invoice["issuing_date"], invoice["created_at"]) == (edge, at)
    assert invoice["fees"][0]["amount_cents"] == 3000
    span = story.usage()
    assert span["from_datetime"] == at


def test_a_day_that_a_zone_leaves_out_is_no_day_of_a_period(aws):
    """Samoa went over the date line: after 29 December 2011 came the 31st."""
    story = used_story("2011-12-24T12:00:00Z")
    story.customer(timezone="Pacific/Apia")
    story.subscribe("week", billing_time="anniversary", subscription_at="2011-12-23T10:00:00Z")  # Local 23rd: Fridays.
    story.travel("2012-01-14T00:00:00Z")
    found = rows(story)
    assert [row[0] for row in found] == ["2011-12-31", "2012-01-06", "2012-01-13"]
    assert found[0][4] == "2011-12-30T09:59:59Z"
    assert found[1][3] == "2011-12-30T10:00:00Z"


def test_usage_goes_on_where_it_ended_when_a_customer_moves(aws):
    """The worked move of rules/billing-periods 2: January billed in Tokyo, then Los Angeles."""
    story = used_story("2022-01-01T00:00:00Z")
    story.customer(timezone="Asia/Tokyo")
    story.subscribe("plan")
    story.travel("2022-02-03T00:00:00Z")
    story.customer(timezone="America/Los_Angeles")
    assert len(story.invoices()) == 1  # The day was billed in Tokyo, it is not billed again.
    story.travel("2022-04-02T00:00:00Z")
    found = rows(story)
    assert [row[0] for row in found] == ["2022-02-01", "2022-03-01", "2022-04-01"]
    assert found[0][4] == "2022-01-31T14:59:59Z"
    assert found[1][3:] == ("2022-01-31T15:00:00Z", "2022-03-01T07:59:59Z")
    assert found[2][3] == "2022-03-01T08:00:00Z"


@pytest.mark.parametrize(
    ("first", "second"), [("Asia/Tokyo", "America/Los_Angeles"), ("America/Los_Angeles", "Asia/Tokyo")]
)
def test_a_move_on_the_billing_day_itself_bills_it_once(aws, first, second):
    story = used_story("2022-01-10T00:00:00Z", timezone=first)
    story.subscribe("plan")
    for step in range(3):
        story.travel(f"2022-0{step + 2}-01T{12 if step else 3:02d}:00:00Z")
        story.organization(timezone=second if step % 2 == 0 else first)
    story.travel("2022-06-10T00:00:00Z")
    found = rows(story)
    assert [row[0][:7] for row in found] == ["2022-02", "2022-03", "2022-04", "2022-05", "2022-06"]
    for before, after in itertools.pairwise(found):
        assert before[4][:16] == _minute_before(after[3])


def _minute_before(instant: str) -> str:
    return (datetime.fromisoformat(instant) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M")
