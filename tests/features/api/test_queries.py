"""What a query says is understood or refused: words outside an enumeration, switches, days, numbers, pages, repetitions."""

from urllib.parse import quote

import pytest

from app import app
from tests.support import bodies, strict
from tests.support.story import Story, work

WORDS = "value_is_invalid"
CASES = [
    ("/customers", "account_type[]", WORDS, "account_type"),
    ("/customers", "countries[]", "not_a_valid_country_code", "countries"),
    ("/customers", "currencies[]", WORDS, "currencies"),
    ("/customers", "customer_type", WORDS, "customer_type"),
    ("/customers", "has_customer_type", WORDS, None),
    ("/customers", "has_tax_identification_number", WORDS, None),
    ("/customers/cust/current_usage?external_subscription_id=sub", "apply_taxes", WORDS, None),
    ("/customers/cust/current_usage?external_subscription_id=sub", "full_usage", WORDS, None),
    ("/customers/cust/projected_usage?external_subscription_id=sub", "apply_taxes", WORDS, None),
    ("/customers/cust/past_usage?external_subscription_id=sub", "periods_count", WORDS, None),
    ("/customers/cust/subscriptions", "status[]", WORDS, "status"),
    ("/customers/cust/invoices", "status", WORDS, None),
    ("/customers/cust/credit_notes", "reason", WORDS, None),
    ("/subscriptions", "status[]", WORDS, "status"),
    ("/subscriptions", "currency", WORDS, None),
    ("/subscriptions/sub", "status", WORDS, None),
    ("/subscriptions/sub/charges", "subscription_status", WORDS, "status"),
    ("/subscriptions/sub/charges/gb", "subscription_status", WORDS, "status"),
    ("/subscriptions/sub/fixed_charges/fixed", "subscription_status", WORDS, "status"),
    ("/events", "timestamp_from", "invalid_date", None),
    ("/events", "timestamp_to", "invalid_date", None),
    ("/events?external_subscription_id=sub", "timestamp_from_started_at", WORDS, None),
    ("/event_logs", "warnings[]", WORDS, "warnings"),
    ("/invoices", "statuses[]", WORDS, "status"),
    ("/invoices", "payment_statuses[]", WORDS, "payment_status"),
    ("/invoices", "invoice_type", WORDS, None),
    ("/invoices", "currency", WORDS, None),
    ("/invoices", "payment_overdue", WORDS, None),
    ("/invoices", "payment_dispute_lost", WORDS, None),
    ("/invoices", "self_billed", WORDS, None),
    ("/invoices", "issuing_date_from", "invalid_date", None),
    ("/invoices", "issuing_date_to", "invalid_date", None),
    ("/invoices", "amount_from", WORDS, None),
    ("/invoices", "amount_to", WORDS, None),
    ("/fees", "fee_type", WORDS, None),
    ("/fees", "payment_status", WORDS, None),
    ("/fees", "currency", WORDS, None),
    *(
        ("/fees", f"{name}_{end}", "invalid_date", None)
        for name in ("created_at", "failed_at")
        for end in ("from", "to")
    ),
    ("/credit_notes", "credit_status", WORDS, None),
    ("/credit_notes", "refund_status", WORDS, None),
    ("/credit_notes", "currency", WORDS, None),
    ("/credit_notes", "self_billed", WORDS, None),
    ("/credit_notes", "issuing_date_from", "invalid_date", None),
    ("/credit_notes", "amount_to", WORDS, None),
]
GARBAGE = [
    "garbage",
    "ACTIVE ",
    "2024-13-01",
    "2024-01-01garbage",
    "1e5",
    "\ufffe",
    "\x00",
    "null",
    "[]",
    "x" * 3000,
    "-",
]


@pytest.fixture(scope="module")
def of_everything(module_aws: None) -> bodies.World:
    world = bodies.world()
    work()  # Whatever a list still waits for: a read waits two seconds for it, each time.
    return world


@pytest.fixture
def story(module_aws: None) -> Story:
    return Story.begin()


def test_garbage_is_refused_under_its_name(of_everything):
    story = of_everything.story
    for path, name, code, field in CASES:
        joint = "&" if "?" in path else "?"
        for text in GARBAGE:
            for query in (f"{quote(name)}={quote(text)}", f"{quote(name)}={quote(text)}&{quote(name)}=true"):
                answer = story.call("GET", f"{path}{joint}{query}")
                assert answer.status == 422, (path, query, answer)
                assert answer.body["error_details"] == {field or name: [code]}, (path, query)
        assert story.call("GET", f"{path}{joint}{quote(name)}=").status == 200, (path, name)  # Empty says nothing.


@pytest.mark.parametrize("name", ["status", "status[]"])
@pytest.mark.parametrize("text", ["garbage", "Active", "activ", "pending ", "true"])
def test_an_end_is_not_guessed_from_a_status_that_is_none(story, name, text):
    story.plan()
    story.customer(currency="EUR")
    story.subscribe()
    for method, body in (("DELETE", None), ("PUT", {"subscription": {"name": "x"}})):
        answer = story.call(method, f"/subscriptions/sub?{quote(name)}={quote(text)}", body)
        assert (answer.status, answer.body["error_details"]) == (422, {"status": ["value_is_invalid"]})
    answer = story.call("PUT", "/subscriptions/sub", {"status": text, "subscription": {"name": "x"}})
    assert (answer.status, answer.body["error_details"]) == (422, {"status": ["value_is_invalid"]})
    shown = story.ok("GET", "/subscriptions/sub")["subscription"]
    assert (shown["status"], shown["name"]) == ("active", None)
    assert story.call("DELETE", "/subscriptions/sub?status=terminated").status == 404
    assert story.ok("DELETE", "/subscriptions/sub?status=active")["subscription"]["status"] == "terminated"


