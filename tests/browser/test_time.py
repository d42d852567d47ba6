"""Instants in the browser: dotted, and on hover or focus in the zones that count."""

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
    story.subscribe("plan", "sub", "cobalt")
    page.goto(organization.address("customers", lago_id))
    expect(page.get_by_role("row", name="sub").locator("time")).to_have_text("Aug 31, 2026")
    expect(page.locator(".figures")).to_contain_text("Oct 1, 2026")
    page.get_by_role("link", name="Usage").click()
    expect(page.locator(".period")).to_have_text("Sep 1, 2026 – Sep 30, 2026")
