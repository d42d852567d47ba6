"""How much plans and coupons are used: after whatever happens the numbers are what counting gives."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.features.coupons import service as coupons
from chalicelib.features.coupons.records import Coupon
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from tests.support.coupons import application, apply, coupon
from tests.support.story import Story


class _Before(Plan):
    """A plan as an earlier version made it."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**{**fields, "counted": False})


def _counted(story: Story) -> dict[str, int]:
    """Active subscriptions by the code of their plan, as the API lists them."""
    found = {}
    for plan in story.ok("GET", "/plans")["plans"]:
        query = f"/subscriptions?status[]=active&plan_code={plan['code']}"
        found[plan["code"]] = story.ok("GET", query)["meta"]["total_count"]
    return found


def _kept(story: Story) -> dict[str, int]:
    shown = story.ok("GET", "/plans")["plans"]
    numbers = plans.active_subscriptions(story.ref.id, [plan["lago_id"] for plan in shown])
    return {plan["code"]: numbers[plan["lago_id"]] for plan in shown if plan["lago_id"] in numbers}


def test_active_subscriptions_of_plans_equal_a_recount_after_each_step(story: Story):
    story.plan("plan", amount_cents=3_100)
    story.plan("dear", amount_cents=6_200)
    story.plan("cheap", amount_cents=100)
    for name in ("one", "two"):
        story.customer(name, currency="EUR")
    own = {"plan_overrides": {"amount_cents": 2_000}}
    steps: list[Callable[[], object]] = [
        lambda: story.subscribe("plan", "a", "one"),
        lambda: story.subscribe("plan", "b", "one", **own),
        lambda: story.subscribe("plan", "c", "two"),
        lambda: story.subscribe("plan", "later", "two", subscription_at="2024-02-10T00:00:00Z"),
        lambda: story.subscribe("cheap", "later", "two"),  # Another plan, before it begins.
        lambda: story.ok("PUT", "/subscriptions/c", {"subscription": own}),
        lambda: story.subscribe("dear", "a", "one"),  # An upgrade.
        lambda: story.subscribe("cheap", "b", "one"),  # A downgrade, at the end of the month.
        lambda: story.travel("2024-02-01T12:00:00Z"),
        lambda: story.travel("2024-02-12T00:00:00Z"),
        lambda: story.terminate("a"),
        lambda: story.subscribe("plan", "end", "one", ending_at="2024-02-20T00:00:00Z"),
        lambda: story.travel("2024-03-01T12:00:00Z"),
        lambda: story.ok("DELETE", "/customers/two"),
        lambda: story.travel("2024-03-02T12:00:00Z"),
    ]
    seen = set()
    for number, step in enumerate(steps):
        step()
        assert _kept(story) == _counted(story), number
        seen.add(tuple(sorted(_kept(story).items())))
    assert len(seen) > 7
    assert _kept(story) == {"cheap": 1, "dear": 0, "plan": 0}


def test_plans_from_before_there_were_numbers_have_none_afterwards(story: Story, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(plans, "Plan", _Before)
        story.plan("old", amount_cents=3_100)
    story.plan("new", amount_cents=3_100)
    story.customer(currency="EUR")
    story.subscribe("old", "one", plan_overrides={"amount_cents": 5})
    assert _kept(story) == {"new": 0}
    story.subscribe("new", "one")  # A downgrade, at the end of the month.
    story.travel("2024-02-01T12:00:00Z")
    assert _kept(story) == {"new": 1}
    story.subscribe("old", "one")  # And back, at the end of the next.
    story.travel("2024-03-01T12:00:00Z")
    assert (_kept(story), _counted(story)) == ({"new": 0}, {"new": 0, "old": 1})


def test_a_coupon_counts_each_application_and_no_refused_one(story: Story):
    once, again = coupon(story, "once", reusable=False), coupon(story, "again", percentage_rate="5")

    def kept() -> list[int]:
        found = coupons.applications(story.ref.id, [once["lago_id"], again["lago_id"]])
        return [found[once["lago_id"]], found[again["lago_id"]]]

    assert kept() == [0, 0]
    for name in ("one", "two"):
        story.customer(name, currency="EUR")
        applied = apply(story, "once", name)
        assert application(story, "once", name).status == 422
    assert kept() == [2, 0]
    apply(story, "again", "one")
    story.ok("DELETE", f"/customers/two/applied_coupons/{applied['lago_id']}")
    assert application(story, "once", "two").status == 422  # It was, and stays so.
    assert kept() == [2, 1]


def test_coupons_from_before_there_were_numbers_have_none_afterwards(story: Story, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(coupons, "Coupon", lambda **fields: Coupon(**{**fields, "counted": False}))
        old = coupon(story)
    story.customer(currency="EUR")
    apply(story)
    assert coupons.applications(story.ref.id, [old["lago_id"]]) == {}
