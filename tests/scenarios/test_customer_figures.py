"""Figures of customers: after whatever happens they are what counting all invoices and subscriptions gives."""

from collections import Counter
from collections.abc import Callable
from itertools import chain

import pytest

from chalicelib.features.customers import service as customers
from chalicelib.features.customers.figures import CustomerFigures
from chalicelib.platform.ids import CustomerId
from tests.support.story import Story


def figures_of(story: Story, lago_id: str) -> CustomerFigures:
    """The figures that are kept."""
    found = customers.heads(story.ref.id, [CustomerId(lago_id)])[CustomerId(lago_id)].figures
    assert found is not None
    return found


def recounted(story: Story, lago_id: str) -> CustomerFigures:
    """The figures that the API's objects add up to."""
    invoices = [each for each in story.invoices() if each["customer"]["lago_id"] == lago_id]
    subscriptions = story.ok("GET", "/subscriptions?status[]=active&per_page=1000")["subscriptions"]
    invoiced: Counter[tuple[int, str]] = Counter()
    overdue: Counter[str] = Counter()
    for each in invoices:
        if each["status"] == "finalized":
            invoiced[int(each["issuing_date"][:4]), each["currency"]] += each["total_amount_cents"]
            overdue[each["currency"]] += each["total_due_amount_cents"] if each["payment_overdue"] else 0
    return CustomerFigures(
        len(invoices),
        sum(each["status"] == "draft" for each in invoices),
        sum(each["lago_customer_id"] == lago_id for each in subscriptions),
        {name: cents for name, cents in invoiced.items() if cents},
        {name: cents for name, cents in overdue.items() if cents},
    )


def same(kept: CustomerFigures, counted: CustomerFigures) -> bool:
    """Whether both are the same, but for counters that came back to 0."""
    shown = {name: cents for name, cents in kept.invoiced_in.items() if cents}
    return (kept.invoices, kept.drafts, kept.active_subscriptions, shown, dict(kept.overdue)) == (
        counted.invoices,
        counted.drafts,
        counted.active_subscriptions,
        counted.invoiced_in,
        counted.overdue,
    )


def _pay(story: Story, status: str) -> Callable[[], None]:
    def act() -> None:
        invoice = story.invoices()[0]
        story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": status}})

    return act


def _part(story: Story) -> None:
    invoice = story.invoices("&payment_overdue=true")[0]
    payment = {"invoice_id": invoice["lago_id"], "amount_cents": 100, "reference": "by hand"}
    story.ok("POST", "/payments", {"payment": payment})


def _void(story: Story) -> None:
    invoice = story.invoices("&payment_status=pending&status=finalized")[-1]
    story.ok("POST", f"/invoices/{invoice['lago_id']}/void")


def _draft(story: Story, act: str) -> Callable[[], None]:
    def carried() -> None:
        draft = story.invoices("&status=draft")[0]
        method = "DELETE" if act == "" else "PUT"
        story.ok(method, f"/invoices/{draft['lago_id']}{act}")

    return carried


def test_figures_equal_a_recount_after_each_step(story: Story):
    lago_id = story.customer("cust", currency="EUR")["lago_id"]
    other = story.customer("other", currency="USD")["lago_id"]
    story.plan("plan", amount_cents=3_100)
    story.plan("ahead", amount_cents=6_200, pay_in_advance=True)
    story.plan("dollars", amount_cents=500, amount_currency="USD", pay_in_advance=True)
    grace = {"billing_configuration": {"invoice_grace_period": 3}}
    steps: list[Callable[[], object]] = [
        lambda: story.subscribe(),
        lambda: story.subscribe("ahead", "second"),
        lambda: story.subscribe("dollars", "theirs", "other"),
        lambda: story.subscribe("plan", "later", subscription_at="2024-06-01T00:00:00Z"),
        lambda: story.travel("2024-02-02T00:00:00Z"),  # Invoiced, and overdue the day after.
        lambda: _part(story),
        _pay(story, "succeeded"),
        _pay(story, "succeeded"),  # Again: it counts once.
        _pay(story, "failed"),
        lambda: _void(story),
        lambda: story.customer("cust", **grace),
        lambda: story.travel("2024-03-01T12:00:00Z"),
        _draft(story, "/refresh"),
        _draft(story, "/finalize"),
        lambda: story.travel("2024-04-01T12:00:00Z"),
        lambda: story.subscribe("ahead", "sub"),  # An upgrade.
        lambda: story.terminate("second"),
        lambda: story.travel("2024-04-10T12:00:00Z"),
        lambda: story.terminate("later", "?status=pending"),
        lambda: story.travel("2025-01-02T12:00:00Z"),
        lambda: story.ok("DELETE", "/customers/other"),
    ]
    seen = set()
    for number, step in enumerate(steps):
        step()
        for each in (lago_id, other):
            kept, counted = figures_of(story, each), recounted(story, each)
            assert same(kept, counted), (number, kept, counted)
            seen |= {bool(kept.drafts), bool(kept.overdue), len(kept.invoiced_in)}
    assert seen == {True, False, 2} | {0, 1}  # It has had drafts, overdue ones, and two years.
    assert figures_of(story, lago_id).invoiced(2024).keys() == {"EUR"}


def test_customers_from_before_there_were_figures_have_none_afterwards(story: Story, monkeypatch: pytest.MonkeyPatch):
    made = customers.new_customer

    def before(*args: object, **how: object) -> object:
        return made(*args, **how).model_copy(update={"counted": False})  # type: ignore[arg-type]

    monkeypatch.setattr(customers, "new_customer", before)
    lago_id = story.customer("cust")["lago_id"]
    story.plan("plan", amount_cents=3_100, pay_in_advance=True)
    story.subscribe()
    head = customers.heads(story.ref.id, [CustomerId(lago_id)])[CustomerId(lago_id)]
    assert head.figures is None
    assert head.state.attached
    assert story.ok("GET", "/customers/cust/invoices")["meta"]["total_count"] == 1


def test_heads_are_those_of_the_customers_that_there_are(story: Story):
    ids = [CustomerId(story.customer(f"c{n}")["lago_id"]) for n in range(3)]
    found = customers.heads(story.ref.id, [*ids, CustomerId("nobody")])
    assert set(found) == set(ids)
    assert list(chain.from_iterable([each.customer.external_id] for each in found.values())) == ["c0", "c1", "c2"]
    assert customers.heads(story.ref.id, []) == {}
