"""Long works: how far they are, and what failed."""

from datetime import timedelta

from chalicelib.features.works import service
from chalicelib.features.works.records import Outcome
from chalicelib.platform.clock import utc_now
from tests.support import capacity
from tests.support.console import Visitor, member_of
from tests.support.story import Story


def test_the_page_asks_until_every_object_has_an_outcome(visitor: Visitor):
    organization_id = visitor.story.ref.id
    work = service.begin(organization_id, "w1", "Finalizing 2 drafts", 2, real_now=utc_now())
    shown = visitor.get("work", "w1")
    assert "Finalizing 2 drafts" in shown.words
    assert "0 of 2 done . You may leave this page" in shown.words
    assert 'hx-trigger="every 2s"' in shown.text
    service.note(organization_id, work, Outcome(place="invoices", id="a", name="ACM-1"))
    service.note(organization_id, work, Outcome(place="invoices", id="b", name="ACM-2", code="changed_meanwhile"))
    ended = visitor.get("work", "w1")
    assert "2 of 2 done , 1 failed." in ended.words
    assert "hx-trigger" not in ended.text.partition('id="work"')[2].partition(">")[0]
    assert visitor.address("invoices", "b") in ended.text
    assert "Somebody else changed this meanwhile." in ended.words


def test_what_is_noted_twice_counts_once_and_a_work_begins_once(visitor: Visitor):
    organization_id = visitor.story.ref.id
    first = service.begin(organization_id, "w1", "First", 3, real_now=utc_now())
    again = service.begin(organization_id, "w1", "Second", 5, real_now=utc_now())
    assert again == first
    for _ in range(2):
        service.note(organization_id, first, Outcome(place="invoices", id="a", name="ACM-1"))
    found = service.find(organization_id, "w1")
    assert found is not None
    assert (found.done, found.has_ended) == (1, False)


def test_a_long_one_is_asked_for_less_often(visitor: Visitor):
    service.begin(visitor.story.ref.id, "w1", "Long", 3, real_now=utc_now() - timedelta(minutes=2))
    assert 'hx-trigger="every 10s"' in visitor.get("work", "w1").text


def test_works_of_others_are_not_there_and_a_page_costs_few_requests(visitor: Visitor):
    other = member_of(Story.begin(at=None), "eve@example.com")
    service.begin(other.story.ref.id, "w1", "Theirs", 3, real_now=utc_now())
    assert visitor.get("work", "w1").status == 404
    with capacity.counting() as meter:
        other.get("work", "w1")
    assert meter.total <= 8
