"""One box for everything, and the box of each list."""

import re

from playwright.sync_api import Page, expect

from tests.support.browsing import Organization


def test_one_box_finds_everything(page: Page, organization: Organization, axe):
    story = organization.story
    story.metric("falcon_calls", name="Falcon calls")
    story.plan("falcon_plan", name="Falcon plan", amount_cents=1000)
    customer = story.customer("falcon-1", name="Falcon Ltd", currency="EUR")
    story.subscribe("falcon_plan", "falcon-sub", "falcon-1", name="Falcon main")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    page.goto(organization.address())
    page.keyboard.press("/")
    page.keyboard.type("falcon")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Results for “falcon”")).to_be_visible()
    for name in ("Falcon Ltd", "Falcon main", invoice["number"], "Falcon plan", "Falcon calls"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    axe(page)
    page.get_by_role("link", name="All customers with “falcon”").click()
    expect(page).to_have_url(re.compile(r"/customers\?search_term=falcon$"))
    expect(page.get_by_role("link", name="Falcon Ltd")).to_be_visible()
    for exact, place in ((customer["lago_id"], "customers"), (invoice["number"], "invoices")):
        page.goto(organization.address("search"))
        address = page.request.get(f"{page.url}?q={exact}", max_redirects=0).headers["location"]
        assert re.search(rf"/{place}/[0-9a-f-]+$", address)


def test_nothing_found_says_so(page: Page, organization: Organization):
    page.goto(organization.address("search") + "?q=nowhere")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()


def test_arrows_walk_through_the_results_and_enter_opens(page: Page, organization: Organization):
    story = organization.story
    for number in (1, 2):
        story.customer(f"falcon-{number}", name=f"Falcon {number}", currency="EUR")
    story.plan("falcon_plan", name="Falcon plan", amount_cents=1000)
    page.goto(organization.address("search") + "?q=falcon")
    box = page.get_by_role("searchbox", name="Search everything")
    names = ("Falcon 2", "Falcon 1", "Falcon plan")
    box.focus()
    for name in names:
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    for name in names[-2::-1]:
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Falcon 2")).to_be_visible()


def _stocked(organization: Organization) -> dict[str, tuple[str, list[str]]]:
    """One object for each list among others; by list the text of its row, and what it must be found by."""
    story = organization.story
    for name in ("Robin", "Falcon"):
        code = name.lower()
        story.metric(f"{code}_calls", name=f"{name} calls")
        story.plan(f"{code}_plan", name=f"{name} plan", amount_cents=1000)
        add_on = {"name": f"{name} set-up", "code": f"{code}_setup", "amount_cents": 5, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": add_on})
        story.ok("POST", "/taxes", {"tax": {"name": f"{name} VAT", "code": f"{code}_vat", "rate": "20"}})
        coupon = {"name": f"{name} off", "code": f"{code}_off", "coupon_type": "percentage", "percentage_rate": "10"}
        story.ok("POST", "/coupons", {"coupon": {**coupon, "frequency": "once", "expiration": "no_expiration"}})
        words = {"name": f"{name} Ltd", "firstname": f"{name}-first", "lastname": f"{name}-last"}
        words |= {"legal_name": f"{name} legal", "email": f"{code}@example.com"}
        customer = story.customer(f"{code}-1", currency="EUR", **words)
        subscription = story.subscribe(f"{code}_plan", f"{code}-sub", f"{code}-1", name=f"{name} main")
    story.travel("2024-02-01T00:00:00Z")
    by_customer = [*words.values(), customer["external_id"]]
    (invoice,) = (each for each in story.invoices() if each["customer"]["external_id"] == "falcon-1")
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 500}]
    body = {"invoice_id": invoice["lago_id"], "reason": "other", "credit_amount_cents": 500, "items": items}
    note = story.ok("POST", "/credit_notes", {"credit_note": body})["credit_note"]
    named = {
        place: (f"Falcon {noun}", [f"Falcon {noun}", f"falcon_{code}"])
        for place, noun, code in (
            ("billable_metrics", "calls", "calls"),
            ("plans", "plan", "plan"),
            ("add_ons", "set-up", "setup"),
            ("taxes", "VAT", "vat"),
            ("coupons", "off", "off"),
        )
    }
    return named | {
        "customers": ("Falcon Ltd", by_customer),
        "subscriptions": (
            "Falcon main",
            [subscription["lago_id"], "Falcon main", "falcon-sub", "falcon-1", "falcon_plan"],
        ),
        "invoices": (invoice["number"], [invoice["number"], invoice["lago_id"], *by_customer]),
        "credit_notes": (note["number"], [note["number"], note["lago_id"], *by_customer]),
    }


def test_each_list_by_each_field(page: Page, organization: Organization):
    for place, (row, terms) in _stocked(organization).items():
        page.goto(organization.address(place))
        box = page.get_by_role("search").get_by_label(re.compile("^Search (?!everything)"))
        rows = page.get_by_role("main").get_by_role("row")
        for term in terms:
            box.fill(term.upper())  # Small or large letters are the same, and a part of it is enough.
            expect(rows).to_have_count(2)  # The head, and the one that is looked for.
            expect(rows.nth(1)).to_contain_text(row)
            box.fill("nowhere")
            expect(page.get_by_text("Nothing matches")).to_be_visible()
        box.fill(terms[-1][:-1])
        expect(rows.filter(has_text=row)).to_be_visible()
        expect(page).to_have_url(re.compile("search_term="))
