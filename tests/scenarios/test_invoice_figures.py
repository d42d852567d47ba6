"""Figures of invoices equal a recount, whatever happened. They are kept with each change, and never added up by reading."""

import random
from collections import defaultdict
from datetime import date
from typing import Any

import pytest

from chalicelib.features.invoices import figures, reading
from chalicelib.features.invoices.figures import Figures, Invoiced, Sum
from chalicelib.platform import counters
from chalicelib.platform.clock import utc_now
from tests.support.story import Story

_MONTHS = [date(2024, month, 1) for month in range(1, 5)]


def _recounted(story: Story, month: date) -> Figures:
    """The same figures from all invoices."""
    shown = story.ok("GET", "/invoices?per_page=1000")["invoices"]
    records = reading.get_many(story.ref.id, [each["lago_id"] for each in shown])
    sums: dict[str, dict[str, list[int]]] = {
        name: defaultdict(list) for name in ("outstanding", "overdue", "draft", "paid")
    }
    for each in shown:
        final, is_paid = each["status"] == "finalized", each["payment_status"] == "succeeded"
        paid_on = records[each["lago_id"]].paid_on
        for name, belongs, cents in (
            ("draft", each["status"] == "draft", each["total_amount_cents"]),
            ("outstanding", final and not is_paid, each["total_due_amount_cents"]),
            ("overdue", final and each["payment_overdue"], each["total_due_amount_cents"]),
            ("paid", final and is_paid and _month(paid_on) == month, each["total_amount_cents"]),
        ):
            if belongs and (name != "paid" or cents):
                sums[name][each["currency"]].append(cents)
    numbers = {
        "all": len(shown),
        "draft": sum(each["status"] == "draft" for each in shown),
        "voided": sum(each["status"] == "voided" for each in shown),
        "overdue": sum(len(each) for each in sums["overdue"].values()),
        "outstanding": sum(len(each) for each in sums["outstanding"].values()),
        **{
            name: sum(each["status"] == "finalized" and each["payment_status"] == name for each in shown)
            for name in ("succeeded", "failed")
        },
    }
    found = {
        name: {currency: Sum(len(cents), sum(cents)) for currency, cents in sorted(by.items())}
        for name, by in sums.items()
    }
    return Figures(**found, numbers=numbers)


def _invoiced(story: Story, until: date) -> Invoiced:
    """What was invoiced by month, from all invoices."""
    shown = story.ok("GET", "/invoices?per_page=1000&status=finalized")["invoices"]
    cents: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for each in shown:
        if each["total_amount_cents"]:
            cents[each["currency"]][each["issuing_date"][:7]].append(each["total_amount_cents"])
    months = [month for month in _MONTHS if month <= until]
    sums = {
        currency: [Sum(len(own[f"{month:%Y-%m}"]), sum(own[f"{month:%Y-%m}"])) for month in months]
        for currency, own in sorted(cents.items())
    }
    return Invoiced(months, sums, 0)


def _month(day: date | None) -> date | None:
    return day and day.replace(day=1)


