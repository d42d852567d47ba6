"""The clock of a sandbox: its bar, its dialog, and setting out."""

import time

import pytest

from chalicelib.features.sandbox import service
from chalicelib.platform import agenda, clock
from tests.support import capacity
from tests.support.console import Visitor, member_of
from tests.support.story import Story, work

HTMX = {"HX-Request": "true"}


def arrive(visitor: Visitor) -> None:
    """Go on as the job behind the clock does."""
    assert service.run_until_arrived(visitor.story.ref, give_up_at=time.monotonic() + 60)


def billed(visitor: Visitor, *, zone: str | None = None, external_id: str = "cust") -> None:
    """A customer whose monthly plan is billed on February 1."""
    if external_id == "cust":
        visitor.story.plan(amount_cents=1000)
    visitor.story.customer(external_id, currency="EUR", **({"timezone": zone} if zone else {}))
    visitor.story.subscribe(external_id=f"sub-{external_id}", customer=external_id)


def test_the_dialog_says_what_is_due_until_the_instant(visitor: Visitor):
    billed(visitor)
    billed(visitor, zone="Asia/Tokyo", external_id="far")
    shown = visitor.get("clock", day="2024-02-02", time="09:00")
    assert "Move to Feb 2, 2024, 09:00" in shown.words
    assert "Due on the way 2" in shown.words
    assert "1 customer billed in Asia/Tokyo" in shown.words
    assert "1 customer billed in UTC" in shown.words
    assert "Nothing is planned until then" in visitor.get("clock", day="2024-01-20", time="09:00").words


def test_a_change_of_the_day_brings_only_what_is_due(visitor: Visitor):
    billed(visitor)
    visitor.headers |= {**HTMX, "HX-Target": "div#clock-due"}
    shown = visitor.get("clock", day="2024-03-02", time="08:30")
    assert "<html" not in shown.text
    assert "<form" not in shown.text
    assert '<hx-partial hx-target="#clock-move" hx-swap="innerHTML">Move to Mar 2, 2024, 08:30' in shown.text


def test_what_is_typed_is_of_the_organizations_zone(visitor: Visitor):
    visitor.story.organization(timezone="Europe/Paris")
    answer = visitor.post("clock", form={"day": "2024-01-10", "time": "09:00"})
    assert answer.status == 303
    assert visitor.story.ok("GET", "/test_clock")["test_clock"]["now"] == "2024-01-10T08:00:00Z"


def test_an_earlier_instant_is_refused_at_the_field(visitor: Visitor):
    answer = visitor.post("clock", form={"day": "2023-12-31", "time": "09:00"})
    assert answer.status == 422
    assert 'id="f-day-error"' in answer.text
    assert "value_must_be_later" in answer.words
    assert visitor.post("clock", form={"day": "never", "time": "09:00"}).status == 422
    assert visitor.story.ok("GET", "/test_clock")["test_clock"]["now"] == "2024-01-01T00:00:00Z"


def test_the_form_that_is_shown_can_be_sent(visitor: Visitor):
    fields = {name: values[-1] for name, values in visitor.get("clock").fields.items()}
    assert fields["csrf"] == visitor.csrf
    assert visitor.send(visitor.address("clock"), fields, token=False).status == 303


def test_a_new_clock_may_be_set_to_any_instant_once(aws):
    visitor = member_of(Story.begin(at=None))
    assert "Set the clock" in visitor.get("clock").words
    visitor.post("clock", form={"day": "2020-05-01", "time": ""})
    assert visitor.story.ok("GET", "/test_clock")["test_clock"]["now"] == "2020-05-01T00:00:00Z"
    assert visitor.post("clock", form={"day": "2020-04-30", "time": ""}).status == 422


@pytest.mark.parametrize(("by", "now"), [("day", "2024-01-02T00:00:00Z"), ("week", "2024-01-08T00:00:00Z")])
def test_where_nothing_is_due_it_arrives_at_once(visitor: Visitor, by, now):
    visitor.headers["Referer"] = f"http://127.0.0.1:8000{visitor.address('customers', page=2)}"
    answer = visitor.post("clock", form={"by": by})
    assert answer.location == visitor.address("customers", page=2)
    assert visitor.story.ok("GET", "/test_clock")["test_clock"] == {"now": now, "status": "ready"}


