"""Drafts in the browser: what still enters them, and when they become final."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def drafted(organization: Organization, grace: int = 3) -> Any:
    """A draft of January with a charge for calls."""
    story = organization.story
    charge = {
        "billable_metric_id": story.metric()["lago_id"],
        "charge_model": "standard",
        "properties": {"amount": "4"},
    }
    story.plan(amount_cents=5000, charges=[charge])
    story.customer(name="Cobalt", currency="EUR", billing_configuration={"invoice_grace_period": grace})
    story.subscribe()
    story.travel("2024-02-02T10:00:00Z")
    return story.invoices("&status=draft")[0]


def test_a_late_event_enters_the_draft(organization: Organization, page: Page, axe):
    draft = drafted(organization)
    page.goto(organization.address("invoices", draft["lago_id"]))
    expect(page.get_by_role("heading", level=1)).to_contain_text("€50.00")
    banner = page.get_by_role("main").get_by_text(
        "Draft until Feb 4, 2024. Events up to Jan 31, 2024, coupons and credits"
    )
    expect(banner).to_be_visible()
    organization.story.use(at=1704931200)  # 11 January.
    organization.story.use(at=1706870000)  # 2 February: the next invoice's.
    page.get_by_role("button", name="Refresh").first.click()
    expect(page.get_by_role("status").filter(has_text="Refreshed")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("€54.00")
    shown = organization.story.ok("GET", f"/invoices/{draft['lago_id']}")["invoice"]
    assert (shown["status"], shown["total_amount_cents"]) == ("draft", 5400)
    axe(page)


def test_finalize_now(organization: Organization, page: Page):
    draft = drafted(organization)
    page.goto(organization.address("invoices", draft["lago_id"]))
    page.get_by_role("link", name="Finalize now").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("So far it comes to €50.00.")).to_be_visible()
    dialog.get_by_role("button", name="Finalize now").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Pending")
    shown = organization.story.ok("GET", f"/invoices/{draft['lago_id']}")["invoice"]
    assert (shown["status"], shown["issuing_date"]) == ("finalized", "2024-02-02")
    expect(page.get_by_role("main").get_by_text(shown["number"]).first).to_be_visible()


def test_the_customers_grace_overrides(organization: Organization, page: Page):
    organization.story.organization(billing_configuration={"invoice_grace_period": 1})
    draft = drafted(organization, grace=10)
    page.goto(organization.address("invoices", draft["lago_id"]))
    expect(page.get_by_role("main").get_by_text("Draft until Feb 11, 2024.")).to_be_visible()
