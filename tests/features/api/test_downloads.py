"""Documents over HTTP: printed at issue, there at once when asked for, made again when lost."""

import base64
import io
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader

from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.documents import orders, render
from chalicelib.features.documents.page import Page
from chalicelib.features.invoices import service as invoices
from chalicelib.features.payments import service as payments
from chalicelib.platform import agenda, aws, clock, files
from chalicelib.platform.agenda import runner
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.settings import settings
from tests.support import documents as samples
from tests.support.credit_notes import stored
from tests.support.messages import messages
from tests.support.story import Story, received, work

LOGO = base64.b64encode(samples.logo()).decode()


@pytest.fixture
def drawn(monkeypatch) -> list[Page]:
    """Pages in the place of their files, and no waiting for the printer."""
    found: list[Page] = []
    monkeypatch.setattr(render, "pdf", lambda page: found.append(page) or b"%PDF-1.7")
    monkeypatch.setattr(orders, "_PRINTER_WAIT_SECONDS", 0.0)
    return found


@pytest.fixture
def billed(story: Story, drawn: list[Page]) -> Story:
    """A customer with an invoice that nobody printed yet."""
    # Of what nobody wants to hear nothing is announced.
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    story.plan(amount_cents=4900, pay_in_advance=True)
    story.customer(legal_name="Kundin GmbH", billing_configuration={"document_locale": "de"})
    story.subscribe()
    return story


def print_asked() -> int:
    """Carry out what stands in the queue of asked documents; how many."""
    from chalicelib import wiring

    records = received(settings().asked_queue)
    assert wiring.work(records) == {"batchItemFailures": []}
    return len(records)


def an_invoice(story: Story) -> Any:
    return story.ok("GET", "/invoices")["invoices"][0]


def test_one_asked_for_does_not_wait_for_the_others(billed, drawn):
    path = f"/invoices/{an_invoice(billed)['lago_id']}"
    assert billed.ok("POST", f"{path}/download") is None
    assert print_asked() == 1
    shown = billed.ok("POST", f"{path}/download")["invoice"]
    assert shown["file_url"].startswith(f"{settings().public_url}/files/")
    assert [page.title for page in drawn] == ["Rechnung"]
    work("documents")  # What stood in the other queue is done already.
    assert len(drawn) == 1
    assert print_asked() == 0


@pytest.mark.pdf
def test_the_file_says_what_the_api_says(story):
    story.plan(amount_cents=4900, pay_in_advance=True)
    story.customer(legal_name="Kundin GmbH", country="AT", billing_configuration={"document_locale": "de"})
    story.subscribe()
    work()
    assert work("documents") == 1
    invoice = story.invoices()[0]
    content = files.get(f"{story.ref.id}/invoices/{invoice['lago_id']}.pdf")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    assert invoice["total_amount_cents"] == 4900
    for part in ("Rechnung", invoice["number"], "Kundin GmbH", "Österreich", "49,00\xa0€", "Monatliches Abonnement"):
        assert part in text.replace("49,00 €", "49,00\xa0€"), part
    assert "€49" not in text


def test_one_that_was_lost_is_made_again_without_a_message(billed, drawn):
    work()
    work("documents")
    invoice = an_invoice(billed)
    assert invoice["file_url"]
    key = f"{billed.ref.id}/invoices/{invoice['lago_id']}.pdf"
    told = len(_told("invoice.generated"))
    aws.client("s3").delete_object(Bucket=settings().files_bucket, Key=key)
    assert billed.ok("POST", f"/invoices/{invoice['lago_id']}/download") is None
    assert print_asked() == 1
    assert files.exists(key)
    assert billed.ok("POST", f"/invoices/{invoice['lago_id']}/download_pdf")["invoice"]["file_url"]
    assert len(drawn) == 2
    assert len(_told("invoice.generated")) == told


def test_a_void_invoice_is_drawn_anew_and_says_so_without_a_message(billed, drawn):
    work()
    work("documents")
    path = f"/invoices/{an_invoice(billed)['lago_id']}"
    told = len(_told("invoice.generated"))
    billed.ok("POST", f"{path}/void")
    assert work("documents") == 1
    assert work("documents") == 0
    assert [page.amount_note[:10] for page in drawn] == ["Fällig am ", "Storniert "]
    assert billed.ok("POST", f"{path}/download")["invoice"]["file_url"]
    assert len(_told("invoice.generated")) == told


def test_one_that_is_void_before_it_is_printed_is_printed_once(billed, drawn):
    work()
    billed.ok("POST", f"/invoices/{an_invoice(billed)['lago_id']}/void")
    work("documents")
    assert [page.amount_note[:10] for page in drawn] == ["Storniert "]
    assert len(_told("invoice.generated")) == 1


def test_a_task_that_failed_too_often_runs_again_for_who_asks(billed, drawn, monkeypatch):
    invoice = an_invoice(billed)
    work()
    task = agenda.find(agenda.task(invoices.PRINT, billed.ref, InvoiceId(invoice["lago_id"]), clock.utc_now()).key)
    assert task is not None
    for n in range(task.kind.attempts_max):
        task = agenda.postpone(task, f"failed {n}", real_now=clock.utc_now())
    assert task.parked
    billed.ok("POST", f"/invoices/{invoice['lago_id']}/download")
    assert print_asked() == 1
    assert len(drawn) == 1


