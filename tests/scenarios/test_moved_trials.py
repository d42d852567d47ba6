"""Another length for the trial of a running subscription: it moves the end of a trial that still runs, and nothing else."""

import pytest

from tests.support.books import Books
from tests.support.story import Story


def begun(story: Story, *, trial: object = 10, **plan: object) -> Books:
    """31.00 a month from New Year's Day."""
    story.plan(**{"amount_cents": 3100, "pay_in_advance": True, "trial_period": trial, **plan})
    story.customer(currency="EUR")
    story.subscribe()
    return Books(story)


def override(story: Story, days: object, query: str = "") -> int:
    body = {"subscription": {"plan_overrides": {"trial_period": days}}}
    answer = story.call("PUT", f"/subscriptions/sub{query}", body)
    if answer.status == 422:
        assert answer.body["error_details"] == {"trial_period": ["value_is_invalid"]}
    return answer.status


def fees(books: Books) -> list[tuple[str, int]]:
    """The issuing day and the cents of each subscription fee."""
    found = books.by_customer().get("cust", [])
    return [(on, cents) for on, lines in found for kind, cents in lines if kind == "subscription"]


@pytest.mark.parametrize(
    ("at", "days", "expected"),
    [
        pytest.param("2024-01-03T12:00:00Z", 20, ("2024-01-21", 1100), id="later: 11 of 31 days"),
        pytest.param("2024-01-03T12:00:00Z", 5, ("2024-01-06", 2600), id="earlier: 26 of 31 days"),
        pytest.param("2024-01-03T12:00:00Z", "2.5", ("2024-01-03", 2900), id="later on the same day: 29 of 31 days"),
        pytest.param("2024-01-04T12:00:00Z", 0, ("2024-01-04", 2800), id="none: at once, 28 of 31 days"),
        pytest.param("2024-01-04T12:00:00Z", None, ("2024-01-04", 2800), id="null is none"),
        pytest.param("2024-01-04T12:00:00Z", 1, ("2024-01-04", 2800), id="it would have ended: at once"),
        pytest.param("2024-01-01T00:00:00Z", 0, ("2024-01-01", 3100), id="on the day of the start: all of it"),
        pytest.param("2024-01-10T23:59:59Z", 11, ("2024-01-12", 2000), id="in its last second: 20 of 31 days"),
    ],
)
@pytest.mark.parametrize("own", [False, True], ids=["the plan's", "its own plan's"])
def test_the_end_of_a_running_trial_moves(story, at, days, expected, own):
    books = begun(story)
    if own:
        story.ok("PUT", "/subscriptions/sub", {"subscription": {"plan_overrides": {"name": "Own"}}})
    story.travel(at)
    assert override(story, days) == 200
    shown = story.ok("GET", "/subscriptions/sub")["subscription"]["plan"]["trial_period"]
    assert shown == float(days or 0)
    story.travel("2024-01-31T00:00:00Z")
    assert fees(books) == [expected]
    assert story.ok("GET", "/subscriptions/sub")["subscription"]["trial_ended_at"][:10] == expected[0]
    story.travel("2024-03-02T00:00:00Z")
    assert fees(books) == [expected, ("2024-02-01", 3100), ("2024-03-01", 3100)]
    assert story.ok("GET", "/plans/plan")["plan"]["trial_period"] == 10


def test_a_trial_that_grows_over_a_billing_day_costs_nothing_there(story):
    books = begun(story)
    story.travel("2024-01-09T00:00:00Z")
    assert override(story, 40) == 200
    story.travel("2024-03-01T00:00:00Z")
    assert fees(books) == [("2024-02-10", 2138), ("2024-03-01", 3100)]  # 20 x 3100 / 29 = 2137.93


def test_a_trial_that_ends_on_a_billing_day_after_its_run_is_billed_all_the_same(story):
    books = begun(story, trial=40)
    story.travel("2024-02-01T12:00:00Z")
    assert fees(books) == []
    assert override(story, 0) == 200
    assert fees(books) == [("2024-02-01", 3100)]
    story.travel("2024-03-01T00:00:00Z")
    assert fees(books) == [("2024-02-01", 3100), ("2024-03-01", 3100)]


def test_in_arrears_the_days_after_the_moved_end_are_billed(story):
    books = begun(story, pay_in_advance=False)
    story.travel("2024-01-03T00:00:00Z")
    assert override(story, 20) == 200
    story.travel("2024-02-01T00:00:00Z")
    assert fees(books) == [("2024-02-01", 1100)]


def test_it_may_move_again_while_it_runs(story):
    books = begun(story)
    for days in (5, 30, 15):
        assert override(story, days) == 200
    story.travel("2024-02-01T00:00:00Z")
    assert fees(books) == [("2024-01-16", 1600), ("2024-02-01", 3100)]


@pytest.mark.parametrize("pay_in_advance", [True, False])
def test_a_trial_that_is_over_stays_as_it_was(story, pay_in_advance):
    books = begun(story, pay_in_advance=pay_in_advance)
    story.travel("2024-01-11T00:00:00Z")
    before = fees(books)
    for days in (0, 9, 11, 40, "x", [], True, -1):
        assert override(story, days) in (400, 422), days
    assert override(story, 10) == 200
    assert override(story, "10.0") == 200
    assert fees(books) == before


def test_without_a_trial_there_is_none_to_move(story):
    begun(story, trial=0)
    assert override(story, 5) == 422
    assert override(story, 0) == 200


def test_a_subscription_that_has_not_begun_takes_any_trial(story):
    story.plan(amount_cents=3100, pay_in_advance=True, trial_period=10)
    story.customer(currency="EUR")
    story.subscribe(subscription_at="2024-01-05T00:00:00Z")
    assert override(story, 3, "?status=pending") == 200
    story.travel("2024-02-01T00:00:00Z")
    assert fees(Books(story)) == [("2024-01-08", 2400), ("2024-02-01", 3100)]  # 24 of 31 days.


def test_an_upgrade_within_a_moved_trial_counts_its_own_plans_trial(story):
    books = begun(story)
    story.plan("dear", amount_cents=6200, pay_in_advance=True, trial_period=12)
    assert override(story, 30) == 200
    story.travel("2024-01-05T00:00:00Z")
    story.subscribe("dear")
    story.travel("2024-02-01T00:00:00Z")
    assert fees(books) == [("2024-01-13", 3800), ("2024-02-01", 6200)]  # 19 x 6200 / 31
