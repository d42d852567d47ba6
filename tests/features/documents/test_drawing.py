"""Documents as files: nothing from outside, nothing lost, and pages that break where they may."""

import io
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont
from pypdf import PdfReader

from chalicelib.features.documents import credit_notes, invoices, receipts, render
from chalicelib.features.documents.page import Look, Page
from tests.support import documents as samples

pytestmark = pytest.mark.pdf
HOSTILE = (
    "<img src=http://127.0.0.1:9/a.png><link rel=stylesheet href=file:///etc/passwd>"
    "</style><style>@import 'http://x.example'</style><script>1</script>\"'{{ 7*7 }}"
)


def pages(page: Page) -> list[str]:
    """The text of each page."""
    return [each.extract_text() for each in PdfReader(io.BytesIO(render.pdf(page))).pages]


def hostile(value: Any) -> Any:
    """The same object with every name, text and number of somebody replaced."""
    kept = {"currency", "amount_currency", "status", "payment_status", "invoice_type", "type", "applicable_timezone"}
    if isinstance(value, dict):
        found = {}
        for name, each in value.items():
            free = (
                isinstance(each, str)
                and name not in kept
                and not each.lstrip("-")[:1].isdigit()
                and "lago_" not in name
            )
            found[name] = HOSTILE if free and name != "country" else hostile(each)
        return found
    return [hostile(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def offline(monkeypatch):
    """No connection is made, and no address is fetched but ours; what was asked for."""
    asked = []

    def connect(*args: Any, **options: Any) -> None:
        asked.append(args)
        raise AssertionError("a document reached for the network")

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return asked


def test_nothing_that_anybody_writes_is_fetched_or_obeyed(offline, monkeypatch):
    invoice, note = hostile(samples.one_off()), hostile(samples.credit_note(items=samples.credit_note()["items"][:1]))
    look = Look(hostile(samples.organization()), payment_url="https://pay.example/1")
    receipt = samples.receipt(number=HOSTILE)
    paid = receipts.page(receipt, [invoice], look, paid_on=samples.PAID_ON)
    drawn = (invoices.page(invoice, look), credit_notes.page(note, look), paid)
    for page in drawn:
        html = render.html(page)
        assert html.count("<img") == html.count("<style") == html.count("<script") == html.count("<link") == 0
        text = "".join(pages(page)).replace("\n", "").replace(" ", "")
        assert "file:///etc/passwd" in text  # As a text, which it is.
        assert "root:" not in text
        assert "{{7*7}}" in text
    assert offline == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/",
        "https://x.example/a.png",
        "file:///etc/passwd",
        "ftp://x.example/",
        "data:text/html,hello",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "font:inter-regular.otf",
    ],
)
def test_an_address_in_a_document_is_refused_whatever_its_scheme(address, offline):
    with pytest.raises(render.NoNetwork):
        render._fetcher(render._IMAGES)(address)
    assert offline == []


def test_styles_may_only_read_fonts_of_their_folder():
    fetch = render._fetcher((render._FONTS,))
    assert fetch("font:inter-regular.otf").read()[:4] == b"OTTO"
    for address in ("file:///etc/passwd", "http://x.example/", "data:font/otf;base64,AA=="):
        with pytest.raises(render.NoNetwork):
            fetch(address)
    with pytest.raises(OSError, match="passwd"):
        fetch("font:../../../../../../etc/passwd")


def test_a_logo_is_drawn_and_a_broken_one_stops_nothing(offline):
    page = invoices.page(samples.one_off(), Look(samples.organization(), logo=samples.logo()))
    drawn = PdfReader(io.BytesIO(render.pdf(page)))
    assert len(drawn.pages[0].images) == 1
    assert pages(replace(page, logo=b"\x89PNG broken"))


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


def test_a_long_name_without_a_space_stays_on_the_page():
    own = [samples.fee("W" * 255, 100), *samples.fees()[:1]]
    text = "".join(pages(invoices.page(samples.invoice(own), Look(samples.organization(legal_name="L" * 255)))))
    assert text.replace("\n", "").count("W") >= 255
    assert "€1.00" in text


SCRIPTS = "Zażółć Čeština Ελληνικά Українська العربية שלום हिन्दी ไทย 臺灣統一編號 ₹ ₺ ₩ € £ ¥"


def test_one_line_may_hold_every_script():
    folder = Path(render.__file__).parent / "fonts"
    known = set()
    for path in (*folder.glob("*.otf"), *folder.glob("*.woff2")):
        with TTFont(path) as font:
            known |= set(font.getBestCmap())
    assert [letter for letter in SCRIPTS if ord(letter) not in known] == []
    for words in (folder.parent / "words").glob("*.json"):
        assert [letter for letter in words.read_text() if letter != "\n" and ord(letter) not in known] == []
    content = render.pdf(invoices.page(samples.invoice(customer=samples.customer(legal_name=SCRIPTS)), _plain()))
    assert len(content) < 1024 * 1024


def test_figures_are_as_wide_as_each_other():
    with TTFont(Path(render.__file__).parent / "fonts" / "inter-regular.otf") as font:
        assert "tnum" in {each.FeatureTag for each in font["GSUB"].table.FeatureList.FeatureRecord}
    assert "tabular-nums" in (Path(render.__file__).parent / "templates" / "document.css").read_text()


@pytest.mark.parametrize(("locale", "weights"), [("zh-TW", 1), ("en", 2)])
def test_a_language_whose_font_has_one_weight_mixes_none(locale, weights):
    page = invoices.page(samples.one_off(), Look(samples.organization(), locale))
    drawn = PdfReader(io.BytesIO(render.pdf(page)))
    names = {
        str(font.get_object()["/BaseFont"]) for each in drawn.pages for font in each["/Resources"]["/Font"].values()
    }
    own = {name for name in names if "Chinese" not in name}
    assert len(own) == weights, names


def _plain() -> Look:
    return Look(samples.organization())
