"""Payment providers in the browser: connecting them, leaving a way to pay, paying and failing."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.support import paying
from tests.support.browsing import Organization

_CARDS = {
    paying.GOOD: "4242 4242 4242 4242: pays",
    paying.DECLINED: "4000 0000 0000 0341: can be left, then is declined",
}


def leave(page: Page, organization: Organization, customer_id: str, card: str) -> None:
    """Make a link on the customer's page, and leave a card there as the customer would."""
    before = len(paying.methods(organization.story, "cust"))
    page.goto(organization.address("customers", customer_id, "payments"))
    page.get_by_role("link", name="Ask for a payment method").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_role("dialog").get_by_role("button", name="Copy link").get_attribute("data-copy")
    assert link is not None
    theirs = page.context.browser.new_page()  # type: ignore[union-attr]
    theirs.goto(link)
    theirs.get_by_label("Card or account").select_option(_CARDS[card])
    theirs.get_by_role("button", name="Go on").click()
    theirs.close()
    paying.until(organization.story, lambda: len(paying.methods(organization.story, "cust")) > before)


def bill(organization: Organization) -> Any:
    """A one-off invoice, final at once."""
    body = {"external_customer_id": "cust", "currency": "EUR", "fees": [{"add_on_code": "setup"}]}
    return organization.story.ok("POST", "/invoices", {"invoice": body})["invoice"]


def add_on(organization: Organization) -> None:
    body = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
    organization.story.ok("POST", "/add_ons", {"add_on": body})


def test_stripe_connect_pay_and_fail(organization: Organization, page: Page, axe):
    add_on(organization)
    page.goto(organization.address("settings", "integrations"))
    page.get_by_role("link", name="Connect Stripe").click()
    axe(page)
    page.get_by_label("Secret key").fill("sk_live_not_for_a_sandbox")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("value_is_invalid")).to_be_visible()
    page.get_by_label("Secret key").fill(f"sk_test_{organization.slug}")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name="Stripe")).to_contain_text("Active")
    axe(page)
    page.goto(organization.address("customers", "new"))
    page.get_by_label("External ID").fill("cust")
    page.get_by_label("Name", exact=False).first.fill("Cobalt")
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_label("Payment provider").select_option("stripe")
    page.get_by_label("Create the customer there").check()
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_text("Customer added")).to_be_visible()
    customer_id = organization.story.ok("GET", "/customers/cust")["customer"]["lago_id"]
    paying.until(
        organization.story,
        lambda: organization.story.ok("GET", "/customers/cust")["customer"]["billing_configuration"][
            "provider_customer_id"
        ],
    )
    leave(page, organization, customer_id, paying.GOOD)
    page.reload()
    expect(page.get_by_role("row").filter(has_text="Default")).to_be_visible()
    axe(page)
    paid = bill(organization)
    paying.until(organization.story, lambda: state(organization, paid) == "succeeded")
    page.goto(organization.address("invoices", paid["lago_id"]))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded")
    leave(page, organization, customer_id, paying.DECLINED)
    page.reload()
    kept = page.get_by_role("row").filter(has_text="Kept")
    kept.get_by_role("button", name="Actions for").click()
    page.get_by_role("button", name="Set as default").click()
    expect(page.get_by_text("This one is charged from now on")).to_be_visible()
    failed = bill(organization)
    paying.until(organization.story, lambda: state(organization, failed) == "failed")
    page.goto(organization.address("invoices", failed["lago_id"]))
    expect(page.get_by_text("generic_decline").first).to_be_visible()
    axe(page)


def state(organization: Organization, invoice: Any) -> str:
    return str(organization.story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]["payment_status"])


def test_gocardless_connect_default_provider_resubmission(organization: Organization, page: Page, axe):
    page.goto(organization.address("settings", "integrations", "new", "gocardless"))
    expect(page.get_by_label("Success+ resubmission")).to_be_checked()
    page.get_by_label("Access token").fill(f"sandbox_{organization.slug}")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("button", name="Copy webhook secret")).to_be_visible()
    expect(page.get_by_role("button", name="Copy webhook address")).to_be_visible()
    axe(page)
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("Copy webhook secret")).to_have_count(0)
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Success+ resubmission").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Off", exact=True)).to_be_visible()
    (found,) = organization.story.ok("GET", "/payment_providers")["payment_providers"]
    assert found["retry_if_possible"] is False
    page.get_by_role("link", name="Rotate webhook secret").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    expect(page.get_by_role("button", name="Copy webhook secret")).to_be_visible()
    page.goto(organization.address("customers", "new"))
    page.get_by_label("External ID").fill("cust")
    page.get_by_label("Payment provider").select_option("gocardless")
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_text("Customer added")).to_be_visible()
    customer = organization.story.ok("GET", "/customers/cust")["customer"]
    assert customer["billing_configuration"]["payment_provider"] == "gocardless"
    page.goto(organization.address("settings", "integrations", found["lago_id"]))
    page.get_by_role("link", name="Disconnect").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("No payment provider yet")).to_be_visible()
