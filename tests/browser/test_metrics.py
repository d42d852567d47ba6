"""Billable metrics in the browser: made by their form, used by plans, and what events they ask for."""

import re

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def begun(page: Page, organization: Organization, name: str, code: str) -> None:
    """Begin the form of a metric."""
    page.goto(organization.address("billable_metrics"))
    page.get_by_role("link", name="Create a billable metric").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("textbox", name="Code", exact=True).fill(code)


def test_dimensions_price_and_show_by_value(organization: Organization, page: Page, axe):
    story = organization.story
    begun(page, organization, "Compute", "compute")
    page.get_by_role("radio", name="Sum", exact=False).first.check()
    page.get_by_role("textbox", name="Field name").fill("gb")
    page.get_by_role("button", name="Add a dimension").click()
    page.get_by_role("textbox", name="Filter key").fill("region")
    page.get_by_role("textbox", name="Values").fill("us-east\neu-west")
    event = page.get_by_label("Event", exact=True)
    expect(event).to_contain_text('"region": "us-east"')
    expect(page.get_by_role("textbox", name="Values")).to_be_focused()
    axe(page)
    page.get_by_role("button", name="Create billable metric").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Compute")
    metric = story.ok("GET", "/billable_metrics/compute")["billable_metric"]
    assert (metric["aggregation_type"], metric["field_name"]) == ("sum_agg", "gb")
    assert metric["filters"] == [{"key": "region", "values": ["us-east", "eu-west"]}]
    charge = {
        "billable_metric_id": metric["lago_id"],
        "charge_model": "standard",
        "properties": {"amount": "1"},
        "filters": [{"values": {"region": ["eu-west"]}, "properties": {"amount": "2"}}],
    }
    story.plan(name="Growth", charges=[charge])
    story.customer()
    story.subscribe()
    for region, gb in (("us-east", 3), ("eu-west", 5)):
        story.use("compute", at=1704070000, gb=gb, region=region)
    story.use("compute", at=1704070001)
    assert story.usage()["amount_cents"] == 1300

    page.reload()
    expect(page.get_by_role("link", name="Growth")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("us-east")
    events = page.locator("#events tbody tr")
    expect(events).to_have_count(3)
    expect(page.locator("#events tr.warned")).to_have_count(1)
    axe(page)


def test_recurring_units_are_prorated_on_the_page(organization: Organization, page: Page):
    story = organization.story
    begun(page, organization, "Seats", "seats")
    page.get_by_role("radio", name="Unique count").check()
    page.get_by_role("textbox", name="Field name").fill("seat_id")
    page.get_by_role("radio", name="Recurring").check()
    expect(page.get_by_label("Event", exact=True)).to_contain_text('"operation_type": "add"')
    page.get_by_role("radio", name="Maximum").check()
    expect(page.get_by_role("radio", name="Recurring")).to_be_hidden()
    page.get_by_role("radio", name="Unique count").check()
    page.get_by_role("button", name="Create billable metric").click()
    expect(page).to_have_url(re.compile(r"/billable_metrics/[0-9a-f-]{36}$"))
    expect(page.get_by_role("main")).to_contain_text("Recurring")
    metric = story.ok("GET", "/billable_metrics/seats")["billable_metric"]
    assert (metric["aggregation_type"], metric["recurring"]) == ("unique_count_agg", True)
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "prorated": True}
    story.plan(charges=[{**charge, "properties": {"amount": "31"}}])
    story.customer()
    story.subscribe()
    story.travel("2024-01-16T12:00:00Z")
    story.use("seats", at=1705363200, seat_id="a", operation_type="add")  # 16 January: 16 of 31 days are left.
    assert story.usage()["amount_cents"] == 1600


def test_what_plans_use_is_locked_and_a_deletion_names_them(organization: Organization, page: Page, axe):
    story = organization.story
    metric = story.metric("calls", name="Calls")
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan(name="Growth", charges=[charge])
    page.goto(organization.address("billable_metrics", metric["lago_id"], "edit"))
    expect(page.get_by_role("textbox", name="Code", exact=True)).not_to_be_editable()
    expect(page.get_by_label("Aggregation")).to_be_disabled()
    expect(page.get_by_role("link", name="Growth")).to_be_visible()
    axe(page)
    page.get_by_role("textbox", name="Name", exact=True).fill("API calls")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("API calls")
    page.get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete API calls")
    expect(dialog).to_contain_text("These plans lose the charge that prices it")
    expect(dialog.get_by_role("link", name="Growth")).to_be_visible()
    axe(page)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Billable metric deleted")).to_be_visible()
    expect(page.get_by_role("heading", name="No billable metrics yet")).to_be_visible()
    assert story.call("GET", "/billable_metrics/calls").status == 404
    assert story.ok("GET", "/plans/plan")["plan"]["charges"] == []
