"""Documents as files: nothing from outside, and nothing that anybody writes is obeyed."""

import io
import socket
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader

from chalicelib.features.documents import credit_notes, invoices, receipts, render
from chalicelib.features.documents.page import Look
from tests.support import documents as samples
from tests.support.documents import pages

pytestmark = pytest.mark.pdf
HOSTILE = (
    "<img src=http://127.0.0.1:9/a.png><link rel=stylesheet href=file:///etc/passwd>"
    "</style><style>@import 'http://x.example'</style><script>1</script>\"'{{ 7*7 }}"
)


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
