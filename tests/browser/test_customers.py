"""Customers in the browser: metadata on invoices, the currency that is locked, external ids of any characters."""

import io
import re
import time

import pytest
import requests
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader

from tests.support.browsing import Organization

_PRINTED_WITHIN_SECONDS = 60


def printed(organization: Organization, lago_id: str) -> str:
    """The text of an invoice's document."""
    end = time.monotonic() + _PRINTED_WITHIN_SECONDS
    while time.monotonic() < end:
        body = organization.story.call("POST", f"/invoices/{lago_id}/download").body
        if body and body["invoice"]["file_url"]:
            document = requests.get(body["invoice"]["file_url"], timeout=30).content
            return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(document)).pages)
        time.sleep(0.2)
    raise AssertionError("the document was not printed")


def card(page: Page, title: str) -> Locator:
    """The card of a title."""
    return page.locator("section").filter(has=page.get_by_role("heading", name=title, exact=True))


@pytest.mark.pdf
def test_metadata_marked_for_display_stands_on_the_next_invoice(page: Page, organization: Organization):
    story = organization.story
    lago_id = story.customer("cobalt", name="Cobalt Robotics", currency="EUR")["lago_id"]
    page.goto(organization.address("customers", lago_id))
    metadata = card(page, "Metadata")
    metadata.get_by_role("link", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Metadata of Cobalt Robotics")
    for number, (name, value) in enumerate((("segment", "SMB"), ("manager", "Marie Kent")), 1):
        dialog.get_by_role("button", name="Add metadata").click()
        row = dialog.get_by_role("group", name=f"Metadata {number}")
        row.get_by_label("Key").fill(name)
        row.get_by_label("Value").fill(value)
    row.get_by_label("Show on invoices").check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Metadata saved")).to_be_visible()
    expect(metadata).to_contain_text("Marie Kent")
    pairs = story.ok("GET", "/customers/cobalt")["customer"]["metadata"]
    assert [(each["key"], each["value"], each["display_in_invoice"]) for each in pairs] == [
        ("segment", "SMB", False),
        ("manager", "Marie Kent", True),
    ]
    story.plan("plan", amount_cents=1_000, pay_in_advance=True)
    story.subscribe("plan", "sub", "cobalt")
    (invoice,) = story.invoices()
    page.reload()
    expect(card(page, "Latest invoices")).to_contain_text("€10.00")
    text = printed(organization, invoice["lago_id"])
    assert "Marie Kent" in text
    assert "SMB" not in text


def test_a_sixth_pair_of_metadata_cannot_be_added(page: Page, organization: Organization):
    pairs = [{"key": f"k{n}", "value": f"v{n}"} for n in range(4)]
    lago_id = organization.story.customer("cobalt", metadata=pairs)["lago_id"]
    page.goto(organization.address("customers", lago_id, "metadata"))
    page.get_by_role("button", name="Add metadata").click()
    expect(page.get_by_role("group", name="Metadata 5")).to_be_visible()
    expect(page.get_by_role("button", name="Add metadata")).to_have_count(0)
    expect(page.get_by_text("5 at most.")).to_be_visible()
    page.get_by_role("button", name="Remove metadata 1").click()
    expect(page.get_by_role("group", name="Metadata 5")).to_have_count(0)
    expect(page.get_by_role("button", name="Add metadata")).to_be_visible()
    page.close(run_before_unload=False)


def test_currency_is_locked_by_the_first_object(page: Page, organization: Organization):
    story = organization.story
    page.goto(organization.address("customers", "new"))
    page.get_by_label("External ID").fill("cobalt")
    page.get_by_label("Name", exact=False).first.fill("Cobalt Robotics")
    page.get_by_label("Currency").select_option("USD")
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("heading", name="Cobalt Robotics", level=1)).to_be_visible()
    page.get_by_role("link", name="Edit", exact=True).first.click()
    page.get_by_label("Currency").select_option("EUR")  # Nothing is attached yet.
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Customer saved")).to_be_visible()
    assert story.ok("GET", "/customers/cobalt")["customer"]["currency"] == "EUR"
    story.plan("plan", amount_cents=1_000)
    story.subscribe("plan", "sub", "cobalt")
    page.get_by_role("link", name="Edit", exact=True).first.click()
    expect(page.get_by_label("Currency")).to_be_disabled()
    expect(page.get_by_text("Locked: something of this customer is in this currency already.")).to_be_visible()
    page.locator("input[name=currency]").evaluate("field => field.value = 'USD'")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("currencies_does_not_match")).to_be_visible()
    assert story.ok("GET", "/customers/cobalt")["customer"]["currency"] == "EUR"


