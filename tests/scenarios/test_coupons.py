"""Coupons on invoices: the figures of the rules, what is left of a coupon, and what a void gives back.

Source: rules/invoices 3, 5, 7; rules/money 1.
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lago_python_client.models.invoice import InvoiceResponse

from chalicelib.features.credits import applied_coupons, service
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading
from chalicelib.platform.clock import now as clock_now
from chalicelib.platform.unit import Unit
from tests.support import aws, credit_notes
from tests.support.charging import ts
from tests.support.coupons import applied, apply, coupon
from tests.support.story import Story

MODES = ("after_tax", "before_tax")
MONTHS = [f"2024-{month:02d}-01T00:00:00Z" for month in range(2, 8)]


def shop(story: Story, mode: str = "after_tax", *, tax: int = 0, subscription: int = 0, **plan: Any) -> Story:
    """A customer on plan `a`, whose calls cost 1.00 each, and a tax."""
    story.organization(billing_configuration={"coupon_application": mode})
    if tax:
        story.ok("POST", "/taxes", {"tax": {"name": "T", "code": "t", "rate": tax, "applied_to_organization": True}})
    calls = story.metric("calls", "sum_agg", field_name="n")
    charge = {"billable_metric_id": calls["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("a", [charge], amount_cents=subscription, **plan)
    story.customer()
    story.subscribe("a")
    return story


def use(story: Story, number: int, month: int = 1) -> None:
    story.use(at=ts(f"2024-{month:02d}-15T00:00:00"), n=number)


def billed(story: Story, month: int = 0) -> Any:
    """The invoice of the next month's first day."""
    story.travel(MONTHS[month])
    return story.invoices()[-1]


def cents(invoice: Any, *names: str) -> list[int]:
    return [invoice[f"{name}_amount_cents"] for name in names]


@pytest.mark.parametrize(
    ("mode", "excluding", "tax", "including", "total"),
    [("after_tax", 7000, 700, 7700, 6700), ("before_tax", 6000, 600, 6600, 6600)],
)
def test_the_published_example_without_prepaid_credits(story, mode, excluding, tax, including, total):
    shop(story, mode, tax=10, subscription=5000)
    use(story, 20)
    coupon(story, amount_cents=1000, frequency="once")
    apply(story)
    invoice = billed(story)
    names = ("sub_total_excluding_taxes", "taxes", "sub_total_including_taxes", "total", "coupons", "credit")
    assert cents(invoice, *names) == [excluding, tax, including, total, 1000, 1000]
    (credit,) = invoice["credits"]
    (used,) = applied(story)
    assert credit == {
        "lago_id": credit["lago_id"],
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "before_taxes": mode == "before_tax",
        "item": {
            "lago_item_id": used["lago_coupon_id"],
            "type": "coupon",
            "code": "ten",
            "name": "ten",
            "description": None,
        },
        "invoice": {"lago_id": invoice["lago_id"], "payment_status": "pending"},
    }
    assert used["credits"] == [credit]
    assert (used["status"], used["amount_cents_remaining"], used["terminated_at"]) == ("terminated", 0, MONTHS[0])
    assert invoice["version_number"] == {"after_tax": 2, "before_tax": 4}[mode]


def test_a_cascade_before_tax_is_spread_over_the_fees(story):
    shop(story, "before_tax", tax=20, subscription=5000)
    use(story, 20)
    coupon(story, "all", amount_cents=1000)
    coupon(story, "calls", percentage_rate=10, applies_to={"billable_metric_codes": ["calls"]})
    apply(story, "all")
    apply(story, "calls")
    invoice = billed(story)
    assert [(each["item"]["code"], each["amount_cents"]) for each in invoice["credits"]] == [
        ("calls", 200),
        ("all", 1000),
    ]
    assert cents(invoice, "fees", "coupons", "sub_total_excluding_taxes", "taxes", "total") == [
        7000,
        1200,
        5800,
        1160,
        6960,
    ]
    base, usage = invoice["fees"]
    assert (base["precise_coupons_amount_cents"], usage["precise_coupons_amount_cents"]) == ("735.29412", "464.70588")
    assert (base["sub_total_excluding_taxes_precise_amount_cents"], base["taxes_amount_cents"]) == ("4264.70588", 853)
    assert (usage["sub_total_excluding_taxes_amount_cents"], usage["taxes_amount_cents"]) == (1535, 307)
    assert [tax["fees_amount_cents"] for tax in invoice["applied_taxes"]] == [5800]


