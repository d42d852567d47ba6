"""Fixed charges over HTTP: starts, ends and changes of plan, with every figure of rules/billing-periods 11."""

import pytest

from tests.support.books import Books, range_of, ranges
from tests.support.fixed_charges import add_ons, billed, fixed, reasons, same
from tests.support.story import Story

JULY, AUGUST, UPGRADE, SEPTEMBER, OCTOBER = "2023-07-19", "2023-08-01", "2023-08-21", "2023-09-01", "2023-10-01"
OPEN = {"new": 0, "B": 10000, "C": 2000}


@pytest.mark.parametrize(
    ("advance", "prorated", "expected"),
    [
        pytest.param(
            True,
            True,
            [
                (JULY, {"A": 419, "B": 629}),
                (AUGUST, {"old": 0, "A": 1000, "B": 1500}),
                (UPGRADE, {"old": 0, "B": 3016, "C": 710}),  # 35.48 - 15 x 11/31
                (SEPTEMBER, OPEN),
                (OCTOBER, OPEN),
            ],
            id="in advance, prorated",
        ),
        pytest.param(
            True,
            False,
            [
                (JULY, {"A": 1000, "B": 1500}),
                (AUGUST, {"old": 0, "A": 1000, "B": 1500}),
                (UPGRADE, {"old": 0, "B": 10000, "C": 2000}),
                (SEPTEMBER, OPEN),
                (OCTOBER, OPEN),
            ],
            id="in advance, whole",
        ),
        pytest.param(
            False,
            True,
            [
                (AUGUST, {"old": 0, "A": 419, "B": 629}),
                (UPGRADE, {"old": 0, "A": 677, "B": 1016}),
                (SEPTEMBER, {"new": 0, "B": 3548, "C": 710}),
                (OCTOBER, OPEN),
            ],
            id="in arrears, prorated",
        ),
        pytest.param(
            False,
            False,
            [
                (AUGUST, {"old": 0, "A": 1000, "B": 1500}),
                (UPGRADE, {"old": 0, "A": 1000, "B": 1500}),
                (SEPTEMBER, OPEN),
                (OCTOBER, OPEN),
            ],
            id="in arrears, whole",
        ),
    ],
)
def test_the_worked_upgrade(aws, advance, prorated, expected):
    """Start on 19 July 2023, upgrade on 21 August; A 10 @1, B 5 @3, then B 10 @10, C 1 @20."""
    story = Story.begin(at="2023-07-19T10:00:00Z")
    books = Books(story)
    add_ons(story, "A", "B", "C")
    how = {"pay_in_advance": advance, "prorated": prorated}
    story.plan("old", fixed_charges=[fixed("A", 10, "1", **how), fixed("B", 5, "3", **how)])
    new = story.plan("new", fixed_charges=[fixed("B", 10, "10", **how), fixed("C", 1, "20", **how)])
    story.subscribe("old", "s", "s")
    story.travel("2023-08-21T12:00:00Z")
    story.subscribe("new", "s", "s")
    story.travel("2023-10-01T00:00:00Z")
    assert billed(books)["s"] == expected
    assert story.notes() == []
    invoices = {invoice["issuing_date"]: invoice for invoice in books.invoices()}
    upgrade = invoices[UPGRADE]
    starts = ["subscription_starting"] if advance else []
    assert reasons(upgrade) == ["subscription_terminating", *starts]
    ended = ("2023-08-01T00:00:00Z", "2023-08-21T12:00:00Z")
    assert ranges(upgrade["billing_periods"][0]) == [ended, ended, ended]
    fee = upgrade["fees"][1]
    assert fee["pay_in_advance"] is advance
    if not advance:
        assert range_of(fee) == ended
        return
    assert range_of(fee) == ("2023-08-21T12:00:00Z", "2023-08-31T23:59:59Z")
    assert (fee["units"], fee["lago_fixed_charge_id"]) == ("10.0", new["fixed_charges"][0]["lago_id"])
    began = same("2023-08-21T12:00:00Z")
    rest = ("2023-08-21T00:00:00Z", "2023-08-31T23:59:59Z")
    assert ranges(upgrade["billing_periods"][1]) == [rest, began, began]
    # The start: an invoice of its own, with these fees only.
    first = invoices[JULY]
    assert (reasons(first), first["invoice_type"]) == (["in_advance_charge"], "subscription")
    began = same("2023-07-19T10:00:00Z")
    assert ranges(first["billing_periods"][0]) == [("2023-07-19T00:00:00Z", "2023-07-31T23:59:59Z"), began, began]
    assert [range_of(fee) for fee in first["fees"]] == [("2023-07-19T10:00:00Z", "2023-07-31T23:59:59Z")] * 2
    fee = first["fees"][1]
    assert (fee["units"], fee["lago_charge_id"]) == ("5.0", None)
    item = fee["item"]
    assert (item["type"], item["item_type"], item["code"], item["name"]) == ("fixed_charge", "AddOn", "B", "B")


