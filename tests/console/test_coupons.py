"""Pages of coupons, and applying them: what the forms hold is what the API gets, and the other way round."""

import time
from typing import Any

import pytest

from chalicelib.console.views import coupon_terms
from tests.support import capacity
from tests.support.console import Visitor
from tests.support.coupons import applied, apply, coupon

FIXED: dict[str, Any] = {
    "name": "Launch credit",
    "code": "LAUNCH",
    "description": "For the first",
    "coupon_type": "fixed_amount",
    "amount_cents": "500.50",
    "amount_currency": "EUR",
    "percentage_rate": "",
    "frequency": "once",
    "frequency_duration": "",
    "reusable": "true",
    "limited_to": "",
    "expiration": "no_expiration",
    "expiration_at": "",
}
RATE = {**FIXED, "coupon_type": "percentage", "percentage_rate": "12.5", "amount_cents": ""}
RATE |= {"frequency": "recurring", "frequency_duration": "6", "reusable": "false"}
PLANS, METRICS = "applies_to.plan_codes", "applies_to.billable_metric_codes"


def made(visitor: Visitor, code: str = "LAUNCH"):
    return visitor.story.ok("GET", f"/coupons/{code}")["coupon"]


def test_a_fixed_amount_is_made_and_shown(visitor: Visitor):
    answer = visitor.post("coupons", "new", form=FIXED)
    assert answer.status == 303
    found = made(visitor)
    same = ("name", "code", "description", "coupon_type", "amount_currency", "frequency", "expiration")
    assert {name: found[name] for name in same} == {name: FIXED[name] for name in same}
    assert (found["amount_cents"], found["reusable"], found["percentage_rate"]) == (50050, True, None)
    shown = visitor.at(answer.location)
    for words in ("€500.50 off the next invoices until it is used up, deducted after tax", "Once", "Active"):
        assert words in shown.words, words
    assert "LAUNCH €500.50 Once – Never Nobody Active" in visitor.get("coupons").words


@pytest.mark.parametrize(("limited", "field"), [("plans", PLANS), ("metrics", METRICS)])
def test_a_rate_with_a_limit_is_made_and_shown(visitor: Visitor, limited: str, field: str):
    visitor.story.plan("growth", name="Growth")
    visitor.story.metric("calls", name="Calls")
    code = "growth" if limited == "plans" else "calls"
    visitor.story.organization(billing_configuration={"coupon_application": "before_tax"})
    form = {**RATE, "limited_to": limited, PLANS: ["", "growth"], METRICS: ["", "calls"]}
    answer = visitor.post("coupons", "new", form=form)
    assert answer.status == 303
    found = made(visitor)
    assert (found["percentage_rate"], found["frequency_duration"], found["reusable"]) == ("12.5", 6, False)
    assert (found["amount_cents"], found["amount_currency"]) == (None, None)
    assert found["plan_codes"] == (["growth"] if limited == "plans" else [])
    assert found["billable_metric_codes"] == (["calls"] if limited == "metrics" else [])
    what = "plan" if limited == "plans" else "billable metric"
    assert (
        f"12.5% off each of the next 6 invoices, {what} {code} only, deducted before tax"
        in visitor.at(answer.location).words
    )
    fields = visitor.get("coupons", found["lago_id"], "edit").fields
    assert (fields["limited_to"], fields[field]) == ([limited], ["", code])


@pytest.mark.parametrize(
    ("changes", "code", "at"),
    [
        ({"name": ""}, "value_is_mandatory", "name"),
        ({"amount_cents": ""}, "value_is_mandatory", "amount_cents"),
        ({"amount_cents": "1.001"}, "invalid_amount", "amount_cents"),
        ({"amount_cents": "0"}, "value_is_out_of_range", "amount_cents"),
        ({"amount_currency": "XXX"}, "value_is_invalid", "amount_currency"),
        ({"coupon_type": "percentage"}, "value_is_mandatory", "percentage_rate"),
        ({"coupon_type": "gift"}, "value_is_invalid", "coupon_type"),
        ({"frequency": "recurring"}, "value_is_mandatory", "frequency_duration"),
        ({"frequency": "recurring", "frequency_duration": "0"}, "value_is_out_of_range", "frequency_duration"),
        ({"frequency": "sometimes"}, "value_is_invalid", "frequency"),
        ({"expiration": "time_limit"}, "invalid_date", "expiration_at"),
        ({"expiration": "time_limit", "expiration_at": "2023-12-30"}, "invalid_date", "expiration_at"),
        ({"expiration": "time_limit", "expiration_at": "soon"}, "invalid_date", "expiration_at"),
        ({"limited_to": "plans", PLANS: [""]}, "value_is_mandatory", PLANS),
        ({"limited_to": "metrics"}, "value_is_mandatory", METRICS),
        ({"code": "taken"}, "value_already_exist", "code"),
    ],
)
def test_a_wrong_field_shows_its_code(visitor: Visitor, changes: dict[str, Any], code: str, at: str):
    visitor.story.plan()
    visitor.story.metric()
    coupon(visitor.story, "taken")
    shown = visitor.post("coupons", "new", form={**FIXED, **changes})
    assert shown.status == 422
    assert (shown.words.count(code), f'id="f-{at}-error"' in shown.text) == (1, True)
    assert len(visitor.story.ok("GET", "/coupons")["coupons"]) == 1


