"""Home: from nothing to an invoice."""

import re

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def test_from_nothing_to_an_invoice(page: Page, organization: Organization, axe):
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
