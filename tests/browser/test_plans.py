"""Plans: made model by model with the calculator, overwritten, from templates."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browsing import Organization

JANUARY_5 = datetime(2024, 1, 5, 12, tzinfo=UTC).timestamp()


def _flat(group: Locator) -> None:
    group.get_by_label("Price per unit").fill("0.333")


def _ranges(price: str) -> Callable[[Locator], None]:
    def fill(group: Locator) -> None:
        group.get_by_role("button", name="Add a range").click()
        first, second = (group.get_by_role("group", name=f"Range {n}") for n in (1, 2))
        first.get_by_label("To").fill("10")
        first.get_by_label(price).fill("1")
        first.get_by_label("Flat amount").fill("2")
        second.get_by_label(price).fill("0.5")
        second.get_by_label("Flat amount").fill("3")

    return fill


def _package(group: Locator) -> None:
    group.get_by_label("Package size").fill("10")
    group.get_by_label("Price per package").fill("5")
    group.get_by_label("Free units").fill("5")


def _percentage(group: Locator) -> None:
    group.get_by_label("Rate", exact=True).fill("1.5")
    group.get_by_label("Fixed amount").fill("0.30")
    group.get_by_label("Free units per events").fill("1")
    group.get_by_label("Maximum per transaction").fill("0.35")


# Of each model how to type its price, and the fee of three events of 8.5 each.
_MODELS: dict[str, tuple[Callable[[Locator], None], str]] = {
    "Standard": (_flat, "$8.49"),  # 25.5 x 0.333
    "Graduated": (_ranges("Price per unit"), "$22.75"),  # 10 + 2 + 15.5 x 0.5 + 3
    "Volume": (_ranges("Price per unit"), "$15.75"),  # 25.5 x 0.5 + 3
    "Package": (_package, "$15.00"),  # 20.5 units begin three packages
    "Percentage": (_percentage, "$0.70"),  # two of three events, each 0.35 at most
    "Graduated percentage": (_ranges("Rate"), "$5.18"),  # 0.1 + 2 + 0.0775 + 3
}


def _begin(page: Page, organization: Organization) -> None:
    page.goto(organization.address("plans"))
    page.get_by_role("link", name="Add a plan").first.click()
    page.get_by_label("Name", exact=True).fill("Scale")
    page.get_by_label("Code", exact=True).fill("scale")
    page.get_by_label("Amount", exact=True).fill("0")


@pytest.mark.parametrize("model", _MODELS)
def test_every_charge_model(page: Page, organization: Organization, axe: Callable[[Page], None], model: str):
    story = organization.story
    story.metric("volume", "sum_agg", field_name="n")
    _begin(page, organization)
    page.get_by_role("button", name="Add a charge", exact=True).click()
    charge = page.get_by_role("group", name="Charge 1")
    charge.get_by_label("Billable metric").select_option(label="volume (volume)")
    charge.get_by_label("Charge model").select_option(label=model)
    fill, total = _MODELS[model]
    fill(charge)
    calculator = charge.get_by_role("group", name="Calculator")
    if model == "Percentage":
        calculator.get_by_label("Number of events").fill("3")
        calculator.get_by_label("Total of the events").fill("25.5")
    else:
        calculator.get_by_label("Units").fill("25.5")
    expect(calculator.get_by_role("row", name=f"Costs, without tax {total}")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Create plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Scale")
    story.customer(currency="USD")
    story.subscribe("scale")
    for _ in range(3):
        story.use("volume", at=JANUARY_5, n="8.5")
    story.metered()
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert f"${invoice['fees_amount_cents'] / 100:.2f}" == total


def test_overwrite_leaves_the_original_alone(page: Page, organization: Organization):
    story = organization.story
    metric = story.metric("calls")
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("scale", [charge], name="Scale")
    story.customer(currency="EUR")
    story.subscribe("scale")
    before = story.ok("GET", "/plans/scale")["plan"]
    page.goto(organization.address("plans"))
    page.get_by_role("button", name="Actions for Scale").click()
    page.get_by_role("link", name="Overwrite").click()
    expect(page.get_by_text("The original and its subscriptions do not change.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Scale for Cobalt")
    page.get_by_label("Code", exact=True).fill("scale_cobalt")
    page.get_by_label("Interval").select_option(label="Yearly")
    page.get_by_role("group", name="Charge 1").get_by_label("Price per unit").fill("0.80")
    page.get_by_role("button", name="Create plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Scale for Cobalt")
    copy = story.ok("GET", "/plans/scale_cobalt")["plan"]
    assert (copy["interval"], copy["charges"][0]["properties"]) == ("yearly", {"amount": "0.80"})
    assert story.ok("GET", "/plans/scale")["plan"] == before
    assert story.ok("GET", "/subscriptions/sub")["subscription"]["plan_code"] == "scale"


_INTERVALS = {
    "Weekly": "weekly",
    "Monthly": "monthly",
    "Quarterly": "quarterly",
    "Every six months": "semiannual",
    "Yearly": "yearly",
}


@pytest.mark.parametrize("interval", _INTERVALS)
def test_every_interval(page: Page, organization: Organization, interval: str):
    _begin(page, organization)
    page.get_by_label("Amount", exact=True).fill("1,200.50")
    page.get_by_label("Interval").select_option(label=interval)
    page.get_by_role("button", name="Create plan").click()
    expect(page.get_by_text(f"{interval} · USD")).to_be_visible()
    plan = organization.story.ok("GET", "/plans/scale")["plan"]
    assert (plan["interval"], plan["amount_cents"]) == (_INTERVALS[interval], 120050)


def test_charges_monthly_only_on_long_intervals(page: Page, organization: Organization):
    _begin(page, organization)
    monthly = page.get_by_label("Bill charges monthly")
    for interval, is_long in [("Weekly", False), ("Yearly", True), ("Quarterly", False), ("Every six months", True)]:
        page.get_by_label("Interval").select_option(label=interval)
        expect(monthly).to_have_count(int(is_long))
    monthly.check()
    page.get_by_role("button", name="Create plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Scale")
    assert organization.story.ok("GET", "/plans/scale")["plan"]["bill_charges_monthly"] is True


def test_a_template_opens_filled(page: Page, organization: Organization, axe: Callable[[Page], None]):
    story = organization.story
    page.goto(organization.address("plans"))
    page.get_by_role("link", name="Templates").click()
    axe(page)
    page.get_by_role("link", name="Use the template Tiers").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Growth")
    charge = page.get_by_role("group", name="Charge 1")
    expect(charge.get_by_label("Billable metric")).to_contain_text("Storage (storage_gb), made with the plan")
    expect(charge.get_by_role("group", name="Range 2").get_by_label("Price per unit")).to_have_value("0.08")
    assert story.ok("GET", "/billable_metrics")["billable_metrics"] == []
    page.get_by_role("button", name="Create plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Growth")
    (metric,) = story.ok("GET", "/billable_metrics")["billable_metrics"]
    assert (metric["code"], metric["field_name"]) == ("storage_gb", "gb")
    assert story.ok("GET", "/plans/growth")["plan"]["charges"][0]["lago_billable_metric_id"] == metric["lago_id"]


def test_a_refused_price_is_marked_in_its_row(page: Page, organization: Organization, axe: Callable[[Page], None]):
    organization.story.metric("volume", "sum_agg", field_name="n")
    _begin(page, organization)
    page.get_by_role("button", name="Add a charge", exact=True).click()
    charge = page.get_by_role("group", name="Charge 1")
    charge.get_by_label("Billable metric").select_option(label="volume (volume)")
    charge.get_by_label("Charge model").select_option(label="Graduated")
    charge.get_by_role("button", name="Add a range").click()
    charge.get_by_role("group", name="Range 1").get_by_label("To").fill("10")
    charge.get_by_role("group", name="Range 1").get_by_label("Price per unit").fill("1")
    wrong = charge.get_by_role("group", name="Range 2").get_by_label("Price per unit")
    wrong.fill("cheap")
    page.get_by_role("button", name="Create plan").click()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_value("cheap")
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    axe(page)


def test_deletion_asks_for_the_code(page: Page, organization: Organization, axe: Callable[[Page], None]):
    story = organization.story
    story.plan("scale", name="Scale")
    story.customer(currency="EUR")
    story.subscribe("scale", name="Production")
    page.goto(organization.address("plans"))
    axe(page)
    page.get_by_role("button", name="Actions for Scale").click()
    page.get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete Scale")
    expect(dialog).to_contain_text("1 subscription of this plan ends")
    expect(dialog).to_contain_text("Production")
    dialog.get_by_role("button", name="Delete Scale").click()
    expect(dialog.get_by_text("value_is_invalid")).to_be_visible()
    axe(page)
    dialog.get_by_label("Type the code to confirm").fill("scale")
    dialog.get_by_role("button", name="Delete Scale").click()
    expect(page).to_have_url(re.compile(r"/plans$"))
    expect(page.get_by_text("No plans yet")).to_be_visible()
    answer: Any = story.ok("GET", "/plans")
    assert answer["plans"] == []
