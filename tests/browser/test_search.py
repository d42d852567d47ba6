"""One box for everything, and the box of each list."""

import re

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def test_one_box_finds_everything(page: Page, organization: Organization, axe):
    story = organization.story
    story.metric("falcon_calls", name="Falcon calls")
    story.plan("falcon_plan", name="Falcon plan", amount_cents=1000)
    customer = story.customer("falcon-1", name="Falcon Ltd", currency="EUR")
    story.subscribe("falcon_plan", "falcon-sub", "falcon-1", name="Falcon main")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    page.goto(organization.address())
    page.keyboard.press("/")
    page.keyboard.type("falcon")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Results for “falcon”")).to_be_visible()
    for name in ("Falcon Ltd", "Falcon main", invoice["number"], "Falcon plan", "Falcon calls"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    axe(page)
    page.get_by_role("link", name="All customers with “falcon”").click()
    expect(page).to_have_url(re.compile(r"/customers\?search_term=falcon$"))
    expect(page.get_by_role("link", name="Falcon Ltd")).to_be_visible()
    for exact, place in ((customer["lago_id"], "customers"), (invoice["number"], "invoices")):
        page.goto(organization.address("search"))
        address = page.request.get(f"{page.url}?q={exact}", max_redirects=0).headers["location"]
        assert re.search(rf"/{place}/[0-9a-f-]+$", address)


def test_nothing_found_says_so(page: Page, organization: Organization):
    page.goto(organization.address("search") + "?q=nowhere")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
