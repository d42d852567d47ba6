"""Pages that need something begun first: removals, invitations, keys, works, cancelations and drafts. Each is clean for
those who hear it, in both colours and at both widths."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support import browsing
from tests.support.browsing import Organization
from tests.support.story import Story


def told(story: Story) -> dict[str, str]:
    """A draft, a final invoice, a subscription that waits, and one whose change of plan waits; their ids."""
    story.organization(default_currency="EUR", billing_configuration={"invoice_grace_period": 30})
    for code, cents in (("big", 5000), ("small", 1000)):
        story.plan(code, name=f"The {code} one", amount_cents=cents, amount_currency="EUR", pay_in_advance=False)
    story.customer("ada", name="Ada", currency="EUR")
    main = story.subscribe("big", "main", "ada", name="Production")
    later = story.subscribe("small", "later", "ada", subscription_at="2024-06-01T00:00:00Z")
    story.travel("2024-02-02T00:00:00Z")
    story.subscribe("small", "main", "ada")
    (draft,) = story.invoices()
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    story.ok("POST", "/invoices", {"invoice": {"external_customer_id": "ada", "fees": [{"add_on_code": "setup"}]}})
    return {"draft": draft["lago_id"], "later": later["lago_id"], "main": main["lago_id"]}


@pytest.fixture
def invited(page: Page, visitor: Page, organization: Organization, stack) -> str:
    """Another member, and an invitation that waits."""
    for name, joins in (("ada", True), ("eve", False)):
        page.goto(organization.address("settings", "members", "new"))
        page.get_by_label("E-mail").fill(f"{name}-{organization.slug}@example.com")
        page.get_by_role("button", name="Generate invitation link").click()
        link = page.get_by_role("button", name="Copy invitation link").get_attribute("data-copy")
        assert link is not None
        if joins:
            visitor.goto(link.replace(link.partition("/invitation")[0], stack.url))
            visitor.get_by_label("Password", exact=True).fill(browsing.PASSWORD)
            visitor.get_by_label("Password again").fill(browsing.PASSWORD)
            visitor.get_by_role("button", name=f"Join {organization.name}").click()
            expect(visitor.get_by_role("heading", name="Home")).to_be_visible()
    return organization.slug


def paused(organization: Organization) -> list[str]:
    """The pages of an endpoint that is paused."""
    story = organization.story
    body = {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook", "name": "Accounting"}}
    endpoint = story.ok("POST", "/webhook_endpoints", body)["webhook_endpoint"]["lago_id"]
    story.ok("POST", f"/webhook_endpoints/{endpoint}/pause")
    return [organization.address("webhooks"), organization.address("webhooks", endpoint)]


def linked(page: Page, address: str, pattern: str) -> Iterator[str]:
    """The addresses that a page links to, of a pattern."""
    page.goto(address)
    found = page.locator("a[href]").evaluate_all("all => all.map((each) => each.getAttribute('href'))")
    return (each for each in dict.fromkeys(found) if re.search(pattern, each))


def test_pages_of_what_is_begun_are_fit_for_everybody(
    organization: Organization, page: Page, invited: str, watch, axe: Callable[[Page], None]
):
    ids = told(organization.story)
    page.goto(organization.address("invoices", "bulk") + "?act=finalize")
    page.get_by_role("button", name="Finalize 1").click()
    page.wait_for_url("**/work/*")
    work = page.url
    expect(page.get_by_text("1 of 1 done")).to_be_visible()
    addresses = [
        *linked(page, organization.address("settings", "members"), r"/(remove|renew|revoke)$"),
        *linked(page, organization.address("api_keys"), r"/(rotate|revoke)$"),
        work,
        organization.address("subscriptions", ids["later"], "cancel"),
        organization.address("subscriptions", ids["main"], "cancel"),
        organization.address("subscriptions", ids["main"]),
        organization.address("invoices", "bulk") + "?act=retry_payment",
        organization.address("export", "invoices"),
        organization.address("export", "credit_notes"),
    ]
    organization.story.travel("2024-03-02T00:00:00Z")
    draft = next(each["lago_id"] for each in organization.story.invoices() if each["status"] == "draft")
    addresses += [organization.address("invoices", draft, act) for act in ("delete", "finalize")]
    addresses += paused(organization)
    assert len(addresses) >= 16
    wrong = []
    for number, address in enumerate(addresses):
        for scheme, width in (("light", 1360), ("dark", 390)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 860})
            answer = page.goto(address)
            page.wait_for_load_state("networkidle")
            assert answer is not None
            wrong += [f"{address}: {answer.status}"] if answer.status != 200 else []
            watch.look(page)
            with watch.looking_away(page):
                wrong += [f"{address}: {each}" for each in browsing.violations(page)]
        assert number < 30
    assert wrong == []


def test_a_list_with_its_filters_is_downloaded(organization: Organization, page: Page):
    organization.story.customer("ada", name="Ada", currency="EUR")
    organization.story.customer("bob", name="Bob", currency="USD")
    page.goto(organization.address("customers") + "?currencies=USD")
    page.get_by_role("link", name="Export").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("1 customer with the filters")).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download CSV").click()
    text = download.value.path().read_text()
    assert ("bob" in text, "ada" in text) == (True, False)
