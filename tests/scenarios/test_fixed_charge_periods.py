"""The periods of fixed charges: months of a year, the customer's days, grace periods. Source: rules/billing-periods 11."""

import pytest

from tests.support.books import Books, range_of, ranges
from tests.support.charging import priced, ts
from tests.support.fixed_charges import add_ons, billed, fixed, lines
from tests.support.story import Story

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
    story.plan(charges=[priced(story.metric())], fixed_charges=fixed_charges, **year)
    story.subscribe("plan", "s", "s")
    story.use(at=ts("2023-11-20T00:00:00"), subscription="s")
    story.use(at=ts("2023-12-05T00:00:00"), subscription="s")
    story.use(at=ts("2024-02-05T00:00:00"), subscription="s")
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
