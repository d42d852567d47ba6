"""Documents as pages: the API's figures in the customer's language, and every row in its place."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel.numbers import get_currency_symbol, parse_decimal
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.money import CURRENCIES, exponent, from_cents
from chalicelib.features.documents import credit_notes, invoices, receipts, words
from chalicelib.features.documents.formats import Formats
from chalicelib.features.documents.page import Look, Page
from tests.support import documents as samples
from tests.support.examples import examples

BABEL = {"pt-BR": "pt_BR", "zh-TW": "zh_Hant_TW"}


def read(text: str, locale: str, currency: str) -> Decimal:
    """An amount as somebody reads it who knows the language."""
    name = BABEL.get(locale, locale)
    plain = text.replace(get_currency_symbol(currency, locale=name), "").replace("\N{MINUS SIGN}", "-")
    return parse_decimal(plain.strip().replace("- ", "-").replace("-\xa0", "-").strip(), locale=name, strict=True)


def page_of(kind: str, locale: str) -> Page:
    look = Look(samples.organization(), locale)
    if kind == "credit note":
        return credit_notes.page(samples.credit_note(), look)
    if kind == "receipt":
        return receipts.page(samples.receipt(), [samples.reduced()], look, paid_on=samples.PAID_ON)
    made = {"subscription": samples.reduced, "one-off": samples.one_off, "advance": samples.advance}[kind]()
    return invoices.page(made, look)


KINDS = ("subscription", "one-off", "advance", "credit note", "receipt")


def texts(value: Any) -> Iterator[str]:
    """All texts of a page."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts(each)


def figures(value: Any) -> Iterator[Decimal]:
    """All figures of what the API shows, in currency units."""
    if isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, int) and name.endswith("_cents"):
                yield from (Decimal(each).scaleb(-2), Decimal(-each).scaleb(-2))
            elif isinstance(each, str) and ("amount" in name) and re.fullmatch(r"-?[\d.]+", each):
                yield Decimal(each)
                if name == "total_with_flat_amount":
                    yield Decimal(each) - Decimal(value["flat_unit_amount"])
            else:
                yield from figures(each)
    elif isinstance(value, list):
        for each in value:
            yield from figures(each)


@given(
    cents=st.integers(-(10**15), 10**15),
    currency=st.sampled_from(sorted(CURRENCIES)),
    locale=st.sampled_from(samples.LOCALES),
)
@settings(max_examples=examples(200))
def test_every_amount_reads_back_to_the_figure_of_the_api(cents, currency, locale):
    shown = Formats(locale, currency).cents(cents)
    assert read(shown, locale, currency) == from_cents(Decimal(cents), currency)
    digits = re.sub(r"\D", "", shown.replace(get_currency_symbol(currency, locale=BABEL.get(locale, locale)), ""))
    assert len(digits) >= exponent(currency) + 1


