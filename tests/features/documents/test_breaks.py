"""Documents as pages: the first one is full, no total stands alone, and no amount breaks."""

from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont

from chalicelib.domain.money import CURRENCIES
from chalicelib.features.documents import credit_notes, fit, invoices, render
from chalicelib.features.documents.formats import Formats
from chalicelib.features.documents.page import Look
from tests.support import documents as samples
from tests.support.documents import pages

pytestmark = pytest.mark.pdf


def test_two_hundred_lines_break_well():
    page = invoices.page(samples.invoice(samples.many_fees(200)), Look(samples.organization()))
    found = pages(page)
    assert all(f"Page {n} of {len(found)}" in text for n, text in enumerate(found, start=1))
    assert len(found) < 10
    assert "Total due" in found[0]
    assert all("Unit price" in text for text in found[1:])
    assert sum(text.count("Metric ") for text in found) == 200
    assert found[-1].count("Metric ") >= 2  # The total has company.


@pytest.mark.parametrize("number", [13, 14, 15, 16, 17, 31])
def test_totals_never_stand_alone(number):
    items = [{"amount_cents": 100, "fee": fee} for fee in samples.many_fees(number)]
    found = pages(credit_notes.page(samples.credit_note(items=items), Look(samples.organization())))
    last = found[-1]
    assert "Credit note total" in last
    assert last.count("Metric ") >= 2
    assert sum(text.count("Metric ") for text in found) == number


WORDS = "word " * 50


FOOTER = "some words " * 54


PAIRS = [{"key": f"Key {n}", "value": "V" * (10 * n + 5), "display_in_invoice": True} for n in range(4)]


def _tall(number: int, name: str, description: str | None) -> list[dict[str, Any]]:
    """Fees of add-ons with long texts."""
    item = {"type": "add_on", "description": description}
    return [samples.fee(f"{name}#{n}", 1234, item=item, lago_subscription_id=None) for n in range(number)]


def _look() -> Look:
    return Look(samples.organization(billing_configuration={"invoice_footer": FOOTER}))


@pytest.mark.parametrize("number", [1, 2, 3, 4, 9])
@pytest.mark.parametrize(("name", "description"), [("Line ", WORDS), ("W" * 120, None), ("W" * 252, WORDS)])
def test_few_lines_of_long_text_leave_the_first_page_full_and_no_page_to_the_footer(number, name, description):
    own = samples.invoice(
        _tall(number, name, description),
        invoice_type="one_off",
        subscriptions=[],
        billing_periods=[],
        customer=samples.customer(metadata=PAIRS),
    )
    first, *rest = pages(invoices.page(own, _look()))
    assert "Due May 1, 2024" in first
    assert "Total due" in first
    assert "some words" in first
    assert "#" in first or "Summary" in first
    assert all("#" in text for text in rest)
    assert sum(text.count("#") for text in [first, *rest]) == number


@pytest.mark.parametrize("number", [1, 2, 3, 4, 9])
def test_a_credit_note_of_tall_items_begins_on_the_first_page_and_its_totals_have_company(number):
    items = [{"amount_cents": 100, "fee": fee} for fee in _tall(number, "W" * 252, WORDS)]
    note = samples.credit_note(items=items, customer=samples.customer(metadata=PAIRS))
    found = pages(credit_notes.page(note, _look()))
    assert "Refunded on" in found[0]
    assert all("#" in text for text in found)
    assert "Credit note total" in found[-1]


def test_as_many_lines_as_have_room_are_on_the_first_page():
    for number, notes, address, expected in (
        (9, {}, "", 1),
        (9, {"team": "1"}, "", 2),
        (6, {"team": "1"}, "", 1),
        (6, {"team": "1"}, "Hof " * 120, 2),
    ):
        own = [samples.fee(f"Metric {n}", 100, item={"grouped_by": notes}) for n in range(number)]
        look = Look(samples.organization(address_line2=address))
        assert len(pages(invoices.page(samples.invoice(own), look))) == expected
    assert not fit.may_fit(invoices.page(samples.invoice(samples.many_fees(24)), Look(samples.organization())))


