"""Pages of subscriptions: the list, one subscription, and what may be done with it, told before by the API's own preview."""

import pytest

from tests.support import capacity
from tests.support.console import Visitor
from tests.support.story import Story


@pytest.fixture
def sold(visitor: Visitor) -> Visitor:
    """A customer of Tokyo on a plan paid in advance, beside a dearer and a cheaper one; the first day of 2024."""
    story = visitor.story
    story.metric("calls")
    story.plan("basic", amount_cents=3100, pay_in_advance=True, charges=_charges(story))
    story.plan("premium", amount_cents=6200, pay_in_advance=True)
    story.plan("small", amount_cents=1000)
    story.plan("dollars", amount_cents=1000, amount_currency="USD")
    story.customer("cobalt", name="Cobalt Robotics", currency="EUR", timezone="UTC")
    return visitor


def _charges(story: Story) -> list[dict]:
    (metric,) = story.ok("GET", "/billable_metrics")["billable_metrics"]
    return [{"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "0.5"}}]


def subscribed(visitor: Visitor, plan: str = "basic", **fields) -> dict:
    return visitor.story.subscribe(plan, "main", "cobalt", name="Production", **fields)


def place(subscription: dict) -> dict[str, str]:
    return {"customer": subscription["lago_customer_id"]}


def test_the_list_has_a_tab_for_each_state_with_its_number(sold: Visitor):
    subscribed(sold)
    sold.story.subscribe("small", "later", "cobalt", subscription_at="2024-06-01T00:00:00Z")
    shown = sold.get("subscriptions")
    assert "Active 1 Pending 1 Terminated 0 Canceled 0 All 2" in shown.words
    assert "Cobalt Robotics Production basic" in shown.words
    assert "Feb 1, 2024" in shown.words  # The next billing.
    assert "later" not in shown.words
    assert "later" in sold.get("subscriptions", state="pending").words
    assert "1–2 of 2" in sold.get("subscriptions", state="all").words


@pytest.mark.parametrize("tab", [[], ["plan"]])
def test_a_subscription_costs_few_requests(sold: Visitor, tab):
    made = subscribed(sold)
    with capacity.counting() as meter:
        shown = sold.get("subscriptions", made["lago_id"], *tab, **place(made))
    assert (shown.status, meter.total <= 8) == (200, True), meter.requests
    assert sold.get("subscriptions", made["lago_id"], *tab).status == 200  # Also where its customer is not known.


def test_a_subscription_of_before_is_shown_as_it_was(sold: Visitor):
    first = subscribed(sold)
    sold.story.travel("2024-01-11T00:00:00Z")
    sold.story.terminate("main")
    second = subscribed(sold, "premium")
    assert "Terminated" in sold.get("subscriptions", first["lago_id"], **place(first)).words
    assert "€31.00" in sold.get("subscriptions", first["lago_id"], **place(first)).words
    assert "€62.00" in sold.get("subscriptions", second["lago_id"], **place(second)).words


def test_assigning_says_first_what_the_first_invoice_will_be(sold: Visitor):
    customer = sold.story.ok("GET", "/customers/cobalt")["customer"]["lago_id"]
    address = ("customers", customer, "subscriptions", "new")
    form = {"plan_code": "basic", "billing_time": "calendar", "_do": "draw"}
    shown = sold.post(*address, form=form)
    assert "First invoice: €31.00 on Jan 1, 2024" in shown.words
    assert "First period: Jan 1, 2024 – Jan 31, 2024" in shown.words
    later = sold.post(*address, form={**form, "subscription_at": "2024-02-10T00:00"})
    assert "Pending until Feb 10, 2024" in later.words
    assert (
        "no invoice for periods before today"
        in sold.post(*address, form={**form, "subscription_at": "2023-12-10T00:00"}).words
    )


def test_a_plan_is_assigned_once_however_often_the_form_is_sent(sold: Visitor):
    customer = sold.story.ok("GET", "/customers/cobalt")["customer"]["lago_id"]
    address = ("customers", customer, "subscriptions", "new")
    fields = sold.get(*address, plan_code="basic").fields
    assert fields["external_id"][0].startswith("cobalt-basic-")
    form = {**fields, "name": "Production", "ending_at": "2024-12-31T00:00"}
    for _ in range(2):
        assert sold.post(*address, form=form).status == 303
    (subscription,) = sold.story.ok("GET", "/subscriptions")["subscriptions"]
    assert (subscription["name"], subscription["ending_at"]) == ("Production", "2024-12-31T00:00:00Z")
    assert len(sold.story.invoices()) == 1


def test_prices_of_one_subscription_differ_from_its_plans(sold: Visitor):
    customer = sold.story.ok("GET", "/customers/cobalt")["customer"]["lago_id"]
    address = ("customers", customer, "subscriptions", "new")
    fields = sold.get(*address, plan_code="basic").fields
    (price,) = [name for name in fields if name.startswith("charges.")]
    form = {**fields, "external_id": "own", "override_amount": "12.50", price: "0.25"}
    assert sold.post(*address, form=form).status == 303
    plan = sold.story.ok("GET", "/subscriptions/own")["subscription"]["plan"]
    assert (plan["amount_cents"], plan["charges"][0]["properties"]["amount"]) == (1250, "0.25")
    assert sold.story.ok("GET", "/plans/basic")["plan"]["amount_cents"] == 3100


def test_what_is_wrong_is_said_at_its_field(sold: Visitor):
    shown = sold.post("subscriptions", "new", form={"external_id": "x", "billing_time": "calendar", "plan_code": ""})
    assert shown.status == 422
    assert "value_is_mandatory" in shown.words


@pytest.mark.parametrize(
    ("plan", "words", "says"),
    [
        ("premium", "Upgrade, at once", "€744.00 a year"),
        ("small", "Downgrade, on Feb 1, 2024", "€120.00 a year"),
    ],
)
def test_a_change_of_plan_says_what_follows(sold: Visitor, plan, words, says):
    made = subscribed(sold)
    sold.story.travel("2024-01-16T00:00:00Z")
    shown = sold.get("subscriptions", made["lago_id"], "change", plan_code=plan, **place(made))
    assert words in shown.words
    assert says in shown.words
    assert "dollars" not in shown.text
    address = sold.address("subscriptions", made["lago_id"], "change", **place(made))
    assert sold.send(address, {"plan_code": plan}).status == 303
    (now,) = sold.story.ok("GET", "/subscriptions")["subscriptions"]
    assert (now["plan_code"], now["next_plan_code"]) == ((plan, None) if plan == "premium" else ("basic", "small"))


def test_an_upgrade_makes_the_note_and_the_invoice_that_it_told_of(sold: Visitor):
    made = subscribed(sold)
    sold.story.travel("2024-01-16T00:00:00Z")
    shown = sold.get("subscriptions", made["lago_id"], "change", plan_code="premium", part="follows", **place(made))
    sold.send(sold.address("subscriptions", made["lago_id"], "change", **place(made)), {"plan_code": "premium"})
    (note,) = sold.story.notes()
    last = sold.story.invoices()[0]
    assert f"€{note['total_amount_cents'] / 100:.2f}" in shown.words
    assert f"€{last['total_amount_cents'] / 100:.2f}" in shown.words


def test_a_downgrade_that_waits_can_be_canceled(sold: Visitor):
    made = subscribed(sold)
    sold.send(sold.address("subscriptions", made["lago_id"], "change", **place(made)), {"plan_code": "small"})
    assert "Changes to small on Feb 1, 2024" in sold.get("subscriptions", made["lago_id"], **place(made)).words
    assert sold.send(sold.address("subscriptions", made["lago_id"], "cancel", **place(made)), {}).status == 303
    (now,) = sold.story.ok("GET", "/subscriptions")["subscriptions"]
    assert (now["plan_code"], now["next_plan_code"]) == ("basic", None)


@pytest.mark.parametrize(("mode", "noted"), [("credit", 1), ("skip", 0)])
def test_an_end_says_what_it_gives_back_and_does_so(sold: Visitor, mode, noted):
    made = subscribed(sold)
    sold.story.travel("2024-01-16T00:00:00Z")
    query = {"on_termination_credit_note": mode, "part": "follows", **place(made)}
    shown = sold.get("subscriptions", made["lago_id"], "terminate", **query)
    assert ("Credit note for the days" in shown.words) == bool(noted)
    address = sold.address("subscriptions", made["lago_id"], "terminate", **place(made))
    assert sold.send(address, {"on_termination_credit_note": mode, "on_termination_invoice": "generate"}).status == 303
    notes = sold.story.notes()
    assert len(notes) == noted
    assert all(f"€{note['total_amount_cents'] / 100:.2f}" in shown.words for note in notes)


def test_a_pending_one_is_edited_and_canceled(sold: Visitor):
    made = subscribed(sold, subscription_at="2024-03-01T00:00:00Z")
    address = sold.address("subscriptions", made["lago_id"], "edit", **place(made))
    fields = sold.at(address).fields
    assert sold.send(address, {**fields, "name": "Later", "subscription_at": "2024-04-01T00:00"}).status == 303
    (now,) = sold.story.ok("GET", "/subscriptions?status=pending")["subscriptions"]
    assert (now["name"], now["subscription_at"]) == ("Later", "2024-04-01T00:00:00Z")
    assert sold.send(sold.address("subscriptions", made["lago_id"], "cancel", **place(made)), {}).status == 303
    assert "Canceled" in sold.get("subscriptions", made["lago_id"], **place(made)).words


def test_those_of_others_are_not_there(sold: Visitor):
    other = Story.begin()
    other.plan("p")
    other.customer("c")
    theirs = other.subscribe("p", "s", "c")
    for tab in ("", "plan", "edit", "change", "terminate", "cancel"):
        assert sold.get("subscriptions", theirs["lago_id"], *filter(None, [tab]), **place(theirs)).status == 404
