"""Instants and zones in the browser: dotted, on hover or focus in the zones that count, and what a zone decides."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


@pytest.mark.organization(timezone="Europe/Paris", at="2026-08-03T08:00:00Z")
def test_hover_shows_utc_organization_and_customer(page: Page, organization: Organization):
    story = organization.story
    lago_id = story.customer("cobalt", name="Cobalt Robotics", timezone="Asia/Tokyo")["lago_id"]
    story.plan("plan", amount_cents=1_000)
    story.subscribe("plan", "sub", "cobalt", name="Cobalt production")
    page.goto(organization.address("customers", lago_id))
    started = page.get_by_role("row", name="Cobalt production").locator("time")
    expect(started).to_have_text("Aug 3, 2026")
    assert "dotted" in started.evaluate("each => getComputedStyle(each).textDecorationStyle")
    tip = page.get_by_role("tooltip")
    expect(tip).to_be_hidden()
    lines = (
        "UTC\nAug 3, 2026, 08:00:00\nOrganization\nAug 3, 2026, 10:00:00 · Europe/Paris\n"
        "Customer\nAug 3, 2026, 17:00:00 · Asia/Tokyo"
    )
    started.hover()
    expect(tip).to_be_visible()
    assert tip.inner_text().strip() == lines
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    started.focus()
    expect(tip).to_be_visible()
    assert tip.inner_text().strip() == lines


@pytest.mark.organization(timezone="Europe/Paris", at="2026-08-31T16:00:00Z")
def test_what_is_counted_in_the_customers_zone_is_shown_in_it(page: Page, organization: Organization):
    story = organization.story
    lago_id = story.customer("cobalt", timezone="Asia/Tokyo")["lago_id"]  # Where September has begun.
    story.plan("plan", amount_cents=1_000)
    made = story.subscribe("plan", "sub", "cobalt")
    page.goto(organization.address("customers", lago_id))
    expect(page.get_by_role("row", name="sub").locator("time")).to_have_text("Aug 31, 2026")
    expect(page.locator(".figures")).to_contain_text("Oct 1, 2026")
    page.goto(organization.address("subscriptions", made["lago_id"]))
    expect(page.locator(".period")).to_have_text("Sep 1, 2026 – Sep 30, 2026")


@pytest.mark.organization(timezone="America/New_York", at="2024-01-15T12:00:00-05:00")
def test_the_zone_decides_the_billing_day(page: Page, organization: Organization):
    story = organization.story
    story.plan(amount_cents=1000)
    story.customer("here", currency="EUR")
    story.customer("there", currency="EUR", timezone="Asia/Tokyo")
    for name in ("here", "there"):
        story.subscribe(external_id=f"sub-{name}", customer=name)
    page.goto(organization.address("settings"))
    clock = page.get_by_role("region", name="Organization clock")
    page.get_by_role("button", name="To next billing day").click()
    expect(clock).to_contain_text("Jan 31, 2024, 10:00")
    expect(page.get_by_text("The clock has arrived: 1 invoice")).to_be_visible()
    page.get_by_role("button", name="To next billing day").click()
    expect(clock).to_contain_text("Feb 1, 2024, 00:00")
    expect(page.get_by_text("The clock has arrived: 1 invoice")).to_be_visible()
    dates = {each["customer"]["external_id"]: each["issuing_date"] for each in story.invoices()}
    assert dates == {"here": "2024-02-01", "there": "2024-02-01"}
    page.get_by_role("link", name="Settings").last.click()
    page.get_by_label("Time zone").fill("Europe/Paris")
    page.get_by_role("button", name="Save").click()
    expect(clock).to_contain_text("Feb 1, 2024, 06:00")
    page.get_by_role("button", name="To next billing day").click()
    expect(clock).to_contain_text("Feb 29, 2024, 16:00")
    page.get_by_role("button", name="To next billing day").click()
    expect(clock).to_contain_text("Mar 1, 2024, 00:00")
