"""Coupons over the API: the catalog, and their application to customers. Source: rules/invoices 5; rules/catalog 2, 3, 4."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from lago_python_client.models.applied_coupon import AppliedCouponResponse
from lago_python_client.models.coupon import CouponResponse

from chalicelib.domain.errors import NotFound
from chalicelib.features.coupons import applying, service
from chalicelib.features.customers import service as customers
from chalicelib.platform.ids import AppliedCouponId
from chalicelib.platform.retry import retrying
from tests.support.coupons import application, applied, apply, coupon
from tests.support.story import Story, work

PERCENT = {"name": "C", "code": "c", "coupon_type": "percentage", "percentage_rate": "10", "frequency": "forever"}
FIXED = {"coupon_type": "fixed_amount", "amount_cents": 500, "amount_currency": "EUR"}


@pytest.fixture
def shop(story: Story) -> Story:
    calls = story.metric()
    charge = {"billable_metric_id": calls["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("a", [charge])
    story.plan("b")
    story.metric("other")
    story.customer()
    return story


def test_a_coupon_is_made_changed_found_and_listed(shop):
    body = {**PERCENT, **FIXED, "name": "Startup", "code": "start", "description": "d", "frequency": "recurring"}
    body |= {"frequency_duration": 6, "expiration": "time_limit", "expiration_at": "2024-08-08T23:59:59Z"}
    body |= {"applies_to": {"plan_codes": ["b", "a"]}, "reusable": False}
    made = shop.ok("POST", "/coupons", {"coupon": body})["coupon"]
    assert made.pop("lago_id")
    assert made == {
        "name": "Startup",
        "code": "start",
        "description": "d",
        "coupon_type": "fixed_amount",
        "amount_cents": 500,
        "amount_currency": "EUR",
        "percentage_rate": None,
        "frequency": "recurring",
        "frequency_duration": 6,
        "reusable": False,
        "limited_plans": True,
        "plan_codes": ["b", "a"],
        "limited_billable_metrics": False,
        "billable_metric_codes": [],
        "expiration": "time_limit",
        "expiration_at": "2024-08-08T23:59:59Z",
        "created_at": "2024-01-01T00:00:00Z",
        "terminated_at": None,
    }
    change = {"coupon_type": "percentage", "percentage_rate": 12.5, "frequency": "once", "plan_codes": []}
    change |= {"expiration": "no_expiration", "applies_to": {"billable_metric_codes": ["calls"]}, "code": "begin"}
    changed = shop.ok("PUT", "/coupons/start", {"coupon": change})["coupon"]
    assert (changed["percentage_rate"], changed["amount_cents"], changed["amount_currency"]) == ("12.5", None, None)
    assert (changed["frequency_duration"], changed["expiration_at"], changed["reusable"]) == (None, None, False)
    assert (changed["limited_plans"], changed["billable_metric_codes"]) == (False, ["calls"])
    coupon(shop, "legacy", applies_to=None, plan_codes=["a"])
    listed = shop.ok("GET", "/coupons")["coupons"]
    assert [(each["code"], each["plan_codes"]) for each in listed] == [("legacy", ["a"]), ("begin", [])]
    assert shop.ok("GET", "/coupons?search_term=LEG")["meta"]["total_count"] == 1
    assert shop.ok("GET", "/coupons/begin")["coupon"] == changed


def test_what_an_applied_coupon_promises_does_not_change(shop):
    coupon(shop, percentage_rate=10, applies_to={"plan_codes": ["a"]})
    apply(shop)
    change = {"name": "New", "description": "new", "code": "x", "percentage_rate": 99, "reusable": False}
    change |= {"frequency": "once", "coupon_type": "fixed_amount", "amount_cents": 1, "applies_to": {"plan_codes": []}}
    changed = shop.ok("PUT", "/coupons/ten", {"coupon": change})["coupon"]
    assert (changed["name"], changed["description"], changed["code"], changed["percentage_rate"]) == (
        *("New", "new"),
        *("ten", "10.0"),
    )
    assert (changed["reusable"], changed["frequency"], changed["plan_codes"]) == (True, "forever", ["a"])


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        pytest.param({"name": ""}, {"name": ["value_is_mandatory"]}, id="name"),
        pytest.param({"code": None}, {"code": ["value_is_mandatory"]}, id="code"),
        pytest.param({"coupon_type": "free"}, {"coupon_type": ["value_is_invalid"]}, id="type"),
        pytest.param({"coupon_type": None}, {"coupon_type": ["value_is_invalid"]}, id="no type"),
        pytest.param({"frequency": "daily"}, {"frequency": ["value_is_invalid"]}, id="frequency"),
        pytest.param({"expiration": "never"}, {"expiration": ["value_is_invalid"]}, id="expiration"),
        pytest.param({"percentage_rate": None}, {"percentage_rate": ["value_is_mandatory"]}, id="no rate"),
        pytest.param({"percentage_rate": -1}, {"percentage_rate": ["value_is_out_of_range"]}, id="negative rate"),
        pytest.param({"coupon_type": "fixed_amount"}, {"amount_cents": ["value_is_mandatory"],
                     "amount_currency": ["value_is_mandatory"]}, id="no amount"),
        pytest.param({**FIXED, "amount_cents": 0}, {"amount_cents": ["value_is_out_of_range"]}, id="amount of nothing"),
        pytest.param({**FIXED, "amount_currency": "XXX"}, {"amount_currency": ["value_is_invalid"]}, id="currency"),
        pytest.param({"frequency": "recurring"}, {"frequency_duration": ["value_is_mandatory"]}, id="no duration"),
        pytest.param({"frequency": "recurring", "frequency_duration": 0},
                     {"frequency_duration": ["value_is_out_of_range"]}, id="duration of nothing"),
        pytest.param({"expiration": "time_limit"}, {"expiration_at": ["invalid_date"]}, id="no expiration"),
        pytest.param({"expiration": "time_limit", "expiration_at": "2024-01-01T00:00:00Z"},
                     {"expiration_at": ["invalid_date"]}, id="expired"),
    ],
)  # fmt: skip
def test_wrong_coupons_are_refused(shop, fields, details):
    answer = shop.call("POST", "/coupons", {"coupon": {**PERCENT, **fields}})
    assert (answer.status, answer.body["error_details"]) == (422, details)
    assert shop.ok("GET", "/coupons")["coupons"] == []


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"plan_codes": ["a", "none"]}, 404, "plans_not_found"),
        ({"billable_metric_codes": ["none"]}, 404, "billable_metrics_not_found"),
        ({"plan_codes": ["a"], "billable_metric_codes": ["calls"]}, 405, "only_one_limitation_type_per_coupon_allowed"),
    ],
)
def test_wrong_limitations_are_refused(shop, limits, status, code):
    answer = shop.call("POST", "/coupons", {"coupon": {**PERCENT, "applies_to": limits}})
    assert (answer.status, answer.body["code"]) == (status, code)


def test_a_coupon_is_applied_listed_and_removed(shop):
    coupon(shop)
    coupon(shop, "percent", percentage_rate="15.5", frequency="recurring", frequency_duration=3)
    one = apply(shop, amount_cents=700, frequency="once")
    assert one == {
        **{"lago_id": one["lago_id"], "lago_coupon_id": one["lago_coupon_id"]},
        **{"lago_customer_id": one["lago_customer_id"], "external_customer_id": "cust"},
        **{"coupon_code": "ten", "coupon_name": "ten", "coupon_status": "active", "coupon_deleted_at": None},
        **{"status": "active", "amount_cents": 700, "amount_cents_remaining": 700, "amount_currency": "EUR"},
        **{"percentage_rate": None, "frequency": "once", "frequency_duration": None},
        **{"frequency_duration_remaining": None, "expiration_at": None},
        **{"created_at": "2024-01-01T00:00:00Z", "terminated_at": None},
    }
    two = apply(shop, "percent", frequency_duration=2)
    assert (two["percentage_rate"], two["frequency_duration_remaining"], two["amount_cents"]) == ("15.5", 2, None)
    shop.customer("other")
    three = apply(shop, customer="other")
    assert (three["amount_cents"], three["amount_cents_remaining"]) == (1000, None)

    path = f"/customers/cust/applied_coupons/{one['lago_id']}"
    gone = shop.ok("DELETE", path)["applied_coupon"]
    assert gone == one | {"status": "terminated", "terminated_at": "2024-01-01T00:00:00Z"}
    assert shop.ok("DELETE", path)["applied_coupon"] == gone
    wrong = shop.call("DELETE", f"/customers/other/applied_coupons/{one['lago_id']}")
    assert (wrong.status, wrong.body["code"]) == (404, "applied_coupon_not_found")
    assert shop.call("DELETE", f"/customers/none/applied_coupons/{one['lago_id']}").body["code"] == "customer_not_found"

    def ids(query: str = "") -> list[str]:
        found = shop.ok("GET", f"/applied_coupons?{query}")
        assert found["meta"]["total_count"] == len(found["applied_coupons"])
        return sorted(each["lago_id"] for each in found["applied_coupons"])

    one, two, three = (each["lago_id"] for each in (one, two, three))
    assert ids() == sorted([one, two, three])
    assert ids("status=terminated") == [one]
    assert ids("status=active&external_customer_id=cust") == [two]
    assert ids("coupon_code[]=ten&coupon_code[]=none") == sorted([one, three])
    assert ids("external_customer_id=nobody") == []
    assert shop.call("GET", "/applied_coupons?status=gone").status == 422
    own = shop.ok("GET", "/customers/other/applied_coupons")["applied_coupons"]
    assert [(each["lago_id"], each["credits"]) for each in own] == [(three, [])]
    assert shop.call("GET", "/customers/none/applied_coupons").status == 404


def test_the_official_client_reads_coupons_and_what_is_applied(shop):
    made = coupon(shop, percentage_rate=12.5, frequency="recurring", frequency_duration=2)
    assert CouponResponse.parse_obj(made).percentage_rate == 12.5
    assert AppliedCouponResponse.parse_obj(apply(shop)).frequency_duration_remaining == 2
    (listed,) = applied(shop)
    assert AppliedCouponResponse.parse_obj(listed).status == "active"


def test_what_a_deleted_coupon_left_ends_in_the_background(aws):
    real = Story.begin(sandbox=False)
    real.customer()
    coupon(real)
    apply(real)
    real.ok("DELETE", "/coupons/ten")
    work()
    assert applied(real)[0]["status"] == "terminated"


def test_refusals_come_in_their_order(shop):
    coupon(shop, "a", applies_to={"plan_codes": ["a"]}, reusable=False)
    coupon(shop, "calls", applies_to={"billable_metric_codes": ["calls"]})
    coupon(shop, "usd", amount_currency="USD", reusable=False)
    coupon(shop, "percent", percentage_rate=1)

    def refused(code: str, customer: str = "cust", **fields: object) -> object:
        answer = application(shop, code, customer, **fields)
        return answer.status, answer.body.get("error_details") or answer.body["code"]

    assert refused("none", "none") == (404, "customer_not_found")
    assert refused("none") == (404, "coupon_not_found")
    mandatory = (422, {"frequency_duration": ["value_is_mandatory"]})
    assert refused("percent", frequency="recurring") == mandatory
    first = apply(shop, "a")
    assert refused("a") == (405, "plan_overlapping")
    assert refused("calls") == (405, "plan_overlapping")
    shop.ok("DELETE", f"/customers/cust/applied_coupons/{first['lago_id']}")
    assert refused("a", amount_currency="USD") == (422, {"coupon": ["coupon_is_not_reusable"]})
    assert refused("usd") == (422, {"currency": ["currencies_does_not_match"]})
    apply(shop, "calls")
    assert [each["coupon_code"] for each in applied(shop, "&status=active")].count("calls") == 1
    assert refused("calls") == (405, "plan_overlapping")


def test_a_fixed_coupon_fixes_the_currency_and_a_percentage_does_not(shop):
    coupon(shop)
    coupon(shop, "percent", percentage_rate=10)
    apply(shop, "percent")
    assert shop.customer(currency="USD")["currency"] == "USD"
    shop.customer("new")
    apply(shop, customer="new")
    assert shop.ok("GET", "/customers/new")["customer"]["currency"] == "EUR"
    wrong = shop.call("POST", "/customers", {"customer": {"external_id": "new", "currency": "USD"}})
    assert wrong.body["error_details"] == {"currency": ["currencies_does_not_match"]}


def test_a_coupon_ends_at_its_expiration_and_customers_keep_what_they_have(shop):
    limit = {"expiration": "time_limit", "expiration_at": "2024-01-05T12:00:00Z"}
    coupon(shop, **limit)
    coupon(shop, "longer", **limit)
    apply(shop)
    changed = {"coupon": {"expiration_at": "2024-02-01T00:00:00Z"}}
    assert shop.ok("PUT", "/coupons/longer", changed)["coupon"]["expiration_at"] == "2024-02-01T00:00:00Z"
    shop.travel("2024-01-10T00:00:00Z")
    assert shop.ok("GET", "/coupons/ten")["coupon"]["terminated_at"] == "2024-01-05T12:00:00Z"
    assert shop.ok("GET", "/coupons/longer")["coupon"]["terminated_at"] is None
    refused = application(shop)
    assert (refused.status, refused.body["code"]) == (404, "coupon_not_found")
    (kept,) = applied(shop)
    assert (kept["status"], kept["coupon_status"], kept["expiration_at"]) == (
        *("active", "terminated"),
        "2024-01-05T12:00:00Z",
    )
    assert shop.ok("PUT", "/coupons/ten", {"coupon": {"name": "Old"}})["coupon"]["name"] == "Old"
    assert shop.ok("DELETE", "/coupons/longer")
    shop.travel("2024-02-02T00:00:00Z")


def test_a_deleted_coupon_ends_its_applications(shop):
    shop.customer("other")
    coupon(shop)
    apply(shop)
    apply(shop, customer="other")
    shop.travel("2024-01-03T00:00:00Z")
    assert shop.ok("DELETE", "/coupons/ten")["coupon"]["code"] == "ten"
    found = applied(shop)
    assert {(each["status"], each["terminated_at"]) for each in found} == {("terminated", "2024-01-03T00:00:00Z")}
    assert found[0]["coupon_deleted_at"] == "2024-01-03T00:00:00Z"
    assert shop.call("GET", "/coupons/ten").status == 404
    assert application(shop).body["code"] == "coupon_not_found"
    coupon(shop)
    assert apply(shop)["status"] == "active"


def test_of_parallel_applications_of_one_that_is_not_reusable_one_passes(shop):
    coupon(shop, reusable=False)
    with ThreadPoolExecutor(4) as pool:
        answers = [each.result() for each in [pool.submit(application, shop) for _ in range(4)]]
    assert sorted(each.status for each in answers) == [200, 422, 422, 422]
    assert len(applied(shop)) == 1
    items = customers.items_of(shop.ref.id, applied(shop)[0]["lago_customer_id"])
    assert items.state.attached


def test_a_coupon_is_terminated_before_its_time_once(shop):
    made = coupon(shop, expiration="time_limit", expiration_at="2024-02-01T00:00:00Z")
    apply(shop)
    for day in (5, 6):
        shop.travel(f"2024-01-0{day}T00:00:00Z")
        service.terminate(shop.ref, made["lago_id"], now=datetime(2024, 1, day, tzinfo=UTC))
        assert shop.ok("GET", "/coupons/ten")["coupon"]["terminated_at"] == "2024-01-05T00:00:00Z"
    assert application(shop).body["code"] == "coupon_not_found"
    assert [each["status"] for each in applied(shop)] == ["active"]
    shop.travel("2024-02-02T00:00:00Z")  # Nothing is left to expire.
    assert shop.ok("GET", "/coupons/ten")["coupon"]["terminated_at"] == "2024-01-05T00:00:00Z"
    assert shop.ok("DELETE", "/coupons/ten")
    with pytest.raises(NotFound):
        service.terminate(shop.ref, made["lago_id"], now=datetime(2024, 2, 2, tzinfo=UTC))


@pytest.mark.parametrize("reusable", [True, False])
def test_repeats_of_an_application_with_an_id_make_one(shop, reusable):
    coupon(shop, reusable=reusable)
    body = {"external_customer_id": "cust", "coupon_code": "ten"}
    mark = AppliedCouponId("0190c2a4-0000-7000-8000-000000000001")

    def once() -> str:
        def attempt() -> str:
            now = datetime(2024, 1, 1, tzinfo=UTC)
            return applying.apply(shop.ref, body, now=now, applied_id=mark)[0].id

        return retrying(attempt, "applied_coupon")

    with ThreadPoolExecutor(4) as pool:
        assert {each.result() for each in [pool.submit(once) for _ in range(4)]} == {mark}
    assert [each["lago_id"] for each in applied(shop)] == [mark]
    shop.ok("DELETE", f"/customers/cust/applied_coupons/{mark}")
    assert once() == mark
    assert [each["status"] for each in applied(shop)] == ["terminated"]