@pytest.mark.parametrize("locale", samples.LOCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_amount_of_every_document_is_a_figure_of_the_api(kind, locale):
    sources = {
        "subscription": samples.reduced(),
        "one-off": samples.one_off(),
        "advance": samples.advance(),
        "credit note": samples.credit_note(),
        "receipt": {"receipt": samples.receipt(), "invoice": samples.reduced()},
    }
    known = set(figures(sources[kind])) | {Decimal(0)}
    known.add(sum((f["amount_cents"] for f in samples.fees()), 0) / Decimal(100))
    amounts = [part for text in texts(page_of(kind, locale)) for part in _amounts(text)]
    assert len(amounts) >= 3
    assert [text for text in amounts if read(text, locale, "EUR") not in known] == []
    # The symbol stands on one side, as the language has it.
    assert len({text.strip("\N{MINUS SIGN}").startswith("€") for text in amounts}) == 1


def _amounts(text: str) -> list[str]:
    return re.findall(
        r"\N{MINUS SIGN}?€[\s\xa0]?[\d.,\s\xa0\u202f]*\d|\N{MINUS SIGN}?\d[\d.,\xa0\u202f]*[\s\xa0\u202f]€", text
    )


def test_all_languages_have_all_words():
    folder = Path(words.__file__).parent / "words"
    found = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    assert set(found) == set(samples.LOCALES)
    for locale, own in found.items():
        assert list(own) == list(found["en"]), locale
        for name, text in own.items():
            assert text.strip(), (locale, name)
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", found["en"][name])), (locale, name)


@pytest.mark.parametrize(
    ("locale", "country", "shown"),
    [("de", "DE", "Deutschland"), ("en", "DE", "Germany"), ("zh-TW", "TW", "台灣"), ("fr", "US", "États-Unis")],
)
def test_countries_stand_by_name(locale, country, shown):
    page = invoices.page(samples.one_off(), Look(samples.organization(country=country), locale))
    assert shown in page.parties[0].lines


@pytest.mark.parametrize(
    ("country", "kind", "title"),
    [("DE", "subscription", "Invoice"), ("SG", "one_off", "Tax invoice"), ("SG", "credit", "Advance invoice")],
)
def test_the_title_follows_country_and_kind(country, kind, title):
    shown = samples.invoice(invoice_type=kind)
    assert invoices.page(shown, Look(samples.organization(country=country))).title == title


def test_totals_stand_in_the_order_of_computation():
    after = [row.label for row in page_of("subscription", "en").sums]
    assert after == [
        "Subtotal (excl. tax)",
        "VAT (20% on €457.78)",
        "Subtotal (incl. tax)",
        "Credit note – NOR-4F1C-001-011-CN001",
        "Coupon – Spring offer",
        "Prepaid credits",
        "Total due",
    ]
    before = samples.invoice(credits=[samples.credit("coupon", 1000, "Spring offer", before=True)])
    assert invoices.page(before, Look(samples.organization())).sums[0].label == "Coupon – Spring offer"
    assert [row.label for row in page_of("advance", "en").sums] == ["Total due"]


def test_a_long_invoice_begins_with_a_summary_and_a_short_one_is_one_page():
    long = invoices.page(samples.invoice(), Look(samples.organization(), intervals={"sub-1": "monthly"})).spread
    assert long is not None
    assert [(line.title, line.cells) for line in long.table.lines] == [("Monthly subscription – Premium", ("€457.78",))]
    assert len(long.details) == 1
    short = invoices.page(samples.invoice(samples.fees()[:2]), Look(samples.organization()))
    assert (len(short.table.lines), short.details) == (2, ())


def test_only_metadata_to_be_shown_is_shown():
    facts = dict(page_of("subscription", "en").facts)
    assert facts["Purchase order"] == "PO-2024-0117"
    assert "Segment" not in facts


def test_what_is_paid_or_free_has_no_link_to_pay():
    look = Look(samples.organization(), payment_url="https://pay.example/1")
    assert invoices.page(samples.invoice(), look).payment_url == "https://pay.example/1"
    assert invoices.page(samples.invoice(payment_status="succeeded"), look).payment_url is None
    free = invoices.page(samples.invoice(total_amount_cents=0), look)
    assert (free.payment_url, free.amount_note) == (None, "Nothing to pay")


def test_units_have_six_decimals_and_prices_all_of_theirs():
    show = Formats("en", "USD")
    assert show.number("1.23456789012345") == "1.234568"
    assert show.money(Decimal("0.000000000000001")) == "$0.000000000000001"
    assert (show.money(Decimal("1.5")), Formats("en", "JPY").cents(1500)) == ("$1.50", "¥1,500")
    assert (show.rate("5.50"), Formats("en", "KWD").cents(1500)) == ("5.5%", "KWD\xa01.500")


@pytest.mark.parametrize("locale", samples.LOCALES)
def test_a_credit_note_says_what_was_credited_refunded_and_offset(locale):
    note = samples.credit_note(credit_amount_cents=2040, refund_amount_cents=2000, offset_amount_cents=1000)
    look = Look(samples.organization(), locale)
    page, show = credit_notes.page(note, look), look.formats("EUR")
    day, amounts = show.day(note["issuing_date"]), [show.cents(2040), show.cents(2000), show.cents(1000)]
    kinds = ("credited", "refunded", "offset")
    said = page.amount_note.split(" · ")
    for kind, amount, part in zip(kinds, amounts, said, strict=True):
        assert part.startswith(look.words[f"{kind}_on"].format(date=day))
        assert part.endswith(amount)
    rows = [(row.label, row.amount) for row in page.sums][-4:-1]
    assert rows == [(look.words[kind], amount) for kind, amount in zip(kinds, amounts, strict=True)]


@pytest.mark.parametrize(("part", "said"), [("credit", "Credited"), ("refund", "Refunded"), ("offset", "Offset")])
def test_a_credit_note_of_one_part_says_the_day_alone(part, said):
    none = dict.fromkeys(("credit_amount_cents", "refund_amount_cents", "offset_amount_cents"), 0)
    note = samples.credit_note(**none | {f"{part}_amount_cents": 5040})
    assert credit_notes.page(note, Look(samples.organization())).amount_note == f"{said} on Apr 9, 2024"


@pytest.mark.parametrize(("locale", "colon"), [("en", ": "), ("fr", "\xa0: "), ("zh-TW", "："), ("de", ": ")])
def test_the_colon_is_that_of_the_language(locale, colon):
    look = Look(samples.organization(), locale)
    page = invoices.page(samples.invoice([samples.fees()[2], samples.fees()[7]]), look)
    assert page.parties[0].lines[-1] == f"{look.words['vat_id']}{colon}DE301245678"
    notes = [note for line in page.table.lines for note in line.notes]
    assert f"workspace{colon}Research" in notes
    assert any(note.startswith(look.words["events"].partition("{")[0]) and colon in note for note in notes)


def test_an_invoice_of_credits_has_no_column_of_taxes():
    table = page_of("advance", "en").table
    assert (list(table.columns), len(table.widths)) == (["Item", "Units", "Unit price", "Amount"], 3)
    assert table.lines[0].cells == ("100", "€5.00", "€500.00")
    assert "Tax" in page_of("one-off", "en").table.columns


@pytest.mark.parametrize(
    ("locale", "country", "label"),
    [
        ("de", "DE", "USt-IdNr."),
        ("de", "US", "Steuernummer"),
        ("zh-TW", "TW", "統一編號"),
        ("zh-TW", "DE", "加值稅編號"),
        ("zh-TW", None, "稅籍編號"),
        ("pt-BR", "BR", "CNPJ/CPF"),
        ("pt-BR", "US", "Identificação fiscal"),
        ("en", "FR", "VAT ID"),
        ("en", "AU", "Tax ID"),
    ],
)
def test_a_tax_number_is_named_as_in_its_country(locale, country, label):
    assert words.tax_id(locale, country) == label
    customer = samples.customer(country=country)
    page = invoices.page(samples.invoice(customer=customer), Look(samples.organization(), locale))
    assert page.parties[1].lines[-1].startswith(label)


@pytest.mark.parametrize("locale", samples.LOCALES)
def test_a_void_invoice_says_since_when(locale):
    look = Look(samples.organization(), locale, payment_url="https://pay.example/1")
    shown = samples.invoice(status="voided", voided_at="2024-04-05T22:30:00Z")  # In Berlin it is the sixth.
    page = invoices.page(shown, look)
    assert page.amount_note == look.words["voided_on"].format(date=look.formats("EUR").day("2024-04-06"))
    assert (page.mark, page.payment_url) == (look.words["voided"], None)
