"""The clock of a sandbox, moved as people do."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def billed(organization: Organization, number: int = 2) -> None:
    """Customers whose monthly plan is billed on February 1."""
    organization.story.plan(amount_cents=1000)
    for n in range(number):
        organization.story.customer(f"c{n}", currency="EUR")
        organization.story.subscribe(external_id=f"s{n}", customer=f"c{n}")


def test_a_month_forward_bills_everyone(page: Page, organization: Organization):
    billed(organization)
    page.goto(organization.address("customers"))
    page.get_by_role("link", name="Choose…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Move the clock forward")).to_be_visible()
    expect(dialog.get_by_label("Day")).to_be_focused()
    expect(dialog.get_by_text("2 customers billed in UTC")).to_be_visible()
    dialog.get_by_label("Day").fill("2024-01-20")
    expect(dialog.get_by_text("Nothing is planned until then.")).to_be_visible()
    dialog.get_by_label("Day").fill("2024-02-03")
    dialog.get_by_role("button", name="Move to Feb 3, 2024, 09:00").click()
    expect(page.get_by_text("The clock has arrived: 2 invoices")).to_be_visible()
    expect(page.get_by_role("region", name="Organization clock")).to_contain_text("Feb 3, 2024, 09:00")
    assert [each["total_amount_cents"] for each in organization.story.invoices()] == [1000, 1000]


def test_an_earlier_instant_is_refused_at_its_field(page: Page, organization: Organization, axe):
    page.goto(organization.address("customers"))
    page.get_by_role("link", name="Choose…").click()
    page.get_by_label("Day").fill("2023-12-24")
    page.get_by_role("button", name=re.compile("^Move to Dec 24")).click()
    expect(page.get_by_text("value_must_be_later")).to_be_visible()
    expect(page.get_by_label("Day")).to_be_focused()
    axe(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()


def test_forms_wait_while_it_moves(page: Page, organization: Organization):
    billed(organization, 8)
    page.goto(organization.address("settings"))
    clock = page.get_by_role("region", name="Organization clock")
    page.get_by_role("link", name="Choose…").click()
    page.get_by_label("Day").fill("2030-01-01")
    page.get_by_role("button", name=re.compile("^Move to Jan 1, 2030")).click()
    expect(clock.get_by_text("Moving to Jan 1, 2030")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    expect(page.get_by_text("The clock is moving. Try again when it has arrived.").first).to_be_visible()
    expect(clock.get_by_text(re.compile(r"\d+ invoices"))).to_be_visible()
    clock.get_by_role("button", name="Stop here").click()
    expect(page.get_by_role("button", name="Save")).to_be_enabled()
    assert organization.story.ok("GET", "/test_clock")["test_clock"]["now"] < "2030"


@pytest.mark.organization(timezone="Europe/Paris", at="2024-03-30T12:00:00+01:00")
def test_a_day_is_one_of_the_calendar(page: Page, organization: Organization):
    page.goto(organization.address("customers"))
    page.get_by_role("button", name="1 day").click()
    clock = page.get_by_role("region", name="Organization clock")
    expect(clock).to_contain_text("Mar 31, 2024, 12:00")
    assert organization.story.ok("GET", "/test_clock")["test_clock"]["now"] == "2024-03-31T10:00:00Z"


@pytest.mark.organization(at=None)
def test_a_new_clock_may_be_set_to_the_past_once(page: Page, organization: Organization):
    page.goto(organization.address("customers"))
    page.get_by_role("link", name="Choose…").click()
    page.get_by_label("Day").fill("2020-01-01")
    page.get_by_role("button", name=re.compile("^Set to Jan 1, 2020")).click()
    expect(page.get_by_role("region", name="Organization clock")).to_contain_text("Jan 1, 2020, 09:00")
