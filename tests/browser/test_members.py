"""Members: an invitation from one browser to another, and the end of a membership."""

from playwright.sync_api import Page, expect

from tests.support import browsing
from tests.support.browsing import Organization, Running


def test_invite_choose_a_password_and_be_removed(
    page: Page, visitor: Page, stack: Running, organization: Organization, axe
):
    email = f"ada-{organization.slug}@example.com"
    page.goto(organization.address("settings", "members"))
    axe(page)
    page.get_by_role("link", name="Invite a member").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Generate invitation link").click()
    link = page.get_by_role("button", name="Copy invitation link").get_attribute("data-copy")
    assert link is not None
    axe(page)
    visitor.goto(link.replace(link.partition("/invitation")[0], stack.url))
    visitor.get_by_label("Password", exact=True).fill(browsing.PASSWORD)
    visitor.get_by_label("Password again").fill(browsing.PASSWORD)
    visitor.get_by_role("button", name=f"Join {organization.name}").click()
    expect(visitor.get_by_role("heading", name="Home")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name=f"Remove {email}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=f"Remove {email}")).to_be_visible()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text(f"{email} removed")).to_be_visible()
    visitor.get_by_role("link", name="Customers").click()
    expect(visitor.get_by_role("heading", name="Log in")).to_be_visible()
