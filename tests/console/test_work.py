"""Long works: how far they are, what failed, and what they do once."""

import io
import zipfile
from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.console.views import invoice_bulk
from chalicelib.features.works import service
from chalicelib.features.works.records import Progress, Target, Work
from chalicelib.platform import agenda, files
from chalicelib.platform.clock import utc_now
from chalicelib.platform.dynamodb import Cancelled
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Unit
from chalicelib.tasks import works as handler
from tests.support import capacity
from tests.support import story as queues
from tests.support.console import Shown, Visitor, member_of
from tests.support.story import Story

A, B = Target(id="a", name="ACM-1"), Target(id="b", name="ACM-2")


def begun(visitor: Visitor, title: str = "Finalizing 2 invoices", at=None) -> Work:
    work = Work(id="w1", act="finalize", title=title, place="invoices", begun_at=at or utc_now())
    service.begin(visitor.story.ref, work, number=2, real_now=work.begun_at)
    return work


def found(organization_id: OrganizationId, work_id: str = "w1") -> Progress:
    progress = service.find(organization_id, work_id)
    assert progress is not None
    return progress


def work_of(shown: Shown, visitor: Visitor) -> Progress:
    """The work to which an act leads."""
    assert shown.status == 303, shown.words
    return found(visitor.story.ref.id, shown.location.rpartition("/")[2])


def drafts(story: Story, number: int) -> list[str]:
    """So many drafts."""
    story.organization(default_currency="EUR", billing_configuration={"invoice_grace_period": 30})
    story.plan("basic", amount_cents=1000, amount_currency="EUR", pay_in_advance=False)
    for n in range(number):
        story.customer(f"c{n}", currency="EUR")
        story.subscribe("basic", f"s{n}", f"c{n}")
    story.travel("2024-02-02T00:00:00Z")
    queues.work()
    return [each["lago_id"] for each in story.invoices("&status=draft")]


def finals(story: Story, number: int) -> list[str]:
    """So many one-off invoices that nobody paid."""
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    made = []
    for n in range(number):
        story.customer(f"c{n}", currency="EUR")
        body = {"external_customer_id": f"c{n}", "fees": [{"add_on_code": "setup"}]}
        made.append(story.ok("POST", "/invoices", {"invoice": body})["invoice"]["lago_id"])
    queues.work()
    return made


