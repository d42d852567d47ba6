"""Coupons in the browser: made, applied, and what they take off invoices."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization
from tests.support.coupons import applied, apply, coupon


def made(page: Page, organization: Organization, name: str, code: str) -> None:
    """Begin the form of a coupon."""
    page.goto(organization.address("coupons"))
    page.get_by_role("link", name="Create a coupon").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("textbox", name="Code", exact=True).fill(code)


def kept(page: Page, organization: Organization, name: str, code: str):
    """The coupon, once its form was sent."""
    page.get_by_role("button", name="Create coupon").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    return organization.story.ok("GET", f"/coupons/{code}")["coupon"]


def applied_to(page: Page, organization: Organization, customer_id: str, code: str) -> None:
    """Apply a coupon by the page of a customer."""
    page.goto(organization.address("customers", customer_id))
    page.get_by_role("link", name="Apply a coupon").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Coupon", exact=True).select_option(code)
    expect(dialog.get_by_text("Other terms for this customer")).to_be_visible()
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Coupon applied")).to_be_visible()


def total(page: Page, organization: Organization, invoice_id: str, line: str):
    """A line of the totals of an invoice's page."""
    page.goto(organization.address("invoices", invoice_id))
    terms = page.get_by_label("Totals").locator("dl > div")
    return terms.filter(has=page.locator("dt", has_text=line)).locator("dd")


def test_fixed_percentage_recurring_expiry(organization: Organization, page: Page, axe):
    story = organization.story
    made(page, organization, "Launch credit", "LAUNCH")
    page.get_by_role("textbox", name="Amount").fill("500.50")
    page.get_by_label("Currency").select_option("EUR")
    expect(page.get_by_label("Summary")).to_contain_text("€500.50 off the next invoices until it is used up")
    fixed = kept(page, organization, "Launch credit", "LAUNCH")
    assert (fixed["amount_cents"], fixed["amount_currency"], fixed["frequency"]) == (50050, "EUR", "once")

    made(page, organization, "Partner", "PARTNER")
    page.get_by_role("radio", name="Percentage", exact=True).check()
    page.get_by_role("textbox", name="Rate").fill("12.5")
    page.get_by_role("radio", name="Recurring").check()
    page.get_by_role("textbox", name="Number of invoices").fill("6")
    page.get_by_role("radio", name="On a day").check()
    page.get_by_label("Last day to apply").fill("2024-01-31")
    expect(page.get_by_label("Summary")).to_contain_text("12.5% off each of the next 6 invoices, deducted after tax")
    axe(page)
    rate = kept(page, organization, "Partner", "PARTNER")
    assert (rate["percentage_rate"], rate["frequency_duration"]) == ("12.5", 6)
    assert rate["expiration_at"] == "2024-02-01T00:00:00Z"
    expect(page.get_by_role("main")).to_contain_text("Jan 31, 2024")

    customer = story.customer()
    story.travel("2024-02-01T00:00:00Z")
    page.goto(organization.address("coupons"))
    expect(page.get_by_role("row", name="Partner")).to_contain_text("Expired")
    page.goto(organization.address("customers", customer["lago_id"], "coupons", "new"))
    expect(page.get_by_label("Coupon", exact=True)).to_contain_text("Launch credit")
    expect(page.get_by_label("Coupon", exact=True)).not_to_contain_text("Partner")


def test_each_wrong_field_of_a_coupon_keeps_what_was_typed(organization: Organization, page: Page):
    made(page, organization, "Launch credit", "")
    page.get_by_role("textbox", name="Amount").fill("1.001")
    page.get_by_role("button", name="Create coupon").click()
    expect(page.get_by_text("value_is_mandatory")).to_be_visible()
    expect(page.get_by_text("invalid_amount")).to_be_visible()
    expect(page.get_by_role("textbox", name="Code", exact=True)).to_be_focused()
    expect(page.get_by_role("textbox", name="Amount")).to_have_value("1.001")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Launch credit")
    assert organization.story.ok("GET", "/coupons")["coupons"] == []


def test_apply_and_remove(organization: Organization, page: Page, axe):
    story = organization.story
    customer = story.customer("odd/id #1", name="Ada")
    coupon(story, "ten", name="Ten off", frequency="once")
    applied_to(page, organization, customer["lago_id"], "ten")
    (found,) = applied(story)
    assert (found["amount_cents"], found["status"]) == (1000, "active")
    coupons = page.get_by_role("row", name="Ten off")
    expect(coupons).to_contain_text("€10.00")

    page.goto(organization.address("coupons", found["lago_coupon_id"]))
    expect(page.get_by_role("row", name="Ada")).to_contain_text("€10.00")
    axe(page)
    page.get_by_role("button", name="Actions for Ada").click()
    page.get_by_role("link", name="Remove").click()
    dialog = page.get_by_role("dialog", name="Remove Ten off")
    expect(dialog).to_contain_text("€10.00 of €10.00 are left")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    axe(page)
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Coupon removed")).to_be_visible()
    expect(coupons).to_have_count(0)
    assert [each["status"] for each in applied(story)] == ["terminated"]


