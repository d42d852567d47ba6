"""Values that are refused wherever they stand, and refusals that leave nothing behind. Source: decisions/0020."""

import pytest

from tests.support.story import Story


@pytest.fixture
def in_use(story: Story) -> Story:
    metric = story.metric()
    story.plan(
        charges=[{"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}]
    )
    story.customer()
    story.subscribe()
    return story


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval", ["x"]),
        ("amount_currency", "XXQ"),
        ("pay_in_advance", "no"),
        ("trial_period", "x"),
        ("code", ["x"]),
    ],
)
def test_a_field_of_a_plan_in_use_that_says_nothing_is_refused(in_use, field, value):
    answer = in_use.call("PUT", "/plans/plan", {"plan": {field: value}})
    assert (answer.status, list(answer.body["error_details"])) == (422, [field])


def test_a_field_of_a_plan_in_use_that_may_not_change_any_more_is_ignored(in_use):
    assert in_use.ok("PUT", "/plans/plan", {"plan": {"interval": "yearly"}})["plan"]["interval"] == "monthly"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("aggregation_type", ["a"]),
        ("aggregation_type", "garbage"),
        ("recurring", "yes"),
        ("rounding_function", ["ceil"]),
        ("expression", ["x"]),
    ],
)
def test_a_field_of_a_metric_in_use_that_says_nothing_is_refused(in_use, field, value):
    code = in_use.ok("GET", "/billable_metrics")["billable_metrics"][0]["code"]
    answer = in_use.call("PUT", f"/billable_metrics/{code}", {"billable_metric": {field: value}})
    assert (answer.status, list(answer.body["error_details"])) == (422, [field])


@pytest.mark.parametrize("logo", ["é", "data:image/png;base64,é", "\ufffe", "x"])
def test_a_logo_that_is_no_base64_is_refused(story, logo):
    answer = story.call("PUT", "/organizations", {"organization": {"logo": logo}})
    assert (answer.status, answer.body["error_details"]) == (422, {"logo": ["invalid_content_type"]})


def test_a_refused_change_of_the_billing_entity_makes_no_taxes(story):
    wanted = {"country": "FR", "eu_tax_management": True, "logo": "YQ=="}
    assert story.call("PUT", "/billing_entities/default", {"billing_entity": wanted}).status == 422
    assert story.ok("GET", "/taxes")["meta"]["total_count"] == 0


def test_the_taxes_of_the_billing_entity_are_those_named(story):
    for code in ("vat", "city"):
        story.ok("POST", "/taxes", {"tax": {"name": code, "code": code, "rate": "20"}})

    def taxes(*codes: str) -> list[str]:
        body = {"billing_entity": {"tax_codes": list(codes)}}
        shown = story.ok("PUT", "/billing_entities/default", body)["billing_entity"]["taxes"]
        return sorted(each["code"] for each in shown)

    assert taxes("vat", "city") == ["city", "vat"]
    assert taxes("city") == ["city"]
    applied = {each["code"]: each["applied_to_organization"] for each in story.ok("GET", "/taxes")["taxes"]}
    assert applied == {"vat": False, "city": True}
    wrong = {"billing_entity": {"tax_codes": ["nope"], "name": "Other"}}
    assert story.call("PUT", "/billing_entities/default", wrong).status == 404
    assert story.ok("GET", "/organizations")["organization"]["name"] != "Other"
    assert taxes() == []
