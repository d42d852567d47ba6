"""An invoice of as many fees as one may have is issued whole or not at all. Source: rules/money 5."""

import pytest

from chalicelib import limits, wiring
from chalicelib.features.invoicing import one_off
from chalicelib.platform import clock
from tests.support.faults import Killed, Plan, failing
from tests.support.story import Story, work

_BATCHES = limits.ONE_OFF_FEES_MAX // 25  # Of writes, before the transaction that names them.


@pytest.mark.parametrize(
    ("at", "after"), [(0, False), (_BATCHES // 2, True), (_BATCHES - 1, True), (_BATCHES, False), (_BATCHES, True)]
)
def test_an_invoice_of_two_thousand_fees_is_issued_whole_or_not_at_all(story: Story, at: int, after: bool) -> None:
    add_on = {"name": "Hour", "code": "hour", "amount_cents": 1, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    story.customer("cust", currency="EUR")
    wanted = {"external_customer_id": "cust", "fees": [{"add_on_code": "hour"}] * limits.ONE_OFF_FEES_MAX}
    with failing(Plan(at, after=after)) as plan, pytest.raises(Killed):
        one_off.create(story.ref, wanted, now=clock.now(story.ref))
    assert plan.reached
    wiring.tick()  # Finds what was not pushed.
    work()
    whole = at == _BATCHES and after
    assert [len(invoice["fees"]) for invoice in story.invoices()] == [limits.ONE_OFF_FEES_MAX] * whole
    assert story.ok("GET", "/fees?per_page=1")["meta"]["total_count"] == limits.ONE_OFF_FEES_MAX * whole
    assert story.ok("GET", "/customers/cust")["customer"]["sequential_id"] == 1
    if not whole:
        made = one_off.create(story.ref, wanted, now=clock.now(story.ref))
        assert (made.sequential_id, made.total_amount_cents) == (1, limits.ONE_OFF_FEES_MAX)
