"""Errors, tenants and lists at the edge of the API."""

import pytest

from app import app
from tests.support.aws import ADMIN_KEY
from tests.support.story import Story, request


def test_health_needs_no_key(aws):
    answer = request("GET", "/health", None, {})
    assert (answer.status, answer.body["status"]) == (200, "ok")
    assert answer.body["version"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "wrong"])
def test_a_missing_or_wrong_key_is_401(aws, header):
    answer = request("GET", "/api/v1/plans", None, {} if header is None else {"Authorization": header})
    assert (answer.status, answer.body) == (401, {"status": 401, "error": "Unauthorized"})


@pytest.mark.parametrize("key", [None, "wrong"])
def test_the_admin_route_needs_the_admin_key(aws, key):
    headers = {} if key is None else {"X-Admin-API-Key": key}
    assert request("POST", "/admin/organizations", {"name": "x"}, headers).status == 401


def test_without_an_admin_key_in_the_settings_the_admin_route_is_closed(aws, monkeypatch):
    from chalicelib.platform.settings import settings

    monkeypatch.setenv("ADMIN_API_KEY", "")
    settings.cache_clear()
    assert request("POST", "/admin/organizations", {"name": "x"}, {"X-Admin-API-Key": ""}).status == 401


def test_an_organization_is_made_with_a_key_and_an_invitation(aws):
    answer = request(
        "POST", "/admin/organizations", {"name": "Acme", "email": "a@b.co"}, {"X-Admin-API-Key": ADMIN_KEY}
    )
    assert answer.status == 201
    assert set(answer.body) == {"organization", "api_key", "invite_url"}
    assert answer.body["organization"]["document_number_prefix"].startswith("ACM-")


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({}, {"name": ["value_is_mandatory"]}),
        ({"name": "x", "email": "no"}, {"email": ["invalid_email_format"]}),
    ],
)
def test_an_organization_needs_a_name_and_a_sound_email(aws, body, details):
    answer = request("POST", "/admin/organizations", body, {"X-Admin-API-Key": ADMIN_KEY})
    assert (answer.status, answer.body["error_details"]) == (422, details)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"{", 400, id="malformed"),
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"[]", 400, id="no object"),
        pytest.param(b'{"other": {}}', 400, id="missing root"),
        pytest.param(b'{"plan": null}', 400, id="null root"),
        pytest.param(b'{"plan": {"name": NaN}}', 400, id="NaN"),
        pytest.param(b'{"plan": {"name": "\\ud800"}}', 400, id="lone surrogate"),
        pytest.param(b'{"plan": {"name": "\xff"}}', 400, id="not UTF-8"),
        pytest.param(b'{"plan": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, id="nested for ever"),
        pytest.param(b'{"plan": {"amount_cents": 1e999999999}}', 422, id="a number of astronomic size"),
        pytest.param(b'{"plan": {"name": "' + b"x" * (2 * 1024 * 1024) + b'"}}', 413, id="over the limit"),
    ],
)
def test_no_body_makes_a_500(story, raw, status):
    answer = story.call("POST", "/plans", raw)
    assert answer.status == status
    assert answer.body["status"] == status


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/plans/x", "plan_not_found"),
        ("/billable_metrics/x", "billable_metric_not_found"),
        ("/taxes/x", "tax_not_found"),
        ("/customers/x", "customer_not_found"),
        ("/subscriptions/x", "subscription_not_found"),
        ("/invoices/x", "invoice_not_found"),
        ("/events/x", "event_not_found"),
        ("/webhook_endpoints/x", "webhook_endpoint_not_found"),
        ("/customers/x/current_usage?external_subscription_id=y", "customer_not_found"),
    ],
)
def test_an_unknown_object_is_404_with_its_name(story, path, code):
    assert story.call("GET", path).body == {"status": 404, "error": "Not Found", "code": code}


def test_all_wrong_fields_are_reported_at_once(story):
    answer = story.call("POST", "/plans", {"plan": {"interval": "daily", "amount_currency": "XXX", "amount_cents": -1}})
    assert answer.status == 422
    assert answer.body["error_details"] == {
        "name": ["value_is_mandatory"],
        "code": ["value_is_mandatory"],
        "interval": ["value_is_invalid"],
        "amount_currency": ["value_is_invalid"],
        "amount_cents": ["value_is_out_of_range"],
    }


@pytest.mark.parametrize("kind", ["custom_agg", "recurring_sum_agg", "x", None])
def test_an_aggregation_that_is_not_computed_is_refused(story, kind):
    body = {"name": "m", "code": "m", "aggregation_type": kind, "field_name": "f"}
    answer = story.call("POST", "/billable_metrics", {"billable_metric": body})
    assert (answer.status, answer.body["error_details"]) == (422, {"aggregation_type": ["value_is_invalid"]})


