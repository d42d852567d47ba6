"""Wallets in the browser: credits that are paid and granted, and a balance that is the sum of its list."""

import re
from decimal import Decimal

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization
from tests.support.wallets import pay, read, top_up, wallet


def test_paid_and_granted_credits(organization: Organization, page: Page, axe):
    story = organization.story
    customer = story.customer("cust", name="Cobalt", currency="EUR")
    page.goto(organization.address("customers", customer["lago_id"], "wallets", "new"))
    expect(page.get_by_text("1 credit = 1.00 EUR, 100 credits = 100.00 EUR")).to_be_visible()
    page.get_by_label("Name optional", exact=True).fill("Main wallet")
    page.get_by_label("Value of one credit").fill("2.5")
    expect(page.get_by_text("1 credit = 2.50 EUR, 100 credits = 250.00 EUR")).to_be_visible()
    page.get_by_label("Paid credits optional").fill("10")
    page.get_by_label("Granted credits optional").fill("4")
    page.get_by_role("button", name="Add a recurring top-up").click()
    page.get_by_label("When", exact=True).select_option("At a threshold")
    page.get_by_label("Threshold").fill("1")
    page.get_by_label("Granted credits each time").fill("3")
    axe(page)
    page.get_by_role("button", name="Create wallet").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Main wallet")
    balance = page.locator("#figures")
    expect(balance).to_contain_text("€10.00 4 credits")
    expect(balance).to_contain_text("after €0.00 of usage")
    axe(page)
    (invoice,) = story.invoices()
    assert (invoice["invoice_type"], invoice["total_amount_cents"], invoice["taxes_amount_cents"]) == (
        "credit",
        2500,
        0,
    )
    pay(story, invoice["lago_id"])
    page.reload()
    expect(balance).to_contain_text("€35.00 14 credits")
    page.get_by_role("link", name="Top up").click()
    dialog = page.get_by_role("dialog", name="Top up Main wallet")
    dialog.get_by_label("Granted credits").fill("0.001")
    dialog.get_by_role("button", name="Top up").click()
    expect(dialog.get_by_text("amount_rounds_to_zero")).to_be_visible()
    dialog.get_by_label("Granted credits").fill("6")
    dialog.get_by_role("button", name="Top up").click()
    expect(balance).to_contain_text("€50.00 20 credits")
    (made,) = story.ok("GET", "/wallets")["wallets"]
    assert made["balance_cents"] == 5000
    assert made["recurring_transaction_rules"][0]["trigger"] == "threshold"


def test_balance_is_the_sum_of_the_list(organization: Organization, page: Page):
    story = organization.story
    story.customer("cust", name="Cobalt", currency="EUR")
    made = wallet(story, name="Main", granted_credits="120.50")
    top_up(story, made, voided_credits="20.25", granted_credits="7")
    story.plan(amount_cents=3000)
    story.subscribe()
    story.travel("2024-02-01T10:00:00Z")
    page.goto(organization.address("wallets", made["lago_id"]))
    rows = page.get_by_role("table").get_by_role("row").filter(has=page.get_by_role("rowheader"))
    expect(rows).to_have_count(4)
    amounts = [row.get_by_role("cell").nth(4).inner_text() for row in rows.all()]
    total = sum(Decimal(re.sub(r"[^\d.\u2212]", "", each.split("\n")[0]).replace("\u2212", "-")) for each in amounts)
    assert total == Decimal("77.25")
    expect(page.locator("#figures")).to_contain_text("€77.25")
    assert read(story, made)["balance_cents"] == 7725
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Terminate wallet").click()
    dialog = page.get_by_role("dialog", name="Terminate Main")
    expect(dialog.get_by_text("€77.25 (77.25 credits) is left in it and is lost")).to_be_visible()
    dialog.get_by_label("Type the code main").fill("main")
    dialog.get_by_role("button", name="Terminate wallet").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Terminated")
    assert read(story, made)["status"] == "terminated"