def _act(story: Story, chance: random.Random) -> None:
    """Something that changes an invoice, or is refused."""
    shown = story.ok("GET", "/invoices?per_page=1000")["invoices"]
    if not shown or chance.random() < 0.2:
        code = chance.choice(["eur", "jpy"])
        body = {"external_customer_id": f"one-{code}", "fees": [{"add_on_code": code, "units": chance.randint(0, 3)}]}
        story.ok("POST", "/invoices", {"invoice": body})
        return
    chosen = chance.choice(shown)
    path, due = f"/invoices/{chosen['lago_id']}", chosen["total_due_amount_cents"]
    payment = {
        "invoice_id": chosen["lago_id"],
        "amount_cents": chance.choice([due, max(1, due // 2)]),
        "reference": "r",
    }
    acts: list[tuple[str, str, Any]] = [
        ("PUT", path, {"invoice": {"payment_status": chance.choice(["pending", "succeeded", "failed"])}}),
        ("POST", "/payments", {"payment": payment}),
        ("POST", f"{path}/void", None),
        ("PUT", f"{path}/finalize", None),
        ("PUT", f"{path}/refresh", None),
        ("DELETE", path, None),
        ("POST", f"{path}/lose_dispute", None),
    ]
    answer = story.call(*chance.choices(acts, [4, 4, 1, 2, 1, 1, 1])[0])
    assert answer.status in (200, 403, 404, 405, 422), answer


@pytest.mark.parametrize("seed", range(2))
def test_figures_equal_a_recount_after_any_story(story: Story, seed: int):
    chance = random.Random(seed)
    story.organization(timezone="Asia/Tokyo", net_payment_term=3)
    for code, currency in (("eur", "EUR"), ("jpy", "JPY")):
        body = {"name": code, "code": code, "amount_cents": 1250, "amount_currency": currency}
        story.ok("POST", "/add_ons", {"add_on": body})
        story.customer(f"one-{code}", currency=currency)
        story.plan(code, amount_cents=700, amount_currency=currency, interval="weekly")
        story.customer(code, currency=currency, billing_configuration={"invoice_grace_period": chance.randint(0, 4)})
        story.subscribe(code, code, code)
    for day in range(7, 70, 7):
        for _ in range(3):
            _act(story, chance)
        story.travel(f"{date.fromordinal(date(2024, 1, 1).toordinal() + day)}T12:00:00Z")
    seen = []
    for month in _MONTHS:
        read = figures.read(story.ref.id, month)
        assert read == _recounted(story, month)
        seen.append(read)
    assert any(each.paid for each in seen if each)
    found, invoiced = figures.by_month(story.ref.id, _MONTHS[-1], len(_MONTHS))
    assert (found, invoiced) == (seen[-1], _invoiced(story, _MONTHS[-1]))
    assert len(invoiced.by_currency) == 2
    assert seen[0]
    assert seen[0].outstanding


def test_a_day_of_payment_is_the_organizations(story: Story):
    story.organization(timezone="Asia/Tokyo")
    story.ok("POST", "/add_ons", {"add_on": {"name": "a", "code": "a", "amount_cents": 100, "amount_currency": "EUR"}})
    story.customer(currency="EUR")
    story.travel("2024-01-31T16:00:00Z")  # It is February there.
    body = {"external_customer_id": "cust", "fees": [{"add_on_code": "a"}]}
    invoice = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    assert [bool(found and found.paid) for found in (figures.read(story.ref.id, day) for day in _MONTHS[:2])] == [
        False,
        True,
    ]
    story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "failed"}})
    found = figures.read(story.ref.id, _MONTHS[1])
    assert found
    assert (found.paid, found.outstanding, found.numbers["failed"]) == ({}, {"EUR": Sum(1, 100)}, 1)


def test_invoices_from_before_the_figures_leave_them_unknown(story: Story):
    for write in counters.moved(story.ref.id, figures.LIST, "old", {"all": 1, "status=finalized": 1}):
        write.alone()
    assert figures.read(story.ref.id, utc_now().date()) is None


def test_what_was_invoiced_stands_in_the_month_of_the_issuing_date(story: Story):
    story.organization(timezone="Europe/Paris")
    story.ok("POST", "/add_ons", {"add_on": {"name": "a", "code": "a", "amount_cents": 100, "amount_currency": "EUR"}})
    story.customer(currency="EUR", timezone="Asia/Tokyo")
    story.travel("2024-01-31T16:00:00Z")  # It is February where the customer is.
    body = {"external_customer_id": "cust", "fees": [{"add_on_code": "a"}]}
    invoice = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    assert invoice["issuing_date"] == "2024-02-01"
    _, invoiced = figures.by_month(story.ref.id, _MONTHS[1], 2)
    assert invoiced == Invoiced(_MONTHS[:2], {"EUR": [Sum(), Sum(1, 100)]}, 0)
    story.ok("POST", f"/invoices/{invoice['lago_id']}/void")
    assert story.call("POST", f"/invoices/{invoice['lago_id']}/void").status == 405
    _, invoiced = figures.by_month(story.ref.id, _MONTHS[1], 2)
    assert invoiced == Invoiced(_MONTHS[:2], {}, 0)


def test_an_invoice_from_before_the_months_were_counted_is_in_none_whatever_becomes_of_it(story: Story):
    story.ok("POST", "/add_ons", {"add_on": {"name": "a", "code": "a", "amount_cents": 100, "amount_currency": "EUR"}})
    story.customer(currency="EUR")
    body = {"external_customer_id": "cust", "fees": [{"add_on_code": "a"}]}
    with pytest.MonkeyPatch.context() as patched:  # As that version wrote it.
        patched.setattr(figures, "dated", lambda new, old, timezone, *, now: new)
        invoice = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    for act in (("PUT", "", {"invoice": {"payment_status": "failed"}}), ("POST", "/void", None)):
        _, invoiced = figures.by_month(story.ref.id, _MONTHS[0], 1)
        assert invoiced == Invoiced(_MONTHS[:1], {}, 1)
        story.ok(act[0], f"/invoices/{invoice['lago_id']}{act[1]}", act[2])
    assert figures.by_month(story.ref.id, _MONTHS[0], 1)[1] == Invoiced(_MONTHS[:1], {}, 0)
