"""Making drafts final: numbers without gaps however many are made final at once, and each once whatever is interrupted.

Source: rules/invoices 2, 9; rules/money 5.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from chalicelib import wiring
from chalicelib.features.invoices import store
from chalicelib.features.invoicing import finalize
from chalicelib.platform import agenda
from chalicelib.platform.agenda import runner
from tests.support.faults import Killed, Plan, atomic, failing
from tests.support.story import Story, work


def drafted(story: Story, customers: int, *, first: int = 0) -> Story:
    """So many customers with a draft each."""
    if not first:
        story.plan(amount_cents=3100, pay_in_advance=True)
    for number in range(first, first + customers):
        story.customer(f"c{number}", billing_configuration={"invoice_grace_period": 3})
        story.subscribe("plan", f"s{number}", f"c{number}")
    work()
    return story


def make_final(story: Story) -> list[str]:
    """All drafts made final at once by workers of their own; all numbers there are then."""
    drafts = [draft for _, draft in store.drafts(story.ref.id)]
    tasks = [task for draft in drafts for task in finalize.finalize_now(story.ref, draft, now=datetime.now(UTC))]
    assert len(tasks) == len(drafts)
    with atomic(), ThreadPoolExecutor(len(tasks)) as pool:
        assert list(pool.map(lambda task: runner.run(task, now=task.due_at), tasks)) == [None] * len(tasks)
    return sorted(invoice["number"] for invoice in story.ok("GET", "/invoices?per_page=1000")["invoices"])


def endings(numbers: list[str]) -> list[int]:
    return sorted(int(number.rpartition("-")[2]) for number in numbers)


def test_numbers_of_an_organization_have_no_gaps_when_drafts_become_final_at_once(aws):
    story = drafted(Story.begin(sandbox=False), 8)
    story.organization(document_numbering="per_organization")
    assert endings(make_final(story)) == list(range(1, 9))


def test_switching_goes_on_with_the_numbers_of_either_mode(aws):
    story = drafted(Story.begin(sandbox=False), 3)
    assert endings(make_final(story)) == [1, 1, 1]
    story.organization(document_numbering="per_organization")
    drafted(story, 2, first=3)
    assert endings(make_final(story)) == [1, 1, 1, 4, 5]
    story.organization(document_numbering="per_customer")
    drafted(story, 1, first=6)
    assert endings(make_final(story)) == [1, 1, 1, 1, 4, 5]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_finalization_interrupted_at_every_write_is_completed_once(aws, after):
    story = drafted(Story.begin(sandbox=False), 6)
    drafts = [draft for _, draft in store.drafts(story.ref.id)]
    for at, draft in enumerate(drafts):
        (task,) = finalize.finalize_now(story.ref, draft, now=datetime.now(UTC))
        with failing(Plan(at, after=after)) as plan:
            try:
                runner.run(task, now=task.due_at)
            except Killed:
                assert plan.reached
        standing = agenda.find(task.key)
        if standing is not None:
            assert runner.run(standing, now=task.due_at) is None
        found = store.get(story.ref.id, draft.id)
        assert found is not None
        assert (found.status, found.sequential_id) == ("finalized", 1)
    wiring.tick()  # Finds what was not pushed.
    work()
    fees = story.ok("GET", "/fees?per_page=1000")["fees"]
    assert len(fees) == len({fee["lago_id"] for fee in fees}) == 6
