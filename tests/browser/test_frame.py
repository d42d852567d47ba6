"""The frame of every page."""

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization, Running


def test_version_under_the_organizations_name_equals_health(page: Page, organization: Organization, stack: Running):
    page.goto(organization.address())
    version = page.request.get(f"{stack.url}/health").json()["version"]
    expect(page.get_by_role("button", name=organization.name)).to_contain_text(f"Tollgate {version}")


def test_keys_lead_to_pages_and_escape_closes(page: Page, organization: Organization):
    page.goto(organization.address("settings"))
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Customers", exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).not_to_be_visible()


def test_dark_colours_stay(page: Page, organization: Organization, axe):
    page.goto(organization.address("settings"))
    page.get_by_role("button", name="Dark colours").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    axe(page)