def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The invoices that money is asked for again, as it happens."""
    asked: list[str] = []
    real = handler.collecting.retry_payment

    def retry_payment(organization, invoice_id, **how):
        tasks = real(organization, invoice_id, **how)
        asked.append(invoice_id)
        return tasks

    monkeypatch.setattr(handler.collecting, "retry_payment", retry_payment)
    return asked


def test_the_page_asks_until_the_work_has_ended(visitor: Visitor):
    organization_id = visitor.story.ref.id
    work = begun(visitor)
    shown = visitor.get("work", "w1")
    assert "Finalizing 2 invoices" in shown.words
    assert "0 of 2 done . You may leave this page" in shown.words
    assert 'hx-trigger="every 2s"' in shown.text
    service.choose(organization_id, found(organization_id), [A, B], number=2, page=None)
    Unit(service.done(organization_id, work, A)).commit()
    Unit(service.done(organization_id, work, B, "changed_meanwhile")).commit()
    service.ended(organization_id, "w1").alone()
    ended = visitor.get("work", "w1")
    assert "2 of 2 done , 1 failed." in ended.words
    assert "hx-trigger" not in ended.text.partition('id="work"')[2].partition(">")[0]
    assert visitor.address("invoices", "b") in ended.text
    assert "Somebody else changed this meanwhile." in ended.words


def test_what_is_noted_twice_counts_once_and_a_work_begins_once(visitor: Visitor):
    organization_id = visitor.story.ref.id
    work = begun(visitor, "First")
    begun(visitor, "Second")
    seen = found(organization_id)
    assert seen.work.title == "First"
    service.choose(organization_id, seen, [A, B], number=2, page=None)
    with pytest.raises(Cancelled):
        service.choose(organization_id, seen, [A, B], number=2, page=None)
    Unit(service.done(organization_id, work, A)).commit()
    with pytest.raises(Cancelled):
        Unit(service.done(organization_id, work, A)).commit()
    assert (found(organization_id).done, list(service.left(organization_id, "w1"))) == (1, [B])


def test_a_long_one_is_asked_for_less_often(visitor: Visitor):
    begun(visitor, at=utc_now() - timedelta(minutes=2))
    assert 'hx-trigger="every 10s"' in visitor.get("work", "w1").text


def test_works_of_others_are_not_there_and_a_page_costs_few_requests(visitor: Visitor):
    other = member_of(Story.begin(at=None), "eve@example.com")
    begun(other)
    assert visitor.get("work", "w1").status == 404
    assert visitor.get("work", "w1", "file").status == 404
    with capacity.counting() as meter:
        other.get("work", "w1")
    assert meter.total <= 8


def test_all_drafts_that_match_become_final_and_a_second_press_does_nothing(visitor: Visitor):
    ids = drafts(visitor.story, 3)
    bar = {"act": "finalize", "all": "true", "external_customer_id": "c1"}
    assert "1 draft, all that match your filters" in visitor.post("invoices", "bulk", form=bar).words
    asked = visitor.get("invoices", "bulk", act="finalize")
    assert "3 drafts" in asked.words
    form = asked.fields
    first = visitor.post("invoices", "bulk", form=form)
    assert work_of(first, visitor).number == 3
    queues.work()
    assert visitor.post("invoices", "bulk", form=form).location == first.location
    queues.work()
    ended = work_of(first, visitor)
    assert (ended.has_ended, ended.number, ended.done, ended.failed) == (True, 3, 3, 0)
    for each in ids:
        assert visitor.story.ok("GET", f"/invoices/{each}")["invoice"]["status"] == "finalized"
    assert "There is nothing to do: no draft" in visitor.get("invoices", "bulk", act="finalize").words


def test_the_money_of_all_is_asked_for_once_however_often_the_task_runs(visitor: Visitor, monkeypatch):
    ids, asked = finals(visitor.story, 3), messages(monkeypatch)
    visitor.story.ok("PUT", f"/invoices/{ids[0]}", {"invoice": {"payment_status": "succeeded"}})
    confirm = visitor.get("invoices", "bulk", act="retry_payment")
    assert "2 final invoices with a pending or failed payment" in confirm.words
    began = visitor.post("invoices", "bulk", form=confirm.fields)
    work = work_of(began, visitor).work
    task = agenda.find(agenda.task(service.WORK, visitor.story.ref, work.id, utc_now()).key)
    assert task is not None
    handler.carry_on(task, task.due_at)
    handler.carry_on(task, task.due_at) if agenda.find(task.key) else None
    queues.work()
    assert sorted(asked) == sorted(ids[1:])
    assert work_of(began, visitor).has_ended


def test_a_slice_that_died_is_taken_up_where_it_ended(visitor: Visitor, monkeypatch):
    ids, asked = finals(visitor.story, 3), messages(monkeypatch)
    began = visitor.post("invoices", "bulk", form=visitor.get("invoices", "bulk", act="retry_payment").fields)
    real, run = handler.test_clock.run_due, []

    def dies(*given, **how):
        run.append(1)
        if len(run) == 2:
            raise RuntimeError("killed")
        real(*given, **how)

    monkeypatch.setattr(handler.test_clock, "run_due", dies)
    work = work_of(began, visitor).work
    task = agenda.find(agenda.task(service.WORK, visitor.story.ref, work.id, utc_now()).key)
    assert task is not None
    with pytest.raises(RuntimeError):
        handler.carry_on(task, task.due_at)
    handler.carry_on(task, task.due_at)
    assert sorted(asked) == sorted(ids)
    assert (work_of(began, visitor).done, work_of(began, visitor).has_ended) == (3, True)


def test_many_that_are_ticked_are_a_work_which_says_what_was_refused(visitor: Visitor, monkeypatch):
    ids = finals(visitor.story, 3)
    monkeypatch.setattr(invoice_bulk, "AT_ONCE_MAX", 2)
    visitor.story.ok("PUT", f"/invoices/{ids[0]}", {"invoice": {"payment_status": "succeeded"}})
    began = visitor.post("invoices", "bulk", form={"act": "retry_payment", "ids": ids, "request_id": "r"})
    queues.work()
    progress = work_of(began, visitor)
    assert (progress.done, progress.failed, [each.code for each in progress.failures]) == (3, 1, ["invalid_status"])
    assert "invalid_status" in visitor.at(began.location).words


def test_a_work_goes_on_in_slices_and_waits_while_the_clock_moves(visitor: Visitor, monkeypatch):
    ids = drafts(visitor.story, 3)
    began = visitor.post("invoices", "bulk", form=visitor.get("invoices", "bulk", act="finalize").fields)
    monkeypatch.setattr("chalicelib.platform.agenda.walk.RUN_SECONDS", -1)
    monkeypatch.setattr(handler, "RUN_SECONDS", -1)
    monkeypatch.setattr(service, "CHOSEN_AT_ONCE", 2)
    real, moving = handler.clock.read, [True]
    monkeypatch.setattr(
        handler.clock, "read", lambda of: handler.clock.TestClock(None, utc_now()) if moving[0] else real(of)
    )
    monkeypatch.setattr(limits, "WORK_WAITS", timedelta(0))
    task = agenda.find(agenda.task(service.WORK, visitor.story.ref, work_of(began, visitor).work.id, utc_now()).key)
    assert task is not None
    for _ in range(2):
        handler.carry_on(task, task.due_at)
    assert work_of(began, visitor).done == 0
    moving[0] = False
    runs = 0
    while (current := agenda.find(task.key)) is not None:
        handler.carry_on(current, current.due_at)
        runs += 1
    assert (runs >= 3, work_of(began, visitor).done) == (True, 3)
    assert len(ids) == 3


def test_acts_on_all_are_refused_where_they_make_no_sense(visitor: Visitor):
    finals(visitor.story, 1)
    assert visitor.post("invoices", "bulk", form={"act": "void", "all": "true"}).status == 404
    form = {"act": "finalize", "all": "true", "confirmed": "true", "status": "finalized"}
    assert "There is nothing to do" in visitor.post("invoices", "bulk", form=form).words


def test_the_documents_of_all_that_match_become_one_file(visitor: Visitor):
    finals(visitor.story, 3)
    numbers = {each["number"] for each in visitor.story.invoices()}
    asked = visitor.get("invoices", "bulk", act="pdf")
    assert "3 invoices. Their documents become one file" in asked.words
    form = {"act": "pdf", "all": "true", "confirmed": "true", "request_id": "r"}
    progress = work_of(visitor.post("invoices", "bulk", form=form), visitor)
    key, looks = agenda.task(service.WORK, visitor.story.ref, progress.work.id, utc_now()).key, 0
    while (task := agenda.find(key)) is not None:
        handler.carry_on(task, task.due_at)
        queues.work("documents")  # Those that are not there are ordered by the first look.
        looks += 1
    assert looks <= 3
    ended = found(visitor.story.ref.id, progress.work.id)
    assert (ended.has_ended, ended.done, ended.number) == (True, 3, 3)
    assert "Download ZIP" in visitor.get("work", ended.work.id).words
    assert ended.file is not None
    with zipfile.ZipFile(io.BytesIO(files.get(ended.file))) as packed:
        assert set(packed.namelist()) == {f"{each}.pdf" for each in numbers}
        assert all(packed.read(each).startswith(b"%PDF") for each in packed.namelist())


def test_a_file_holds_so_many_documents_and_no_more(visitor: Visitor, monkeypatch):
    monkeypatch.setattr(limits, "WORK_DOCUMENTS_MAX", 1)
    finals(visitor.story, 2)
    assert (
        "2 invoices match. One file holds the documents of 1 at most"
        in visitor.get("invoices", "bulk", act="pdf").words
    )
    form = {"act": "pdf", "all": "true", "confirmed": "true", "request_id": "r"}
    assert visitor.post("invoices", "bulk", form=form).status == 422