def test_a_second_click_finds_what_the_first_made(visitor: Visitor):
    first, second = (visitor.post("coupons", "new", form=RATE) for _ in range(2))
    assert (first.status, second.status, first.location) == (303, 303, second.location)


def test_the_last_day_is_that_of_the_organizations_zone(visitor: Visitor):
    visitor.story.organization(timezone="Asia/Tokyo")
    form = {**FIXED, "expiration": "time_limit", "expiration_at": "2024-06-30"}
    assert visitor.post("coupons", "new", form=form).status == 303
    found = made(visitor)
    assert found["expiration_at"] == "2024-06-30T15:00:00Z"
    assert "Jun 30, 2024" in visitor.get("coupons").words
    place = ("coupons", found["lago_id"], "edit")
    assert visitor.get(*place).fields["expiration_at"] == ["2024-06-30"]
    visitor.story.organization(timezone="UTC")  # A day that is left alone stays the instant that it was.
    fields = {name: values[-1] for name, values in visitor.get(*place).fields.items()}
    assert visitor.post(*place, form={**fields, "name": "New"}).status == 303
    assert made(visitor)["expiration_at"] == "2024-06-30T15:00:00Z"
    assert visitor.post(*place, form={**fields, "expiration_at": "2024-07-01"}).status == 303
    assert made(visitor)["expiration_at"] == "2024-07-02T00:00:00Z"


def test_a_coupon_is_changed(visitor: Visitor):
    visitor.post("coupons", "new", form=FIXED)
    place = ("coupons", made(visitor)["lago_id"], "edit")
    fields = visitor.get(*place).fields
    assert {name: fields[name][-1] for name in FIXED} == FIXED
    for _ in range(2):
        assert visitor.post(*place, form={**RATE, "name": "Partner", "code": "P"}).status == 303
    found = made(visitor, "P")
    assert (found["name"], found["percentage_rate"], found["amount_cents"]) == ("Partner", "12.5", None)


def test_what_was_applied_is_locked_with_the_reason(visitor: Visitor):
    visitor.post("coupons", "new", form=FIXED)
    visitor.story.customer()
    apply(visitor.story, "LAUNCH")
    place = ("coupons", made(visitor)["lago_id"], "edit")
    shown = visitor.get(*place)
    assert "Only name, description and expiry can change, as it was applied to customers." in shown.words
    fields = {name: values[-1] for name, values in shown.fields.items()}
    for forged in ({}, {"amount_cents": "1", "code": "other", "frequency": "forever"}):
        changed = {**fields, **forged, "name": "New", "expiration": "time_limit", "expiration_at": "2030-01-01"}
        assert visitor.post(*place, form=changed).status == 303
    found = made(visitor)
    assert (found["name"], found["amount_cents"], found["frequency"]) == ("New", 50050, "once")
    assert found["expiration_at"] == "2030-01-02T00:00:00Z"


def test_the_summary_follows_the_form(visitor: Visitor):
    visitor.story.plan("growth", name="Growth")
    visitor.story.plan("scale", name="Scale")
    form = {**RATE, "limited_to": "plans", PLANS: ["", "growth", "scale"], "_do": "draw"}
    shown = visitor.post("coupons", "new", form=form)
    assert "12.5% off each of the next 6 invoices, plans Growth and Scale only, deducted after tax" in shown.words
    assert sorted(shown.fields[PLANS]) == ["", "growth", "scale"]
    assert "is said here" in visitor.post("coupons", "new", form={**form, "percentage_rate": "x"}).words
    assert visitor.story.ok("GET", "/coupons")["coupons"] == []


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"percentage_rate": "10", "frequency": "once"}, "10% off the next invoice, deducted after tax"),
        ({"percentage_rate": "10", "frequency": "forever"}, "10% off every invoice, deducted after tax"),
        (
            {"amount_cents": 1000, "amount_currency": "JPY", "frequency": "recurring", "frequency_duration": 1},
            "¥1,000 off the next invoice, deducted after tax",
        ),
    ],
)
def test_sentences(terms: dict[str, Any], words: str):
    assert coupon_terms.sentence(terms, [], what="plans", before_tax=False) == words


