"""Fixed charges over HTTP: every row and figure of billing-periods.md section 11."""

from datetime import datetime
from typing import Any

import pytest

from tests.support.books import Books, range_of, ranges
from tests.support.story import Story

Lines = dict[str, int]


def day(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def add_ons(story: Story, *codes: str) -> None:
    for code in codes:
        body = {"name": code.title(), "code": code, "amount_cents": 1, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": body})


def fixed(add_on: str, units: float, price: str, **fields: Any) -> dict[str, Any]:
    """A standard fixed charge."""
    return {
        "add_on_code": add_on,
        "units": units,
        "charge_model": "standard",
        "properties": {"amount": price},
        **fields,
    }


def counted(story: Story) -> dict[str, Any]:
    metric = story.metric()
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}


def lines(invoice: Any) -> Lines:
    """Cents by what they are for."""
    return {fee["item"]["code"]: fee["amount_cents"] for fee in invoice["fees"]}


def billed(books: Books) -> dict[str, list[tuple[str, Lines]]]:
    """Each customer's invoices: the day, and cents by what they are for."""
    found: dict[str, list[tuple[str, Lines]]] = {}
    for invoice in books.invoices():
        found.setdefault(invoice["customer"]["external_id"], []).append((invoice["issuing_date"], lines(invoice)))
    return found


def reasons(invoice: Any) -> list[str]:
    return [row["invoicing_reason"] for row in invoice["billing_periods"]]


def same(at: str) -> tuple[str, str]:
    return (at, at)


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


def test_units_that_change_within_a_period(aws):
    story = Story.begin(at="2023-08-01T00:00:00Z")
    books = Books(story)
    add_ons(story, "seat", "desk", "lamp", "tier")
    tiers = [
        {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "2"},
        {"from_value": 11, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "3"},
    ]
    graduated = {"charge_model": "graduated", "properties": {"graduated_ranges": tiers}}
    plan = story.plan(
        fixed_charges=[
            fixed("seat", 10, "1", pay_in_advance=True, prorated=True),
            fixed("desk", 10, "2", pay_in_advance=True),
            fixed("lamp", 10, "1", prorated=True),
            fixed("tier", 10, "0", pay_in_advance=True) | graduated,
        ]
    )
    ids = {charge["add_on_code"]: charge["lago_id"] for charge in plan["fixed_charges"]}
    story.subscribe("plan", "own", "own")

    def change(at_once: bool, **units: float) -> None:
        changed = [{"id": ids[c], "units": n, "apply_units_immediately": at_once} for c, n in units.items()]
        story.ok("PUT", "/subscriptions/own", {"subscription": {"plan_overrides": {"fixed_charges": changed}}})

    def since(number: int) -> list[tuple[str, Lines]]:
        return billed(books)["own"][number:]

    assert since(0) == [("2023-08-01", {"seat": 1000, "desk": 2000, "tier": 1200})]
    story.travel("2023-08-11T12:00:00Z")
    change(True, seat=20, desk=12, lamp=20, tier=12)
    # 10 x 21/31 = 6.774194; 2 x 2; 2 + 10 + 3 + 1 less 12; in arrears nothing yet.
    assert since(1) == [("2023-08-11", {"seat": 677, "desk": 400, "tier": 400})]
    invoice = books.last("own")
    assert (reasons(invoice), invoice["status"]) == (["in_advance_charge"], "finalized")
    assert [fee["units"] for fee in invoice["fees"]] == ["20.0", "12.0", "12.0"]
    assert {range_of(fee) for fee in invoice["fees"]} == {("2023-08-11T00:00:00Z", "2023-08-31T23:59:59Z")}
    at = same("2023-08-11T12:00:00Z")
    assert ranges(invoice["billing_periods"][0]) == [("2023-08-01T00:00:00Z", "2023-08-31T23:59:59Z"), at, at]

    # Fewer are not given back, and the others are not billed again.
    change(True, desk=5)
    assert since(2) == [("2023-08-11", {"desk": 0})]
    assert books.last("own")["fees"][0]["units"] == "5.0"
    story.travel("2023-08-21T12:00:00Z")
    change(True, desk=12)
    change(True, seat=25)
    change(False, seat=40, desk=40, lamp=40, tier=0)
    # As many desks were paid before; 5 more seats x 11/31 = 1.774194.
    assert since(3) == [("2023-08-21", {"desk": 0}), ("2023-08-21", {"seat": 177})]

    story.travel("2023-09-01T00:00:00Z")
    # 10 lamps for 10 days and 20 for 21: 16.774194. No unit still owes the first range's flat amount.
    assert since(5) == [("2023-09-01", {"plan": 0, "seat": 4000, "desk": 8000, "lamp": 1677, "tier": 200})]
    fee = next(fee for fee in books.last("own")["fees"] if fee["item"]["code"] == "lamp")
    assert fee["units"] == "20.0"
    story.travel("2023-10-01T00:00:00Z")
    assert lines(books.last("own"))["lamp"] == 4000


def test_units_that_change_in_the_plan_itself(aws):
    """With the next period, or at once for those who have no plan of their own."""
    story = Story.begin(at="2023-08-01T00:00:00Z")
    books = Books(story)
    add_ons(story, "seat", "lamp")
    seat = fixed("seat", 10, "1", pay_in_advance=True, prorated=True)
    plan = story.plan(fixed_charges=[seat, fixed("lamp", 10, "1", prorated=True)])
    story.subscribe("plan", "shared", "shared")
    own = [{"id": plan["fixed_charges"][0]["lago_id"], "units": 5}]
    story.subscribe("plan", "own", "own", plan_overrides={"fixed_charges": own})
    story.travel("2023-08-21T12:00:00Z")

    def change(code: str, **fields: Any) -> None:
        story.ok("PUT", f"/plans/plan/fixed_charges/{code}", {"fixed_charge": fields})

    change("lamp", units=31)
    change("seat", units=41, apply_units_immediately=True)
    change("lamp", invoice_display_name="Light")  # Bills nothing.
    story.travel("2023-10-01T00:00:00Z")
    assert billed(books) == {
        "shared": [
            ("2023-08-01", {"seat": 1000}),
            ("2023-08-21", {"seat": 1100}),  # 31 more x 11/31
            (SEPTEMBER, {"plan": 0, "seat": 4100, "lamp": 1000}),
            (OCTOBER, {"plan": 0, "seat": 4100, "lamp": 3100}),
        ],
        "own": [
            ("2023-08-01", {"seat": 500}),
            (SEPTEMBER, {"plan": 0, "seat": 500, "lamp": 1000}),
            (OCTOBER, {"plan": 0, "seat": 500, "lamp": 1000}),
        ],
    }


YEAR = ("2023-11-15T00:00:00Z", "2023-12-31T23:59:59Z")
LEAP = ("2024-01-01T00:00:00Z", "2024-12-31T23:59:59Z")
NOVEMBER = ("2023-11-15T10:00:00Z", "2023-11-30T23:59:59Z")
DECEMBER = ("2023-12-01T00:00:00Z", "2023-12-31T23:59:59Z")
BOTH = ("2023-11-15T10:00:00Z", "2023-12-31T23:59:59Z")
JANUARY = ("2024-01-01T00:00:00Z", "2024-01-31T23:59:59Z")
NOTHING = (None, None)
# 12 seats for 16/30 of the month or 47/365 of the year; 10 desks for the same; whole months; the whole of 2024.
START, START_OF_YEAR = {"seat": 640}, {"seat": 155}
MONTH, MONTHS, LONG = {"seat": 1200, "desk": 533}, {"seat": 1200, "desk": 1000}, {"seat": 1200, "desk": 129}


@pytest.mark.parametrize(
    ("settings", "expected", "shown"),
    [
        pytest.param(
            {"bill_fixed_charges_monthly": True},
            [START, MONTH, {"plan": 4700, "calls": 200, **MONTHS}, MONTHS],
            [[YEAR, NOTHING, NOVEMBER], [YEAR, BOTH, DECEMBER], [LEAP, NOTHING, JANUARY]],
            id="fixed charges",
        ),
        pytest.param(
            {"bill_fixed_charges_monthly": True, "bill_charges_monthly": True},
            [START, {"calls": 100, **MONTH}, {"plan": 4700, "calls": 100, **MONTHS}, MONTHS],
            [[YEAR, NOVEMBER, NOVEMBER], [YEAR, DECEMBER, DECEMBER], [LEAP, JANUARY, JANUARY]],
            id="both",
        ),
        pytest.param(
            {"bill_charges_monthly": True},
            [START_OF_YEAR, {"calls": 100}, {"plan": 4700, "calls": 100, **LONG}, {}],
            [[YEAR, NOVEMBER, NOTHING], [YEAR, DECEMBER, BOTH], [LEAP, JANUARY, NOTHING]],
            id="usage",
        ),
        pytest.param({}, [START_OF_YEAR, {"plan": 4700, "calls": 200, **LONG}], [[YEAR, BOTH, BOTH]], id="neither"),
        pytest.param(
            {"bill_fixed_charges_monthly": True, "pay_in_advance": True},
            [{"plan": 4700, **START}, MONTH, {"plan": 36500, "calls": 200, **MONTHS}, MONTHS],
            [[YEAR, NOTHING, NOVEMBER], [LEAP, BOTH, DECEMBER], [LEAP, NOTHING, JANUARY]],
            id="fixed charges, plan in advance",
        ),
    ],
)
def test_a_year_with_months(aws, settings, expected, shown):
    """365.00 a year from 15 November 2023."""
    story = Story.begin(at="2023-11-15T10:00:00Z")
    books = Books(story)
    add_ons(story, "seat", "desk")
    seat = fixed("seat", 12, "1", pay_in_advance=True, prorated=True)
    fixed_charges = [seat, fixed("desk", 10, "1", prorated=True)]
    year = {"interval": "yearly", "amount_cents": 36500, **settings}
    story.plan(charges=[counted(story)], fixed_charges=fixed_charges, **year)
    story.subscribe("plan", "s", "s")
    story.use(at=day("2023-11-20T00:00:00"), subscription="s")
    story.use(at=day("2023-12-05T00:00:00"), subscription="s")
    story.use(at=day("2024-02-05T00:00:00"), subscription="s")
    story.travel("2024-02-11T10:00:00Z")
    days = ["2023-11-15", "2023-12-01", "2024-01-01", "2024-02-01"]
    if not settings:
        days = ["2023-11-15", "2024-01-01"]
    assert billed(books)["s"] == list(zip(days, expected, strict=True))
    rows = [invoice["billing_periods"] for invoice in books.invoices()]
    assert [ranges(row) for (row,) in rows[1:]] == shown
    if "bill_fixed_charges_monthly" in settings:
        by_code = {fee["item"]["code"]: fee for fee in books.invoices()[1]["fees"]}
        assert range_of(by_code["seat"]) == DECEMBER
        assert range_of(by_code["desk"]) == NOVEMBER

    story.terminate("s")
    last = books.last("s")
    # 42 x 36500 / 366 = 4188.52; desks of February, or of the year: 10 x 11/29, 10 x 42/366.
    fee = {} if "pay_in_advance" in settings else {"plan": 4189}
    desks = 379 if "bill_fixed_charges_monthly" in settings else 115
    assert lines(last) == {**fee, "calls": 100, "desk": desks}
    monthly = [("2024-02-01T00:00:00Z", "2024-02-11T10:00:00Z"), ("2024-01-01T00:00:00Z", "2024-02-11T10:00:00Z")]
    usage, own = (monthly[name not in settings] for name in ("bill_charges_monthly", "bill_fixed_charges_monthly"))
    assert ranges(last["billing_periods"][0]) == [monthly[1], usage, own]


def test_days_are_the_customers_and_taxes_the_charges_own(aws):
    story = Story.begin(at="2023-07-19T02:00:00Z")
    books = Books(story)
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.ok("POST", "/taxes", {"tax": {"name": "Low", "code": "low", "rate": 5}})
    story.organization(billing_configuration={"invoice_grace_period": 3})
    add_ons(story, "seat", "desk")
    story.customer("ny", timezone="America/New_York")
    volume = [
        {"from_value": 0, "to_value": 10, "per_unit_amount": "2", "flat_amount": "0"},
        {"from_value": 11, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"},
    ]
    story.plan(
        fixed_charges=[
            fixed("seat", 31, "1", pay_in_advance=True, prorated=True, tax_codes=["low"], invoice_display_name="Seats"),
            fixed("desk", 15, "0", prorated=True, charge_model="volume", properties={"volume_ranges": volume}),
        ]
    )
    story.subscribe("plan", "ny", "ny")
    # It is the 18th in New York still: 14 days. What is paid in advance alone has no grace period.
    (first,) = books.invoices("ny")
    assert (first["status"], lines(first), first["issuing_date"]) == ("finalized", {"seat": 1400}, "2023-07-18")
    fee = first["fees"][0]
    assert (fee["taxes_amount_cents"], fee["item"]["invoice_display_name"]) == (70, "Seats")
    assert range_of(fee) == ("2023-07-19T02:00:00Z", "2023-08-01T03:59:59Z")
    story.travel("2023-08-01T03:59:59Z")
    assert len(books.invoices()) == 1
    story.travel("2023-08-01T04:00:00Z")
    draft = books.invoices("ny")[1]
    # 15 x 14/31 = 6.774194 units, of which each costs 2: 13.55.
    assert (draft["status"], lines(draft)) == ("draft", {"plan": 0, "seat": 3100, "desk": 1355})
    assert draft["taxes_amount_cents"] == 155 + 271
    assert range_of(draft["fees"][2]) == ("2023-07-19T02:00:00Z", "2023-08-01T03:59:59Z")
    story.ok("PUT", "/plans/plan/fixed_charges/desk", {"fixed_charge": {"units": 20, "apply_units_immediately": True}})
    story.ok("PUT", "/plans/plan/fixed_charges/seat", {"fixed_charge": {"units": 62}})
    story.travel("2023-08-04T04:00:00Z")
    # What changed since does not change the draft.
    final = books.invoices("ny")[1]
    assert (final["status"], lines(final)) == ("finalized", {"plan": 0, "seat": 3100, "desk": 1355})
    story.travel("2023-09-04T04:00:00Z")
    assert lines(books.last("ny")) == {"plan": 0, "seat": 6200, "desk": 2000}
