"""The panel of usage: what it shows is what the API says, and its charts add up to it."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chalicelib.console.views import usage as view
from tests.support import capacity
from tests.support.console import Visitor
from tests.support.story import Story, meter

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
REGIONS = [{"key": "region", "values": ["us-east", "eu-west"]}]


@pytest.fixture
def sold(visitor: Visitor) -> Visitor:
    """A customer of Tokyo with a plan of several metrics; the 19th of January."""
    story = visitor.story
    compute = story.metric("compute", "sum_agg", name="Compute", field_name="gb_seconds", filters=REGIONS)
    filters = [
        {"values": {"region": [region]}, "properties": {"amount": amount}}
        for region, amount in (("us-east", "0.01"), ("eu-west", "0.02"))
    ]
    calls = story.metric("calls", name="API calls")
    seats = story.metric("seats", "sum_agg", name="Seats", field_name="n", recurring=True)
    users = story.metric("users", "unique_count_agg", name="Users", field_name="user")
    peak = story.metric("peak", "max_agg", name="Peak", field_name="n")
    charges = [charge(compute, filters=filters), *(charge(each) for each in (calls, seats, users, peak))]
    story.plan("scale", name="Scale", charges=charges)
    story.plan("bare")
    story.customer("cobalt", name="Cobalt Robotics", currency="EUR", timezone="Asia/Tokyo")
    return visitor


def charge(metric: dict, **fields) -> dict:
    return {
        "billable_metric_id": metric["lago_id"],
        "charge_model": "standard",
        "properties": {"amount": "0.5"},
        **fields,
    }


def use(story: Story) -> None:
    """Events of some days, the last one early on a day of Tokyo that is still the day before in UTC."""
    story.travel("2024-01-19T12:00:00Z")
    for day in (1, 5, 17):
        at = (FIRST + timedelta(days=day, hours=15)).timestamp()
        story.use("compute", at=at, subscription="main", gb_seconds=5653 * day, region="us-east")
        story.use("compute", at=at + 60, subscription="main", gb_seconds="0.5", region="eu-west")
        for name in ("calls", "seats", "users", "peak"):
            story.use(name, at=at, subscription="main", n=day, user=f"u{day}")
    meter()


def page(visitor: Visitor, subscription: dict, **query):
    return visitor.get(
        "subscriptions",
        subscription["lago_id"],
        "usage",
        customer=subscription["lago_customer_id"],
        part="usage",
        **query,
    )


def test_the_panel_shows_what_the_api_says(sold: Visitor):
    subscription = sold.story.subscribe("scale", "main", "cobalt", name="Production")
    use(sold.story)
    shown = page(sold, subscription)
    usage = sold.story.usage("main", "cobalt")
    assert shown.status == 200
    assert f"So far this period €{usage['amount_cents'] / 100:,.2f} excl. tax" in shown.words
    assert "Events counted 18" in shown.words
    assert "Jan 1, 2024 – Jan 31, 2024 Asia/Tokyo" in shown.words
    assert "Compute compute Standard 6 130,020.5 €1,300.22 Events us-east 3 130,019 €1,300.19 eu-west" in shown.words
    assert "No chart by day of Users" in shown.words
    assert "code=compute&amp;external_subscription_id=main" in shown.text


def test_charts_and_their_tables_add_up_to_it(sold: Visitor):
    subscription = sold.story.subscribe("scale", "main", "cobalt")
    use(sold.story)
    shown = page(sold, subscription)
    assert "Compute, units a day" in shown.words
    assert "API calls, events a day" in shown.words
    assert "Seats, at the end of each day" in shown.words
    # 15 o'clock in UTC is midnight in Tokyo: the next day there.
    assert "Wed, Jan 3, 2024 5,653 0.5" in shown.words
    assert "Fri, Jan 19, 2024 96,101 0.5" in shown.words
    assert "Sat, Jan 20" not in shown.words
    assert 'data-tip="Wed, Jan 3, 2024|\nus-east|5,653\neu-west|0.5"' in shown.text
    assert shown.text.count('class="tick-mark"') == 4 * 12
    columns = re.findall(r'<td class="num">([\d,.]+)</td><td class="num">([\d,.]+)</td></tr>', shown.text)
    assert sum(Decimal(us.replace(",", "")) for us, _ in columns) == 130_019


def test_an_event_sent_twice_is_counted_once(sold: Visitor):
    subscription = sold.story.subscribe("scale", "main", "cobalt")
    sold.story.travel("2024-01-10T00:00:00Z")
    event = {"transaction_id": "t", "external_subscription_id": "main", "code": "calls", "properties": {}}
    for _ in range(2):
        sold.story.ok("POST", "/events", {"event": event})
    meter()
    shown = page(sold, subscription)
    assert "Events counted 1" in shown.words
    assert "So far this period €0.50" in shown.words


def test_past_periods_are_those_that_were_invoiced(sold: Visitor):
    subscription = sold.story.subscribe("scale", "main", "cobalt")
    use(sold.story)
    assert "No past periods yet" in page(sold, subscription, past=1).words
    sold.story.travel("2024-03-05T00:00:00Z")
    (february, january) = sold.story.ok("GET", "/customers/cobalt/past_usage?external_subscription_id=main")[
        "usage_periods"
    ]
    assert february["amount_cents"] < january["amount_cents"]
    latest = page(sold, subscription, past=1)
    assert "Feb 1, 2024 – Feb 29, 2024" in latest.words
    assert "Earlier" in latest.words
    earlier = page(sold, subscription, past=2)
    assert f"Invoiced €{january['amount_cents'] / 100:,.2f} excl. tax" in earlier.words
    assert january["lago_invoice_id"] in earlier.text
    assert "Wed, Jan 3, 2024 5,653 0.5" in earlier.words
    assert "Later" in earlier.words


def test_what_there_is_to_say_without_usage(sold: Visitor):
    bare = sold.story.subscribe("bare", "bare", "cobalt")
    assert "This plan has no usage-based prices." in page(sold, bare).words
    unused = sold.story.subscribe("scale", "main", "cobalt")
    words = page(sold, unused).words
    assert "Nothing used yet" in words
    assert '"external_subscription_id": "main", "code": "compute"' in words
    later = sold.story.subscribe("scale", "later", "cobalt", subscription_at="2024-06-01T00:00:00Z")
    assert "Usage is counted from the start" in page(sold, later).words


def test_names_are_text(visitor: Visitor):
    story = visitor.story
    nasty = "<script>alert(1)</script>"
    metric = story.metric("m", "sum_agg", name=nasty, field_name="n", filters=[{"key": "k", "values": [nasty, "a|b"]}])
    filters = [{"values": {"k": [value]}, "properties": {"amount": "1"}} for value in (nasty, "a|b")]
    story.plan(charges=[charge(metric, filters=filters)])
    story.customer()
    subscription = story.subscribe()
    story.travel("2024-01-02T00:00:00Z")
    for value in (nasty, "a|b"):
        story.use("m", at=FIRST.timestamp() + 60, n=1, k=value)
    meter()
    shown = page(visitor, subscription)
    assert "<script>alert" not in shown.text
    assert "a/b|1" in shown.text


def test_a_customers_tab_lets_choose_the_subscription(sold: Visitor, monkeypatch):
    story = sold.story
    one, other = (story.subscribe("scale", name, "cobalt", name=name.capitalize()) for name in ("main", "stage"))
    customer = story.ok("GET", "/customers/cobalt")["customer"]
    asked = []

    class Api:
        def get(self, path, query=None):
            asked.append(path)
            return {"subscriptions": [one, other]}

    class Visit:
        api = Api()
        query = type("Q", (), {"one": lambda self, name: other["lago_id"] if name == "subscription" else ""})()

    monkeypatch.setattr(view, "panel", lambda visit, customer, chosen: {"usage": view.Panel(customer, chosen)})
    panel = view.of_customer(Visit(), customer)["usage"]
    assert panel.subscription == other
    assert panel.choices == [(one["lago_id"], "Main · Scale"), (other["lago_id"], "Stage · Scale")]
    assert asked == ["/customers/cobalt/subscriptions"]


@pytest.mark.parametrize(("zone", "requests"), [("UTC", 13), ("Asia/Tokyo", 15)])
def test_it_costs_what_usage_itself_asks_for_and_a_few_rows(visitor: Visitor, zone, requests):
    story = visitor.story
    metrics = [story.metric("calls"), story.metric("compute", "sum_agg", field_name="gb_seconds")]
    story.plan(charges=[charge(each) for each in metrics])
    story.customer(timezone=zone)
    subscription = story.subscribe()
    story.travel("2024-01-19T12:00:00Z")
    for hour in range(0, 17 * 24, 4):
        story.use("compute", at=(FIRST + timedelta(hours=hour)).timestamp(), gb_seconds=1)
    meter()
    page(visitor, subscription)
    with capacity.counting() as counted:
        page(visitor, subscription)
    # The subscription page asks 8 times, current usage in a sandbox 3 or 4 times more, the days 2 or 3 times.
    assert (counted.total, counted.write_units) == (requests, 0), counted.requests


def test_what_has_no_chart_says_why(sold: Visitor, monkeypatch):
    story = sold.story
    subscription = story.subscribe("scale", "main", "cobalt")
    use(story)
    told = "what single days add can only be told event by event."
    assert f"No chart by day of Users: {told}" in page(sold, subscription).words
    monkeypatch.setattr(view, "_CHARTS_MAX", 2)
    assert "No chart by day of Seats, Peak: 2 charts are shown at most." in page(sold, subscription).words
    monkeypatch.setattr(view.by_day, "DAYS_MAX", 10)
    assert "No charts by day: this period has more than 10 days." in page(sold, subscription).words


def test_days_that_begin_within_an_hour_have_no_charts(sold: Visitor):
    story = sold.story
    story.customer("cobalt", timezone="Asia/Kolkata")
    subscription = story.subscribe("scale", "main", "cobalt")
    use(story)
    words = page(sold, subscription).words
    assert "Compute, API calls, Seats, Peak: days in Asia/Kolkata begin within an hour of UTC" in words
    assert "No chart by day of Users: what single days add" in words


def test_a_row_opens_to_the_tiers_that_make_its_amount(visitor: Visitor):
    story = visitor.story
    calls = story.metric("calls", name="API calls")
    seats = story.metric("seats", "sum_agg", name="Seats", field_name="n", filters=REGIONS)
    tiers = [
        {"from_value": 0, "to_value": 2, "per_unit_amount": "1", "flat_amount": "0"},
        {"from_value": 3, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "10"},
    ]
    package = {"amount": "5", "package_size": 10, "free_units": 3}
    graduated = charge(calls, charge_model="graduated", properties={"graduated_ranges": tiers})
    of_east = {"values": {"region": ["us-east"]}, "properties": {**package, "amount": "7"}}
    packages = charge(seats, charge_model="package", properties=package, filters=[of_east])
    story.plan("scale", charges=[graduated, packages])
    story.customer("cust", currency="EUR")
    made = story.subscribe("scale", "main", "cust")
    for n in range(5):
        story.use("calls", at=FIRST.timestamp() + n, subscription="main")
    story.use("seats", at=FIRST.timestamp(), subscription="main", n=15, region="us-east")
    meter()
    words = page(visitor, made).words
    assert "€13.50" in words
    for step in ("2 × €1.00", "3 × €0.50 + €10.00", "3 free", "2 packages of 10 × €7.00"):
        assert step in words, step
    assert words.count("Price steps") == 2
