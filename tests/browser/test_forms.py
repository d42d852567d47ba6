"""Forms in the browser: refusals at their fields, with their codes; what was typed stays."""

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def test_each_wrong_field_shows_its_code(page: Page, organization: Organization):
    page.goto(organization.address("customers", "new"))
    page.get_by_label("Name optional", exact=True).fill("Cobalt Robotics")
    page.get_by_label("E-mail").fill("nobody")
    page.get_by_label("Time zone").fill("Moon")
    page.get_by_label("Net payment term").fill("-1")
    page.get_by_role("button", name="Add customer").click()
    wrong = {
        "External ID": "This is needed. value_is_mandatory",
        "E-mail": "This is no e-mail address. invalid_email_format",
        "Time zone": "Choose a time zone from the list. invalid_timezone",
        "Net payment term": "This is beyond the allowed range. value_is_out_of_range",
    }
    for label, text in wrong.items():
        field = page.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        described = str(field.get_attribute("aria-describedby")).split()
        told = [page.locator(f"[id='{each}']").inner_text() for each in described]
        assert " ".join(told[-1].split()) == text
    expect(page.locator("[aria-invalid=true]")).to_have_count(len(wrong))
    expect(page.get_by_label("External ID")).to_be_focused()
    expect(page.get_by_label("Name optional", exact=True)).to_have_value("Cobalt Robotics")
    assert organization.story.ok("GET", "/customers")["customers"] == []
    for label, value in {"External ID": "cobalt", "E-mail": "a@b.example", "Time zone": "UTC"}.items():
        page.get_by_label(label).fill(value)
    page.get_by_label("Net payment term").fill("30")
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("heading", name="Cobalt Robotics", level=1)).to_be_visible()
    assert organization.story.ok("GET", "/customers/cobalt")["customer"]["net_payment_term"] == 30


def test_a_changed_form_asks_before_it_is_left(page: Page, organization: Organization):
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(organization.address("customers", "new"))
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()
    assert asked == []
    page.goto(organization.address("customers", "new"))
    page.get_by_label("External ID").press_sequentially("c")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()
    assert asked == ["beforeunload"]


def test_a_double_click_makes_one_object(page: Page, organization: Organization):
    page.goto(organization.address("customers", "new"))
    page.get_by_label("External ID").fill("cobalt")
    page.get_by_role("button", name="Add customer").dblclick()
    expect(page.get_by_role("heading", name="cobalt", level=1)).to_be_visible()
    assert organization.story.ok("GET", "/customers")["meta"]["total_count"] == 1
