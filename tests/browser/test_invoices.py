"""Invoices in the browser: the list, one invoice, and acts on it."""

import io
import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.support.browsing import Organization
from tests.support.http_story import HttpStory
from tests.support.wallets import wallet


def sold(story: HttpStory, customer: str = "cust", cents: int = 1250, **fields: Any) -> Any:
    """A one-off invoice."""
    if story.call("GET", "/add_ons/setup").status == 404:
        body = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": body})
    story.customer(customer, name=customer.title(), currency="EUR")
    fees = [{"add_on_code": "setup", "unit_amount_cents": cents}]
    return story.ok("POST", "/invoices", {"invoice": {"external_customer_id": customer, "fees": fees, **fields}})[
        "invoice"
    ]


def drafted(story: HttpStory) -> Any:
    """A draft of January, final on 4 February."""
    story.plan(amount_cents=5000)
    story.customer("late", name="Late", currency="EUR", billing_configuration={"invoice_grace_period": 3})
    story.subscribe("plan", "late-sub", "late")
    story.travel("2024-02-01T10:00:00Z")
    return story.invoices("&status=draft")[0]


def read(story: HttpStory, invoice: Any) -> Any:
    """The invoice as the API has it now."""
    return story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]


def text_of(url: str) -> str:
    """The words of a document."""
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 200
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)


def printed(story: HttpStory, invoice: Any) -> str:
    """The words of an invoice's document, once it is printed."""
    for _ in range(10):
        answer = story.call("POST", f"/invoices/{invoice['lago_id']}/download")
        if answer.body:
            return text_of(answer.body["invoice"]["file_url"])
    raise AssertionError("the document is not printed")


def test_metadata_is_in_the_api_and_not_on_the_pdf(organization: Organization, page: Page):
    invoice = sold(organization.story)
    page.goto(organization.address("invoices", invoice["lago_id"]))
    page.get_by_role("link", name="Edit", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add metadata").click()
    dialog.get_by_label("Key").fill("payment_reference")
    dialog.get_by_label("Value").fill("PO-20931")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("PO-20931")).to_be_visible()
    expect(page.get_by_text("Not shown on the PDF.")).to_be_visible()
    pairs = [(each["key"], each["value"]) for each in read(organization.story, invoice)["metadata"]]
    assert pairs == [("payment_reference", "PO-20931")]
    words = printed(organization.story, invoice)
    assert invoice["number"] in words
    assert "PO-20931" not in words


def test_payment_status_is_updated_from_the_list(organization: Organization, page: Page):
    invoice = sold(organization.story)
    page.goto(organization.address("invoices"))
    row = page.get_by_role("row").filter(has_text=invoice["number"])
    row.get_by_role("button", name="Actions").click()
    row.get_by_role("link", name="Update payment status").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("This records no payment.")).to_be_visible()
    dialog.get_by_role("radio", name="Succeeded").check()
    dialog.get_by_role("button", name="Update status").click()
    expect(page.get_by_role("status").filter(has_text="succeeded")).to_be_visible()
    expect(row).to_contain_text("Succeeded")
    assert read(organization.story, invoice)["payment_status"] == "succeeded"
    assert organization.story.ok("GET", "/payments")["payments"] == []


def test_payment_status_is_updated_from_the_list_not_on_a_draft(organization: Organization, page: Page):
    draft = drafted(organization.story)
    page.goto(organization.address("invoices"))
    row = page.get_by_role("row").filter(has_text=draft["number"])
    row.get_by_role("button", name="Actions").click()
    expect(row.get_by_role("link", name="Finalize now")).to_be_visible()
    expect(row.get_by_role("link", name="Update payment status")).to_have_count(0)
    page.goto(organization.address("invoices", draft["lago_id"], "payment_status"))
    page.get_by_role("radio", name="Succeeded").check()
    page.get_by_role("button", name="Update status").click()
    expect(page.get_by_text("A draft has no payment status yet. Finalize it first.")).to_be_visible()
    expect(page.get_by_text("payment_status_update_on_draft_invoice")).to_be_visible()
    assert read(organization.story, draft)["payment_status"] == "pending"


