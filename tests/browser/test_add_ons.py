"""Add-ons in the browser: sold on a one-off invoice."""

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def test_a_one_off_invoice_at_once(organization: Organization, page: Page, axe):
    story = organization.story
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    for code, cents in (("setup", 1250), ("hour", 999)):
        body = {"name": code.title(), "code": code, "amount_cents": cents, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": body})
    story.customer(name="Cobalt", currency="EUR")
    page.goto(organization.address("invoices"))
    page.get_by_role("link", name="One-off invoice").first.click()
    page.get_by_label("Customer").fill("cust")
    page.get_by_label("Add-on").select_option("setup")
    page.get_by_label("Units").fill("3")
    total = page.get_by_role("region", name="Total")
    expect(total).to_contain_text("€45.00")
    page.get_by_role("button", name="Add a fee").click()
    second = page.get_by_role("group", name="Fee 2")
    second.get_by_label("Add-on").select_option("hour")
    second.get_by_label("Units").fill("0.5")
    expect(total).to_contain_text("€51.00")
    axe(page)
    assert story.invoices() == []
    page.get_by_role("button", name="Issue invoice").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("€51.00")
    (invoice,) = story.invoices()
    assert (invoice["status"], invoice["invoice_type"], invoice["total_amount_cents"]) == ("finalized", "one_off", 5100)
    expect(page.get_by_role("main").get_by_text(invoice["number"]).first).to_be_visible()