def test_printing_twice_at_the_same_time_names_the_file_once(billed, drawn, monkeypatch):
    work()
    task = agenda.find(agenda.task(invoices.PRINT, billed.ref, an_invoice(billed)["lago_id"], clock.utc_now()).key)
    assert task is not None
    real = files.put

    def meanwhile(*args: Any) -> None:
        monkeypatch.setattr(files, "put", real)
        assert runner.run(task, now=task.due_at) is None
        real(*args)

    monkeypatch.setattr(files, "put", meanwhile)
    assert runner.run(task, now=task.due_at) is None
    assert len(drawn) == 2
    assert agenda.find(task.key) is None
    assert len(_told("invoice.generated")) == 1


def test_a_credit_note_has_a_document_too(billed, drawn):
    note = stored(billed, "2000.00000")
    path = f"/credit_notes/{note.id}"
    assert billed.ok("GET", path)["credit_note"]["file_url"] is None
    assert billed.ok("POST", f"{path}/download") is None
    assert print_asked() == 1
    shown = billed.ok("POST", f"{path}/download")["credit_note"]
    assert shown["file_url"]
    assert [page.title for page in drawn if page.number == shown["number"]] == ["Gutschrift"]
    assert len(_told("credit_note.generated")) == 1
    assert billed.call("POST", "/credit_notes/nobody/download").status == 404


def test_a_credit_note_is_printed_when_it_is_issued(billed, drawn):
    note = stored(billed, "2000.00000")
    agenda_task = credit_notes.issued_task(billed.ref, note, clock.utc_now())
    agenda.put(agenda_task, now=clock.utc_now()).alone()
    agenda.push([agenda_task])
    work()
    work("documents")
    assert billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]["file_url"]


def test_a_receipt_is_printed_at_the_payment(billed, drawn):
    billed.customer("far", timezone="America/Los_Angeles", billing_configuration={"document_locale": "de"})
    billed.subscribe("plan", "far", "far")
    (invoice,) = billed.ok("GET", "/customers/far/invoices")["invoices"]
    # A day is that of the customer, in whose zone its midnight by Greenwich is the day before.
    body = {"invoice_id": invoice["lago_id"], "amount_cents": 100, "reference": "Bank 7", "paid_at": "2023-12-20"}
    billed.ok("POST", "/payments", {"payment": body})
    (receipt,) = billed.ok("GET", "/payment_receipts")["payment_receipts"]
    assert receipt["file_url"] is None
    work()
    work("documents")
    shown = billed.ok("GET", f"/payment_receipts/{receipt['lago_id']}")["payment_receipt"]
    assert shown["file_url"].startswith(f"{settings().public_url}/files/")
    assert files.exists(f"{billed.ref.id}/payment_receipts/{receipt['lago_id']}.pdf")
    (page,) = [each for each in drawn if each.number == receipt["number"]]
    assert (page.title, page.amount) == ("Zahlungsbeleg", "1,00\xa0€")
    assert ("Zahlungsdatum", "20. Dez. 2023") in page.facts
    assert "20. Dez. 2023" in page.amount_note
    assert [(line.title, line.cells[-1]) for line in page.table.lines] == [(invoice["number"], "1,58\xa0€")]
    work()
    told = [each.webhook_type for each in messages(billed.ref.id)]
    assert [told.count(f"payment_receipt.{name}") for name in ("created", "generated")] == [1, 1]
    order = agenda.task(payments.PRINT, billed.ref, receipt["lago_id"], clock.utc_now())
    assert runner.run(order, now=order.due_at) is None  # Printed already: nothing is drawn again.
    assert len([each for each in drawn if each.number == receipt["number"]]) == 1


def test_the_logo_is_stored_and_drawn(billed, drawn):
    shown = billed.organization(logo=f"data:image/png;base64,{LOGO}")
    assert "logo" not in shown
    work()
    work("documents")
    assert drawn[0].logo == samples.logo()
    billed.organization(logo=None)
    billed.ok("POST", f"/credit_notes/{stored(billed, '2000.00000').id}/download")
    print_asked()
    assert drawn[-1].logo is None


def picture(kind: str, width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("logo", "code"),
    [
        ("https://x.example/logo.png", "invalid_content_type"),
        ("file:///etc/passwd", "invalid_content_type"),
        (base64.b64encode(b"<svg/>").decode(), "invalid_content_type"),
        (base64.b64encode(samples.logo()[:60]).decode(), "invalid_content_type"),
        (f"data:image/png;base64,{base64.b64encode(picture('GIF', 1, 1)).decode()}", "invalid_content_type"),
        (base64.b64encode(picture("PNG", 2001, 2000)).decode(), "invalid_size"),
        ("A" * 1_200_000, "invalid_size"),
        ("A" * 1_092_272, "invalid_size"),
        ("A" * 1_092_264, "invalid_content_type"),
    ],
)
def test_what_is_no_image_of_ours_is_refused(story, logo, code):
    answer = story.call("PUT", "/organizations", {"organization": {"logo": logo}})
    assert (answer.status, answer.body["error_details"]) == (422, {"logo": [code]})


def _told(name: str) -> list[str]:
    """The messages of a kind that are about to be sent."""
    found = aws.client("dynamodb").scan(TableName=settings().core_table)["Items"]
    return [item["pk"]["S"] for item in found if name in item["pk"]["S"] + item["sk"]["S"]]