def test_filters_give_what_the_api_gives(organization: Organization, page: Page):
    story = organization.story
    draft = drafted(story)
    made = [sold(story, f"customer-{n}", 1000 * (n + 1)) for n in range(3)]
    story.ok("PUT", f"/invoices/{made[0]['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    story.ok("PUT", f"/invoices/{made[1]['lago_id']}", {"invoice": {"metadata": [{"key": "po", "value": "7"}]}})

    def shows(query: str) -> None:
        """The rows are those of the API."""
        found = story.ok("GET", f"/invoices?{query}")["invoices"]
        assert found
        rows = page.get_by_role("table").get_by_role("rowheader")
        expect(rows).to_have_count(len(found))
        for each, row in zip(found, rows.all(), strict=True):
            expect(row).to_contain_text(each["number"])

    page.goto(organization.address("invoices"))
    shows("")
    page.get_by_role("link", name=re.compile("^Draft")).click()
    expect(page.get_by_role("table")).to_contain_text(draft["number"])
    shows("status=draft")
    page.get_by_role("link", name=re.compile("^Succeeded")).click()
    shows("payment_status=succeeded&status=finalized")
    page.get_by_role("link", name=re.compile("^All")).click()
    page.get_by_role("button", name="Payment status").click()
    page.get_by_role("checkbox", name="Pending").locator("visible=true").check()
    page.get_by_role("button", name="Apply").locator("visible=true").click()
    shows("payment_status=pending")
    page.get_by_role("button", name="Amount").click()
    page.get_by_role("textbox", name="Amount from").fill("30.00")
    page.get_by_role("button", name="Apply").locator("visible=true").click()
    shows("payment_status=pending&amount_from=3000")
    page.get_by_role("link", name="Clear all").click()
    page.get_by_role("button", name="Metadata").click()
    page.get_by_role("textbox", name="Metadata key").fill("po")
    page.get_by_role("textbox", name="Metadata value").fill("7")
    page.get_by_role("button", name="Apply").locator("visible=true").click()
    shows("metadata[po]=7")
    page.get_by_role("link", name="Clear all").click()
    page.get_by_role("searchbox", name="Search invoices").fill("Customer-2")
    shows("search_term=customer-2")
    page.reload()
    shows("search_term=customer-2")


def test_badges_tell_status_from_payment_status(organization: Organization, page: Page, axe):
    story = organization.story
    draft = drafted(story)
    paid, late, void = (sold(story, f"customer-{n}") for n in range(3))
    story.ok("PUT", f"/invoices/{paid['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    story.ok("POST", f"/invoices/{void['lago_id']}/void", {})
    story.travel("2024-02-03T10:00:00Z")
    page.goto(organization.address("invoices"))
    for invoice, word, tip in (
        (draft, "Draft", "Invoice Draft Payment Pending"),
        (paid, "Succeeded", "Invoice Finalized Payment Succeeded"),
        (late, "Overdue", "Invoice Finalized Payment Pending Overdue Yes"),
        (void, "Voided", "Invoice Voided Payment Pending"),
    ):
        badge = page.get_by_role("row").filter(has_text=invoice["number"]).get_by_text(word, exact=True)
        expect(badge).to_be_visible()
        badge.hover()
        expect(page.get_by_role("tooltip")).to_be_visible()
        assert page.get_by_role("tooltip").inner_text().split() == tip.split()
    page.mouse.move(0, 0)
    axe(page)


@pytest.mark.parametrize(
    ("mode", "lines"),
    [
        (
            "after_tax",
            ["Subtotal, excl. tax €70.00", "VAT (10%) on €70.00 €7.00", "Subtotal, incl. tax €77.00",
             "Coupon Launch -€10.00", "Prepaid credits -€30.00", "Total due €37.00"],
        ),
        (
            "before_tax",
            ["Fees €70.00", "Coupon Launch -€10.00", "Subtotal, excl. tax €60.00", "VAT (10%) on €60.00 €6.00",
             "Subtotal, incl. tax €66.00", "Prepaid credits -€30.00", "Total due €36.00"],
        ),
    ],
)  # fmt: skip
def test_the_published_example_in_both_orders(organization: Organization, page: Page, mode: str, lines: list[str]):
    story = organization.story
    story.organization(billing_configuration={"coupon_application": mode})
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 10, "applied_to_organization": True}})
    charge = {
        "billable_metric_id": story.metric()["lago_id"],
        "charge_model": "standard",
        "properties": {"amount": "4"},
    }
    story.plan(amount_cents=5000, charges=[charge])
    story.customer(name="Cobalt", currency="EUR")
    coupon = {"name": "Launch", "code": "launch", "coupon_type": "fixed_amount", "amount_cents": 1000}
    coupon |= {"amount_currency": "EUR", "frequency": "once", "expiration": "no_expiration"}
    story.ok("POST", "/coupons", {"coupon": coupon})
    story.ok("POST", "/applied_coupons", {"applied_coupon": {"external_customer_id": "cust", "coupon_code": "launch"}})
    wallet(story, granted_credits="30")
    story.subscribe()
    for _ in range(5):
        story.use(at=1704500000)
    story.metered()
    story.travel("2024-02-01T10:00:00Z")
    (invoice,) = story.invoices()
    page.goto(organization.address("invoices", invoice["lago_id"]))
    totals = page.get_by_role("region", name="Totals")
    shown = totals.inner_text().replace("\N{MINUS SIGN}", "-").split("\n")
    assert [" ".join(each) for each in zip(shown[::2], shown[1::2], strict=True)] == lines
    assert invoice["total_amount_cents"] == int(lines[-1].rpartition("€")[2].replace(".", ""))


