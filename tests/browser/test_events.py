"""The debugger of events in the browser."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization
from tests.support.charging import priced
from tests.support.http_story import HttpStory

AT = datetime(2024, 1, 2, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def story(organization: Organization) -> HttpStory:
    """A subscription to a sum."""
    story = organization.story
    story.metric("api_calls")
    story.plan(charges=[priced(story.metric("compute", "sum_agg", name="Compute", field_name="gb_seconds"))])
    story.customer()
    story.subscribe()
    story.travel("2024-01-03T00:00:00Z")
    return story


def test_unknown_code_and_missing_property_are_warned_of(organization: Organization, story: HttpStory, page: Page, axe):
    good = story.use("compute", at=AT, gb_seconds=3)
    unknown = story.use("api_cals", at=AT)
    missing = story.use("compute", at=AT, region="us")
    story.usage()  # All are metered.
    page.goto(organization.address("events"))
    expect(page.get_by_role("row").filter(has_text=good)).not_to_contain_text("Property")
    detail = page.get_by_role("complementary", name="Event")

    row = page.get_by_role("row").filter(has_text=unknown)
    expect(row).to_contain_text("Unknown code")
    row.get_by_role("link").click()
    expect(detail).to_contain_text("No billable metric has the code api_cals.")
    expect(detail.get_by_role("link", name="api_calls")).to_be_visible()
    expect(detail.get_by_role("link", name="Create metric")).to_have_attribute(
        "href", organization.address("billable_metrics", "new?code=api_cals")
    )

    row = page.get_by_role("row").filter(has_text=missing)
    expect(row).to_contain_text("Property")
    row.get_by_role("link").click()
    expect(detail).to_contain_text("This metric adds up gb_seconds, which this event lacks.")
    axe(page)

    page.get_by_role("row").filter(has_text=good).get_by_role("link").click()
    expect(detail).to_contain_text("It counts in the current period.")
    expect(detail.locator(".banner")).to_have_count(0)

    page.get_by_role("button", name="Warnings").click()
    page.get_by_label("Unknown code").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("1–1 of 1")).to_be_visible()


def test_live_shows_what_comes_in(organization: Organization, story: HttpStory, page: Page):
    page.goto(organization.address("events"))
    expect(page.get_by_text("Send the first event; it is counted within seconds.")).to_be_visible()
    live = page.get_by_role("switch", name="Live")
    expect(live).to_have_attribute("aria-checked", "false")
    live.click()
    expect(live).to_have_attribute("aria-checked", "true")
    sent = story.use("compute", at=AT, gb_seconds=3)
    expect(page.get_by_role("row").filter(has_text=sent)).to_be_visible()
    story.use("compute", at=AT, gb_seconds=4)
    expect(page.get_by_text("1–2 of 2")).to_be_visible()
    live.click()
    expect(live).to_have_attribute("aria-checked", "false")


def test_a_hidden_tab_asks_for_nothing(organization: Organization, story: HttpStory, page: Page):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/events" in request.url else None)
    page.goto(organization.address("events"))
    live = page.get_by_role("switch", name="Live")
    live.click()
    expect(live).to_have_attribute("aria-checked", "true")
    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    seen = len(asked)
    transaction = story.use("compute", at=AT, gb_seconds=3)
    page.wait_for_timeout(7_000)  # Longer than from one question to the next: that nothing happens cannot be awaited.
    assert len(asked) == seen
    page.evaluate("delete document.hidden")
    expect(page.get_by_role("row").filter(has_text=transaction)).to_be_visible()