def test_a_terminated_coupon_stays_with_who_has_it(organization: Organization, page: Page):
    story = organization.story
    story.customer()
    found = coupon(story, "ten", name="Ten off")
    apply(story, "ten")
    page.goto(organization.address("coupons", found["lago_id"]))
    page.get_by_role("link", name="Terminate").click()
    dialog = page.get_by_role("dialog", name="Terminate Ten off")
    expect(dialog).to_contain_text("The one application that it has now stays")
    dialog.get_by_role("button", name="Terminate").click()
    expect(page.get_by_text("Coupon terminated")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Terminated")
    assert story.ok("GET", "/coupons/ten")["coupon"]["terminated_at"]
    assert [each["status"] for each in applied(story)] == ["active"]


@pytest.mark.organization(default_currency="EUR")
def test_a_limited_coupon_leaves_other_plans_alone(organization: Organization, page: Page):
    story = organization.story
    customer = story.customer(currency="EUR")
    for code, cents in (("growth", 10000), ("scale", 30000)):
        story.plan(code, name=code.title(), amount_cents=cents)
        story.subscribe(code, external_id=code)
    made(page, organization, "Half", "HALF")
    page.get_by_role("radio", name="Percentage", exact=True).check()
    page.get_by_role("textbox", name="Rate").fill("50")
    page.get_by_role("radio", name="Forever").check()
    page.get_by_role("radio", name="Plans").check()
    page.get_by_role("checkbox", name="Growth").check()
    expect(page.get_by_label("Summary")).to_contain_text("50% off every invoice, plan Growth only")
    half = kept(page, organization, "Half", "HALF")
    assert (half["limited_plans"], half["plan_codes"]) == (True, ["growth"])
    applied_to(page, organization, customer["lago_id"], "HALF")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert (invoice["fees_amount_cents"], invoice["coupons_amount_cents"]) == (40000, 5000)
    expect(total(page, organization, invoice["lago_id"], "Coupon Half")).to_have_text("−€50.00")
    expect(page.get_by_role("heading", level=1)).to_contain_text("€350.00")


@pytest.mark.organization(default_currency="EUR")
def test_forever_applies_to_every_invoice_and_not_to_one_off(organization: Organization, page: Page):
    story = organization.story
    customer = story.customer(currency="EUR")
    story.plan(amount_cents=10000)
    story.subscribe()
    made(page, organization, "Partner", "PARTNER")
    page.get_by_role("radio", name="Percentage", exact=True).check()
    page.get_by_role("textbox", name="Rate").fill("10")
    page.get_by_role("radio", name="Forever").check()
    kept(page, organization, "Partner", "PARTNER")
    applied_to(page, organization, customer["lago_id"], "PARTNER")
    add_on = {"name": "Set-up", "code": "setup", "amount_cents": 5000, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    one_off = {"external_customer_id": "cust", "currency": "EUR", "fees": [{"add_on_code": "setup"}]}
    single = story.ok("POST", "/invoices", {"invoice": one_off})["invoice"]
    story.travel("2024-04-02T00:00:00Z")
    regular = [each for each in story.invoices() if each["invoice_type"] == "subscription"]
    assert [each["coupons_amount_cents"] for each in regular] == [1000, 1000, 1000]
    for each in regular:
        expect(total(page, organization, each["lago_id"], "Coupon Partner")).to_have_text("−€10.00")
    expect(total(page, organization, single["lago_id"], "Total due")).to_have_text("€50.00")
    expect(page.get_by_label("Totals")).not_to_contain_text("Coupon")
    (still,) = applied(story)
    assert (still["status"], still["frequency"]) == ("active", "forever")


@pytest.mark.organization(default_currency="EUR")
def test_two_coupons_in_order_with_what_is_left(organization: Organization, page: Page):
    story = organization.story
    customer = story.customer(currency="EUR")
    story.plan(amount_cents=10000)
    story.subscribe()
    coupon(story, "first", name="Launch credit", amount_cents=25000, frequency="once")
    coupon(story, "second", name="Partner", percentage_rate="10", frequency="recurring", frequency_duration=6)
    for code in ("second", "first"):
        applied_to(page, organization, customer["lago_id"], code)
    rows = page.get_by_role("row")
    names = page.get_by_role("rowheader")
    expect(names.filter(has_text="Partner")).to_have_count(1)
    listed = [text for text in names.all_inner_texts() if "Partner" in text or "Launch" in text]
    assert [text.split("\n")[0] for text in listed] == ["Partner", "Launch credit"]
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert invoice["total_amount_cents"] == 0
    second, first = applied(story)
    assert (first["amount_cents_remaining"], second["frequency_duration_remaining"]) == (16000, 5)
    page.goto(organization.address("customers", customer["lago_id"]))
    expect(rows.filter(has_text="Launch credit")).to_contain_text("€160.00")
    expect(rows.filter(has_text="Partner")).to_contain_text("5 of 6 periods")
    page.goto(organization.address("coupons", first["lago_coupon_id"]))
    expect(page.get_by_role("row", name=re.compile("^cust "))).to_contain_text("€160.00")
    expect(total(page, organization, invoice["lago_id"], "Coupon Launch credit")).to_have_text("−€90.00")
