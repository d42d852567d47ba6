"""Laws of credits on invoices: what coupons, credit notes and wallets give is what invoices take, whatever the figures.

Source: rules/invoices 3, 7, 8, 14; rules/money 1 to 5.
"""

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import wallets
from tests.support.coupons import applied, apply, coupon
from tests.support.examples import examples
from tests.support.story import Story, meter
from tests.support.wallets import ledger, pay, read, top_up, wallet

_cheap = settings(max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_names = (f"c{n}" for n in itertools.count())
_JANUARY = 1704067200  # Its first second, as a timestamp.
_PRICES = (7, 1234, 6001)
_SUMS = (
    "fees_amount_cents",
    "coupons_amount_cents",
    "sub_total_excluding_taxes_amount_cents",
    "taxes_amount_cents",
    "sub_total_including_taxes_amount_cents",
    "credit_notes_amount_cents",
    "prepaid_credit_amount_cents",
    "total_amount_cents",
)


@pytest.fixture(scope="module")
def story(module_aws: None) -> Story:
    """Plans of three prices, each with a line of 0.35 with a tax of its own; 19 % of tax on all else."""
    story = Story.begin()
    for code, rate, general in (("most", "19", True), ("own", "5.5", False)):
        tax = {"name": code, "code": code, "rate": rate, "applied_to_organization": general}
        story.ok("POST", "/taxes", {"tax": tax})
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 35, "amount_currency": "EUR", "tax_codes": ["own"]}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    seat = {"add_on_code": "seat", "charge_model": "standard", "units": 1, "pay_in_advance": True}
    for cents in _PRICES:
        fixed = [{**seat, "properties": {"amount": "0.35"}}]
        story.plan(f"p{cents}", amount_cents=cents, pay_in_advance=True, fixed_charges=fixed)
    return story


@given(
    mode=st.sampled_from(["after_tax", "before_tax"]),
    price=st.sampled_from(_PRICES),
    amount=st.integers(1, 3000),
    rate=st.integers(1, 100),
    noted=st.integers(1, 3000),
    credits=st.integers(1, 4000),
    credit=st.sampled_from(["1", "0.37", "3"]),
)
@_cheap
def test_what_credits_give_is_what_the_invoice_took_and_a_void_gives_back(
    story: Story, mode: str, price: int, amount: int, rate: int, noted: int, credits: int, credit: str
) -> None:
    story.organization(billing_configuration={"coupon_application": mode})
    name = next(_names)
    story.customer(name, currency="EUR")
    _note(story, name, noted)
    for code, fields in (("fixed", {"amount_cents": amount, "frequency": "once"}), ("rate", {"percentage_rate": rate})):
        coupon(story, f"{code}-{name}", **fields)
        apply(story, f"{code}-{name}", name)
    wallet(story, name, granted_credits=f"{credits / 100:.2f}", rate_amount=credit)
    before = _balances(story, name)
    assert min(before) > 0
    body = {"customer": {"external_id": name}, "plan_code": f"p{price}"}
    shown = story.ok("POST", "/invoices/preview", body)["invoice"]
    for time in ("first", "again"):
        story.subscribe(f"p{price}", f"{time}-{name}", name)
        invoice = _of(story, name)
        assert _amounts(invoice) == _amounts(shown)
        _adds_up(invoice, mode)
        left = _balances(story, name)
        assert tuple(had - has for had, has in zip(before, left, strict=True)) == _taken(invoice, f"fixed-{name}")
        story.ok("POST", f"/invoices/{invoice['lago_id']}/void")
        assert before == _balances(story, name)


def _note(story: Story, name: str, cents: int) -> None:
    """A credit note of a whole one-off invoice, for later ones."""
    fees = [{"add_on_code": "seat", "unit_amount_cents": cents}]
    body = {"external_customer_id": name, "currency": "EUR", "fees": fees}
    invoice = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": cents}]
    note = {"invoice_id": invoice["lago_id"], "credit_amount_cents": invoice["total_amount_cents"], "items": items}
    story.ok("POST", "/credit_notes", {"credit_note": note})


def _balances(story: Story, name: str) -> tuple[int, int, int]:
    """What is left of a customer's fixed coupon, of its credit notes and of its wallets."""
    (fixed,) = [each for each in applied(story, f"&external_customer_id={name}") if each["amount_cents"]]
    notes = story.ok("GET", f"/credit_notes?external_customer_id={name}")["credit_notes"]
    held = story.ok("GET", f"/wallets?external_customer_id={name}")["wallets"]
    return (
        fixed["amount_cents_remaining"],
        sum(note["balance_amount_cents"] for note in notes),
        sum(each["balance_cents"] for each in held),
    )


def _taken(invoice: Any, code: str) -> tuple[int, int, int]:
    """What an invoice says that it took of them."""
    fixed = sum(credit["amount_cents"] for credit in invoice["credits"] if credit["item"]["code"] == code)
    return fixed, invoice["credit_notes_amount_cents"], invoice["prepaid_credit_amount_cents"]


def _of(story: Story, name: str) -> Any:
    """A customer's one final invoice of a subscription."""
    (found,) = story.invoices(f"&external_customer_id={name}&status=finalized&invoice_type=subscription")
    return found


def _amounts(invoice: Any) -> Any:
    """An invoice's sums, lines and credits."""
    lines = [
        (fee["item"]["code"], fee["units"], fee["amount_cents"], fee["taxes_amount_cents"]) for fee in invoice["fees"]
    ]
    credits = [(each["item"]["type"], each["item"]["code"], each["amount_cents"]) for each in invoice["credits"]]
    return {name: invoice[name] for name in _SUMS}, lines, credits