@pytest.mark.parametrize("model", ["custom", "x", None])
def test_a_charge_model_that_is_not_computed_is_refused(story, model):
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": model, "properties": {"amount": "1"}}
    plan = {"name": "p", "code": "p", "interval": "monthly", "amount_cents": 1, "amount_currency": "EUR"}
    answer = story.call("POST", "/plans", {"plan": {**plan, "charges": [charge]}})
    assert (answer.status, answer.body["error_details"]) == (422, {"charge_model": ["value_is_invalid"]})
    assert story.call("GET", "/plans/p").status == 404


def test_a_code_is_taken_once_and_free_again_after_deletion(story):
    story.metric("m")
    answer = story.call(
        "POST", "/billable_metrics", {"billable_metric": {"name": "m", "code": "m", "aggregation_type": "count_agg"}}
    )
    assert answer.body["error_details"] == {"code": ["value_already_exist"]}
    story.ok("DELETE", "/billable_metrics/m")
    story.metric("m")


def test_lists_are_walked_page_by_page(story):
    for n in range(5):
        story.metric(f"m{n}")
    first = story.ok("GET", "/billable_metrics?per_page=2")
    assert [m["code"] for m in first["billable_metrics"]] == ["m4", "m3"]
    assert first["meta"] == {"current_page": 1, "next_page": 2, "prev_page": None, "total_pages": 3, "total_count": 5}
    second = story.ok("GET", "/billable_metrics?per_page=2&page=2")
    assert [m["code"] for m in second["billable_metrics"]] == ["m2", "m1"]
    last = story.ok("GET", "/billable_metrics?per_page=2&page=3")
    assert ([m["code"] for m in last["billable_metrics"]], last["meta"]["next_page"]) == (["m0"], None)
    leap = Story(story.api_key).ok("GET", "/billable_metrics?per_page=1&page=4")
    assert [m["code"] for m in leap["billable_metrics"]] == ["m1"]
    beyond = story.ok("GET", "/billable_metrics?page=9")
    assert (beyond["billable_metrics"], beyond["meta"]["total_count"]) == ([], 5)
    found = story.ok("GET", "/billable_metrics?search_term=M3")
    assert [m["code"] for m in found["billable_metrics"]] == ["m3"]


def test_names_of_any_characters_but_a_slash_work_in_paths(story):
    for name in ("a.b", "a b", "a#b", "ü", "a%b", "a+b"):
        story.customer(name)
        from urllib.parse import quote

        assert story.ok("GET", f"/customers/{quote(name)}")["customer"]["external_id"] == name


def test_no_organization_reaches_anothers_objects(aws):
    mine, other = Story.begin(name="mine"), Story.begin(name="other")
    metric = mine.metric()
    mine.ok("POST", "/taxes", {"tax": {"name": "t", "code": "t", "rate": 1}})
    mine.plan(charges=[{"billable_metric_id": metric["lago_id"], "charge_model": "standard"}], amount_cents=100)
    mine.customer()
    mine.subscribe()
    transaction = mine.use(at=1704300000)
    mine.travel("2024-02-01T00:00:00Z")
    endpoint = mine.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://example.com/h"}})
    names = {
        "{code}": ["plan", "calls", "t"],
        "{external_id}": ["cust", "sub"],
        "{lago_id}": [mine.invoices()[0]["lago_id"], endpoint["webhook_endpoint"]["lago_id"]],
        "{transaction_id}": [transaction],
    }
    seen = 0
    for path, methods in app.routes.items():
        for method in methods:
            placeholder = next((p for p in names if p in path), None)
            if placeholder is None or not path.startswith("/api/v1"):
                continue
            for name in names[placeholder]:
                body = {
                    "plan": {"name": "x"},
                    "payment_provider": {"name": "x"},
                    "billable_metric": {"name": "x"},
                    "tax": {"name": "x"},
                    "subscription": {"name": "x"},
                    "invoice": {"metadata": []},
                    "lifetime_usage": {"external_historical_usage_amount_cents": 1},
                    "webhook_endpoint": {"name": "x"},
                    "wallet": {"name": "x"},
                }
                query = "?external_subscription_id=sub" if "current_usage" in path else ""
                url = path.replace("/api/v1", "").replace(placeholder, name) + query
                assert other.call(method, url, body if method in ("PUT", "POST") else None).status == 404, (method, url)
                seen += 1
    assert seen > 30
    assert other.ok("GET", "/invoices")["meta"]["total_count"] == 0
    assert other.ok("GET", "/events")["events"] == []
    assert mine.ok("GET", "/plans/plan")["plan"]["name"] == "plan"


