"""What happens to credit notes: drafts, balances, voids, refunds and metadata, and the telling of an issue."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chalicelib.domain.errors import Overtaken
from chalicelib.features.credit_notes import service, store, values
from chalicelib.features.credit_notes.records import CreditNote, OpenNote
from chalicelib.platform import agenda
from chalicelib.platform.dynamodb import Cancelled
from chalicelib.platform.unit import Unit
from chalicelib.tasks import credit_notes as jobs
from tests.support import credit_notes
from tests.support.credit_notes import NOW, a_note, an_invoice, changed, listed, open_notes, stored
from tests.support.messages import messages
from tests.support.story import Story, work


@pytest.fixture
def billed(story: Story) -> Story:
    return credit_notes.billed(story)


def test_what_was_paid_beyond_the_used_part_is_refunded(billed):
    # 20 of 31 days of 31.00 are given back: 20.00 and 4.00 tax; 13.20 stay owed, and half of 37.20 was paid.
    note = a_note(billed, mode="refund", total_paid_amount_cents=1860, used=1320)
    assert (note.refund_amount_cents, note.credit_amount_cents, note.offset_amount_cents) == (540, 1860, 0)
    assert (note.refund_status, note.credit_status, note.balance_amount_cents) == ("pending", "available", 1860)
    offset = a_note(billed, mode="offset", total_paid_amount_cents=1860, used=1320)
    assert (offset.refund_amount_cents, offset.credit_amount_cents, offset.offset_amount_cents) == (540, 0, 1860)
    assert not offset.open


def test_a_note_on_a_draft_is_hidden_until_it_is_final(billed):
    draft = stored(billed, status="draft", number="ACM-DRAFT")
    assert (draft.status, draft.number, draft.balance_amount_cents) == ("draft", "ACM-DRAFT-CN001", 2400)
    for method, path in (("GET", ""), ("PUT", "/void")):
        answer = billed.call(method, f"/credit_notes/{draft.id}{path}")
        assert (answer.status, answer.body["code"]) == (404, "credit_note_not_found")
    refunded = billed.call("PUT", f"/credit_notes/{draft.id}", {"credit_note": {"refund_status": "failed"}})
    assert refunded.status == 404
    assert (listed(billed), open_notes(billed, draft)) == ([], [])

    invoice = an_invoice(billed)
    later = datetime(2024, 1, 14, tzinfo=UTC)
    final = changed(billed, draft, values.finalized(draft, invoice, today=date(2024, 1, 14), now=later))
    shown = billed.ok("GET", f"/credit_notes/{draft.id}")["credit_note"]
    assert (shown["number"], shown["invoice_number"]) == (f"{invoice.number}-CN001", invoice.number)
    assert (shown["issuing_date"], shown["balance_amount_cents"]) == ("2024-01-14", 2400)
    assert listed(billed) == [draft.id]
    assert [each.balance_cents for each in open_notes(billed, final)] == [2400]


def test_the_open_balance_follows_the_note(billed):
    newer = stored(billed, "100", now=datetime(2024, 1, 12, tzinfo=UTC))
    note = stored(billed)
    assert open_notes(billed, note) == [
        OpenNote(note.id, "EUR", 2400, note.invoice_id),  # The oldest first.
        OpenNote(newer.id, "EUR", 120, newer.invoice_id),
    ]
    used = changed(billed, note, service.consumed(note, 1000, now=NOW))
    assert [each.balance_cents for each in open_notes(billed, note)] == [1400, 120]
    assert used.credit_status == "available"
    gone = changed(billed, used, service.consumed(used, 1400, now=NOW))
    assert [each.note_id for each in open_notes(billed, note)] == [newer.id]
    shown = billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]
    assert (shown["credit_status"], shown["balance_amount_cents"], shown["credit_amount_cents"]) == (
        "consumed",
        0,
        2400,
    )
    assert store.get_many(billed.ref.id, [note.id, newer.id, "none"]).keys() == {note.id, newer.id}
    with pytest.raises(AssertionError):
        service.consumed(gone, 1, now=NOW)


def test_a_balance_read_before_somebody_else_used_it_is_refused(billed):
    note = stored(billed)
    changed(billed, note, service.consumed(note, 1000, now=NOW))
    with pytest.raises(Cancelled):
        changed(billed, note, service.consumed(note, 2000, now=NOW))
    assert [each.balance_cents for each in open_notes(billed, note)] == [1400]


def test_notes_of_one_transaction_move_the_total_once(billed):
    # More than the counter has rows: two of them must meet.
    one = a_note(billed, "100")
    notes = [one.model_copy(update={"id": f"note-{n}"}) for n in range(20)]
    drafts = [one.model_copy(update={"id": f"draft-{n}", "status": "draft"}) for n in range(20)]
    organization_id = billed.ref.id
    Unit(store.write_notes(organization_id, created=[*drafts, *notes])).commit()
    assert len(listed(billed)) == 20
    invoice = an_invoice(billed)
    final = [(draft, values.finalized(draft, invoice, today=date(2024, 1, 14), now=NOW)) for draft in drafts]
    Unit(store.write_notes(organization_id, replaced=final)).commit()
    assert len(listed(billed)) == 40
    used = [(note, service.consumed(note, 120, now=NOW)) for note in notes]
    Unit([action for old, new in used for action in store.replace_actions(organization_id, old, new)]).commit()
    assert len(listed(billed)) == 40
    assert len(open_notes(billed, notes[0])) == 20


def test_what_is_left_can_be_voided_once(billed):
    note = stored(billed)
    changed(billed, note, service.consumed(note, 1000, now=NOW))
    shown = billed.ok("PUT", f"/credit_notes/{note.id}/void")["credit_note"]
    assert (shown["credit_status"], shown["balance_amount_cents"], shown["credit_amount_cents"]) == ("voided", 0, 2400)
    assert open_notes(billed, note) == []
    assert listed(billed, "credit_status=voided") == [note.id]
    again = billed.call("PUT", f"/credit_notes/{note.id}/void")
    assert (again.status, again.body["code"]) == (405, "no_voidable_amount")


def test_a_note_that_was_refunded_in_full_has_nothing_to_void(billed):
    note = stored(billed, mode="refund", total_paid_amount_cents=3720)
    assert (note.refund_amount_cents, note.credit_status) == (2400, "available")
    assert billed.call("PUT", f"/credit_notes/{note.id}/void").body["code"] == "no_voidable_amount"


def test_the_refund_status_is_set_freely(billed):
    note = stored(billed, mode="refund", total_paid_amount_cents=3720, used=3000)
    for status in ("succeeded", "failed", "pending"):
        body = {"credit_note": {"refund_status": status}}
        assert billed.ok("PUT", f"/credit_notes/{note.id}", body)["credit_note"]["refund_status"] == status
        assert billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]["refund_status"] == status
    assert [each.balance_cents for each in open_notes(billed, note)] == [note.credit_amount_cents]


def test_changes_that_mean_nothing_are_refused_whole(billed):
    note = stored(billed)
    before = billed.ok("GET", f"/credit_notes/{note.id}")
    for fields, details in (
        ({"refund_status": "done"}, {"refund_status": ["value_is_invalid"]}),
        ({"refund_status": None}, {"refund_status": ["value_is_invalid"]}),
        ({"refund_status": 1, "metadata": {"k": "v"}}, {"refund_status": ["value_is_invalid"]}),
        ({"metadata": []}, {"metadata": ["invalid_type"]}),
        ({"metadata": {"k" * 101: "v"}}, {"key": ["value_is_too_long"]}),
        ({"metadata": {"k": "v" * 256}}, {"value": ["value_is_too_long"]}),
        ({"metadata": {"k": 1}}, {"value": ["value_is_invalid"]}),
        ({"metadata": {str(n): "v" for n in range(51)}}, {"metadata": ["invalid_count"]}),
    ):
        answer = billed.call("PUT", f"/credit_notes/{note.id}", {"credit_note": fields})
        assert (answer.status, answer.body["error_details"]) == (422, details)
    assert billed.ok("GET", f"/credit_notes/{note.id}") == before


def test_metadata_is_merged(billed):
    note = stored(billed)

    def put(**metadata: str | None) -> object:
        body = {"credit_note": {"metadata": metadata}}
        return billed.ok("PUT", f"/credit_notes/{note.id}", body)["credit_note"]["metadata"]

    assert put(a="1", b="2") == {"a": "1", "b": "2"}
    assert put(b=None, c="3") == {"a": "1", "b": None, "c": "3"}
    body = {"credit_note": {"metadata": {f"k{n}": "v" for n in range(48)}}}
    answer = billed.call("PUT", f"/credit_notes/{note.id}", body)
    assert answer.body["error_details"] == {"metadata": ["invalid_count"]}  # 3 + 48.
    assert billed.call("PUT", f"/credit_notes/{note.id}", {"credit_note": {}}).status == 400


def issue(story: Story, note: CreditNote) -> agenda.Task:
    task = service.issued_task(story.ref, note, NOW)
    Unit(store.create_actions(story.ref.id, note), agenda.put(task, now=NOW)).commit()
    return task


def test_an_issue_is_told_once_even_if_the_job_runs_twice(billed):
    work()
    endpoint = {"webhook_url": "http://127.0.0.1:9/hook", "event_types": ["credit_note.created"]}
    billed.ok("POST", "/webhook_endpoints", {"webhook_endpoint": endpoint})
    note = a_note(billed)
    task = issue(billed, note)
    jobs.issued(task, NOW)
    with pytest.raises(Overtaken):
        jobs.issued(task, NOW)
    # Its push comes too late as well.
    agenda.push([task])
    work()
    (message,) = messages(billed.ref.id)
    assert (message.webhook_type, message.object_type, message.object_id) == (
        "credit_note.created",
        "credit_note",
        note.id,
    )
    assert agenda.find(task.key) is None
    body = json.loads(message.payload)
    assert body["credit_note"] == billed.ok("GET", f"/credit_notes/{note.id}")["credit_note"]


def test_the_task_runs_in_real_time_and_ends_without_endpoints(billed):
    note = a_note(billed)
    task = issue(billed, note)
    assert task.due_at > NOW
    assert not task.in_clock
    agenda.push([task])
    work()
    assert agenda.find(task.key) is None


def test_nobody_is_told_of_a_draft(billed):
    billed.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    work()
    told = len(messages(billed.ref.id))
    task = issue(billed, a_note(billed, status="draft"))
    jobs.issued(task, NOW)
    assert agenda.find(task.key) is None
    gone = replace(task, subject="none")
    Unit(agenda.put(gone, now=NOW)).commit()
    jobs.issued(gone, NOW)
    assert len(messages(billed.ref.id)) == told
