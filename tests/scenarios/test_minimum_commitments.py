"""Minimum commitments over HTTP: every worked figure of rules/billing-periods 12 that needs no recurring metric."""

from datetime import datetime
from typing import Any

import pytest

from tests.support.books import Books, range_of
from tests.support.story import Story

COMMITTED = {"minimum_commitment": {"amount_cents": 1_000_000}}


def day(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def counted(story: Story) -> dict[str, Any]:
    metric = story.metric()
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}


def use(story: Story, subscription: str, number: int, on: str) -> None:
    for _ in range(number):
        story.use(at=day(f"{on}T00:00:00"), subscription=subscription)


def kinds(invoice: Any) -> dict[str, int]:
    """Cents by kind of fee."""
    found: dict[str, int] = {}
    for fee in invoice["fees"]:
        kind = fee["item"]["type"]
        found[kind] = found.get(kind, 0) + fee["amount_cents"]
    return found


def true_ups(books: Books, customer: str) -> list[tuple[str, int | None]]:
    """Each invoice's day with its true-up, None without one."""
    return [(i["issuing_date"], kinds(i).get("commitment")) for i in books.invoices(customer)]


def commitment(invoice: Any) -> Any:
    (fee,) = (fee for fee in invoice["fees"] if fee["item"]["type"] == "commitment")
    return fee


def test_a_first_month_in_arrears_and_in_advance(aws):
    """10 000.00 committed, plan 1 000.00, from 4 February 2023."""
    story = Story.begin(at="2023-02-04T09:00:00Z")
    books = Books(story)
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    for code, rate in [("plan", 10), ("own", 5)]:
        story.ok("POST", "/taxes", {"tax": {"name": code, "code": code, "rate": rate}})
    charge = counted(story)
    own = {"amount_cents": 1_000_000, "invoice_display_name": "At least", "tax_codes": ["own"]}
    arr = story.plan("arr", amount_cents=100_000, charges=[charge], minimum_commitment=own, description="Big")
    story.plan("adv", amount_cents=100_000, pay_in_advance=True, charges=[charge], tax_codes=["plan"], **COMMITTED)
    story.plan("low", amount_cents=100_000, charges=[charge], minimum_commitment={"amount_cents": 100_000})
    for name in ("arr", "adv", "low"):
        story.subscribe(name, name, name)
    assert [kinds(i) for i in books.invoices()] == [{"subscription": 89_286}]
    use(story, "adv", 3, "2023-03-10")
    use(story, "arr", 3, "2023-03-10")
    use(story, "low", 1, "2023-02-10")
    story.travel("2023-04-01T00:00:00Z")
    march, april = "2023-03-01", "2023-04-01"
    assert true_ups(books, "arr") == [(march, 803_571), (april, 899_700)]
    # Never on the first invoice: one period later.
    assert true_ups(books, "adv") == [("2023-02-04", None), (march, 803_571), (april, 899_700)]
    # 89 286 - 89 286 - 100, then 100 000 - 100 000: reached, and no line of 0.
    assert true_ups(books, "low") == [(march, None), (april, None)]

    fee = commitment(books.invoices("arr")[0])
    assert (fee["units"], fee["precise_unit_amount"], fee["precise_amount"]) == ("1.0", "8035.71", "8035.71")
    assert range_of(fee) == ("2023-02-04T00:00:00Z", "2023-02-28T23:59:59Z")
    item = fee["item"]
    assert (item["item_type"], item["code"], item["name"], item["description"], item["invoice_display_name"]) == (
        "Subscription",
        "arr",
        "arr",
        "Big",
        "At least",
    )
    assert item["lago_item_id"] == arr["minimum_commitment"]["lago_id"]
    assert (fee["taxes_rate"], fee["pay_in_advance"]) == (5, False)
    of_plan = commitment(books.invoices("adv")[1])
    assert (of_plan["taxes_rate"], of_plan["item"]["invoice_display_name"]) == (10, "Minimum commitment - True up")
    # It settles the month that is over, on the invoice that opens the next.
    assert range_of(of_plan) == ("2023-02-04T00:00:00Z", "2023-02-28T23:59:59Z")


def test_weeks_in_advance_whole_and_ended(aws):
    story = Story.begin(at="2024-01-01T09:00:00Z")
    books = Books(story)
    story.plan("week", interval="weekly", amount_cents=100_000, pay_in_advance=True, **COMMITTED)
    story.subscribe("week", "week", "week")
    story.travel("2024-01-10T09:00:00Z")  # A Wednesday.
    story.terminate("week")
    assert [(i["issuing_date"], kinds(i)) for i in books.invoices()] == [
        ("2024-01-01", {"subscription": 100_000}),
        ("2024-01-08", {"subscription": 100_000, "commitment": 900_000}),
        # 3/7: 428 571 - 100 000; what is given back of the fee is not added again.
        ("2024-01-10", {"commitment": 328_571}),
    ]
    assert [note["total_amount_cents"] for note in story.notes()] == [57_143]  # 4 x 100000 / 7
    assert range_of(commitment(books.last("week"))) == ("2024-01-08T00:00:00Z", "2024-01-10T09:00:00Z")


