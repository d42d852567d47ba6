"""What coupons, credit notes and wallets took stands on documents as the API has it. Source: rules/invoices 3, 12."""

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.features.documents import invoices, render
from chalicelib.features.documents.formats import Formats
from chalicelib.features.documents.page import Look, Page
from tests.features.api.test_notes_by_hand import fee_of, noted, pay
from tests.support import documents as samples
from tests.support import wallets
from tests.support.coupons import apply, coupon
from tests.support.story import Story, work

SHOW = Formats("en", "EUR")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    """Pages in the place of their files."""
    found: list[Page] = []
    monkeypatch.setattr(render, "pdf", lambda page: found.append(page) or b"%PDF-1.7")
    return found


def printed(drawn: list[Page], invoice: Any) -> Page:
    """The page of an invoice."""
    work()
    work("documents")
    (page,) = [each for each in drawn if each.number == invoice["number"]]
    return page


@pytest.mark.parametrize(("mode", "total"), [("after_tax", 1500), ("before_tax", 1400)])
def test_every_amount_is_the_apis(story: Story, drawn: list[Page], mode: str, total: int) -> None:
    story.organization(billing_configuration={"coupon_application": mode})
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": "10", "applied_to_organization": True}})
    story.customer(currency="EUR")
    story.plan(amount_cents=7000, pay_in_advance=True)
    story.subscribe()
    (first,) = story.invoices()
    note = noted(story, first, (fee_of(first, 7000), 2000), credit_amount_cents=2200)
    coupon(story, name="Spring offer")
    apply(story)
    wallets.wallet(story, granted_credits="30")
    story.subscribe(external_id="second")
    (invoice,) = [each for each in story.invoices() if each["lago_id"] != first["lago_id"]]
    assert (invoice["total_amount_cents"], invoice["prepaid_credit_amount_cents"]) == (total, 3000)
    credits = {each["item"]["type"]: each for each in invoice["credits"]}
    assert {kind: (each["amount_cents"], each["before_taxes"]) for kind, each in credits.items()} == {
        "coupon": (1000, mode == "before_tax"),
        "credit_note": (2200, False),
    }
    page = printed(drawn, invoice)
    (tax,) = invoice["applied_taxes"]
    taxed = SHOW.cents(tax["fees_amount_cents"])
    taken = ("Coupon – Spring offer", SHOW.taken(1000))
    rows = [
        ("Subtotal (excl. tax)", SHOW.cents(invoice["sub_total_excluding_taxes_amount_cents"])),
        (f"VAT (10% on {taxed})", SHOW.cents(invoice["taxes_amount_cents"])),
        ("Subtotal (incl. tax)", SHOW.cents(invoice["sub_total_including_taxes_amount_cents"])),
        (f"Credit note – {note['number']}", SHOW.taken(2200)),
        ("Prepaid credits", SHOW.taken(3000)),
        ("Total due", SHOW.cents(total)),
    ]
    rows.insert(0 if mode == "before_tax" else 4, taken)
    assert [(row.label, row.amount) for row in page.sums] == rows
    assert page.amount == SHOW.cents(total)
    assert page.spread is not None
    (table,) = page.spread.details
    assert [amount for _, amount in table.totals] == (
        ["−€10.00", "€60.00", "€6.00", "€66.00"] if mode == "before_tax" else ["€70.00", "€7.00", "€77.00"]
    )


@pytest.mark.parametrize(("name", "heading"), [("Premium credits", "Premium credits"), (None, "")])
def test_an_invoice_of_credits_names_the_wallet(
    story: Story, drawn: list[Page], name: str | None, heading: str
) -> None:
    story.customer(currency="EUR")
    wallets.wallet(story, name=name, rate_amount="5", paid_credits="10")
    (invoice,) = story.invoices()
    assert pay(story, invoice, 5000).status == 200
    page = printed(drawn, invoice)
    assert (page.title, page.amount, page.table.heading) == ("Advance invoice", "€50.00", heading)
    ((title, cells),) = [(line.title, list(line.cells)) for line in page.table.lines]
    assert (title, cells[:2], cells[-1]) == ("Prepaid credits", ["10", "€5.00"], "€50.00")


def test_a_cent_that_tax_lines_miss_has_a_line() -> None:
    tax = {"tax_name": "Tax", "tax_rate": Decimal(5), "fees_amount_cents": 30, "amount_cents": 2}
    totals = {"sub_total_excluding_taxes_amount_cents": 30, "sub_total_including_taxes_amount_cents": 33}
    shown = samples.invoice([samples.fee("Calls", 30)], applied_taxes=[tax, tax], total_amount_cents=33, **totals)
    rows = [(row.label, row.amount) for row in invoices.page(shown, Look(samples.organization())).sums]
    assert rows[3:5] == [("Rounding", SHOW.cents(-1)), ("Subtotal (incl. tax)", "€0.33")]