# Prorated in advance and in arrears, and whole in arrears: what a plan of the situations has.
MIX = [
    fixed("seat", 31, "1", pay_in_advance=True, prorated=True),
    fixed("desk", 31, "2", prorated=True),
    fixed("flat", 1, "20"),
]
RUNNING = {"seat": 3100, "desk": 2600, "flat": 2000}


def test_starts_today_in_arrears_in_advance_and_in_a_trial(aws):
    story = Story.begin(at="2023-07-19T10:00:00Z")
    books = Books(story)
    add_ons(story, "seat", "desk", "flat")
    story.plan("arr", amount_cents=3100, fixed_charges=MIX)
    story.plan("adv", amount_cents=3100, pay_in_advance=True, fixed_charges=MIX)
    story.plan("trial", amount_cents=3100, pay_in_advance=True, trial_period=10, fixed_charges=MIX)
    story.plan("none", fixed_charges=[fixed("seat", 0, "1", pay_in_advance=True)])
    for name in ("arr", "adv", "trial", "none"):
        story.subscribe(name, name, name)
    assert billed(books) == {
        "arr": [(JULY, {"seat": 1300})],
        "adv": [(JULY, {"adv": 1300, "seat": 1300})],
        "trial": [(JULY, {"seat": 1300})],  # Not put off by the trial.
    }
    assert [reasons(books.last(name)) for name in ("arr", "adv", "trial")] == [
        ["in_advance_charge"],
        ["subscription_starting"],
        ["in_advance_charge"],
    ]
    story.travel("2023-08-01T00:00:00Z")
    found = {name: invoices[1:] for name, invoices in billed(books).items() if name != "none"}
    assert found == {
        "arr": [(AUGUST, {"arr": 1300, **RUNNING})],
        "adv": [(AUGUST, {"adv": 3100, **RUNNING})],
        # Its end bills the base amount and nothing else.
        "trial": [("2023-07-29", {"trial": 300}), (AUGUST, {"trial": 3100, **RUNNING})],
    }
    assert billed(books)["none"] == [(AUGUST, {"none": 0})]


def test_starts_in_the_past_and_later(aws):
    story = Story.begin(at="2023-07-19T10:00:00Z")
    books = Books(story)
    add_ons(story, "seat", "desk", "flat")
    story.plan("arr", amount_cents=3100, fixed_charges=MIX)
    for name, at in [("past", "2023-07-10"), ("older", "2023-06-05"), ("later", "2023-07-25")]:
        story.subscribe("arr", name, name, subscription_at=f"{at}T10:00:00Z")
    assert books.invoices() == []
    story.travel("2023-08-01T00:00:00Z")
    # In arrears from the open period on; in advance first for the period that opens now.
    assert billed(books) == {
        "past": [(AUGUST, {"arr": 2200, "seat": 3100, "desk": 4400, "flat": 2000})],
        "older": [(AUGUST, {"arr": 3100, "seat": 3100, "desk": 6200, "flat": 2000})],
        "later": [("2023-07-25", {"seat": 700}), (AUGUST, {"arr": 700, "seat": 3100, "desk": 1400, "flat": 2000})],
    }
    (past,) = books.invoices("past")
    since = ("2023-07-10T10:00:00Z", "2023-07-31T23:59:59Z")
    assert range_of(past["fees"][1]) == ("2023-08-01T00:00:00Z", "2023-08-31T23:59:59Z")
    assert range_of(past["fees"][2]) == ranges(past["billing_periods"][0])[2] == since
    assert reasons(books.invoices("later")[0]) == ["in_advance_charge"]