def test_two_days_of_february_and_a_trial_that_shortens_nothing(aws):
    story = Story.begin(at="2024-02-28T09:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("short", amount_cents=10_000, charges=[charge], **COMMITTED)
    large = {"amount_cents": 5_000_000, "charges": [charge], "minimum_commitment": {"amount_cents": 10_000_000}}
    story.plan("adv", pay_in_advance=True, trial_period=30, **large)
    story.plan("arr", trial_period=30, **large)
    story.subscribe("short", "short", "short")
    use(story, "short", 10, "2024-02-29")
    story.travel("2024-03-20T09:00:00Z")
    for name in ("adv", "arr"):
        story.subscribe(name, name, name)  # Until 19 April.
    for name in ("adv", "arr"):
        use(story, name, 1, "2024-03-25")
        use(story, name, 3, "2024-04-10")
    story.travel("2024-05-01T00:00:00Z")
    # 68 966 - 690 - 1 000 of usage; then 1 000 000 - 10 000.
    assert true_ups(books, "short") == [("2024-03-01", 67_276), ("2024-04-01", 990_000), ("2024-05-01", 990_000)]
    # Nothing for March; for April 10 000 000 - 12/30 of 5 000 000 - usage.
    assert [(i["issuing_date"], kinds(i)) for i in books.invoices("adv")] == [
        ("2024-04-01", {"charge": 100}),
        ("2024-04-19", {"subscription": 2_000_000}),
        ("2024-05-01", {"subscription": 5_000_000, "charge": 300, "commitment": 7_999_700}),
    ]
    assert [(i["issuing_date"], kinds(i)) for i in books.invoices("arr")] == [
        ("2024-04-01", {"charge": 100}),
        ("2024-05-01", {"subscription": 2_000_000, "charge": 300, "commitment": 7_999_700}),
    ]


ENDS = {
    "arr": {
        "end": {"subscription": 96_774, "charge": 200, "commitment": 225_607},  # 322 581 - 96 774 - 200
        # The day of the upgrade is no day of the old fee, but one of the commitment: 322 581 - 87 097.
        "up": {"subscription": 87_097, "commitment": 235_484},
        "down": {"subscription": 300_000, "commitment": 700_000},
        # 20/30: 666 667 - 200 000.
        "past": {"subscription": 200_000, "commitment": 466_667},
    },
    "adv": {
        # The whole fee counts, and what is given back of it is not added again: 322 581 - 300 000 - 200.
        "end": {"charge": 200, "commitment": 22_381},
        "up": {"commitment": 22_581},
        "down": {"commitment": 700_000},
        # The running period counts as paid: there is no fee, and nothing to reach.
        "past": {"subscription": 300_000},
    },
}


@pytest.mark.parametrize("how", ["arr", "adv"], ids=["in arrears", "in advance"])
def test_ends_upgrades_downgrades_and_starts_in_the_past(aws, how):
    story = Story.begin(at="2023-04-20T09:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.plan("plan", amount_cents=300_000, pay_in_advance=how == "adv", charges=[charge], **COMMITTED)
    story.plan("big", amount_cents=600_000, minimum_commitment={"amount_cents": 1_500_000})
    story.plan("small", amount_cents=30_000)
    story.subscribe("plan", "past", "past", subscription_at="2023-04-11T00:00:00Z")
    story.travel("2023-05-01T00:00:00Z")
    assert kinds(books.last("past")) == ENDS[how]["past"]
    for name in ("end", "up", "down"):
        story.subscribe("plan", name, name)
    use(story, "end", 2, "2023-05-05")
    story.travel("2023-05-10T09:00:00Z")
    story.terminate("end")
    story.subscribe("big", "up", "up")
    story.subscribe("small", "down", "down")
    assert kinds(books.last("end")) == ENDS[how]["end"]
    assert kinds(books.last("up")) == ENDS[how]["up"]
    assert range_of(commitment(books.last("up"))) == ("2023-05-01T00:00:00Z", "2023-05-10T09:00:00Z")
    story.travel("2023-06-01T00:00:00Z")
    assert kinds(books.last("down")) == ENDS[how]["down"]
    # From the tenth on, 22/31: 1 064 516 - 425 806.
    assert kinds(books.last("up")) == {"subscription": 425_806, "commitment": 638_710}
    story.travel("2023-07-01T00:00:00Z")
    assert kinds(books.last("down")) == {"subscription": 30_000}


def test_an_end_by_date_on_a_billing_day_settles_the_closed_period(aws):
    story = Story.begin(at="2023-04-11T09:00:00Z")
    books = Books(story)
    seat = {"add_on_code": "seat", "charge_model": "standard", "properties": {"amount": "1"}, "units": 30}
    body = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": body})
    fixed = [seat | {"pay_in_advance": True}, seat | {"prorated": True}]
    for name in ("arr", "adv"):
        plan = {"amount_cents": 300_000, "pay_in_advance": name == "adv", "fixed_charges": fixed}
        story.plan(name, **plan, **COMMITTED)
        story.subscribe(name, name, name, ending_at="2023-05-01T00:00:00Z")
    story.travel("2023-06-01T00:00:00Z")
    # 666 667 - 200 000 - 3 000 - 2 000 (20/30 of the seats in arrears); nothing of May.
    assert [(i["issuing_date"], kinds(i)) for i in books.invoices("arr")] == [
        ("2023-04-11", {"fixed_charge": 3_000}),
        ("2023-05-01", {"subscription": 200_000, "fixed_charge": 2_000, "commitment": 461_667}),
    ]
    assert [(i["issuing_date"], kinds(i)) for i in books.invoices("adv")] == [
        ("2023-04-11", {"subscription": 200_000, "fixed_charge": 3_000}),
        ("2023-05-01", {"fixed_charge": 2_000, "commitment": 461_667}),
    ]
    assert story.notes() == []


def test_years_are_settled_once_and_fixed_charges_count_where_they_are_paid_for(aws):
    story = Story.begin(at="2023-11-15T10:00:00Z")
    books = Books(story)
    charge = counted(story)
    body = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": body})
    seat = {"add_on_code": "seat", "charge_model": "standard", "properties": {"amount": "1"}, "units": 100}
    advance = seat | {"pay_in_advance": True}
    year = {"interval": "yearly", "bill_charges_monthly": True, "charges": [charge], "amount_cents": 36_500}
    committed = {"minimum_commitment": {"amount_cents": 365_000}}
    monthly = {"bill_fixed_charges_monthly": True, "fixed_charges": [advance]}
    story.plan("arr", **year, **committed, **monthly)
    story.plan("adv", pay_in_advance=True, **year, **committed, fixed_charges=[advance])
    story.plan("month", amount_cents=3_000, fixed_charges=[advance, seat], minimum_commitment={"amount_cents": 60_000})
    for name in ("arr", "adv", "month"):
        story.subscribe(name, name, name)
    for name in ("arr", "adv"):
        use(story, name, 1, "2023-11-20")
        use(story, name, 2, "2023-12-20")
        use(story, name, 4, "2024-01-20")
    story.travel("2024-02-01T00:00:00Z")
    assert [(i["issuing_date"], kinds(i)) for i in books.invoices("arr")] == [
        ("2023-11-15", {"fixed_charge": 10_000}),
        ("2023-12-01", {"charge": 100, "fixed_charge": 10_000}),
        # 47/365 of 365 000 = 47 000, less 4 700, 300 and 20 000 of seats: those of January count for the new year.
        ("2024-01-01", {"subscription": 4_700, "charge": 200, "fixed_charge": 10_000, "commitment": 22_000}),
        ("2024-02-01", {"charge": 400, "fixed_charge": 10_000}),
    ]
    assert [(i["issuing_date"], kinds(i)) for i in books.invoices("adv")] == [
        ("2023-11-15", {"subscription": 4_700, "fixed_charge": 10_000}),
        ("2023-12-01", {"charge": 100}),
        ("2024-01-01", {"subscription": 36_500, "charge": 200, "fixed_charge": 10_000, "commitment": 32_000}),
        ("2024-02-01", {"charge": 400}),
    ]
    # 16/30 of 60 000 = 32 000, less 1 600 and 20 000; then 60 000 - 3 000 - 20 000.
    assert true_ups(books, "month") == [
        ("2023-11-15", None),
        ("2023-12-01", 10_400),
        ("2024-01-01", 37_000),
        ("2024-02-01", 37_000),
    ]
    story.travel("2024-02-11T10:00:00Z")
    story.terminate("arr")
    # 42/366 of both: 41 885 - 4 189 - 400 of January - 20 000 of January and February.
    assert kinds(books.last("arr")) == {"subscription": 4_189, "commitment": 17_296}


def test_a_draft_is_settled_again_with_what_came_late(aws):
    story = Story.begin(at="2024-01-01T00:00:00Z")
    books = Books(story)
    charge = counted(story)
    story.organization(billing_configuration={"invoice_grace_period": 3})
    story.plan("plan", amount_cents=1_000, charges=[charge], minimum_commitment={"amount_cents": 5_000})
    story.subscribe("plan", "s", "s")
    story.travel("2024-02-01T00:00:00Z")
    assert kinds(books.last("s")) == {"subscription": 1_000, "commitment": 4_000}
    use(story, "s", 2, "2024-01-20")
    story.travel("2024-02-04T00:00:00Z")
    final = books.last("s")
    assert (final["status"], kinds(final)) == ("finalized", {"subscription": 1_000, "charge": 200, "commitment": 3_800})
    # The plan's own words on what must be reached may change; 0 ends it.
    story.ok("PUT", "/plans/plan", {"plan": {"minimum_commitment": {"amount_cents": 0}}})
    story.travel("2024-03-04T00:00:00Z")
    assert kinds(books.last("s")) == {"subscription": 1_000}
