"""Home: from nothing to an invoice."""

import re

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def test_from_nothing_to_an_invoice(page: Page, organization: Organization):
    """By the list of first steps, the forms that it leads to and what they propose, and nothing else but the event."""
    story = organization.story
    steps = page.get_by_role("listitem")

    def take(step: str, button: str, heading: str) -> None:
        page.get_by_role("link", name="Home").click()
        page.get_by_role("link", name=step).click()
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)

    page.goto(organization.address("customers"))
    take("Create a metric", "Create billable metric", "API calls")
    take("Create a plan", "Create plan", "Growth")
    take("Add a customer", "Add customer", "First customer")
    page.get_by_role("link", name="Home").click()
    expect(steps.filter(has_text="Add a customer (done)")).to_be_visible()
    page.get_by_role("link", name="Assign the plan").click()
    expect(page.get_by_label("Plan", exact=True)).to_have_value("growth")
    expect(page.get_by_text("First invoice:")).to_be_visible()
    page.get_by_role("button", name="Assign plan").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Active")
    page.get_by_role("link", name="Home").click()

    command = page.get_by_label("Command that sends an event")
    expect(command).to_contain_text('"code": "api_calls"')
    (subscription,) = story.ok("GET", "/subscriptions")["subscriptions"]
    expect(command).to_contain_text(f'"external_subscription_id": "{subscription["external_id"]}"')
    story.use("api_calls", at=1704153600, subscription=subscription["external_id"])
    expect(steps.filter(has_text="Send an event (done)")).to_be_visible()

    page.get_by_role("button", name="Move the clock to the billing day").click()
    expect(page.get_by_text("The clock has arrived: 1 invoice")).to_be_visible()
    steps.filter(has_text="See the invoice (done)").get_by_role("link", name="Invoices").click()
    page.get_by_role("main").get_by_role("row").nth(1).get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("$49.50")
    (invoice,) = story.invoices()
    assert (invoice["status"], invoice["total_amount_cents"]) == ("finalized", 4950)


def test_what_was_invoiced_is_a_bar_and_a_row_of_a_table(page: Page, organization: Organization, axe):
    story = organization.story
    for code, currency, cents in (("eur", "EUR", 1250), ("usd", "USD", 4900)):
        story.plan(code, amount_cents=cents, amount_currency=currency)
        story.customer(code, currency=currency)
        story.subscribe(code, code, code)
    story.travel("2024-03-01T00:00:00Z")
    page.goto(organization.address())
    card = page.get_by_role("region").or_(page.locator("section")).filter(has_text="Invoiced by month, EUR")
    expect(
        page.get_by_role("img", name=re.compile("Invoiced by month, USD, .*: \\$98.00 on 2 invoices"))
    ).to_be_visible()
    card.get_by_text("Show as a table").click()
    expect(card.get_by_role("row", name="March 2024 €12.50")).to_be_visible()
    axe(page)


def test_the_example_leads_to_an_invoice(page: Page, organization: Organization, axe):
    page.goto(organization.address())
    axe(page)
    page.get_by_role("button", name="Create example data").click()
    expect(page.get_by_text("Example data created")).to_be_visible()
    steps = page.get_by_role("listitem")
    expect(steps.filter(has_text="Send an event (done)")).to_be_visible()
    page.get_by_role("button", name="Move the clock to the billing day").click()
    expect(page.get_by_text("The clock has arrived: 1 invoice")).to_be_visible()
    expect(steps.filter(has_text="See the invoice (done)")).to_be_visible()
    (invoice,) = organization.story.invoices()
    assert (invoice["status"], invoice["fees_amount_cents"]) == ("finalized", 4900 + 20 * 50)
    expect(page.get_by_role("link", name="$59.00")).to_have_attribute("href", re.compile("/invoices"))
    axe(page)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("heading", name="First steps")).not_to_be_visible()


def test_the_row_turns_green_when_the_event_is_counted(page: Page, organization: Organization):
    story = organization.story
    story.metric()
    story.plan()
    story.customer(currency="EUR")
    story.subscribe()
    page.goto(organization.address())
    row = page.get_by_role("listitem").filter(has_text="Send an event")
    expect(row.get_by_text('"external_subscription_id": "sub", "code": "calls"')).to_be_visible()
    story.use(at=1704067200)
    expect(row.get_by_text("Events are counted.")).to_be_visible()
