"""Lifetime usage. Source: rules/usage 9."""

from tests.support.story import Story, meter

JANUARY_10, FEBRUARY_10 = 1704844800, 1707523200


def test_lifetime_usage_is_what_was_before_what_was_invoiced_and_what_is_open(story: Story):
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1.5"}}
    story.plan(charges=[charge], amount_cents=1000)
    story.customer()
    story.subscribe()
    for at in (JANUARY_10, JANUARY_10, FEBRUARY_10):
        story.use(at=at)
    meter()
    story.travel("2024-02-11T00:00:00Z")
    body = {"lifetime_usage": {"external_historical_usage_amount_cents": 700}}
    story.ok("PUT", "/subscriptions/sub/lifetime_usage", body)
    shown = story.ok("GET", "/subscriptions/sub/lifetime_usage")["lifetime_usage"]
    assert shown["external_historical_usage_amount_cents"] == 700
    assert (shown["invoiced_usage_amount_cents"], shown["current_usage_amount_cents"]) == (300, 150)
    assert (shown["from_datetime"], shown["to_datetime"]) == ("2024-01-01T00:00:00Z", "2024-02-11T00:00:00Z")


def test_what_is_refused(story: Story):
    story.plan()
    story.customer()
    story.subscribe()
    for value, code in ((-1, "value_is_out_of_range"), (None, "value_is_mandatory"), ("x", "value_is_invalid")):
        body = {"lifetime_usage": {"external_historical_usage_amount_cents": value}}
        refused = story.call("PUT", "/subscriptions/sub/lifetime_usage", body)
        assert refused.body["error_details"] == {"external_historical_usage_amount_cents": [code]}
    body = {"lifetime_usage": {"external_historical_usage_amount_cents": 1}}
    assert story.call("PUT", "/subscriptions/none/lifetime_usage", body).body["code"] == "subscription_not_found"
