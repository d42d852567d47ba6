"""Units of fixed charges that change while they run. Source: rules/billing-periods 11."""

from typing import Any

from tests.support.books import Books, range_of, ranges
from tests.support.fixed_charges import Lines, add_ons, billed, fixed, lines, reasons, same
from tests.support.story import Story

SEPTEMBER, OCTOBER = "2023-09-01", "2023-10-01"


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