def test_external_ids_with_odd_characters(page: Page, organization: Organization):
    odd = "a/b?c=d&e#f %é\"<i>'"
    page.goto(organization.address("customers", "new"))
    page.get_by_label("External ID").fill(odd)
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("heading", name=odd, level=1)).to_be_visible()
    (customer,) = organization.story.ok("GET", "/customers")["customers"]
    assert customer["external_id"] == odd
    assert page.url.endswith(customer["lago_id"])
    for tab in ("Usage", "Invoices", "Wallets", "Credit notes", "Payments", "Information", "Settings", "Overview"):
        page.get_by_role("navigation", name="Customer", exact=True).get_by_role(
            "link", name=re.compile(f"^{tab}")
        ).click()
        expect(
            page.get_by_role("link", name=re.compile(f"^{tab}")).and_(page.locator("[aria-current=page]"))
        ).to_be_visible()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").filter(has_text="Customer deleted")).to_be_visible()
    assert organization.story.ok("GET", "/customers")["customers"] == []


def test_the_list_is_searched_and_filtered_as_the_api_does(page: Page, organization: Organization):
    story = organization.story
    story.customer("a", name="Ada Analytics", currency="EUR", country="FR")
    story.customer("b", name="Borealis Shipping", currency="USD", metadata=[{"key": "segment", "value": "SMB"}])
    page.goto(organization.address("customers"))
    page.get_by_role("searchbox", name="Search customers").fill("boreal")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("link", name="Borealis Shipping")).to_be_visible()
    page.get_by_role("link", name="Clear all").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("button", name="Currency").click()
    page.get_by_role("combobox", name="Currency").select_option("EUR")
    page.get_by_role("button", name="Apply").locator("visible=true").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("link", name="Ada Analytics")).to_be_visible()
    page.get_by_role("link", name="Remove filter Currency").click()
    page.get_by_role("button", name="Metadata").click()
    page.get_by_role("textbox", name="Metadata key").fill("segment")
    page.get_by_role("textbox", name="Metadata value").fill("SMB")
    page.get_by_role("button", name="Apply").locator("visible=true").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("link", name="Borealis Shipping")).to_be_visible()


@pytest.mark.parametrize(("colours", "width"), [("light", 1360), ("dark", 390)])
def test_pages_of_customers_can_be_used_by_everybody(page: Page, organization: Organization, axe, colours, width):
    lago_id = organization.story.customer("cobalt", name="Cobalt Robotics", metadata=[{"key": "k", "value": "v"}])[
        "lago_id"
    ]
    organization.story.plan("plan", amount_cents=1_000, pay_in_advance=True)
    organization.story.subscribe("plan", "sub", "cobalt")
    page.emulate_media(color_scheme=colours)
    page.set_viewport_size({"width": width, "height": 900})
    tabs = (
        "usage",
        "invoices",
        "wallets",
        "credit_notes",
        "payments",
        "information",
        "settings",
        "edit",
        "metadata",
        "delete",
    )
    for parts in ((), ("new",), (lago_id,), *((lago_id, tab) for tab in tabs)):
        page.goto(organization.address("customers", *parts))
        axe(page)
