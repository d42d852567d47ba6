"""Many coupons and credit notes on one invoice: it takes of all, up to what one transaction holds, and loses none.

Source: rules/invoices 3, 5, 7.3.
"""

from typing import Any

import pytest

from tests.support.coupons import applied, apply, coupon
from tests.support.story import Story
from tests.support.wallets import wallet

PREVIEW = {"customer": {"external_id": "cust"}, "plan_code": "plan"}


@pytest.fixture
def shop(story: Story) -> Story:
    """100.00 a month in advance, and a customer without anything."""
    story.plan(amount_cents=10000, pay_in_advance=True)
    story.customer("cust", currency="EUR")
    add_on = {"name": "a", "code": "a", "amount_cents": 10000, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    return story


def apply_many(story: Story, number: int, **terms: Any) -> None:
    code = f"c{len(applied(story))}"
    coupon(story, code, **terms)
    for _ in range(number):
        apply(story, code)


def note_many(story: Story, number: int, cents: int) -> None:
    """So many credit notes of so many cents, on a one-off invoice."""
    one_off = {"external_customer_id": "cust", "fees": [{"add_on_code": "a", "unit_amount_cents": number * cents}]}
    invoice = story.ok("POST", "/invoices", {"invoice": one_off})["invoice"]
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": cents}]
    note = {"invoice_id": invoice["lago_id"], "credit_amount_cents": cents, "items": items}
    for _ in range(number):
        story.ok("POST", "/credit_notes", {"credit_note": note})


def issued(story: Story, name: str = "sub") -> Any:
    """The invoice of a new subscription; its preview said the same."""
    shown = story.ok("POST", "/invoices/preview", PREVIEW)["invoice"]
    before = {each["lago_id"] for each in story.invoices()}
    story.subscribe("plan", name)
    (made,) = [each for each in story.invoices("&invoice_type=subscription") if each["lago_id"] not in before]
    for field in ("coupons_amount_cents", "credit_notes_amount_cents", "total_amount_cents"):
        assert made[field] == shown[field]
    return made


def balances(story: Story) -> tuple[int, int]:
    """What is left of coupons that may be used once, and of credit notes."""
    notes = story.ok("GET", "/credit_notes?per_page=1000")["credit_notes"]
    left = sum(each["amount_cents_remaining"] or 0 for each in applied(story))
    return left, sum(each["balance_amount_cents"] for each in notes)


@pytest.mark.parametrize("mode", ["after_tax", "before_tax"])
@pytest.mark.parametrize(
    ("number", "terms", "taken"),
    [(15, {"amount_cents": 100}, 1500), (8, {"percentage_rate": 1}, 772)],
    ids=["fifteen-amounts", "eight-rates"],
)
def test_all_coupons_for_ever_lower_the_invoice(
    shop: Story, mode: str, number: int, terms: dict[str, Any], taken: int
) -> None:
    shop.organization(billing_configuration={"coupon_application": mode})
    apply_many(shop, number, **terms)
    made = issued(shop)
    assert (made["coupons_amount_cents"], len(made["credits"])) == (taken, number)
    assert all(len(each["credits"]) == 1 for each in applied(shop))
    shop.ok("POST", f"/invoices/{made['lago_id']}/void")
    assert issued(shop, "again")["coupons_amount_cents"] == taken


def test_a_draft_takes_them_when_it_becomes_final(shop: Story) -> None:
    shop.organization(billing_configuration={"invoice_grace_period": 3})
    apply_many(shop, 15, amount_cents=100)
    note_many(shop, 20, 100)
    shop.subscribe("plan", "sub")
    (draft,) = shop.invoices("&status=draft")
    shop.travel("2024-01-05T00:00:00Z")
    final = shop.ok("GET", f"/invoices/{draft['lago_id']}")["invoice"]
    assert (final["status"], final["coupons_amount_cents"], final["credit_notes_amount_cents"]) == (
        "finalized",
        1500,
        2000,
    )


def test_twenty_notes_lower_the_invoice(shop: Story) -> None:
    note_many(shop, 20, 100)
    made = issued(shop)
    assert (made["credit_notes_amount_cents"], made["total_amount_cents"]) == (2000, 8000)
    shop.ok("POST", f"/invoices/{made['lago_id']}/void")
    assert balances(shop) == (0, 2000)


def test_what_one_transaction_cannot_hold_waits_and_what_never_waits_is_taken(shop: Story) -> None:
    """Six wallets leave 64 places: 20 coupons that end and 12 of 15 notes; 12 coupons for ever lower it all the same."""
    apply_many(shop, 12, amount_cents=100)
    apply_many(shop, 20, amount_cents=50, frequency="once")
    note_many(shop, 15, 20)
    for n in range(6):
        wallet(shop, granted_credits="1", code=f"w{n}", name=f"w{n}")
    first = issued(shop)
    assert (first["coupons_amount_cents"], first["credit_notes_amount_cents"]) == (12 * 100 + 20 * 50, 12 * 20)
    assert first["prepaid_credit_amount_cents"] == 600
    assert balances(shop) == (0, 3 * 20)
    shop.ok("POST", f"/invoices/{first['lago_id']}/void")
    assert balances(shop) == (20 * 50, 15 * 20)
    assert issued(shop, "again")["total_amount_cents"] == first["total_amount_cents"]
    assert issued(shop, "more")["credit_notes_amount_cents"] == 3 * 20


def test_many_subscriptions_leave_room_for_many_credits(shop: Story) -> None:
    """Ten renewals beside twenty notes and five coupons."""
    for n in range(10):
        shop.subscribe("plan", f"s{n}")
    apply_many(shop, 5, amount_cents=100)
    note_many(shop, 20, 100)
    shop.travel("2024-02-01T00:00:00Z")
    made = max(shop.invoices("&invoice_type=subscription"), key=lambda each: each["fees_amount_cents"])
    assert made["fees_amount_cents"] == 100000
    assert (made["coupons_amount_cents"], made["credit_notes_amount_cents"]) == (500, 2000)