def test_ends(aws):
    story = Story.begin(at="2023-08-01T10:00:00Z")
    books = Books(story)
    add_ons(story, "seat", "desk", "flat")
    for name in ("arr", "adv"):
        story.plan(name, amount_cents=3100, pay_in_advance=name == "adv", fixed_charges=MIX)
        story.subscribe(name, name, name)
    story.travel("2023-08-11T10:00:00Z")
    for name in ("arr", "adv"):
        story.terminate(name)
    story.travel("2023-10-01T00:00:00Z")
    # The day of the end counts; of what was paid in advance only the base amount is given back.
    ended = {"desk": 2200, "flat": 2000}
    assert billed(books) == {
        "arr": [("2023-08-01", {"seat": 3100}), ("2023-08-11", {"arr": 1100, **ended})],
        "adv": [("2023-08-01", {"adv": 3100, "seat": 3100}), ("2023-08-11", ended)],
    }
    assert [note["total_amount_cents"] for note in story.notes()] == [2000]
    usage = ("2023-08-01T10:00:00Z", "2023-08-11T10:00:00Z")
    assert ranges(books.last("adv")["billing_periods"][0]) == [("2023-08-01T00:00:00Z", usage[1]), usage, usage]


def test_a_downgrade_and_an_upgrade(aws):
    story = Story.begin(at="2023-08-01T10:00:00Z")
    books = Books(story)
    add_ons(story, "seat", "desk", "flat", "lamp")
    story.plan("arr", amount_cents=3100, fixed_charges=MIX)
    story.plan("adv", amount_cents=3100, pay_in_advance=True, fixed_charges=MIX)
    cheap = [fixed("seat", 5, "1", pay_in_advance=True, prorated=True), fixed("lamp", 4, "1", prorated=True)]
    story.plan("cheap", amount_cents=1000, fixed_charges=cheap)
    story.subscribe("arr", "down", "down")
    story.subscribe("cheap", "rise", "rise")
    story.travel("2023-08-11T10:00:00Z")
    story.subscribe("cheap", "down", "down")
    story.subscribe("adv", "rise", "rise")
    story.travel("2023-10-01T00:00:00Z")
    # 4 x 11/31 = 1.42; 31 x 21/31 - 5 x 21/31 = 17.61. The 11th is a day of both plans' fixed charges.
    rise = {"cheap": 323, "lamp": 142, "adv": 2100, "seat": 2100 - 339}
    later = {"adv": 3100, "seat": 3100, "flat": 2000}
    assert billed(books) == {
        "down": [
            ("2023-08-01", {"seat": 3100}),
            (SEPTEMBER, {"arr": 3100, "desk": 6200, "flat": 2000, "seat": 500}),
            (OCTOBER, {"cheap": 1000, "seat": 500, "lamp": 400}),
        ],
        "rise": [
            ("2023-08-01", {"seat": 500}),
            ("2023-08-11", rise),
            (SEPTEMBER, {**later, "desk": 4200}),
            (OCTOBER, {**later, "desk": 6200}),
        ],
    }
    rotation = books.invoices("down")[1]
    assert reasons(rotation) == ["subscription_terminating", "subscription_starting"]
    seat = next(fee for fee in rotation["fees"] if fee["item"]["code"] == "seat")
    assert range_of(seat) == ("2023-09-01T00:00:00Z", "2023-09-30T23:59:59Z")


def test_two_upgrades_in_a_period_deduct_what_each_plan_was_paid(aws):
    """31 seats @1 from 1 August, @2 from the 11th, @2 on another plan from the 21st: which costs nothing more."""
    story = Story.begin(at="2023-08-01T00:00:00Z")
    books = Books(story)
    add_ons(story, "seat")
    for name, price in [("one", "1"), ("two", "2"), ("three", "2")]:
        seat = fixed("seat", 31, price, pay_in_advance=True, prorated=True)
        story.plan(name, fixed_charges=[seat])
    story.subscribe("one", "s", "s")
    story.travel("2023-08-11T12:00:00Z")
    story.subscribe("two", "s", "s")
    story.travel("2023-08-21T12:00:00Z")
    third = story.subscribe("three", "s", "s")
    assert billed(books)["s"] == [
        ("2023-08-01", {"seat": 3100}),
        ("2023-08-11", {"one": 0, "seat": 2100}),  # 42.00 - 21.00
        ("2023-08-21", {"two": 0, "seat": 0}),  # 22.00 - 11.00 - 11.00
    ]
    # What was deducted once is not deducted from more units.
    story.travel("2023-08-27T12:00:00Z")
    (seat,) = story.ok("GET", "/plans/three")["plan"]["fixed_charges"]
    more = {"id": seat["lago_id"], "units": 62, "apply_units_immediately": True}
    changed = story.ok("PUT", "/subscriptions/s", {"subscription": {"plan_overrides": {"fixed_charges": [more]}}})
    assert changed["subscription"]["lago_id"] == third["lago_id"]
    assert billed(books)["s"][3:] == [("2023-08-27", {"seat": 1000})]  # 31 more x 5/31 x 2
