"""Add-ons and taxes in the browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


@pytest.mark.organization(default_currency="EUR")
def test_a_tax_and_an_add_on_are_made_changed_and_deleted(organization: Organization, page: Page, axe):
    story = organization.story
    page.goto(organization.address("taxes"))
    page.get_by_role("link", name="Create a tax").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill("VAT")
    page.get_by_role("textbox", name="Code", exact=True).fill("vat")
    page.get_by_role("textbox", name="Rate").fill("20")
    page.get_by_role("checkbox", name="Applied to all").check()
    axe(page)
    page.get_by_role("button", name="Create tax").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("VAT")
    tax = story.ok("GET", "/taxes/vat")["tax"]
    assert (tax["rate"], tax["applied_to_organization"]) == (20, True)

    page.goto(organization.address("add_ons"))
    page.get_by_role("link", name="Create an add-on").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Set-up")
    page.get_by_role("textbox", name="Code", exact=True).fill("setup")
    page.get_by_role("textbox", name="Amount").fill("250.50")
    page.get_by_role("checkbox", name="VAT").check()
    axe(page)
    page.get_by_role("button", name="Create add-on").click()
    expect(page.get_by_role("main")).to_contain_text("€250.50")
    add_on = story.ok("GET", "/add_ons/setup")["add_on"]
    assert (add_on["amount_cents"], add_on["amount_currency"], add_on["taxes"][0]["code"]) == (25050, "EUR", "vat")
    axe(page)
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_role("textbox", name="Amount")).to_have_value("250.50")
    page.get_by_role("textbox", name="Amount").fill("300")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("main")).to_contain_text("€300.00")
    assert story.ok("GET", "/add_ons/setup")["add_on"]["amount_cents"] == 30000

    page.goto(organization.address("add_ons"))
    page.get_by_role("button", name="Actions for Set-up").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("dialog", name="Delete Set-up").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No add-ons yet")).to_be_visible()
    assert story.call("GET", "/add_ons/setup").status == 404
