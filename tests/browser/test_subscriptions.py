"""Subscriptions in the browser: starts, billing times, two plans on one invoice, changes of plan."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def sold(organization: Organization, **plan: Any) -> str:
    """A customer and a plan of 31.00 a month; the customer's id."""
    story = organization.story
    story.plan("basic", name="Basic", amount_cents=3100, **plan)
    return str(story.customer("cobalt", name="Cobalt Robotics", currency="EUR")["lago_id"])


def assign(page: Page, organization: Organization, customer: str, plan: str = "basic", **fields: str) -> None:
    page.goto(organization.address("customers", customer, "subscriptions", "new"))
    page.get_by_label("Plan", exact=True).select_option(plan)
    expect(page.get_by_text("First invoice:")).to_be_visible()
    for label, value in fields.items():
        page.get_by_label(re.compile(f"^{label}")).fill(value)
        page.get_by_label(re.compile(f"^{label}")).press("Tab")


@pytest.mark.organization(at="2024-03-15T10:00:00Z")
def test_start_in_the_past_bills_from_today(organization: Organization, page: Page, axe):
    customer = sold(organization)
    assign(page, organization, customer, Start="2024-01-10T00:00")
    expect(page.get_by_text("there is no invoice for periods before today")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Assign plan").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Active")
    assert organization.story.invoices() == []
    organization.story.travel("2024-04-01T10:00:00Z")
    (invoice,) = organization.story.invoices()
    assert invoice["issuing_date"] == "2024-04-01"


@pytest.mark.organization(at="2024-03-15T10:00:00Z")
def test_start_in_the_future_is_pending(organization: Organization, page: Page):
    customer = sold(organization)
    assign(page, organization, customer, Start="2024-05-01T00:00")
    expect(page.get_by_text("Pending until May 1, 2024")).to_be_visible()
    page.get_by_role("button", name="Assign plan").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Pending")
    (subscription,) = organization.story.ok("GET", "/subscriptions?status=pending")["subscriptions"]
    assert subscription["subscription_at"] == "2024-05-01T00:00:00Z"


@pytest.mark.organization(at="2024-03-15T10:00:00Z")
def test_calendar_or_anniversary_is_written_out(organization: Organization, page: Page):
    customer = sold(organization, pay_in_advance=True)
    assign(page, organization, customer)
    first = page.get_by_role("status").filter(has_text="First period")
    expect(first).to_contain_text("First period: Mar 15, 2024 – Mar 31, 2024")
    page.get_by_label("Anniversary").check()
    expect(first).to_contain_text("First period: Mar 15, 2024 – Apr 14, 2024")


def test_two_plans_with_names_on_one_invoice(organization: Organization, page: Page):
    customer = sold(organization)
    for name in ("Production", "Staging"):
        assign(page, organization, customer, **{"Display name": name})
        page.get_by_role("button", name="Assign plan").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    organization.story.travel("2024-02-01T10:00:00Z")
    (invoice,) = organization.story.invoices()
    page.goto(organization.address("invoices", invoice["lago_id"]))
    for name in ("Production", "Staging"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()


@pytest.mark.parametrize("in_advance", [True, False], ids=["in advance", "in arrears"])
@pytest.mark.parametrize(
    ("cents", "says", "button"),
    [
        pytest.param(6200, "Upgrade, at once", "Upgrade now", id="up"),
        pytest.param(1000, "Downgrade, on Feb 1, 2024", "Schedule downgrade", id="down"),
    ],
)
def test_change_of_plan(organization: Organization, page: Page, cents, says, button, in_advance):
    story = organization.story
    customer = sold(organization, pay_in_advance=in_advance)
    story.plan("other", name="Other", amount_cents=cents, pay_in_advance=in_advance)
    made = story.subscribe("basic", "main", "cobalt", name="Production")
    story.travel("2024-01-16T10:00:00Z")
    page.goto(organization.address("subscriptions", made["lago_id"], "change") + f"?customer={customer}")
    page.get_by_label("Plan", exact=True).select_option("other")
    expect(page.get_by_role("heading", name=says)).to_be_visible()
    expect(page.locator("#follows li").first).to_be_visible()
    told = page.locator("#follows").inner_text()
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Production")
    (now,) = story.ok("GET", "/subscriptions")["subscriptions"]
    if cents > 3100:
        assert now["plan_code"] == "other"
        for note in story.notes():
            assert f"€{note['total_amount_cents'] / 100:.2f}" in told
    else:
        assert (now["plan_code"], now["next_plan_code"]) == ("basic", "other")
        expect(page.get_by_text("Changes to other on Feb 1, 2024")).to_be_visible()
    if cents > 3100:
        last = next(each for each in story.invoices() if each["issuing_date"] == "2024-01-16")
        assert f"€{last['total_amount_cents'] / 100:.2f}" in told
