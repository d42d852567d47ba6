"""Payments in the browser."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.support import paying
from tests.support.browsing import Organization


def test_a_payment_by_hand_is_listed_with_its_receipt(organization: Organization, page: Page, axe):
    story = organization.story
    story.customer("cust", name="Cobalt", currency="EUR")
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    body = {"external_customer_id": "cust", "fees": [{"add_on_code": "setup"}]}
    invoice = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    page.goto(organization.address("payments"))
    expect(page.get_by_text("No payments yet")).to_be_visible()
    payment = {"invoice_id": invoice["lago_id"], "amount_cents": 1000, "reference": "SEPA 77"}
    story.ok("POST", "/payments", {"payment": payment})
    page.reload()
    row = page.get_by_role("row").filter(has_text=invoice["number"])
    for text in ("Succeeded", "Cobalt", "Manual", "SEPA 77", "€10.00"):
        expect(row).to_contain_text(text)
    axe(page)
    row.get_by_role("link", name=invoice["number"]).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("€10.00")
    (receipt,) = story.ok("GET", "/payment_receipts")["payment_receipts"]
    expect(page.get_by_text(receipt["number"])).to_be_visible()
    axe(page)


def test_retry_of_one(organization: Organization, page: Page):
    story = organization.story
    invoice = declined(organization)
    page.goto(organization.address("invoices", invoice["lago_id"]))
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("link", name="Resend for collection").last.click()
    page.get_by_role("dialog").get_by_role("button", name="Resend for collection").click()
    expect(page.get_by_text("Resent for collection")).to_be_visible()
    paying.until(story, lambda: states(organization, invoice) == ["failed", "failed"])


def test_retry_of_all_shows_progress(organization: Organization, page: Page):
    story = organization.story
    invoices = [declined(organization), *(billed(organization) for _ in range(2))]
    paying.until(story, lambda: all(states(organization, each)[:1] == ["failed"] for each in invoices))
    before = sum(len(states(organization, each)) for each in invoices)
    page.goto(organization.address("invoices"))
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Resend all for collection").click()
    page.get_by_role("dialog").get_by_role("button", name="Resend 3 for collection").click()
    page.wait_for_url("**/work/*")
    expect(page.get_by_text("3 of 3 done")).to_be_visible()
    paying.until(story, lambda: sum(len(states(organization, each)) for each in invoices) == before + 3)


def test_a_payment_is_requested_for_several_invoices(organization: Organization, page: Page, axe):
    story = organization.story
    story.customer("cust", name="Cobalt", currency="EUR", email="pay@example.com")
    setup(organization)
    for _ in range(2):
        billed(organization)
    story.travel("2024-01-03T00:00:00Z")
    page.goto(organization.address("payment_requests"))
    page.get_by_role("link", name="Request a payment").first.click()
    page.get_by_role("link", name="Cobalt").click()
    expect(page.get_by_text("€25.00")).to_be_visible()
    page.get_by_role("checkbox").first.uncheck()
    expect(page.get_by_label("What happens")).to_contain_text("€12.50")
    page.get_by_role("checkbox").first.check()
    axe(page)
    page.get_by_role("button", name="Request the payment").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("€25.00")
    axe(page)
    (asked,) = story.ok("GET", "/payment_requests")["payment_requests"]
    assert asked["amount_cents"] == 2500
    page.get_by_role("link", name="Resend for collection").click()
    expect(page.get_by_role("dialog")).to_contain_text("€25.00 is still due of 2 invoices")
    page.get_by_role("dialog").get_by_role("button", name="Resend for collection").click()
    expect(page.get_by_text("Resent for collection")).to_be_visible()


def setup(organization: Organization) -> None:
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
    organization.story.ok("POST", "/add_ons", {"add_on": add_on})


def billed(organization: Organization) -> Any:
    body = {"external_customer_id": "cust", "currency": "EUR", "fees": [{"add_on_code": "setup"}]}
    return organization.story.ok("POST", "/invoices", {"invoice": body})["invoice"]


def declined(organization: Organization) -> Any:
    """An invoice of a customer whose card is declined."""
    story = organization.story
    paying.connect(story)
    paying.link(story, "cust", name="Cobalt", currency="EUR")
    setup(organization)
    invoice = billed(organization)
    paying.leave(story, "cust", paying.DECLINED)  # What waited for a way to pay is charged, once.
    paying.until(story, lambda: states(organization, invoice) == ["failed"])
    return invoice


def states(organization: Organization, invoice: Any) -> list[str]:
    """States of an invoice's payments, the last one first."""
    found = organization.story.ok("GET", f"/payments?invoice_id={invoice['lago_id']}")["payments"]
    return [each["payment_status"] for each in found]