@pytest.mark.parametrize("option", ["on_termination_credit_note", "on_termination_invoice"])
def test_an_option_of_an_end_that_is_none_ends_nothing(story, option):
    story.plan()
    story.customer(currency="EUR")
    story.subscribe()
    answer = story.call("DELETE", f"/subscriptions/sub?{option}=garbage")
    assert (answer.status, answer.body["error_details"]) == (422, {option: ["invalid_value"]})
    assert story.ok("GET", "/subscriptions/sub")["subscription"]["status"] == "active"


def lists(world: bodies.World) -> list[str]:
    """All lists of the API, with what they need to be asked."""
    names = {"{code}": "plan", "{charge_code}": "gb", "{external_id}": "cust"}
    found = []
    for path, methods in app.routes.items():
        if "GET" not in methods or not path.startswith("/api/v1/") or path.endswith("/public_key"):
            continue
        url = path.removeprefix("/api/v1").replace("billable_metrics/{code}", "billable_metrics/gb")
        url = url.replace("subscriptions/{external_id}", "subscriptions/sub")
        for name, value in names.items():
            url = url.replace(name, value)
        if "past_usage" in url:
            url += "?external_subscription_id=sub"
        answer = world.story.call("GET", url)
        if answer.status == 200 and isinstance(answer.body, dict) and "meta" in answer.body:
            found.append(url)
    return found


def test_a_page_far_past_the_end_is_empty_with_true_totals(of_everything):
    story = of_everything.story
    urls = [*lists(of_everything), "/events?external_subscription_id=sub", "/fees?payment_status=pending"]
    urls += ["/customers?search_term=cust", "/invoices?status=finalized", "/subscriptions?external_customer_id=cust"]
    assert len(urls) > 20
    for url in urls:
        joint = "&" if "?" in url else "?"
        first = story.ok("GET", url)
        plural = next(name for name in first if name != "meta")
        for page in (10**9, 10**8, 10**12, 10**15, 10**30, "9" * 4000, 7):
            answer = story.ok("GET", f"{url}{joint}page={page}")
            assert answer[plural] == [], (url, page)
            assert answer["meta"]["total_count"] == first["meta"]["total_count"], (url, page)
            assert answer["meta"]["total_pages"] == first["meta"]["total_pages"], (url, page)
            assert answer["meta"]["next_page"] is None, (url, page)
            if first["meta"]["total_count"]:
                assert answer["meta"]["current_page"] == min(int(page) if page != "9" * 4000 else 10**15, 10**15)
        for text in ("x", "-1", "1.5", "1e3", "%EF%BC%91", "%00", "1 "):
            for name in ("page", "per_page"):
                answer = story.call("GET", f"{url}{joint}{name}={quote(text, safe='%')}")
                assert (answer.status, answer.body["error_details"]) == (422, {name: ["value_is_invalid"]}), (url, text)
        for same in ("page=0", "page=", "per_page=0", "per_page=" + "9" * 4000, "page=01", "unknown=x&x[]=1&y[z]=2"):
            assert story.ok("GET", f"{url}{joint}{same}") == first, (url, same)


@pytest.mark.parametrize("name", ["countries", "currencies", "states", "zipcodes", "account_type", "customer_type"])
def test_a_parameter_many_times(of_everything, name):
    story = of_everything.story
    value = {"countries": "FR", "currencies": "EUR", "account_type": "partner", "customer_type": "company"}.get(
        name, "x"
    )
    with strict.limits_kept():
        same = "&".join([f"{name}[]={value}"] * 300)
        assert story.call("GET", f"/customers?{same}").status == 200
        others = "&".join(f"{name}[]={n}" for n in range(300))
        answer = story.call("GET", f"/customers?{others}")
        assert (answer.status, list(answer.body["error_details"])) == (422, [name])


def test_as_many_values_as_there_may_be_fit_a_condition(of_everything):
    from chalicelib.domain.money import CURRENCIES
    from chalicelib.platform.schema import countries

    story = of_everything.story
    parts = [f"countries[]={each}" for each in sorted(countries())[:50]]
    parts += [f"currencies[]={each}" for each in sorted(CURRENCIES)[:50]]
    parts += [f"{name}[]={n}" for name in ("states", "zipcodes") for n in range(50)]
    parts += ["account_type[]=customer", "account_type[]=partner", "customer_type=company", "has_customer_type=true"]
    with strict.limits_kept():
        assert story.call("GET", "/customers?" + "&".join(parts)).status == 200


def test_switches_are_read_in_the_ways_that_clients_write_them(story: Story):
    story.customer("a", customer_type="company")
    story.customer("b")
    for text, expected in (("true", ["a"]), ("True", ["a"]), ("false", ["b"]), ("False", ["b"])):
        found = story.ok("GET", f"/customers?has_customer_type={text}")["customers"]
        assert [customer["external_id"] for customer in found] == expected
    assert story.call("GET", "/customers?countries[]=fr").status == 200
