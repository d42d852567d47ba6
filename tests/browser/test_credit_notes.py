"""Credit notes in the browser: issued with the estimate beside the form, voided, and their refunds."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization
from tests.support.http_story import HttpStory


def sold(story: HttpStory) -> Any:
    """An invoice of two fees, 769.00 and 100.00, at 20 %."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.customer("cust", name="Cobalt", currency="EUR")
    for code, cents in (("setup", 76900), ("training", 10000)):
        body = {"name": code.title(), "code": code, "amount_cents": cents, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": body})
    fees = [{"add_on_code": code} for code in ("setup", "training")]
    return story.ok("POST", "/invoices", {"invoice": {"external_customer_id": "cust", "fees": fees}})["invoice"]


def test_credit_of_an_unpaid_invoice(organization: Organization, page: Page, axe):
    story = organization.story
    invoice = sold(story)
    page.goto(organization.address("credit_notes", f"new?invoice={invoice['lago_id']}"))
    estimate = page.get_by_role("region", name="Estimate")
    expect(estimate).to_contain_text("€1,042.80")
    expect(page.get_by_label("Refund", exact=False).first).not_to_be_editable()
    expect(page.get_by_text("Nothing of this invoice was paid, so nothing can be refunded.")).to_be_visible()
    page.get_by_role("checkbox", name="Training").uncheck()
    expect(estimate).to_contain_text("€922.80")
    amount = page.get_by_role("group", name="Setup").get_by_label("Amount")
    amount.fill("769.01")
    expect(estimate).to_contain_text("higher_than_remaining_fee_amount")
    amount.fill("726.86")
    expect(estimate).to_contain_text("€872.23")
    page.get_by_label("Reason").select_option("Order change")
    axe(page)
    page.get_by_role("button", name="Issue credit note").click()
    expect(page.get_by_role("status").filter(has_text="Issued credit note")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("€872.23")
    (note,) = story.notes()
    parts = [note[f"{name}_amount_cents"] for name in ("total", "credit", "refund", "offset")]
    assert (parts, note["reason"]) == ([87223, 87223, 0, 0], "order_change")
    axe(page)
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("link", name="Void credit note").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("€872.23 of its €872.23 of credit is left")).to_be_visible()
    dialog.get_by_role("button", name="Void credit note").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Voided")
    assert story.notes()[0]["credit_status"] == "voided"


def test_credit_and_refund_of_a_paid_one(organization: Organization, page: Page):
    story = organization.story
    invoice = sold(story)
    story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 104280}})
    page.goto(organization.address("credit_notes", f"new?invoice={invoice['lago_id']}"))
    expect(page.get_by_text("Nothing of this invoice is due any more.")).to_be_visible()
    page.get_by_role("checkbox", name="Setup").uncheck()
    page.get_by_role("textbox", name="Refund optional").fill("50")
    estimate = page.get_by_role("region", name="Estimate")
    expect(estimate).to_contain_text("€70.00")
    page.get_by_role("button", name="Issue credit note").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refund pending")
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("link", name="Update refund status").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Succeeded").check()
    dialog.get_by_role("button", name="Update status").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refund succeeded")
    (note,) = story.notes()
    found = [note[f"{name}_amount_cents"] for name in ("total", "credit", "refund")]
    assert (found, note["refund_status"]) == ([12000, 7000, 5000], "succeeded")
    page.goto(organization.address("credit_notes"))
    row = page.get_by_role("row").filter(has_text=note["number"])
    for text in ("Cobalt", "€70.00", "€50.00"):
        expect(row).to_contain_text(text)