def test_a_day_is_one_of_the_calendar(aws):
    visitor = member_of(Story.begin(at=None))
    visitor.story.organization(timezone="Europe/Paris")
    visitor.story.travel("2024-03-30T12:00:00+01:00")
    visitor.post("clock", form={"by": "day"})
    assert visitor.story.ok("GET", "/test_clock")["test_clock"]["now"] == "2024-03-31T10:00:00Z"


def test_it_sets_out_at_once_and_the_bar_tells_of_the_way(visitor: Visitor):
    billed(visitor)
    assert visitor.post("clock", form={"by": "billing"}).status == 303
    assert visitor.story.ok("GET", "/test_clock")["test_clock"]["status"] == "advancing"
    page = visitor.get("clock")
    assert "Moving to Feb 1, 2024, 00:00" in page.words
    assert 'hx-trigger="every 1s"' in page.text
    visitor.headers |= HTMX
    moving = visitor.get("clock", "state")
    assert "HX-Refresh" not in moving.headers
    assert "Moving to" in moving.words
    arrive(visitor)
    ready = visitor.get("clock", "state")
    assert ready.headers["HX-Refresh"] == "true"
    assert "1%20invoice" in str(ready.headers["Set-Cookie"])
    (invoice,) = visitor.story.invoices()
    assert invoice["total_amount_cents"] == 1000


def test_drafts_made_on_the_way_are_counted(visitor: Visitor):
    visitor.story.organization(billing_configuration={"invoice_grace_period": 3})
    billed(visitor)
    visitor.post("clock", form={"day": "2024-02-02", "time": "00:00"})
    arrive(visitor)
    assert "1%20draft" in str(visitor.get("clock", "state").headers["Set-Cookie"])
    assert "1 draft becomes final" in visitor.get("clock", day="2024-02-09").words


def test_while_it_moves_changes_wait(visitor: Visitor):
    billed(visitor)
    visitor.post("clock", form={"by": "billing"})
    again = visitor.post("clock", form={"by": "day"})
    assert again.status == 409
    assert "The clock is moving. Try again when it has arrived." in again.words


def test_it_stops_where_it_is(visitor: Visitor):
    billed(visitor)
    visitor.post("clock", form={"by": "billing"})
    assert visitor.post("clock", form={"_do": "cancel"}).status == 303
    work()
    assert visitor.story.ok("GET", "/test_clock")["test_clock"] == {"now": "2024-01-01T00:00:00Z", "status": "ready"}


def test_without_anything_to_bill_it_stays(visitor: Visitor):
    assert "Nothing%20is%20planned" in str(visitor.post("clock", form={"by": "billing"}).headers["Set-Cookie"])
    assert visitor.story.ok("GET", "/test_clock")["test_clock"]["now"] == "2024-01-01T00:00:00Z"


def test_what_failed_is_told_with_a_link(visitor: Visitor, monkeypatch):
    billed(visitor)
    customer = visitor.story.ok("GET", "/customers/cust")["customer"]
    monkeypatch.setattr("chalicelib.features.invoicing.run._bill_once", _broken, raising=True)
    visitor.post("clock", form={"by": "billing"})
    arrive(visitor)
    assert clock.read(visitor.story.ref).failed == 1
    shown = visitor.get("clock")
    assert "1 failed" in shown.words
    assert "Bill customer, Feb 1, 2024, 00:00" in shown.words
    assert visitor.address("customers", customer["lago_id"]) in shown.text


def _broken(*_: object, **__: object) -> None:
    raise ArithmeticError("broken")


def test_the_job_goes_on_where_the_console_has_set_out(visitor: Visitor):
    billed(visitor)
    visitor.post("clock", form={"by": "billing"})
    work()
    assert visitor.story.ok("GET", "/test_clock")["test_clock"] == {"now": "2024-02-01T00:00:00Z", "status": "ready"}
    assert list(agenda.tasks_of_clock(visitor.story.ref, until=clock.read(visitor.story.ref).now)) == []


def test_production_has_no_clock(aws):
    visitor = member_of(Story.begin(at=None, sandbox=False))
    assert visitor.get("clock").status == 404
    assert visitor.get("clock", "state").status == 404
    assert "Organization clock" not in visitor.get().words


def test_the_dialog_costs_few_requests(visitor: Visitor):
    billed(visitor)
    for n in range(5):
        billed(visitor, external_id=f"c{n}")
    with capacity.counting() as meter:
        visitor.get("clock", day="2024-06-01")
    assert sum(meter.requests.values()) <= 8