def test_details_download_and_copy(organization: Organization, page: Page, axe, watch):
    story = organization.story
    invoice = sold(story)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(organization.address("invoices"))
    page.get_by_role("link", name=invoice["number"]).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("€12.50")
    for text in ("Jan 1, 2024", "One-off", "EUR", "UTC", "Setup"):
        expect(page.get_by_role("main").get_by_text(text, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("button", name="Copy invoice ID").click()
    expect(page.get_by_role("status").filter(has_text=f"Copied {invoice['lago_id']}")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == invoice["lago_id"]
    axe(page)
    watch.allow("favicon")
    with page.expect_request(re.compile("Amz-Signature")) as led:
        page.get_by_role("link", name="Download PDF").click()
    assert invoice["number"] in text_of(led.value.url)


def test_a_fee_is_explained_by_its_steps_and_events(organization: Organization, page: Page, axe):
    story = organization.story
    ranges = [
        {"from_value": 0, "to_value": 2, "per_unit_amount": "1", "flat_amount": "0"},
        {"from_value": 3, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "2"},
    ]
    metric = story.metric(name="Calls")
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "graduated"}
    story.plan(charges=[{**charge, "properties": {"graduated_ranges": ranges}}])
    story.customer(currency="EUR")
    story.subscribe()
    sent = [story.use(at=1704500000) for _ in range(5)]
    story.metered()
    story.travel("2024-02-01T10:00:00Z")
    (invoice,) = story.invoices()
    page.goto(organization.address("invoices", invoice["lago_id"]))
    page.get_by_text("Price steps").click()
    expect(page.get_by_text("3 × €0.50")).to_be_visible()
    page.get_by_role("link", name="Calls").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Flat fee")).to_be_visible()
    for each in sent:
        expect(dialog.get_by_text(each, exact=True)).to_be_visible()
    axe(page)


def test_a_void_says_what_it_gives_back(organization: Organization, page: Page, axe):
    invoice = sold(organization.story)
    page.goto(organization.address("invoices", invoice["lago_id"]))
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("link", name="Void invoice").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=f"Void {invoice['number']}")).to_be_visible()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    axe(page)
    dialog.get_by_role("button", name="Void invoice").click()
    expect(page.get_by_text("Voided on")).to_be_visible()
    assert read(organization.story, invoice)["status"] == "voided"


def test_a_payment_is_recorded_and_a_wrong_amount_refused(organization: Organization, page: Page):
    invoice = sold(organization.story)
    page.goto(organization.address("invoices", invoice["lago_id"]))
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("link", name="Record a payment").click()
    dialog = page.get_by_role("dialog")
    amount = dialog.get_by_role("textbox", name="Amount")
    expect(amount).to_have_value("12.50")
    amount.fill("12.51")
    dialog.get_by_role("button", name="Record payment").click()
    expect(dialog.get_by_text("invalid_value")).to_be_visible()
    dialog.get_by_role("textbox", name="Amount").fill("12.50")
    dialog.get_by_role("button", name="Record payment").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded")
    (payment,) = organization.story.ok("GET", "/payments")["payments"]
    assert payment["amount_cents"] == 1250


def test_ticked_invoices_are_resent_for_collection(organization: Organization, page: Page):
    made = [sold(organization.story, f"customer-{n}") for n in range(3)]
    page.goto(organization.address("invoices"))
    expect(page.get_by_role("button", name="Resend for collection")).to_be_hidden()
    for each in made[:2]:
        page.get_by_role("checkbox", name=f"Select {each['number']}").check()
    page.get_by_role("button", name="Resend for collection").click()
    expect(page.get_by_role("status").filter(has_text="Resent 2 for collection")).to_be_visible()