def test_to_whom_it_was_applied_and_what_is_left(visitor: Visitor):
    story = visitor.story
    for name in ("ada", "bob"):
        story.customer(name, name=name.title())
    coupon(story, "once", frequency="once", amount_cents=5000)
    coupon(story, "often", percentage_rate="10", frequency="recurring", frequency_duration=4)
    apply(story, "once", "ada", amount_cents=7000)
    apply(story, "often", "bob")
    visitor.headers["HX-Request"] = "true"
    once = visitor.get("coupons", made(visitor, "once")["lago_id"], part="applied")
    assert "Ada ada Active €70.00 Once Jan 1, 2024 €70.00" in once.words
    assert "Bob" not in once.words
    often = visitor.get("coupons", made(visitor, "often")["lago_id"], part="applied")
    assert "4 of 4" in often.words
    del visitor.headers["HX-Request"]
    assert "Ada ada" in visitor.get("coupons", made(visitor, "once")["lago_id"], part="applied").words


def test_a_coupon_is_terminated_and_customers_keep_it(visitor: Visitor):
    visitor.post("coupons", "new", form=FIXED)
    visitor.story.customer()
    apply(visitor.story, "LAUNCH")
    place = ("coupons", made(visitor)["lago_id"], "terminate")
    assert "The one application that it has now stays" in visitor.get(*place).words
    for _ in range(2):
        assert visitor.post(*place).status == 303
    assert made(visitor)["terminated_at"] == "2024-01-01T00:00:00Z"
    assert [each["status"] for each in applied(visitor.story)] == ["active"]
    assert "Terminated" in visitor.get("coupons").words


def test_a_coupon_is_deleted_once_the_consequence_was_said(visitor: Visitor):
    visitor.post("coupons", "new", form=FIXED)
    visitor.story.customer()
    apply(visitor.story, "LAUNCH")
    place = ("coupons", made(visitor)["lago_id"], "delete")
    assert "One active application ends" in visitor.get(*place).words
    for _ in range(2):
        assert visitor.post(*place).status == 303
    assert visitor.story.call("GET", "/coupons/LAUNCH").status == 404
    assert visitor.get("coupons", place[1], "terminate").status == 404


def test_a_coupon_is_applied_once_however_often_one_clicks(visitor: Visitor):
    customer = visitor.story.customer(name="Ada")
    visitor.post("coupons", "new", form=FIXED)
    coupon(visitor.story, "over", expiration="time_limit", expiration_at="2024-01-02T00:00:00Z")
    visitor.story.travel("2024-01-03T00:00:00Z")
    place = ("customers", customer["lago_id"], "coupons", "new")
    asked = visitor.get(*place, coupon="LAUNCH")
    assert "Apply a coupon to Ada" in asked.words
    assert "Launch credit · LAUNCH" in asked.words
    assert "over · over" not in asked.words
    first, second = ({"coupon_code": "LAUNCH", "form_id": visitor.get(*place).fields["form_id"][0]} for _ in range(2))
    answers = [visitor.post(*place, form=first) for _ in range(2)]
    assert [each.status for each in answers] == [303, 303]
    assert answers[0].location.endswith(f"/customers/{customer['lago_id']}")
    (found,) = applied(visitor.story)
    assert (found["amount_cents"], found["frequency"]) == (50050, "once")
    assert visitor.post(*place, form=second).status == 303
    assert len(applied(visitor.story)) == 2


def test_coupons_of_one_instant_stand_in_the_order_of_their_forms(visitor: Visitor):
    customer = visitor.story.customer()
    place = ("customers", customer["lago_id"], "coupons", "new")
    codes = [f"c{n}" for n in range(6)]
    for code in codes:
        coupon(visitor.story, code)
    for code in codes:
        form_id = visitor.get(*place).fields["form_id"][0]
        assert visitor.post(*place, form={"coupon_code": code, "form_id": form_id}).status == 303
        time.sleep(0.002)
    assert [each["coupon_code"] for each in applied(visitor.story)] == codes


