"""The debugger of events: the API's log, its warnings as sentences, and the list that asks anew."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.console import event_warnings
from chalicelib.console.format import stamp
from chalicelib.platform import clock
from tests.support import capacity
from tests.support.console import Visitor
from tests.support.story import Story, meter

AT = datetime(2024, 1, 2, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def sent(visitor: Visitor) -> Visitor:
    """A good event, and three with a warning each."""
    story = visitor.story
    regions = [{"key": "region", "values": ["us", "eu"]}]
    metric = story.metric("compute", "sum_agg", name="Compute", field_name="gb_seconds", filters=regions)
    story.metric("api_calls", name="API calls")
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan(charges=[charge])
    story.customer("cobalt", name="Cobalt Robotics", timezone="Asia/Tokyo")
    story.subscribe(customer="cobalt")
    story.travel("2024-01-03T00:00:00Z")
    send(story, "good", gb_seconds=3, region="us")
    send(story, "lost", "api_cals")
    send(story, "bare", region="us")
    send(story, "mars", gb_seconds="3", region="mars")
    meter()
    return visitor


def send(story: Story, name: str, code: str = "compute", at: float = AT, sub: str = "sub", **properties) -> None:
    event = {"transaction_id": name, "external_subscription_id": sub, "code": code, "timestamp": at}
    story.ok("POST", "/events", {"event": {**event, "properties": properties}})


def names(shown) -> list[str]:
    """Transaction ids of the rows."""
    return re.findall(r'<td class="m"><code>([^<]*)</code>', shown.text)


def test_the_list_is_the_apis_with_its_warnings(sent: Visitor):
    shown = sent.get("events")
    logs = sent.story.ok("GET", "/event_logs")["event_logs"]
    assert names(shown) == [each["transaction_id"] for each in logs]
    assert "1–4 of 4" in shown.words
    assert "api_cals sub cobalt lost Unknown code" in shown.words
    assert "compute Compute sub cobalt bare Property" in shown.words
    assert "compute Compute sub cobalt mars Dimension" in shown.words
    assert "compute Compute sub cobalt good –" in shown.words
    assert "12:00:00 Jan 2, 2024" in shown.words


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"code": "api_cals"}, {"lost"}),
        ({"external_subscription_id": "sub"}, {"good", "lost", "bare", "mars"}),
        ({"external_subscription_id": "none"}, set()),
        ({"transaction_id": "mars"}, {"mars"}),
        ({"warnings": "any"}, {"lost", "bare", "mars"}),
        ({"warnings": ["unknown_code", "property_mismatch"]}, {"lost", "bare"}),
    ],
)
def test_each_filter_is_the_apis(sent: Visitor, query, expected):
    assert set(names(sent.get("events", **query))) == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lost", "No billable metric has the code api_cals . Did you mean api_calls ? Create metric"),
        ("bare", "This metric adds up gb_seconds , which this event lacks."),
        ("mars", "The dimension region is mars, which the metric does not list (us, eu)."),
    ],
)
def test_a_warning_says_what_is_wrong(sent: Visitor, name, words):
    shown = sent.get("events", name, external_subscription_id="sub")
    assert words in shown.words
    if name == "lost":
        assert f"{sent.address('billable_metrics', 'new')}?code=api_cals" in shown.text
        assert "Not counted No billable metric has its code." in shown.words


def test_a_good_event_has_none_and_says_where_it_counts(sent: Visitor):
    shown = sent.get("events", "good", external_subscription_id="sub")
    assert 'class="banner' not in shown.text
    assert "Counted It counts in the current period." in shown.words
    assert "Period Jan 1, 2024 – Jan 31, 2024" in shown.words
    assert "Source address 127.0.0.1" in shown.words
    assert '"gb_seconds": 3' in shown.words
    assert sent.get("events", "good").status == 200


def test_what_an_event_counts_for(sent: Visitor):
    story = sent.story
    send(story, "unpriced", "api_calls")
    send(story, "early", at=AT - 2 * 86400)
    send(story, "nobody", sub="nobody")
    send(story, "ahead", at=AT + 86400 * 60)
    send(story, "number", gb_seconds="ten")
    meter()
    story.travel("2024-02-02T00:00:00Z")
    told = {
        "unpriced": "Not counted The plan has no price for this metric.",
        "early": "Not counted It happened before the subscription started.",
        "nobody": "Not counted No active subscription has this external ID.",
        "good": "Counted It belongs to a past period.",
        "ahead": "Counted It counts when its period begins.",
        "number": "which is no number in this event.",
    }
    for name, words in told.items():
        assert words in sent.get("events", name).words, name


def test_an_event_of_nobody_is_not_there(sent: Visitor):
    assert sent.get("events", "none").status == 404
    assert sent.get("events", "good", external_subscription_id="other").status == 404


def test_what_was_sent_is_text(sent: Visitor):
    send(sent.story, "<b>&#/ä", "<script>", gb_seconds="<script>")
    meter()
    listed = sent.get("events")
    assert "<script>" not in re.sub(r"<script (src|defer).*?>", "", listed.text)
    (address,) = set(re.findall(r'href="([^"]*%3Cb%3E[^"]*)"', listed.text))
    shown = sent.at(address.replace("&amp;", "&"))
    assert shown.status == 200
    assert "<b>" not in shown.text
    assert "Event <b>&#/ä" in shown.words


def test_live_asks_anew_for_ten_minutes(sent: Visitor):
    assert 'hx-trigger="every 5s"' not in sent.get("events").text
    now = clock.utc_now()
    on = sent.get("events", live="1", since=stamp(now))
    assert 'hx-trigger="every 5s"' in on.text
    assert 'aria-checked="true"' in on.text
    for since in (stamp(now - timedelta(minutes=11)), "", "x", "99999999999999"):
        off = sent.get("events", live="1", since=since)
        assert 'hx-trigger="every 5s"' not in off.text
        assert "Switched off after ten minutes." in off.words


def test_an_empty_list_says_how_to_begin(visitor: Visitor):
    assert "Send the first event; it is counted within seconds." in visitor.get("events").words
    assert "Nothing matches" in visitor.get("events", code="x").words


@pytest.mark.parametrize("place", [(), ("good",), ("lost",)])
def test_pages_cost_few_requests(sent: Visitor, place):
    sent.get("events", *place)
    with capacity.counting() as counted:
        sent.get("events", *place)
    # A sandbox asks also for events on their way, at each reading.
    assert counted.total <= 15, counted.requests
    print(place, counted.requests)


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [("max_agg", "takes the maximum of"), ("unique_count_agg", "counts the different values of"), ("x", "aggregates")],
)
def test_sentences_say_what_the_metric_does(aggregation, expected):
    event = {"warnings": ["property_mismatch"], "payload": {"properties": {}}, "code": "c"}
    (warned,) = event_warnings.told(event, {"aggregation_type": aggregation, "field_name": "v"})
    assert warned.before == f"This metric {expected}"


def test_a_metric_that_came_or_went_later_does_not_matter():
    event = {"warnings": ["unknown_code", "property_mismatch", "dimension_mismatch"], "payload": {}, "code": "c"}
    known = {"aggregation_type": "count_agg", "field_name": None, "filters": []}
    for metric in (None, known):
        assert [each.kind for each in event_warnings.told(event, metric)] == event["warnings"]