@pytest.mark.parametrize("mode", MODES)
def test_percentages_come_to_the_same_in_both_modes(story, mode):
    shop(story, mode, tax=10, subscription=5000)
    story.plan("b", amount_cents=2000)
    story.subscribe("b", "other")
    coupon(story, "b", percentage_rate=50, applies_to={"plan_codes": ["b"]})
    coupon(story, "all", percentage_rate=10)
    apply(story, "all")
    apply(story, "b")
    assert billed(story)["total_amount_cents"] == 5940


def test_once_is_used_until_nothing_is_left_and_recurring_by_invoices(story):
    shop(story)
    coupon(story, "once", amount_cents=10000, frequency="once")
    coupon(story, "three", percentage_rate=50, frequency="recurring", frequency_duration=3)
    apply(story, "once")
    taken = []
    for month, number in enumerate([6, 3, 0, 5]):
        use(story, number * 10, month + 1)
        taken.append(billed(story, month)["coupons_amount_cents"])
    assert taken == [6000, 3000, 0, 1000]
    (once,) = applied(story)
    assert (once["status"], once["amount_cents_remaining"]) == ("terminated", 0)
    assert [each["amount_cents"] for each in once["credits"]] == [6000, 3000, 1000]


def test_a_recurring_amount_loses_what_is_not_used_and_counts_invoices_with_a_discount(story):
    shop(story)
    coupon(story, "three", amount_cents=10000, frequency="recurring", frequency_duration=3)
    apply(story, "three")
    seen = []
    for month, number in enumerate([60, 0, 30, 50, 10]):
        use(story, number, month + 1)
        invoice = billed(story, month)
        seen.append((invoice["coupons_amount_cents"], applied(story)[0]["frequency_duration_remaining"]))
    assert seen == [(6000, 2), (0, 2), (3000, 1), (5000, 0), (0, 0)]
    assert applied(story)[0]["terminated_at"] == MONTHS[3]


def test_an_amount_covers_several_subscriptions_of_one_invoice(story):
    shop(story, subscription=4000)
    story.subscribe("a", "other")
    coupon(story, amount_cents=10000, frequency="once")
    apply(story)
    assert cents(billed(story), "coupons", "total") == [8000, 0]
    assert applied(story)[0]["amount_cents_remaining"] == 2000


def test_a_percentage_after_tax_is_of_what_a_credit_note_leaves(story):
    shop(story, tax=10, subscription=7000)
    billed(story)
    credit_notes.stored(story, "1818.18")
    coupon(story, percentage_rate=10)
    apply(story)
    assert cents(billed(story, 1), "credit_notes", "coupons", "total") == [2000, 570, 5130]


@pytest.mark.parametrize("mode", MODES)
def test_an_event_charged_at_once_is_discounted_and_its_fee_says_so(story, mode):
    story.organization(billing_configuration={"coupon_application": mode})
    story.ok("POST", "/taxes", {"tax": {"name": "T", "code": "t", "rate": 20, "applied_to_organization": True}})
    calls = story.metric()
    charge = {"billable_metric_id": calls["lago_id"], "charge_model": "standard", "properties": {"amount": "10"}}
    story.plan("a", [charge | {"pay_in_advance": True}])
    story.customer()
    story.subscribe("a")
    coupon(story, amount_cents=400, frequency="once")
    apply(story)
    story.use(at=ts("2024-01-15T00:00:00"))
    story.travel("2024-01-16T00:00:00Z")
    (invoice,) = story.invoices()
    shared, tax, total = {"after_tax": ("0.0", 200, 800), "before_tax": ("400.0", 120, 720)}[mode]
    assert invoice["total_amount_cents"] == total
    (listed,) = story.ok("GET", "/fees")["fees"]
    for fee in (listed, invoice["fees"][0]):
        assert (fee["precise_coupons_amount_cents"], fee["taxes_amount_cents"]) == (shared, tax)
    credits = InvoiceResponse.parse_obj(invoice).credits
    assert credits is not None
    assert credits.__root__[0].before_taxes is (mode == "before_tax")


def test_a_discount_of_nothing_is_no_use(story):
    shop(story, subscription=20)
    coupon(story, "one", percentage_rate=1, frequency="recurring", frequency_duration=3)
    apply(story, "one")
    assert billed(story)["credits"] == []
    assert applied(story)[0]["frequency_duration_remaining"] == 3


