"""Letters of documents: every script has its font, what has none is a box, and no name turns the text around it."""

import io
from pathlib import Path
from typing import Any

import pytest
from fontTools.pens.boundsPen import BoundsPen
from fontTools.ttLib import TTFont
from pypdf import PdfReader

from chalicelib.features.documents import invoices, letters, render
from chalicelib.features.documents.page import Look, Page
from tests.support import documents as samples
from tests.support.documents import pages

pytestmark = pytest.mark.pdf


SCRIPTS = (
    "Zażółć Čeština Ελληνικά Українська العربية שלום हिन्दी ไทย 臺灣統一編號 ₹ ₺ ₩ € £ ¥ 한국 주식회사 뷁 カタカナ ひらがな "
    "বাংলা தமிழ் ኢትዮጵያ తెలుగు ಕನ್ನಡ മലയാളം ગુજરાતી ਪੰਜਾਬੀ ଓଡ଼ିଆ සිංහල ລາວ မြန်မာ ខ្មែរ Հայերեն ქართული ދިވެހި"
)


def _named(name: str) -> Page:
    return invoices.page(
        samples.one_off() | {"customer": samples.customer(legal_name=name)}, Look(samples.organization())
    )


def test_one_line_may_hold_every_script():
    folder = Path(render.__file__).parent / "fonts"
    known = set()
    for path in (*folder.glob("*.otf"), *folder.glob("*.woff2")):
        with TTFont(path) as font:
            known |= set(font.getBestCmap())
    assert [letter for letter in SCRIPTS if ord(letter) not in known] == []
    for words in (folder.parent / "words").glob("*.json"):
        assert [letter for letter in words.read_text() if letter != "\n" and ord(letter) not in known] == []
    assert len(render.pdf(_named(SCRIPTS))) < 1024 * 1024


def test_each_script_has_a_font_that_is_read_only_where_it_is_needed(caplog):
    folder = Path(render.__file__).parent / "fonts"
    assert {path.stem.removeprefix("noto-sans-") for path in folder.glob("*.woff2")} == {*letters.SCRIPTS, "tc-bold"}
    assert letters.scripts("Zażółć Ελληνικά Українська") == ()
    assert letters.scripts("שלום 한국") == ("hebrew", "kr")
    assert set(letters.scripts(SCRIPTS)) == set(letters.SCRIPTS)
    pages(_named(SCRIPTS))
    assert [each.getMessage() for each in caplog.records] == []


def _box(font: TTFont) -> Any:
    pen = BoundsPen(font.getGlyphSet())
    font.getGlyphSet()[".notdef"].draw(pen)
    return pen.bounds


def test_a_letter_that_no_font_has_is_a_box_and_a_space_never_is(caplog):
    folder = Path(render.__file__).parent / "fonts"
    for path in (*folder.glob("*.otf"), *folder.glob("*.woff2")):
        with TTFont(path) as font:
            assert _box(font) is not None, path.name
            assert ord(" ") in font.getBestCmap(), path.name
    content = render.pdf(_named("Kept \U00012000 cuneiform"))
    assert [each.args[1] for each in caplog.records if "notdef" in each.getMessage()] == [0x12000]
    (page,) = PdfReader(io.BytesIO(content)).pages
    files = [font.get_object()["/DescendantFonts"][0].get_object() for font in page["/Resources"]["/Font"].values()]
    boxes = [_box(TTFont(io.BytesIO(each["/FontDescriptor"]["/FontFile3"].get_data()))) for each in files]
    assert any(boxes)


def test_marks_that_turn_the_text_are_left_out():
    assert "evil x" in pages(_named("\u202eevil\u202c \u2067x"))[0]


def test_figures_are_as_wide_as_each_other():
    with TTFont(Path(render.__file__).parent / "fonts" / "inter-regular.otf") as font:
        assert "tnum" in {each.FeatureTag for each in font["GSUB"].table.FeatureList.FeatureRecord}
    assert "tabular-nums" in (Path(render.__file__).parent / "templates" / "document.css").read_text()


def test_chinese_has_two_weights_as_latin_has():
    page = invoices.page(samples.one_off(), Look(samples.organization(), "zh-TW"))
    drawn = PdfReader(io.BytesIO(render.pdf(page)))
    names = {
        str(font.get_object()["/BaseFont"]) for each in drawn.pages for font in each["/Resources"]["/Font"].values()
    }
    assert len({name for name in names if "tc" in name}) == 2, names
    assert len(names) == 4, names


HEBREW = "חברה 7"


def test_a_name_written_from_right_to_left_turns_nothing_around_it():
    alone = f"\N{FIRST STRONG ISOLATE}{HEBREW}\N{POP DIRECTIONAL ISOLATE}"
    shown = samples.invoice(
        [samples.fee("Seats", 100, item={"grouped_by": {"team": HEBREW}})],
        customer=samples.customer(city=HEBREW, zipcode="9100", country="IL", tax_identification_number=HEBREW),
        subscriptions=[{"lago_id": "sub-1", "name": HEBREW, "plan_code": "premium"}],
        credits=[samples.credit("coupon", 10, HEBREW)],
    )
    page = invoices.page(shown, Look(samples.organization()))
    assert page.table.heading == f"Subscription – {alone}"
    assert page.table.lines[0].notes == [f"team: {alone}"]
    assert f"Coupon – {alone}" in [row.label for row in page.sums]
    assert f"9100 {alone}, CA" in page.parties[1].lines
    assert page.parties[1].lines[-1] == f"Tax ID: {alone}"
    assert letters.isolated("Brightline 7") == "Brightline 7"
    assert letters.isolated("a\u202eb\u2069\u2066c") == "abc"
