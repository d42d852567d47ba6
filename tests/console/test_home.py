"""Home: first steps, and figures that ask for attention."""

import re

from chalicelib.features.invoices import figures
from chalicelib.platform import counters
from tests.support import capacity
from tests.support.console import Visitor, member_of
from tests.support.story import Story, meter

HTMX = {"HX-Request": "true", "HX-Target": "li#step-event"}


def done(visitor: Visitor) -> list[str]:
    """The steps that are ticked."""
    words = visitor.get().words
    names = ("Create a billable metric", "Create a plan", "Add a customer", "Assign the plan", "See the invoice")
    return [name for name in names if f"{name} (done)" in words]


def test_steps_tick_themselves(visitor: Visitor):
    assert done(visitor) == []
    visitor.story.metric()
    assert done(visitor) == ["Create a billable metric"]
    visitor.story.plan(amount_cents=500)
    visitor.story.customer(currency="EUR")
    assert done(visitor) == ["Create a billable metric", "Create a plan", "Add a customer"]
    visitor.story.subscribe()
    shown = visitor.get().words
    assert "Assign the plan (done)" in shown
    assert '"external_subscription_id": "sub", "code": "calls"' in shown


def test_the_event_is_told_when_it_is_counted(visitor: Visitor):
    visitor.story.metric()
    visitor.story.plan()
    visitor.story.customer()
    visitor.story.subscribe()
    visitor.headers |= HTMX
    assert visitor.get(step="event").status == 204
    visitor.story.use(at=1704067200)
    meter()
    assert "Send an event (done)" in visitor.get(step="event").words


def test_the_example_leads_to_an_invoice_and_twice_makes_one(visitor: Visitor):
    assert "Create example data" in visitor.get().words
    assert visitor.post("example").status == 303
    assert visitor.post("example").status == 303
    meter()
    assert "Create example data" not in visitor.get().words
    assert len(visitor.story.ok("GET", "/events")["events"]) == 20
    assert len(visitor.story.ok("GET", "/subscriptions")["subscriptions"]) == 1
    visitor.story.travel("2024-02-01T00:00:00Z")
    (invoice,) = visitor.story.invoices()
    assert invoice["fees_amount_cents"] == 4900 + 20 * 50
    assert "See the invoice (done)" in visitor.get().words


def test_production_takes_no_example(aws):
    visitor = member_of(Story.begin(at=None, sandbox=False))
    assert "Create example data" not in visitor.get().words
    visitor.post("example")
    assert visitor.story.ok("GET", "/plans")["plans"] == []


def test_figures_are_those_of_the_counters(visitor: Visitor):
    visitor.story.organization(default_currency="EUR")
    visitor.story.plan(amount_cents=1000)
    visitor.story.customer(currency="EUR", net_payment_term=0)
    visitor.story.subscribe()
    visitor.story.travel("2024-02-01T00:00:00Z")
    assert "Outstanding €10.00 1 invoice" in visitor.get().words
    visitor.story.travel("2024-02-10T00:00:00Z")
    assert "Overdue €10.00 1 invoice" in visitor.get().words
    (invoice,) = visitor.story.invoices()
    visitor.story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "failed"}})
    assert "Failed payments 1 invoice" in visitor.get().words


def test_the_steps_can_be_dismissed(visitor: Visitor):
    answer = visitor.post("steps", "dismiss")
    (cookie,) = [each for each in answer.headers["Set-Cookie"] if each.startswith("no-steps-")]
    visitor.cookie += f"; {cookie.partition(';')[0]}"
    assert "First steps" not in visitor.get().words


def test_home_costs_few_requests(visitor: Visitor):
    with capacity.counting() as meter_:
        visitor.get()
    assert sum(meter_.requests.values()) <= 8
    visitor.post("example")
    visitor.story.travel("2024-02-01T00:00:00Z")
    with capacity.counting() as meter_:
        visitor.get()
    assert sum(meter_.requests.values()) <= 8


def test_an_organization_with_one_off_invoices_only_costs_no_more(visitor: Visitor):
    visitor.story.customer(currency="EUR")
    visitor.story.ok(
        "POST", "/add_ons", {"add_on": {"name": "a", "code": "a", "amount_cents": 5, "amount_currency": "EUR"}}
    )
    fees = [{"add_on_code": "a"}]
    visitor.story.ok(
        "POST", "/invoices", {"invoice": {"external_customer_id": "cust", "currency": "EUR", "fees": fees}}
    )
    with capacity.counting() as meter_:
        visitor.get()
    assert sum(meter_.requests.values()) <= 8


def test_what_was_invoiced_is_shown_by_month_and_currency(visitor: Visitor):
    visitor.story.organization(default_currency="EUR")
    for code, currency, cents in (("eur", "EUR", 1250), ("jpy", "JPY", 700)):
        visitor.story.plan(code, amount_cents=cents, amount_currency=currency)
        visitor.story.customer(code, currency=currency)
        visitor.story.subscribe(code, code, code)
    assert "Invoiced by month" not in visitor.get().words
    visitor.story.travel("2024-03-01T00:00:00Z")
    shown = visitor.get()
    assert 'aria-label="Invoiced by month, EUR, April 2023 to March 2024: €25.00 on 2 invoices"' in shown.text
    assert "Month Invoiced April 2023 €0.00" in shown.words
    assert "February 2024 €12.50 March 2024 €12.50" in shown.words
    assert "February 2024 ¥700 March 2024 ¥700" in shown.words
    assert shown.words.index("Invoiced by month, EUR") < shown.words.index("Invoiced by month, JPY")
    assert "older invoice" not in shown.words


def test_older_invoices_are_said_to_be_missing(visitor: Visitor):
    changes = {"all": 2, "status=finalized": 2, "final=pending": 2}
    for write in counters.moved(visitor.story.ref.id, figures.LIST, "old", changes):
        write.alone()
    assert "2 older invoices are not in it" in visitor.get().words


def test_events_with_warnings_are_counted(visitor: Visitor):
    visitor.post("example")
    visitor.story.travel("2024-02-01T00:00:00Z")
    assert "Events with warnings 0 since" in visitor.get().words
    for number in range(3):
        visitor.story.use("unknown", at=1706745600 + number, subscription="example-main")
    meter()
    assert "Events with warnings 3 since" in visitor.get().words
    assert len(visitor.story.ok("GET", "/event_logs?warnings[]=any")["event_logs"]) == 3


def test_each_step_begins_with_what_the_one_before_made(visitor: Visitor):
    visitor.story.metric("calls", name="Calls")
    plan = re.search(r'href="([^"]*plans/new[^"]*)"', visitor.get().text)
    assert plan is not None
    form = visitor.at(plan[1].replace("&amp;", "&"))
    (metric,) = visitor.story.ok("GET", "/billable_metrics")["billable_metrics"]
    assert form.fields["charges.0.billable_metric_id"] == [metric["lago_id"]]
    assert form.fields["code"] == ["growth"]
    assert visitor.post("plans", "new", form=form.fields).status == 303
    visitor.story.customer("ada", name="Ada")
    assigned = re.search(r'href="([^"]*subscriptions/new[^"]*)"', visitor.get().text)
    assert assigned is not None
    assert visitor.at(assigned[1].replace("&amp;", "&")).fields["plan_code"] == ["growth"]
