"""The main story: from an event to an invoice."""

from datetime import UTC, datetime

from tests.support import story as stories
from tests.support.story import Story

JANUARY_5 = datetime(2024, 1, 5, 12, tzinfo=UTC).timestamp()


def priced(story: Story) -> None:
    """A metric counted and one summed, on a plan of 20.00."""
    calls = story.metric("calls")
    miles = story.metric("miles", "sum_agg", field_name="distance")
    story.plan(
        amount_cents=2000,
        charges=[
            {"billable_metric_id": calls["lago_id"], "charge_model": "standard", "properties": {"amount": "0.125"}},
            {"billable_metric_id": miles["lago_id"], "charge_model": "standard", "properties": {"amount": "0.0137"}},
        ],
    )
    story.customer(currency="EUR")


def test_a_month_in_arrears_is_billed_at_local_midnight_with_its_usage(story):
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    priced(story)
    story.subscribe()
    for n in range(5):
        story.use("calls", at=JANUARY_5 + n)
    story.use("miles", at=JANUARY_5, distance="100.5")
    story.use("miles", at=JANUARY_5, distance=33)
    story.use("miles", at=JANUARY_5, distance="no number")
    usage = story.usage()
    assert [c["units"] for c in usage["charges_usage"]] == ["5.0", "133.5"]

    story.travel("2024-01-31T23:59:59Z")
    assert story.invoices() == []
    story.travel("2024-02-01T00:00:00Z")

    (invoice,) = story.invoices()
    fees = {fee["item"]["code"]: fee for fee in invoice["fees"]}
    assert fees["plan"]["amount_cents"] == 2000
    assert fees["calls"]["amount_cents"] == 63  # 5 x 0.125 = 0.625
    assert fees["miles"]["amount_cents"] == 183  # 133.5 x 0.0137 = 1.82895
    assert fees["miles"]["events_count"] == 2
    assert invoice["fees_amount_cents"] == 2246
    assert invoice["taxes_amount_cents"] == 449  # 20 % of 22.46 = 4.492
    assert invoice["total_amount_cents"] == 2695
    assert (invoice["issuing_date"], invoice["status"], invoice["payment_status"]) == (
        "2024-02-01",
        "finalized",
        "pending",
    )
    assert invoice["number"].endswith("-001-001")
    (period,) = invoice["billing_periods"]
    assert period["charges_from_datetime"] == "2024-01-01T00:00:00Z"
    assert period["charges_to_datetime"] == "2024-01-31T23:59:59Z"
    assert usage["amount_cents"] == 63 + 183


def test_a_plan_in_advance_bills_its_first_period_at_once_and_usage_a_period_later(story):
    calls = story.metric("calls")
    charge = {"billable_metric_id": calls["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan(amount_cents=3100, pay_in_advance=True, charges=[charge])
    story.travel("2024-01-11T00:00:00Z")
    story.subscribe()
    story.use("calls", at=datetime(2024, 1, 20, tzinfo=UTC).timestamp())

    (starting,) = story.invoices()
    assert starting["total_amount_cents"] == 2100  # 21 of 31 days x 31.00
    assert starting["billing_periods"][0]["invoicing_reason"] == "subscription_starting"

    story.travel("2024-02-01T00:00:00Z")
    periodic = story.invoices()[-1]
    assert sorted((f["item"]["type"], f["amount_cents"]) for f in periodic["fees"]) == [
        ("charge", 100),
        ("subscription", 3100),
    ]


def test_an_ended_subscription_in_arrears_owes_its_days_and_its_usage_to_the_second(story):
    priced(story)
    story.subscribe()
    story.travel("2024-01-11T10:00:00Z")
    story.use("calls", at=datetime(2024, 1, 11, 10, tzinfo=UTC).timestamp())
    story.use("calls", at=datetime(2024, 1, 11, 10, 0, 1, tzinfo=UTC).timestamp())
    ended = story.terminate()
    assert (ended["status"], ended["terminated_at"]) == ("terminated", "2024-01-11T10:00:00Z")
    (invoice,) = story.invoices()
    fees = {fee["item"]["code"]: fee for fee in invoice["fees"]}
    assert fees["plan"]["amount_cents"] == 710  # 11 of 31 days x 20.00 = 7.0968
    assert fees["calls"]["units"] == "1.0"
    assert invoice["billing_periods"][0]["charges_to_datetime"] == "2024-01-11T10:00:00Z"
    assert invoice["billing_periods"][0]["invoicing_reason"] == "subscription_terminating"
    story.travel("2024-03-01T00:00:00Z")
    assert len(story.invoices()) == 1
    assert story.call("GET", "/subscriptions/sub").status == 404


def test_one_leap_of_the_clock_bills_what_many_steps_bill(story):
    priced(story)
    story.subscribe()
    leaping = Story.begin()
    priced(leaping)
    leaping.subscribe()
    for month in (2, 3, 4, 5):
        story.travel(f"2024-{month:02d}-01T00:00:00Z")
    leaping.travel("2024-05-01T00:00:00Z")

    def shown(of: Story) -> list[object]:
        return [(i["issuing_date"], i["total_amount_cents"], i["number"][-7:]) for i in of.invoices()]

    assert shown(story) == shown(leaping)
    assert [day for day, _, _ in shown(story)] == ["2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]


def test_the_customers_time_zone_decides_when_the_day_begins(story):
    story.customer("tokyo", timezone="Asia/Tokyo")
    story.plan(amount_cents=1000)
    story.subscribe(customer="tokyo")
    story.travel("2024-01-31T14:59:59Z")
    assert story.invoices() == []
    story.travel("2024-01-31T15:00:00Z")
    (invoice,) = story.invoices()
    assert invoice["issuing_date"] == "2024-02-01"
    assert invoice["billing_periods"][0]["charges_to_datetime"] == "2024-01-31T14:59:59Z"


def test_several_subscriptions_of_a_customer_stand_on_one_invoice(story):
    story.plan("a", amount_cents=4000)
    story.plan("b", amount_cents=6000)
    story.subscribe("a", "sub-a")
    story.subscribe("b", "sub-b", name="My b")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert invoice["total_amount_cents"] == 10000
    assert [f["item"]["invoice_display_name"] for f in invoice["fees"]] == ["a", "My b"]


def test_a_draft_waits_for_its_grace_period_and_takes_late_events(story):
    story.organization(billing_configuration={"invoice_grace_period": 3})
    priced(story)
    story.subscribe()
    story.travel("2024-02-02T00:00:00Z")
    (draft,) = story.invoices()
    assert (draft["status"], draft["sequential_id"]) == ("draft", None)
    assert draft["number"].endswith("-DRAFT")
    assert draft["issuing_date"] == "2024-02-04"
    story.use("calls", at=JANUARY_5)
    stories.meter()
    refreshed = story.ok("PUT", f"/invoices/{draft['lago_id']}/refresh")["invoice"]
    assert refreshed["fees_amount_cents"] == 2013  # 20.00 + 1 x 0.125
    story.use("calls", at=JANUARY_5)
    story.travel("2024-02-04T00:00:00Z")
    (final,) = story.invoices()
    assert (final["status"], final["fees_amount_cents"]) == ("finalized", 2025)
    assert final["number"].endswith("-001-001")