def test_other_terms_for_a_customer(visitor: Visitor):
    customer = visitor.story.customer()
    coupon(visitor.story, "ten")
    coupon(visitor.story, "part", percentage_rate="10")
    place = ("customers", customer["lago_id"], "coupons", "new")
    form = {"coupon_code": "ten", "amount_cents": "12.50", "frequency": "recurring", "frequency_duration": "3"}
    assert visitor.post(*place, form=form).status == 303
    form = {"coupon_code": "part", "percentage_rate": "2.5", "frequency": "once", "frequency_duration": "3"}
    assert visitor.post(*place, form=form).status == 303
    one, other = applied(visitor.story)
    assert (one["amount_cents"], one["frequency"], one["frequency_duration"]) == (1250, "recurring", 3)
    assert (other["percentage_rate"], other["frequency"], other["frequency_duration"]) == ("2.5", "once", None)


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"coupon_code": ""}, 404, "coupon_not_found"),
        ({"coupon_code": "gone"}, 404, "coupon_not_found"),
        ({"coupon_code": "ten", "amount_cents": "1.234"}, 422, "invalid_amount"),
        ({"coupon_code": "ten", "frequency": "recurring"}, 422, "value_is_mandatory"),
        ({"coupon_code": "dollars"}, 422, "currencies_does_not_match"),
        ({"coupon_code": "single"}, 422, "coupon_is_not_reusable"),
    ],
)
def test_what_cannot_be_applied(visitor: Visitor, form: dict[str, str], status: int, code: str):
    customer = visitor.story.customer(currency="EUR")
    coupon(visitor.story, "ten")
    coupon(visitor.story, "dollars", amount_currency="USD")
    coupon(visitor.story, "single", reusable=False)
    apply(visitor.story, "single")
    shown = visitor.post("customers", customer["lago_id"], "coupons", "new", form=form)
    assert (shown.status, code in shown.words) == (status, True)
    assert len(applied(visitor.story)) == 1


def test_an_applied_coupon_is_removed(visitor: Visitor):
    customer = visitor.story.customer("odd/id #1", name="Ada")
    coupon(visitor.story, "ten", name="Ten", frequency="once")
    found = apply(visitor.story, "ten", "odd/id #1")
    place = ("customers", customer["lago_id"], "coupons", found["lago_id"], "remove")
    asked = visitor.get(*place)
    assert "Remove Ten" in asked.words
    assert "€10.00 of €10.00 are left" in asked.words
    for _ in range(2):
        assert visitor.post(*place).status == 303
    assert [each["status"] for each in applied(visitor.story)] == ["terminated"]
    other = visitor.story.customer("other")
    assert visitor.get("customers", other["lago_id"], *place[2:]).status == 404
    assert visitor.get("customers", "unknown", *place[2:]).status == 404


def test_a_name_is_text(visitor: Visitor):
    script = "<script>alert(1)</script>"
    customer = visitor.story.customer(name=script)
    coupon(visitor.story, "ten", name=script, description=script)
    its, found = made(visitor, "ten")["lago_id"], apply(visitor.story, "ten")
    for place in ([], [its], [its, "edit"], [its, "delete"], [its, "terminate"]):
        assert "<script>alert" not in visitor.get("coupons", *place).text
    assert "<script>alert" not in visitor.get("coupons", its, part="applied").text
    for rest in (["new"], [found["lago_id"], "remove"]):
        assert "<script>alert" not in visitor.get("customers", customer["lago_id"], "coupons", *rest).text


def test_the_pages_cost_few_requests(visitor: Visitor):
    story = visitor.story
    customer = story.customer()
    charge = {
        "charge_model": "standard",
        "properties": {"amount": "1"},
        "billable_metric_id": story.metric()["lago_id"],
    }
    story.plan("growth", charges=[charge])
    coupon(story, "ten", applies_to={"plan_codes": ["growth"]})
    coupon(story, "free", applies_to={"plan_codes": ["growth"]})
    found = apply(story, "ten")
    its, free = ["coupons", made(visitor, "ten")["lago_id"]], ["coupons", made(visitor, "free")["lago_id"]]
    pages = [["coupons"], ["coupons", "new"], its, [*its, "edit"], [*its, "delete"], [*its, "terminate"]]
    mine = ["customers", customer["lago_id"], "coupons"]
    for place in (*pages, [*free, "edit"], [*mine, "new"], [*mine, found["lago_id"], "remove"]):
        with capacity.counting() as meter:
            assert visitor.get(*place).status == 200
        assert sum(meter.requests.values()) <= 8, place
    visitor.headers["HX-Request"] = "true"
    with capacity.counting() as meter:
        assert visitor.get(*its, part="applied").status == 200
    assert sum(meter.requests.values()) <= 8


def test_the_list_says_how_often_a_coupon_was_applied(visitor: Visitor):
    story = visitor.story
    coupon(story, "once", reusable=False)
    coupon(story, "again", percentage_rate="5")
    coupon(story, "unused")
    story.customer(currency="EUR")
    for code in ("once", "again"):
        apply(story, code)
    words = visitor.get("coupons").words
    for said in ("1 customer", "Applied once", "Nobody"):
        assert said in words
    with capacity.counting() as meter_:
        visitor.get("coupons")
    assert sum(meter_.requests.values()) <= 8