def test_long_totals_and_long_texts_break_over_pages_and_leave_none_empty():
    coupons = [samples.credit("coupon", 1, f"C{n}") for n in range(60)]
    found = pages(invoices.page(samples.invoice(samples.fees()[:2], credits=coupons), _look()))
    assert "Coupon – C3" in found[0]
    (last,) = [text for text in found if "Total due" in text]
    assert "Coupon – C59" in last
    assert "some words" in last
    sections = [{"display_name": f"Section {n}", "details": "Some text of it. " * 40} for n in range(8)]
    found = pages(invoices.page(samples.invoice(samples.fees()[:2], applied_invoice_custom_sections=sections), _look()))
    assert "Section 0" in found[0]
    assert len(found) == 3


def test_a_fee_of_many_tiers_goes_on_over_pages():
    tiers = [samples.tier(n, n + 1, "1", "1.0", "0.0", "1.0") for n in range(130)]
    fee = samples.fee("API", 13000, "130", "1", amount_details={"graduated_ranges": tiers})
    found = pages(invoices.page(samples.invoice([fee]), Look(samples.organization())))
    assert len(found) == 4
    assert "0 – 1" in found[1]  # Below its fee.


@pytest.mark.parametrize(
    ("currency", "locale", "cents", "units", "price"),
    [
        ("IDR", "es", 370370367036, "3", "1234567890.12"),
        ("USD", "en", 10**15 + 1400, "1", "10000000000014.00"),
        ("MRU", "de", 10**17 + 1400, "1000000000.123456", "0.000000000000001"),
        ("CLF", "pt-BR", 10**12, "1", "100000000.0000"),
        ("UGX", "fr", 10**14, "100000000", "1000000.000000000000001"),
    ],
)
def test_no_amount_breaks_however_long_it_is(currency, locale, cents, units, price):
    details = {"flat_unit_amount": "0.0", "per_unit_amount": price, "per_unit_total_amount": "0.0"}
    fee = samples.fee("Big", cents, units, price, amount_details=details)
    page = invoices.page(samples.invoice([fee], currency=currency), Look(samples.organization(), locale))
    wanted = {
        page.amount,
        *(row.amount for row in page.sums),
        *(cell for line in page.table.lines for cell in line.cells),
    }
    text = _spaces("\n".join(pages(page)))
    assert [each for each in wanted if _spaces(each) not in text] == []
    widths = fit.table(page.table)
    assert sum(widths.widths) <= 174 - 46
    assert widths.points <= 8.6


def _spaces(text: str) -> str:
    return text.replace("\xa0", " ").replace("\u202f", " ")


def test_the_widths_of_amounts_are_not_taken_too_small():
    with TTFont(Path(render.__file__).parent / "fonts" / "inter-semibold.otf") as font:
        known, metrics = font.getBestCmap(), font["hmtx"].metrics
        size = font["head"].unitsPerEm
        letters_of = {
            letter
            for locale in samples.LOCALES
            for currency in CURRENCIES
            for letter in Formats(locale, currency).cents(-123456789000)
            if not letter.isdecimal() and ord(letter) in known
        }
        tabular = max(
            metrics[new][0]
            for each in font["GSUB"].table.LookupList.Lookup
            for part in each.SubTable
            for old, new in getattr(getattr(part, "ExtSubTable", part), "mapping", {}).items()
            if old in {known[ord(digit)] for digit in "0123456789"}
        )
        assert tabular / size <= fit.width("0", 1)
        assert [each for each in letters_of if metrics[known[ord(each)]][0] / size > fit.width(each, 1)] == []


def test_a_long_name_without_a_space_stays_on_the_page():
    own = [samples.fee("W" * 255, 100), *samples.fees()[:1]]
    text = "".join(pages(invoices.page(samples.invoice(own), Look(samples.organization(legal_name="L" * 255)))))
    assert text.replace("\n", "").count("W") >= 255
    assert "€1.00" in text
