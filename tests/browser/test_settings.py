"""Settings, seen at what follows from them."""

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def test_the_customers_language_overrides_the_organizations(page: Page, organization: Organization):
    story = organization.story
    story.customer("own", billing_configuration={"document_locale": "de"})
    story.customer("same")
    page.goto(organization.address("settings", "invoicing"))
    page.get_by_label("Document language").select_option(label="Français")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    expect(page.get_by_label("Document language")).to_have_value("fr")
    configuration = story.ok("GET", "/organizations")["organization"]["billing_configuration"]
    assert configuration["document_locale"] == "fr"
    locales = {
        each["external_id"]: each["billing_configuration"]["document_locale"]
        for each in story.ok("GET", "/customers")["customers"]
    }
    assert locales == {"own": "de", "same": None}


def test_a_shorter_grace_period_says_which_drafts_end(page: Page, organization: Organization, axe):
    story = organization.story
    story.organization(billing_configuration={"invoice_grace_period": 10})
    story.plan(amount_cents=1000)
    story.customer(currency="EUR")
    story.subscribe()
    story.travel("2024-02-05T00:00:00Z")
    page.goto(organization.address("settings", "invoicing"))
    page.get_by_label("Grace period").fill("2")
    page.get_by_label("Net payment term").focus()
    expect(page.get_by_text("1 draft would become final now.")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    assert [each["status"] for each in story.invoices()] == ["finalized"]


def test_a_logo_is_taken_from_a_file(page: Page, organization: Organization, tmp_path):
    from PIL import Image

    Image.new("RGB", (40, 20), "navy").save(tmp_path / "logo.png")
    page.goto(organization.address("settings"))
    page.get_by_label("Logo").set_input_files(tmp_path / "logo.png")
    expect(page.locator("#f-logo")).not_to_have_value("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("img", name="The present logo")).to_be_visible()


def test_about_says_what_leaves(page: Page, organization: Organization, axe):
    page.goto(organization.address("settings", "about"))
    expect(page.get_by_text("No usage tracking leaves this installation.")).to_be_visible()
    axe(page)