def test_a_whole_discount_leaves_nothing_to_pay(story):
    shop(story, tax=20, subscription=17)
    story.plan("b", amount_cents=446)
    story.subscribe("b", "other")
    coupon(story, "whole", percentage_rate=100, applies_to={"plan_codes": ["a", "b"]}, frequency="once")
    apply(story, "whole")
    invoice = billed(story)
    assert cents(invoice, "coupons", "total") == [556, 0]
    assert invoice["payment_status"] == "succeeded"
    assert applied(story)[0]["status"] == "terminated"


def test_limits_reach_overridden_plans_and_leave_others_alone(story):
    shop(story, subscription=1000)
    story.plan("b", amount_cents=3000)
    story.subscribe("b", "other", plan_overrides={"amount_cents": 2000})
    coupon(story, "b", percentage_rate=50, applies_to={"plan_codes": ["b"]})
    coupon(story, "gone", percentage_rate=50, applies_to={"billable_metric_codes": ["calls"]}, frequency="once")
    apply(story, "b")
    apply(story, "gone")
    assert billed(story)["coupons_amount_cents"] == 1000
    assert [each["status"] for each in applied(story)] == ["active", "active"]


def test_an_amount_of_another_currency_is_skipped(story):
    shop(story, subscription=3000)
    coupon(story)
    apply(story)
    billed(story)
    (shown,) = story.invoices()
    invoice = reading.get(story.ref.id, shown["lago_id"])
    fees = reading.fees_of(story.ref.id, invoice)
    open_credits = service.open_of(story.ref, customers.items_of(story.ref.id, shown["customer"]["lago_id"]))
    assert len(service.offered(open_credits, invoice, fees).coupons) == 1
    foreign = invoice.model_copy(update={"currency": "USD"})
    one_off = invoice.model_copy(update={"invoice_type": "one_off"})
    assert service.offered(open_credits, foreign, fees).coupons == ()
    assert service.offered(open_credits, one_off, fees).coupons == ()


@pytest.mark.parametrize("mode", MODES)
def test_drafts_show_no_coupons_and_take_them_when_they_become_final(story, mode):
    story.organization(billing_configuration={"invoice_grace_period": 3})
    shop(story, mode, tax=20, subscription=5000)
    story.travel("2024-02-02T00:00:00Z")
    coupon(story)
    apply(story)
    (draft,) = story.invoices()
    story.ok("PUT", f"/invoices/{draft['lago_id']}/refresh")
    (draft,) = story.invoices()
    assert (draft["status"], draft["coupons_amount_cents"], draft["credits"]) == ("draft", 0, [])
    assert draft["total_amount_cents"] == 6000
    story.ok("PUT", f"/invoices/{draft['lago_id']}/finalize")
    (final,) = story.invoices()
    assert (final["coupons_amount_cents"], final["total_amount_cents"]) == (
        1000,
        {"after_tax": 5000, "before_tax": 4800}[mode],
    )


def test_two_drafts_share_what_is_left(story):
    story.organization(billing_configuration={"invoice_grace_period": 3})
    shop(story, subscription=3000)
    story.plan("w", amount_cents=3000, pay_in_advance=True)
    coupon(story, amount_cents=5000, frequency="once")
    apply(story)
    story.travel("2024-01-31T00:00:00Z")
    story.subscribe("w", "w", billing_time="anniversary")
    story.travel("2024-02-10T00:00:00Z")
    found = story.invoices()
    assert sorted(each["coupons_amount_cents"] for each in found) == [2000, 3000]
    assert sum(each["total_amount_cents"] for each in found) == 1000


@pytest.mark.parametrize(("mode", "left"), [("after_tax", 5000), ("before_tax", 4800)])
def test_days_not_used_give_no_coupon_back(story, mode, left):
    story.travel("2024-04-01T00:00:00Z")
    story.organization(billing_configuration={"coupon_application": mode})
    story.ok("POST", "/taxes", {"tax": {"name": "T", "code": "t", "rate": 20, "applied_to_organization": True}})
    story.plan("a", amount_cents=10000, pay_in_advance=True)
    story.customer()
    coupon(story, amount_cents=2000, frequency="once")
    apply(story)
    story.subscribe("a")
    story.travel("2024-04-15T12:00:00Z")
    story.terminate()
    (note,) = story.notes()
    assert note["total_amount_cents"] == left
    assert note["balance_amount_cents"] == left


