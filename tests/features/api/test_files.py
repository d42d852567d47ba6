"""Lasting addresses of documents: without a key, without a guess, and to the document as it is now."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.util import setup_testing_defaults

import pytest
from chalice.config import Config
from chalice.local import LocalGateway

from app import app
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.documents import render
from chalicelib.features.invoices import store as invoices
from chalicelib.platform import agenda, aws, clock, files
from chalicelib.platform.settings import settings
from infra.local.gateway import Gateway
from tests.support.credit_notes import stored
from tests.support.messages import messages
from tests.support.story import Story, work


@pytest.fixture
def printed(story: Story, monkeypatch) -> Story:
    """An invoice that is paid, a credit note and a receipt, all printed; an endpoint that was told."""
    monkeypatch.setattr(render, "pdf", lambda page: f"%PDF {page.amount_note}".encode())
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    story.plan(amount_cents=4900, pay_in_advance=True)
    story.customer()
    story.subscribe()
    (invoice,) = story.invoices()
    story.ok(
        "POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 100, "reference": "r"}}
    )
    note = credit_notes.issued_task(story.ref, stored(story, "2000.00000"), clock.utc_now())
    agenda.put(note, now=clock.utc_now()).alone()
    agenda.push([note])
    work()
    work("documents")
    work()
    return story


def shown(story: Story) -> dict[str, str]:
    """The addresses that the API shows, by kind."""
    return {
        "invoice": story.invoices()[0]["file_url"],
        "credit_note": story.ok("GET", "/credit_notes")["credit_notes"][0]["file_url"],
        "payment_receipt": story.ok("GET", "/payment_receipts")["payment_receipts"][0]["file_url"],
    }


def asked(url: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """An answer without a key: status, headers, body."""
    path = url.removeprefix(settings().public_url)
    answer = LocalGateway(app, Config()).handle_request(method, path, {}, b"")
    return answer["statusCode"], answer["headers"], answer["body"]


def test_answers_and_messages_show_one_address_that_leads_to_the_document(printed):
    addresses = shown(printed)
    told = {m.webhook_type: json.loads(m.payload) for m in messages(printed.ref.id)}
    for kind, url in addresses.items():
        assert url.startswith(f"{settings().public_url}/files/")
        assert told[f"{kind}.generated"][kind]["file_url"] == url
        status, headers, body = asked(url)
        assert (status, body) == (302, "")
        assert headers["Cache-Control"] == "no-store"
        query = parse_qs(urlsplit(headers["Location"]).query)
        assert query.get("X-Amz-Expires", query.get("Expires")) == ["900"]
        assert f"{printed.ref.id}/{kind}s/" in headers["Location"]
    assert shown(printed) == addresses  # The same each time.
    assert len(set(addresses.values())) == 3


def test_the_headers_alone_can_be_asked_for(printed):
    url = shown(printed)["invoice"]
    (status, headers, _), (_, other, _) = asked(url, "HEAD"), asked(url)
    assert status == 302
    assert urlsplit(headers["Location"]).path == urlsplit(other["Location"]).path
    assert "response-content-disposition" not in headers["Location"]


def test_it_leads_to_the_document_as_it_is_now(printed):
    url = shown(printed)["invoice"]
    invoice = printed.invoices()[0]["lago_id"]
    key = f"{printed.ref.id}/invoices/{invoice}.pdf"
    before = files.get(key)
    other = shown(printed)["credit_note"]
    aws.client("s3").delete_object(Bucket=settings().files_bucket, Key=key)
    status, _, body = asked(url)
    assert (status, json.loads(body)) == (404, {"status": 404, "error": "Not Found", "code": "file_not_found"})
    files.put(key, before, "application/pdf")
    assert asked(url)[0] == asked(other)[0] == 302


def test_the_address_of_a_void_invoice_leads_to_what_it_looks_like_then(story, monkeypatch):
    monkeypatch.setattr(render, "pdf", lambda page: f"%PDF {page.amount_note}".encode())
    story.plan(amount_cents=4900, pay_in_advance=True)
    story.customer()
    story.subscribe()
    work()
    work("documents")
    (invoice,) = story.invoices()
    story.ok("POST", f"/invoices/{invoice['lago_id']}/void")
    work()
    work("documents")
    assert story.invoices()[0]["file_url"] == invoice["file_url"]
    assert asked(invoice["file_url"])[0] == 302
    assert b"Voided" in files.get(f"{story.ref.id}/invoices/{invoice['lago_id']}.pdf")


def test_no_other_address_leads_anywhere(printed):
    url = shown(printed)["invoice"]
    base, _, token = url.rpartition("/")
    own = files.document_of(token)
    assert own is not None
    place = f"{own.organization_id}/{{}}/{own.id}.pdf"
    other = Story.begin(name="Other").ref.id
    wrong = [
        files.address(place.format("invoices"), files.new_secret()),
        files.address(place.format("invoices"), "0" * 32),
        files.address(place.format("credit_notes"), own.secret),
        files.address(place.format("logos"), own.secret),
        files.address(f"{other}/invoices/{own.id}.pdf", own.secret),
        *(f"{base}/{each}" for each in ("x", token[:-1], token + "A", token + "=", token[:40], "%00", "é", "A" * 5000)),
    ]
    # Each character counts, the bits that base64 leaves over too.
    wrong += [f"{base}/{token[:n]}{'B' if token[n] == 'A' else 'A'}{token[n + 1 :]}" for n in range(len(token))]
    wrong += [f"{base}/{token[:-1]}{letter}" for letter in "BCDEFGHIJ" if letter != token[-1]]
    for each in wrong:
        status, _, body = asked(each)
        assert (status, json.loads(body)["status"]) == (404, 404), each


def test_two_documents_have_nothing_in_common(printed):
    secrets = {files.document_of(url.rpartition("/")[2]).secret for url in shown(printed).values()}  # type: ignore[union-attr]
    assert len(secrets) == 3
    assert all(len(secret) == 32 for secret in secrets)


def test_a_document_that_is_not_printed_has_none(story):
    story.plan(amount_cents=4900, pay_in_advance=True)
    story.customer()
    story.subscribe()
    (invoice,) = story.invoices()
    assert invoice["file_url"] is None
    url = files.address(f"{story.ref.id}/invoices/{invoice['lago_id']}.pdf", files.new_secret())
    assert asked(url)[0] == 404


def test_one_that_an_earlier_version_printed_has_a_link_that_expires(printed):
    stored_invoice = invoices.get(printed.ref.id, printed.invoices()[0]["lago_id"])
    assert stored_invoice is not None
    old: Any = stored_invoice.model_copy(update={"file_secret": None})
    from chalicelib.platform.unit import Unit

    Unit(invoices.replace_actions(printed.ref.id, stored_invoice, old)).commit()
    assert "Expires=900" in printed.invoices()[0]["file_url"]
    url = files.address(str(old.file_key), str(stored_invoice.file_secret))
    assert asked(url)[0] == 404


def test_the_address_stands_below_a_stage(monkeypatch):
    monkeypatch.setenv("PUBLIC_URL", "https://x.execute-api.example/api/")
    settings.cache_clear()
    name = "01900000-0000-7000-8000-000000000001/invoices/01900000-0000-7000-8000-000000000002.pdf"
    url = files.address(name, "ab" * 16)
    assert url.startswith("https://x.execute-api.example/api/files/")
    assert files.document_of(url.rpartition("/")[2]) == files.Document(
        "invoices", "01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002", "ab" * 16
    )
    settings.cache_clear()


def test_the_local_gateway_asks_for_headers_as_clients_do(printed):
    seen: list[tuple[str, dict[str, str]]] = []
    for path in (urlsplit(shown(printed)["invoice"]).path, "/health"):
        environ: dict[str, Any] = {"REQUEST_METHOD": "HEAD", "REQUEST_URI": path}
        setup_testing_defaults(environ)
        body = Gateway(app)(environ, lambda status, headers: seen.append((status[:3], dict(headers))))
        assert b"".join(body) == b""
    assert [status for status, _ in seen] == ["302", "200"]
    assert "response-content-disposition" not in seen[0][1]["Location"]