@pytest.mark.parametrize(
    ("event", "details"),
    [
        (
            {},
            {
                "transaction_id": ["value_is_mandatory"],
                "code": ["value_is_mandatory"],
                "external_subscription_id": ["value_is_mandatory"],
            },
        ),
        ({"transaction_id": "t", "code": " ", "external_subscription_id": "s"}, {"code": ["value_is_mandatory"]}),
        (
            {"transaction_id": "t", "code": "c", "external_subscription_id": "s", "timestamp": "2024-01-01"},
            {"timestamp": ["invalid_format"]},
        ),
        (
            {"transaction_id": "t", "code": "c", "external_subscription_id": "s", "timestamp": True},
            {"timestamp": ["invalid_format"]},
        ),
        (
            {"transaction_id": "t", "code": "c", "external_subscription_id": "s", "properties": []},
            {"properties": ["value_is_invalid"]},
        ),
        (
            {"transaction_id": "t", "code": "c", "external_subscription_id": "s", "properties": {"a": "x" * 17000}},
            {"properties": ["value_is_too_long"]},
        ),
    ],
)
def test_wrong_events_are_refused(story, event, details):
    answer = story.call("POST", "/events", {"event": {**event, "x": 1}})
    assert (answer.status, answer.body["error_details"]) == (422, details)


def test_one_bad_event_refuses_a_batch_with_its_index_and_keeps_nothing(story):
    good = {"transaction_id": "t", "code": "c", "external_subscription_id": "s"}
    answer = story.call("POST", "/events/batch", {"events": [good, {**good, "code": None}]})
    assert answer.body["error_details"] == {"1": {"code": ["value_is_mandatory"]}}
    assert story.call("GET", "/events/t").status == 404


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"events": []}, {"events": ["no_events"]}),
        ({"events": [{"transaction_id": str(n)} for n in range(101)]}, {"events": ["too_many_events"]}),
        ({"event": {"transaction_id": "t", "code": "c"}}, {"external_subscription_ids": ["value_is_mandatory"]}),
    ],
)
def test_batches_of_the_wrong_size(story, body, details):
    assert story.call("POST", "/events/batch", body).body["error_details"] == details


def test_numbers_in_properties_come_back_exactly(story):
    properties = b'{"a": 1.10, "b": "x", "c": 3}'
    raw = (
        b'{"event": {"transaction_id": "t", "code": "c", "external_subscription_id": "s", "properties": %b}}'
        % properties
    )
    assert story.call("POST", "/events", raw).status == 200
    from tests.support.story import meter

    meter()
    found = story.ok("GET", "/events/t")["event"]
    assert found["properties"] == {"a": 1.1, "b": "x", "c": 3}


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"country": "ZZ"}, {"country": ["not_a_valid_country_code"]}),
        ({"currency": "ABC"}, {"currency": ["value_is_invalid"]}),
        ({"timezone": "Mars/Base"}, {"timezone": ["invalid_timezone"]}),
        ({"email": "a@b"}, {"email": ["invalid_email_format"]}),
        ({"name": "x" * 256}, {"name": ["value_is_too_long"]}),
        ({"net_payment_term": -1}, {"net_payment_term": ["value_is_out_of_range"]}),
        ({"billing_configuration": {"invoice_grace_period": -1}}, {"invoice_grace_period": ["value_is_out_of_range"]}),
        ({"billing_configuration": {"document_locale": "xx"}}, {"document_locale": ["not_a_valid_language_code"]}),
        ({"metadata": [{"key": "k", "value": "v"}] * 6}, {"metadata": ["invalid_count"]}),
        (
            {"metadata": [{"key": "k" * 21, "value": ""}]},
            {"key": ["value_is_too_long"], "value": ["value_is_mandatory"]},
        ),
        ({"finalize_zero_amount_invoice": "maybe"}, {"finalize_zero_amount_invoice": ["invalid_value"]}),
    ],
)
def test_customer_fields_have_their_codes(story, fields, details):
    answer = story.call("POST", "/customers", {"customer": {"external_id": "c", **fields}})
    assert (answer.status, answer.body["error_details"]) == (422, details)
    assert story.call("GET", "/customers/c").status == 404


def test_a_customer_is_changed_by_its_external_id_and_absent_fields_stay(story):
    story.customer("c", name="One", city="Paris", metadata=[{"key": "a", "value": "1"}])
    changed = story.customer(
        "c", name="Two", country="fr", metadata=[{"key": "b", "value": "2", "display_in_invoice": True}]
    )
    assert (changed["name"], changed["city"], changed["country"], changed["sequential_id"]) == ("Two", "Paris", "FR", 1)
    assert [pair["key"] for pair in changed["metadata"]] == ["b"]
    assert story.ok("GET", "/customers")["meta"]["total_count"] == 1