@pytest.mark.parametrize("frequency", ["once", "recurring"])
def test_a_void_gives_back_what_was_taken(story, frequency):
    shop(story, subscription=600)
    coupon(story, amount_cents=600, frequency=frequency, frequency_duration=1)
    (before,) = [apply(story)]
    invoice = billed(story)
    (used,) = applied(story)
    assert (used["status"], invoice["total_amount_cents"]) == ("terminated", 0)
    stored = reading.get(story.ref.id, invoice["lago_id"])
    assert stored is not None
    Unit(applied_coupons.restore(story.ref.id, stored, now=clock_now(story.ref))).commit()
    (restored,) = applied(story)
    assert restored | {"credits": []} == before | {"credits": []}
    assert billed(story, 1)["coupons_amount_cents"] == 600


def test_what_was_removed_or_deleted_does_not_come_back(story):
    shop(story, subscription=500)
    coupon(story, "kept", amount_cents=600, frequency="once")
    coupon(story, "deleted", amount_cents=100, frequency="once")
    kept = apply(story, "kept")
    invoice = billed(story)
    story.ok("DELETE", f"/customers/cust/applied_coupons/{kept['lago_id']}")
    stored = reading.get(story.ref.id, invoice["lago_id"])
    assert stored is not None
    Unit(applied_coupons.restore(story.ref.id, stored, now=clock_now(story.ref))).commit()
    (after,) = applied(story)
    assert (after["status"], after["amount_cents_remaining"]) == ("terminated", 600)


def test_the_drafts_of_a_deleted_customer_use_its_coupons_before_these_end(story):
    story.organization(billing_configuration={"invoice_grace_period": 30})
    shop(story, subscription=10000)
    coupon(story, amount_cents=1000)
    apply(story)
    story.travel("2024-02-02T00:00:00Z")
    story.ok("DELETE", "/customers/cust")
    story.travel("2024-02-02T00:30:00Z")
    first, last = story.invoices()
    taken = [(each["status"], each["coupons_amount_cents"]) for each in (first, last)]
    assert taken == [("finalized", 1000), ("finalized", min(1000, last["fees_amount_cents"]))]
    (ended,) = applied(story)
    assert ended["status"] == "terminated"


def test_the_note_on_a_draft_follows_the_coupons_that_the_draft_takes(story):
    story.travel("2024-04-01T00:00:00Z")
    story.organization(billing_configuration={"invoice_grace_period": 3})
    story.ok("POST", "/taxes", {"tax": {"name": "T", "code": "t", "rate": 20, "applied_to_organization": True}})
    story.plan("a", amount_cents=10000, pay_in_advance=True)
    story.customer()
    story.subscribe("a")
    story.travel("2024-05-02T00:00:00Z")
    coupon(story, amount_cents=2000, frequency="once")
    apply(story)
    story.terminate()
    story.travel("2024-05-10T00:00:00Z")
    (note,) = story.notes()
    whole, share = Decimal(29 * 12000) / 31, Decimal(29 * 2000) / 31
    assert abs(note["total_amount_cents"] - (whole - share)) <= 1


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    mode=st.sampled_from(MODES),
    tax=st.sampled_from([0, 19]),
    usage=st.lists(st.integers(0, 40), min_size=2, max_size=2),
    amount=st.integers(1, 6000),
    rate=st.integers(1, 100),
)
def test_what_coupons_give_is_what_invoices_take(mode, tax, usage, amount, rate):
    with aws.in_memory():
        story = shop(Story.begin(), mode, tax=tax, subscription=333)
        coupon(story, "once", amount_cents=amount, frequency="once")
        coupon(story, "metric", percentage_rate=rate, applies_to={"billable_metric_codes": ["calls"]})
        apply(story, "once")
        apply(story, "metric")
        for month, number in enumerate(usage):
            use(story, number, month + 1)
            billed(story, month)
        invoices = story.invoices()
        once, metric = applied(story)
        assert once["amount_cents_remaining"] == amount - sum(each["amount_cents"] for each in once["credits"])
        assert (once["status"] == "terminated") == (once["amount_cents_remaining"] == 0)
        given_by = [each for one in (once, metric) for each in one["credits"]]
        took = [each for invoice in invoices for each in invoice["credits"]]
        assert sorted(given_by, key=str) == sorted(took, key=str)
        for invoice in invoices:
            shares = sum(Decimal(fee["precise_coupons_amount_cents"]) for fee in invoice["fees"])
            assert invoice["coupons_amount_cents"] == sum(each["amount_cents"] for each in invoice["credits"])
            early = invoice["coupons_amount_cents"] if mode == "before_tax" else 0
            assert abs(shares - early) < Decimal("0.001")
            assert invoice["total_amount_cents"] >= 0
