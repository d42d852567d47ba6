"""Payments in the browser."""

from playwright.sync_api import Page, expect

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