def test_the_currency_is_fixed_once_something_is_attached(story):
    story.customer("cust", currency="USD")
    story.customer("cust", currency="EUR")
    story.plan()
    story.plan("dollars", amount_currency="USD")
    refused = story.call(
        "POST",
        "/subscriptions",
        {"subscription": {"external_customer_id": "cust", "plan_code": "dollars", "external_id": "s"}},
    )
    assert refused.body["error_details"] == {"currency": ["currencies_does_not_match"]}
    story.subscribe()
    answer = story.call("POST", "/customers", {"customer": {"external_id": "cust", "currency": "USD"}})
    assert answer.body["error_details"] == {"currency": ["currencies_does_not_match"]}


@pytest.mark.parametrize(
    ("fields", "status", "details"),
    [
        ({"plan_code": "none"}, 404, None),
        ({"external_id": ""}, 422, {"external_id": ["value_is_mandatory"]}),
        ({"external_customer_id": None}, 422, {"external_customer_id": ["value_is_mandatory"]}),
        ({"billing_time": "lunar"}, 422, {"billing_time": ["value_is_invalid"]}),
        ({"subscription_at": "soon"}, 422, {"subscription_at": ["invalid_date"]}),
        ({"ending_at": "2023-12-31"}, 422, {"ending_at": ["invalid_date"]}),
        ({"ending_at": "2024-01-01T12:00:00Z"}, 422, {"ending_at": ["invalid_date"]}),
    ],
)
def test_subscription_fields_have_their_codes(story, fields, status, details):
    story.plan()
    body = {"external_customer_id": "cust", "plan_code": "plan", "external_id": "sub", **fields}
    answer = story.call("POST", "/subscriptions", {"subscription": body})
    assert (answer.status, answer.body.get("error_details")) == (status, details)


def test_an_external_id_is_live_once_in_the_organization(story):
    story.plan()
    story.subscribe(customer="one")
    assert story.subscribe(customer="one")["lago_id"] == story.subscribe(customer="one")["lago_id"]
    body = {"external_customer_id": "two", "plan_code": "plan", "external_id": "sub"}
    answer = story.call("POST", "/subscriptions", {"subscription": body})
    assert answer.body["error_details"] == {"external_id": ["value_already_exist"]}


def test_the_test_clock_only_moves_forward_and_only_in_sandboxes(aws):
    story = Story.begin()
    assert story.ok("GET", "/test_clock")["test_clock"] == {"now": "2024-01-01T00:00:00Z", "status": "ready"}
    back = story.call("PUT", "/test_clock", {"test_clock": {"now": "2023-12-31T00:00:00Z"}})
    assert (back.status, back.body["error_details"]) == (422, {"now": ["value_must_be_later"]})
    assert story.call("PUT", "/test_clock", {"test_clock": {"now": "x"}}).body["error_details"] == {
        "now": ["invalid_date"]
    }
    real = Story.begin(sandbox=False)
    answer = real.call("PUT", "/test_clock", {"test_clock": {"now": "2024-01-01"}})
    assert (answer.status, answer.body["code"]) == (403, "test_clock_not_allowed")
    assert real.call("GET", "/test_clock").status == 403


def test_organization_settings_have_their_codes_and_change_key_by_key(story):
    answer = story.call(
        "PUT",
        "/organizations",
        {
            "organization": {
                "timezone": "x",
                "country": "zz",
                "email_settings": ["a"],
                "document_number_prefix": "x" * 11,
                "billing_configuration": {"invoice_footer": "x" * 601, "coupon_application": "x"},
            }
        },
    )
    assert answer.body["error_details"] == {
        "timezone": ["invalid_timezone"],
        "country": ["not_a_valid_country_code"],
        "email_settings": ["unsupported_value"],
        "document_number_prefix": ["value_is_too_long"],
        "invoice_footer": ["value_is_too_long"],
        "coupon_application": ["value_is_invalid"],
    }
    story.organization(billing_configuration={"invoice_footer": "Thanks"}, country="fr")
    changed = story.organization(
        billing_configuration={"invoice_grace_period": 2}, webhook_url="https://example.com/hook"
    )
    assert changed["billing_configuration"]["invoice_footer"] == "Thanks"
    assert changed["billing_configuration"]["coupon_application"] == "after_tax"
    assert (changed["country"], changed["webhook_urls"]) == ("FR", ["https://example.com/hook"])