def _adds_up(invoice: Any, mode: str) -> None:
    """The total is what the order of computation leaves of the lines."""
    fees, coupons, net, taxes, gross, notes, prepaid, total = (invoice[name] for name in _SUMS)
    early, late = (coupons, 0) if mode == "before_tax" else (0, coupons)
    assert fees == sum(fee["amount_cents"] for fee in invoice["fees"])
    assert net == fees - early
    assert taxes == sum(tax["amount_cents"] for tax in invoice["applied_taxes"])
    assert gross == net + taxes
    assert total == gross - late - notes - prepaid >= 0
    credits = [each for each in invoice["credits"] if each["item"]["type"] == "coupon"]
    assert coupons == sum(each["amount_cents"] for each in credits)
    assert total == 0 or total == invoice["total_due_amount_cents"]


_MOVES = st.one_of(
    st.tuples(st.sampled_from(["granted_credits", "voided_credits"]), st.integers(1, 2000)),
    st.tuples(st.sampled_from(["succeeded", "failed", "failed then succeeded"]), st.integers(1, 2000)),
    st.tuples(st.just("use"), st.sampled_from(_PRICES)),
    st.tuples(st.just("void"), st.integers(0, 3)),
)


@given(rate=st.sampled_from(["1", "0.37", "3", "0.0071"]), moves=st.lists(_MOVES, min_size=3, max_size=8))
@_cheap
def test_a_balance_is_the_sum_of_its_ledger_whatever_happens(story: Story, rate: str, moves: list[Any]) -> None:
    name = next(_names)
    story.customer(name, currency="EUR")
    own = wallet(story, name, granted_credits="20", rate_amount=rate)
    for number, (move, value) in enumerate(moves):
        before = read(story, own)["balance_cents"]
        credits = f"{value / 100:.2f}"
        if move in ("granted_credits", "voided_credits"):
            body = {"wallet_transaction": {"wallet_id": own["lago_id"], move: credits}}
            assert story.call("POST", "/wallet_transactions", body).status in (200, 422)
        elif move == "use":
            story.subscribe(f"p{value}", f"{number}-{name}", name)
        elif move == "void":
            final = story.invoices(f"&external_customer_id={name}&status=finalized&invoice_type=subscription")
            for invoice in final[value : value + 1]:
                story.ok("POST", f"/invoices/{invoice['lago_id']}/void")
                assert read(story, own)["balance_cents"] == before + invoice["prepaid_credit_amount_cents"]
        elif value * Decimal(rate) < Decimal("0.5"):  # Worth no cent: nobody can buy it.
            body = {"wallet_transaction": {"wallet_id": own["lago_id"], "paid_credits": credits}}
            assert story.call("POST", "/wallet_transactions", body).status == 422
        else:
            (bought,) = top_up(story, own, paid_credits=credits)
            assert read(story, own)["balance_cents"] == before
            for status in move.split(" then "):
                pay(story, bought["lago_invoice_id"], status)
            paid = round(Decimal(bought["amount"]) * 100) if "succeeded" in move else 0
            assert read(story, own)["balance_cents"] == before + paid
        wallets.check(story, name)
    entries = ledger(story, own)
    used = sum(Decimal(each["credit_amount"]) for each in entries if each["transaction_status"] == "invoiced")
    back = sum(Decimal(each["credit_amount"]) for each in entries if each["lago_voided_invoice_id"])
    assert Decimal(read(story, own)["consumed_credits"]) == used - back


@given(
    mode=st.sampled_from(["after_tax", "before_tax"]),
    days=st.lists(st.tuples(st.integers(1, 28), st.integers(0, 2)), min_size=1, max_size=4),
    amount=st.integers(1, 1500),
    credits=st.integers(1, 1500),
)
@_cheap
def test_a_draft_refreshed_any_number_of_times_is_the_one_made_at_the_end(
    module_aws: None, mode: str, days: list[tuple[int, int]], amount: int, credits: int
) -> None:
    story = Story.begin(billing_configuration={"coupon_application": mode})
    story.ok("POST", "/taxes", {"tax": {"name": "T", "code": "t", "rate": "7.7", "applied_to_organization": True}})
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "0.333"}}
    story.plan("usage", [charge], amount_cents=1000)
    coupon(story, amount_cents=amount)
    for name in ("often", "once"):
        story.customer(name, currency="EUR", billing_configuration={"invoice_grace_period": 3})
        story.subscribe("usage", name, name)
        apply(story, "ten", name)
        wallet(story, name, granted_credits=f"{credits / 100:.2f}")
    story.travel("2024-02-01T00:00:00Z")
    (draft,) = story.invoices("&external_customer_id=often")
    for day, times in days:
        for name in ("often", "once"):
            story.use(at=_JANUARY + day * 86400, subscription=name)
        meter()
        for _ in range(times):
            story.ok("PUT", f"/invoices/{draft['lago_id']}/refresh")
    story.travel("2024-02-04T00:00:00Z")
    often, once = (_of(story, name) for name in ("often", "once"))
    assert _amounts(often) == _amounts(once)
    assert often["lago_id"] == draft["lago_id"]
    assert [fee["units"] for fee in once["fees"]] == ["1.0", f"{len(days)}.0"]
    assert [_balance(story, name) for name in ("often", "once")] == [credits - once["prepaid_credit_amount_cents"]] * 2


def _balance(story: Story, name: str) -> int:
    (held,) = story.ok("GET", f"/wallets?external_customer_id={name}")["wallets"]
    return int(held["balance_cents"])
