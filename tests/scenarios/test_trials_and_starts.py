"""Starts in the past, today and later, and trials, over HTTP: rules/billing-periods 4, 5, 6."""

from datetime import datetime

import pytest

from tests.support.books import Books, range_of, ranges
from tests.support.messages import messages
from tests.support.story import Story, work


def day(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def counted(story: Story) -> dict[str, object]:
    """A charge of 1.00 for each call, on a metric of its own per story."""
    metric = story.metric()
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}


def same(at: str) -> tuple[str, str]:
    return (at, at)


APRIL = ("2024-04-01T00:00:00Z", "2024-04-30T23:59:59Z")
MARCH = ("2024-03-01T00:00:00Z", "2024-03-31T23:59:59Z")


def test_starts_in_the_past_today_and_later(aws):
    """The worked example: 50.00 a month, today is 20 March; two more start today."""
    story = Story.begin(at="2024-03-20T12:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("adv", amount_cents=5000, pay_in_advance=True, charges=[charge])
    story.plan("arr", amount_cents=5000, charges=[charge])
    starts = {
        "a": ("adv", "2024-01-05T00:00:00Z", "active"),
        "b": ("arr", "2024-01-05T00:00:00Z", "active"),
        "c": ("arr", "2024-03-10T00:00:00Z", "active"),
        "d": ("adv", "2024-04-10T08:00:00Z", "pending"),
        "e": ("arr", "2024-04-10T08:00:00Z", "pending"),
        "f": ("adv", "2024-03-20T09:00:00Z", "active"),
        "g": ("arr", "2024-03-20T09:00:00Z", "active"),
    }
    for name, (plan, at, status) in starts.items():
        made = story.subscribe(plan, name, name, subscription_at=at)
        started = at.replace("Z", ".000Z") if status == "active" else None
        assert (made["status"], made["started_at"]) == (status, started), name
    for name, when in [("a", "02-20"), ("a", "03-02"), ("b", "03-02"), ("c", "03-09"), ("c", "03-11"), ("d", "04-09")]:
        story.use(at=day(f"2024-{when}T10:00:00"), subscription=name)
    # To the second: the start belongs to the subscription, the second before it does not.
    story.use(at=day("2024-04-10T07:59:59"), subscription="e")
    story.use(at=day("2024-04-10T08:00:00"), subscription="e")
    assert books.by_customer() == {"f": [("2024-03-20", [("subscription", 1935)])]}  # 12 x 5000 / 31 = 1935.48
    (invoice,) = books.invoices()
    (row,) = invoice["billing_periods"]
    began = same("2024-03-20T09:00:00Z")
    assert row["invoicing_reason"] == "subscription_starting"
    assert ranges(row) == [("2024-03-20T00:00:00Z", "2024-03-31T23:59:59Z"), began, began]

    story.travel("2024-04-10T07:59:59Z")
    assert story.ok("GET", "/subscriptions/d?status[]=pending")["subscription"]["started_at"] is None
    april = "2024-04-01"
    assert books.by_customer() == {
        "a": [(april, [("subscription", 5000), ("charge", 100)])],
        "b": [(april, [("subscription", 5000), ("charge", 100)])],
        "c": [(april, [("subscription", 3548), ("charge", 100)])],  # 22 x 5000 / 31
        "f": [("2024-03-20", [("subscription", 1935)]), (april, [("subscription", 5000)])],
        "g": [(april, [("subscription", 1935)])],
    }
    rows = {
        i["customer"]["external_id"]: i["billing_periods"][0] for i in books.invoices() if i["issuing_date"] == april
    }
    assert {row["invoicing_reason"] for row in rows.values()} == {"subscription_periodic"}
    assert ranges(rows["a"]) == [APRIL, MARCH, MARCH]
    assert ranges(rows["b"]) == [MARCH, MARCH, MARCH]
    since = ("2024-03-10T00:00:00Z", "2024-03-31T23:59:59Z")
    assert ranges(rows["c"]) == [since, since, since]
    late = ("2024-03-20T09:00:00Z", "2024-03-31T23:59:59Z")
    assert ranges(rows["f"]) == [APRIL, late, late]
    assert ranges(rows["g"]) == [("2024-03-20T00:00:00Z", "2024-03-31T23:59:59Z"), late, late]

    story.travel("2024-05-01T00:00:00Z")
    found = books.by_customer()
    may = "2024-05-01"
    assert found["d"] == [("2024-04-10", [("subscription", 3500)]), (may, [("subscription", 5000)])]  # 21 x 5000 / 30
    assert found["e"] == [(may, [("subscription", 3500), ("charge", 100)])]
    began = story.ok("GET", "/subscriptions/e")["subscription"]
    assert (began["status"], began["started_at"]) == ("active", "2024-04-10T08:00:00.000Z")


def test_a_start_that_is_moved_and_a_plan_that_is_replaced_before_it(aws):
    story = Story.begin(at="2024-02-01T09:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("adv", amount_cents=5000, pay_in_advance=True, charges=[charge])
    story.plan("arr", amount_cents=5000, charges=[charge])
    story.plan("dear", amount_cents=9000, pay_in_advance=True)
    story.plan("tried", amount_cents=5000, pay_in_advance=True, trial_period=9)
    plans = {"past": "arr", "paid": "adv", "trial": "tried", "today": "adv", "other": "adv", "later": "adv"}
    for name, plan in plans.items():
        made = story.subscribe(plan, name, name, subscription_at="2024-04-10T00:00:00Z")
        assert made["status"] == "pending"
    replaced = story.subscribe("dear", "other", "other")
    assert (replaced["status"], replaced["plan_code"], replaced["previous_plan_code"]) == ("pending", "dear", None)
    for name in ("past", "paid"):
        story.use(at=day("2024-02-12T00:00:00"), subscription=name)
        story.use(at=day("2024-03-12T00:00:00"), subscription=name)
    story.travel("2024-03-20T15:00:00Z")

    def move(name: str, to: str):
        body = {"subscription": {"subscription_at": to}}
        return story.ok("PUT", f"/subscriptions/{name}?status=pending", body)["subscription"]

    for name in ("past", "paid"):
        moved = move(name, "2024-02-10T00:00:00Z")
        assert (moved["status"], moved["started_at"]) == ("active", "2024-02-10T00:00:00.000Z")
    assert move("later", "2024-04-16T00:00:00Z")["status"] == "pending"
    assert move("trial", "2024-03-11T18:00:00Z")["trial_ended_at"] is None
    assert books.invoices() == []
    assert move("today", "2024-03-20T15:00:00Z")["status"] == "active"
    assert books.by_customer() == {"today": [("2024-03-20", [("subscription", 1935)])]}
    story.travel("2024-04-17T00:00:00Z")
    april = "2024-04-01"
    assert books.by_customer() == {
        # Nothing for February, which was over when it began.
        "past": [(april, [("subscription", 5000), ("charge", 100)])],
        "paid": [(april, [("subscription", 5000), ("charge", 100)])],
        # Its trial ends later on that day.
        "trial": [("2024-03-20", [("subscription", 1935)]), (april, [("subscription", 5000)])],
        "today": [("2024-03-20", [("subscription", 1935)]), (april, [("subscription", 5000)])],
        "other": [("2024-04-10", [("subscription", 6300)])],  # 21 x 9000 / 30
        "later": [("2024-04-16", [("subscription", 2500)])],  # 15 x 5000 / 30
    }


def test_a_date_means_midnight_utc(aws):
    story = Story.begin(at="2023-03-09T15:00:00Z")
    books = Books(story)
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer("cust", timezone="America/New_York")
    made = story.subscribe(subscription_at="2023-03-10")
    assert (made["status"], made["subscription_at"]) == ("active", "2023-03-10T00:00:00Z")
    # It is this evening there, and billed at once: 9 to 31 March, with the clocks set forward in between.
    (first,) = books.invoices()
    (fee,) = first["fees"]
    assert (first["issuing_date"], fee["amount_cents"]) == ("2023-03-09", 2300)
    assert range_of(fee) == ("2023-03-09T05:00:00Z", "2023-04-01T03:59:59Z")
    assert ranges(first["billing_periods"][0])[1] == same("2023-03-10T00:00:00Z")
    story.travel("2023-04-01T04:00:00Z")
    assert books.by_customer()["cust"][1:] == [("2023-04-01", [("subscription", 3100)])]


def test_a_year_that_began_in_the_past_is_paid(aws):
    story = Story.begin(at="2023-12-20T15:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("adv", interval="yearly", amount_cents=120000, pay_in_advance=True, bill_charges_monthly=True)
    story.plan("arr", interval="yearly", amount_cents=120000, bill_charges_monthly=True, charges=[charge])
    for name in ("adv", "arr"):
        story.customer(name, timezone="America/New_York")
        story.subscribe(name, name, name, subscription_at="2023-04-15T12:00:00Z")
    story.use(at=day("2023-12-19T10:00:00"), subscription="arr")
    story.travel("2024-02-01T05:00:00Z")
    assert books.by_customer() == {
        # Each month has its invoice, also without any fee.
        "adv": [("2024-01-01", [("subscription", 120000)]), ("2024-02-01", [])],
        # 261 x 120000 / 365 = 85808.22
        "arr": [("2024-01-01", [("subscription", 85808), ("charge", 100)]), ("2024-02-01", [])],
    }
    rows = [i["billing_periods"][0] for i in books.invoices("arr")]
    december = ("2023-12-01T05:00:00Z", "2024-01-01T04:59:59Z")
    assert ranges(rows[0]) == [
        ("2023-04-15T04:00:00Z", "2024-01-01T04:59:59Z"),
        december,
        ("2023-04-15T12:00:00Z", "2024-01-01T04:59:59Z"),
    ]
    january = ("2024-01-01T05:00:00Z", "2024-02-01T04:59:59Z")
    assert ranges(rows[1]) == [("2024-01-01T05:00:00Z", "2025-01-01T04:59:59Z"), january, (None, None)]


# Trials


def test_a_trial_is_free_of_the_base_amount_and_billed_as_it_ends(aws):
    story = Story.begin(at="2024-03-05T12:12:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("big", amount_cents=5_000_000, pay_in_advance=True, trial_period=10, charges=[charge])
    story.plan("half", amount_cents=3100, pay_in_advance=True, trial_period=0.25)
    story.subscribe("big", "big", "big")
    # It ends on its first day: the fee of that day on is owed at once.
    story.subscribe("half", "half", "half")
    assert books.by_customer() == {"half": [("2024-03-05", [("subscription", 2700)])]}
    story.use(at=day("2024-03-10T00:00:00"), subscription="big")
    story.travel("2024-03-15T12:11:59Z")
    assert story.ok("GET", "/subscriptions/big")["subscription"]["trial_ended_at"] is None
    assert story.ok("GET", "/subscriptions/half")["subscription"]["trial_ended_at"] == "2024-03-05T18:12:00Z"
    assert len(books.invoices()) == 1
    story.travel("2024-03-15T12:12:00Z")
    shown = story.ok("GET", "/subscriptions/big")["subscription"]
    assert shown["trial_ended_at"] == "2024-03-15T12:12:00Z"
    invoice = books.last("big")
    assert invoice["issuing_date"] == "2024-03-15"
    (fee,) = invoice["fees"]
    assert (fee["item"]["type"], fee["amount_cents"]) == ("subscription", 2741935)  # 17 x 5000000 / 31
    (row,) = invoice["billing_periods"]
    ended = same("2024-03-15T12:12:00Z")
    assert row["invoicing_reason"] == "subscription_starting"
    assert ranges(row) == [("2024-03-05T00:00:00Z", "2024-03-31T23:59:59Z"), ended, ended]
    story.travel("2024-04-01T00:00:00Z")
    assert books.by_customer()["big"][1:] == [("2024-04-01", [("subscription", 5_000_000), ("charge", 100)])]
    assert books.by_customer()["half"][1:] == [("2024-04-01", [("subscription", 3100)])]


def test_a_trial_takes_its_days_off_in_arrears_and_its_end_is_told(aws):
    story = Story.begin(at="2024-03-05T12:12:00Z")
    books = Books(story)
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://example.com"}})
    charge = counted(story)
    story.plan("adv", amount_cents=5000, pay_in_advance=True, trial_period=5, charges=[charge])
    story.plan("arr", amount_cents=5000, trial_period=5, charges=[charge])
    story.plan("long", amount_cents=5000, trial_period=40, charges=[charge])
    story.subscribe("long", "long", "long")
    story.use(at=day("2024-03-10T00:00:00"), subscription="long")
    story.travel("2024-04-01T00:00:00Z")
    story.subscribe("adv", "adv", "adv")
    story.subscribe("arr", "arr", "arr")
    for name in ("adv", "arr"):
        story.use(at=day("2024-04-03T00:00:00"), subscription=name)
    story.travel("2024-05-01T00:00:00Z")
    may = "2024-05-01"
    assert books.by_customer() == {
        "adv": [("2024-04-06", [("subscription", 4167)]), (may, [("subscription", 5000), ("charge", 100)])],
        "arr": [(may, [("subscription", 4167), ("charge", 100)])],  # 25 x 5000 / 30
        # The whole of March, then from 14 April on: 17 x 5000 / 30 = 2833.33.
        "long": [("2024-04-01", [("charge", 100)]), (may, [("subscription", 2833)])],
    }
    work()
    organization = story.ref
    told = [m.object_id for m in messages(organization.id) if m.webhook_type == "subscription.trial_ended"]
    assert len(told) == len(set(told)) == 3


def test_a_trial_that_ends_on_a_billing_day_is_billed_by_its_run(aws):
    story = Story.begin(at="2024-03-22T15:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("adv", amount_cents=3000, pay_in_advance=True, trial_period=10, charges=[charge])
    story.plan("arr", amount_cents=3000, trial_period=10, charges=[charge])
    story.plan("later", amount_cents=3000, pay_in_advance=True, trial_period=20, charges=[charge])
    story.customer("drafts", finalize_zero_amount_invoice="inherit")
    for name, plan in [("adv", "adv"), ("arr", "arr"), ("drafts", "later"), ("past", "later")]:
        if name == "past":
            # In the past, with its trial still to end.
            story.subscribe(plan, name, name, subscription_at="2024-03-15T15:00:00Z")
        else:
            story.subscribe(plan, name, name)
        story.use(at=day("2024-03-25T00:00:00"), subscription=name)
    story.ok(
        "POST",
        "/customers",
        {"customer": {"external_id": "drafts", "billing_configuration": {"invoice_grace_period": 3}}},
    )
    story.travel("2024-04-13T00:00:00Z")
    found, april = books.by_customer(), "2024-04-01"
    assert found["adv"] == [(april, [("subscription", 3000), ("charge", 100)])]
    assert found["arr"] == [(april, [("subscription", 0), ("charge", 100)])]
    assert found["past"] == [(april, [("charge", 100)]), ("2024-04-04", [("subscription", 2700)])]
    # The grace period applies to the invoice of a trial's end, and making it again adds no usage to it.
    assert found["drafts"] == [("2024-04-04", [("charge", 100)]), ("2024-04-14", [("subscription", 2000)])]
    story.use(at=day("2024-04-02T00:00:00"), subscription="drafts")
    draft = next(i for i in books.invoices() if i["status"] == "draft")
    fresh = story.ok("PUT", f"/invoices/{draft['lago_id']}/refresh")["invoice"]
    assert [fee["amount_cents"] for fee in fresh["fees"]] == [2000]
    story.travel("2024-05-01T00:00:00Z")
    assert books.by_customer()["drafts"][1:] == [
        ("2024-04-14", [("subscription", 2000)]),
        ("2024-05-04", [("subscription", 3000), ("charge", 100)]),
    ]
    assert books.by_customer()["arr"][1:] == [("2024-05-01", [("subscription", 3000)])]


def test_a_change_of_plan_during_a_trial_measures_the_new_one_from_the_first_start(aws):
    story = Story.begin(at="2024-03-05T12:12:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("ten", amount_cents=1000, pay_in_advance=True, trial_period=10, charges=[charge])
    story.plan("thirteen", amount_cents=3100, pay_in_advance=True, trial_period=13, charges=[charge])
    story.plan("none", amount_cents=3100, pay_in_advance=True, trial_period=3)  # Over by then.
    story.plan("arrears", amount_cents=3100, trial_period=13)
    story.plan("cheap", amount_cents=900, pay_in_advance=True, trial_period=40)
    for name in ("thirteen", "none", "arrears", "cheap"):
        story.subscribe("ten", name, name)
        story.use(at=day("2024-03-08T00:00:00"), subscription=name)
    story.travel("2024-03-10T09:00:00Z")
    for name in ("thirteen", "none", "arrears", "cheap"):
        story.subscribe(name, name, name)
    tenth, usage = "2024-03-10", ("charge", 100)
    # The old plan is closed with its usage; the new one is billed at once where no trial is left of it.
    assert books.by_customer() == {
        "thirteen": [(tenth, [usage])],
        "arrears": [(tenth, [usage])],
        "none": [(tenth, [usage, ("subscription", 2200)])],
    }
    assert story.notes() == []
    closing = books.last("thirteen")
    assert [row["invoicing_reason"] for row in closing["billing_periods"]] == ["subscription_terminating"]
    story.travel("2024-03-18T12:11:59Z")
    # The old trial would have ended on the 15th; of a waiting change it does.
    fifteenth = ("2024-03-15", [("subscription", 548)])  # 17 x 1000 / 31
    assert books.by_customer()["cheap"] == [fifteenth]
    assert books.by_customer()["thirteen"] == [(tenth, [usage])]
    story.travel("2024-04-14T12:11:00Z")
    found, april = books.by_customer(), "2024-04-01"
    assert found["thirteen"][1:] == [("2024-03-18", [("subscription", 1400)]), (april, [("subscription", 3100)])]
    assert found["arrears"][1:] == [(april, [("subscription", 1400)])]  # 14 x 3100 / 31
    assert found["none"][1:] == [(april, [("subscription", 3100)])]
    # The cheaper plan's own trial runs until 14 April: no fee on the rotation's invoice, and no second end before it.
    assert found["cheap"] == [fifteenth, (april, [usage])]
    story.travel("2024-04-14T12:12:00Z")
    assert books.by_customer()["cheap"][2:] == [("2024-04-14", [("subscription", 510)])]  # 17 x 900 / 30
    assert story.notes() == []


def test_a_downgrade_after_the_trial_has_no_other_trial(aws):
    story = Story.begin(at="2024-03-05T12:12:00Z")
    books = Books(story)
    story.plan("p40", amount_cents=4000, pay_in_advance=True, trial_period=10)
    story.plan("p15", amount_cents=1500, pay_in_advance=True, trial_period=10)
    story.plan("p60", amount_cents=6000, pay_in_advance=True, trial_period=10)
    story.subscribe("p40", "down", "down")
    story.subscribe("p40", "up", "up")
    story.travel("2024-03-21T00:00:00Z")
    story.subscribe("p15", "down", "down")
    story.subscribe("p60", "up", "up")
    story.travel("2024-04-01T00:00:00Z")
    paid = ("2024-03-15", [("subscription", 2194)])  # 17 x 4000 / 31
    assert books.by_customer() == {
        "down": [paid, ("2024-04-01", [("subscription", 1500)])],
        # 11 x 6000 / 31 = 2129.03, of which 11 x 4000 / 31 = 1419.35 are given back.
        "up": [paid, ("2024-03-21", [("subscription", 2129)]), ("2024-04-01", [("subscription", 6000)])],
    }
    assert [(n["total_amount_cents"], n["reason"]) for n in story.notes()] == [(1419, "order_cancellation")]


@pytest.mark.parametrize("again_on", ["2024-03-07", "2024-03-20"], ids=["during the trial", "after it"])
def test_an_end_and_a_start_again_have_one_trial(aws, again_on):
    story = Story.begin(at="2024-03-01T21:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("adv", amount_cents=3500, pay_in_advance=True, trial_period=10, charges=[charge])
    story.plan("arr", amount_cents=3500, trial_period=10, charges=[charge])
    during = again_on == "2024-03-07"
    for name in ("adv", "arr"):
        story.subscribe(name, name, name)
        story.use(at=day("2024-03-03T00:00:00"), subscription=name)
    ended_on = "2024-03-06" if during else "2024-03-11"
    story.travel(f"{ended_on}T23:00:00Z")
    for name in ("adv", "arr"):
        story.terminate(name)
    if during:
        # Within the trial only usage is owed.
        expected = [(ended_on, [("charge", 100)])]
        assert books.by_customer() == {"adv": expected, "arr": expected}
        assert story.notes() == []
    else:
        # 21 x 3500 / 31 = 2370.97 were billed from the 11th on, and all of it is given back.
        assert books.by_customer()["adv"] == [(ended_on, [("subscription", 2371)]), (ended_on, [("charge", 100)])]
        assert books.by_customer()["arr"] == [(ended_on, [("subscription", 113), ("charge", 100)])]  # 1 x 3500 / 31
        assert [n["total_amount_cents"] for n in story.notes()] == [2371]
    before = {name: len(found) for name, found in books.by_customer().items()}
    story.travel(f"{again_on}T00:00:00Z")
    for name in ("adv", "arr"):
        story.subscribe(name, name, name)
    story.travel("2024-04-01T00:00:00Z")
    found = {name: invoices[before[name] :] for name, invoices in books.by_customer().items()}
    april = ("2024-04-01", [("subscription", 3500)])
    days_owed = 21 if during else 12  # From the trial's end on the 11th, or from the 20th.
    owed = [("subscription", round(days_owed * 3500 / 31))]
    assert found["adv"] == [("2024-03-11" if during else "2024-03-20", owed), april]
    assert found["arr"] == [("2024-04-01", owed)]
