"""Usage in the browser: the figures of the API, and charts whose days add up to them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization
from tests.support.charging import priced
from tests.support.http_story import HttpStory

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
AT = "2024-01-19T12:00:00Z"
PHONE = {"width": 390, "height": 844}


def sold(story: HttpStory) -> dict[str, str]:
    """A customer of Tokyo with some usage of two metrics; their subscription."""
    regions = [{"key": "region", "values": ["us-east", "eu-west"]}]
    compute = story.metric("compute", "sum_agg", name="Compute", field_name="gb_seconds", filters=regions)
    filters = [{"values": {"region": [each]}, "properties": {"amount": "0.5"}} for each in ("us-east", "eu-west")]
    story.plan(
        name="Scale", charges=[priced(compute, filters=filters), priced(story.metric("calls", name="API calls"))]
    )
    story.customer("cobalt", name="Cobalt Robotics", timezone="Asia/Tokyo")
    made: dict[str, str] = story.subscribe(customer="cobalt", name="Production")
    story.travel(AT)
    for day in (1, 5, 17):
        at = (FIRST + timedelta(days=day, hours=16)).timestamp()
        story.use("compute", at=at, gb_seconds=10 * day, region="us-east")
        story.use("compute", at=at, gb_seconds=1, region="eu-west")
        story.use("calls", at=at)
    return made


def address(organization: Organization, subscription: dict[str, str]) -> str:
    customer = subscription["lago_customer_id"]
    return f"{organization.address('subscriptions', subscription['lago_id'], 'usage')}?customer={customer}"


def number(text: str) -> Decimal:
    return Decimal(re.sub(r"[^\d.]", "", text))


@pytest.mark.organization(timezone="Europe/Paris")
def test_current_usage_equals_the_api(organization: Organization, page: Page, axe):
    story = organization.story
    subscription = sold(story)
    event = {"transaction_id": "twice", "external_subscription_id": "sub", "code": "calls", "properties": {}}
    for _ in range(2):
        story.ok("POST", "/events", {"event": event})
    usage = story.usage(customer="cobalt")
    page.goto(address(organization, subscription))
    figures = page.locator("dl.figures")
    expect(figures).to_contain_text(f"€{usage['amount_cents'] / 100:,.2f}")
    expect(figures).to_contain_text("Jan 1, 2024 – Jan 31, 2024")
    for charge in usage["charges_usage"]:
        row = page.get_by_role("row").filter(
            has=page.get_by_role("link", name=charge["billable_metric"]["name"], exact=True)
        )
        events, units, amount = (row.get_by_role("cell").nth(n) for n in (1, 2, 3))
        expect(events).to_have_text(str(charge["events_count"]))
        assert number(units.inner_text()) == Decimal(charge["units"])
        assert number(amount.inner_text()) * 100 == charge["amount_cents"]
    axe(page)
    page.get_by_role("link", name="API calls", exact=True).click()
    expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
    expect(page.get_by_text("1–4 of 4")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Past periods").click()
    expect(page.get_by_text("No past periods yet")).to_be_visible()
    story.travel("2024-02-02T00:00:00Z")
    page.reload()
    expect(page.locator("dl.figures")).to_contain_text("Jan 1, 2024 – Jan 31, 2024")
    (past,) = story.ok("GET", "/customers/cobalt/past_usage?external_subscription_id=sub")["usage_periods"]
    expect(page.locator("dl.figures")).to_contain_text(f"€{past['amount_cents'] / 100:,.2f}")


def test_chart_and_table_add_up(organization: Organization, page: Page, axe):
    subscription = sold(organization.story)
    page.goto(address(organization, subscription))
    card = page.locator("section.card").filter(has=page.get_by_role("heading", name="Compute, units a day"))
    expect(card.get_by_role("img")).to_have_attribute("aria-label", re.compile("us-east 230, eu-west 3$"))
    card.get_by_text("Show as a table").click()
    table = card.get_by_role("table")
    expect(table.get_by_role("row").nth(3)).to_have_text(re.compile("Wed, Jan 3, 2024.*10.*1", re.DOTALL))
    rows = [row.get_by_role("cell").all_inner_texts() for row in table.get_by_role("row").all()[1:]]
    usage = organization.story.usage(customer="cobalt")["charges_usage"][0]
    sums = [sum(number(row[n]) for row in rows) for n in (0, 1)]
    assert sums == [Decimal(each["units"]) for each in usage["filters"][:2]]
    # Heights as the values: the third day has 10 and 1.
    bars = [bar.bounding_box() for bar in card.locator("svg.plot rect.s1, svg.plot rect.s2").all()]
    heights = [bar["height"] for bar in bars if bar]
    assert len(heights) == 6
    assert heights[0] / heights[1] == pytest.approx(10, rel=0.02)
    assert heights[4] / heights[0] == pytest.approx(17, rel=0.02)
    card.locator("rect.hit").nth(2).hover()
    expect(page.locator("#tip")).to_contain_text("Wed, Jan 3, 2024")
    expect(page.locator("#tip")).to_contain_text("us-east10")
    page.mouse.move(0, 0)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    axe(page)
