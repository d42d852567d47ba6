"""What the end of a metric means for plans, usage, events and drafts, and for a new metric of its code.

Source: rules/catalog 2.2.
"""

from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.audit.audit import audit
from chalicelib.features.billable_metrics import changes
from chalicelib.features.plans import advance_codes
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner, walk
from tests.support.charging import priced, ts, use_many
from tests.support.items import core
from tests.support.story import Story, meter


def delete(story: Story, code: str = "calls") -> dict[str, Any]:
    meter()
    return story.ok("DELETE", f"/billable_metrics/{code}")["billable_metric"]


def names(story: Story, query: str = "") -> list[str]:
    return sorted(each["transaction_id"] for each in story.ok("GET", f"/events{query}")["events"])


def units(story: Story, **kwargs: Any) -> dict[str, str]:
    return {each["billable_metric"]["code"]: each["units"] for each in story.usage(**kwargs)["charges_usage"]}


def amounts(story: Story) -> list[tuple[str, list[int]]]:
    return [(invoice["status"], [fee["amount_cents"] for fee in invoice["fees"]]) for invoice in story.invoices()]


def differences(story: Story) -> list[Any]:
    return audit(now=clock.utc_now(), organization_id=story.ref.id, sleep=lambda seconds: None)


@pytest.fixture
def used(aws: None) -> Story:
    """Two metrics at 1.00; `sub` on the plan, `own` on a plan of its own. January is billed, February a draft, it is 10
    March, and each month has used both of each; `calls` by sub on the 5th as `jan`, `feb`, `mar`."""
    story = Story.begin()
    story.organization(billing_configuration={"invoice_grace_period": 0})
    charges = [priced(story.metric("calls")), priced(story.metric("seats"))]
    story.plan(charges=charges)
    story.customer()
    story.subscribe()
    story.subscribe(external_id="own", plan_overrides={"amount_cents": 500})
    for month, day in (("jan", "2024-01-05"), ("feb", "2024-02-05"), ("mar", "2024-03-05")):
        story.travel(f"{day}T00:00:00Z")
        if month == "feb":
            story.organization(billing_configuration={"invoice_grace_period": 20})
        events = [{"code": code, "sub": sub} for code in ("calls", "seats") for sub in ("sub", "own")]
        use_many(story, [{**e, "at": day, "id": f"{month}-{e['code']}-{e['sub']}"} for e in events])
    story.travel("2024-03-10T00:00:00Z")
    return story


def test_its_charges_leave_plans_subscriptions_usage_and_drafts(used):
    assert amounts(used) == [("finalized", [0, 100, 100, 500, 100, 100]), ("draft", [0, 100, 100, 500, 100, 100])]
    before = used.invoices()[0]
    gone = delete(used)
    assert (gone["code"], used.call("GET", "/billable_metrics/calls").status) == ("calls", 404)
    assert [c["code"] for c in used.ok("GET", "/plans/plan")["plan"]["charges"]] == ["seats"]
    for subscription in ("sub", "own"):
        shown = used.ok("GET", f"/subscriptions/{subscription}/charges")["charges"]
        assert [charge["code"] for charge in shown] == ["seats"]
        assert units(used, subscription=subscription) == {"seats": "1.0"}
    assert amounts(used) == [("finalized", [0, 100, 100, 500, 100, 100]), ("draft", [0, 100, 500, 100])]
    assert used.invoices()[0] == before
    used.travel("2024-04-01T00:00:00Z")
    assert amounts(used)[1:] == [("finalized", [0, 100, 500, 100]), ("draft", [0, 100, 500, 100])]
    used.terminate("own")  # Its drafts are no longer found by way of the plan.
    delete(used, "seats")
    # A day of April for the one that ended: 500/30.
    assert sorted(fees for status, fees in amounts(used) if status == "draft") == [[0, 500], [17]]


def test_its_events_of_open_periods_go_and_those_of_final_invoices_stay(used):
    delete(used)
    stay = ["feb-seats-own", "feb-seats-sub", "jan-calls-own", "jan-calls-sub", "jan-seats-own", "jan-seats-sub"]
    assert names(used) == sorted([*stay, "mar-seats-own", "mar-seats-sub"])
    assert used.ok("GET", "/events")["meta"]["total_count"] == 8
    assert names(used, "?external_subscription_id=sub&code=calls") == ["jan-calls-sub"]
    assert used.ok("GET", "/event_logs?code=calls")["meta"]["total_count"] == 2
    assert used.call("GET", "/events/feb-calls-sub").body["code"] == "event_not_found"
    assert used.ok("GET", "/events/jan-calls-sub")["event"]["code"] == "calls"
    assert differences(used) == []


def test_a_new_metric_of_its_code_counts_anew(used):
    delete(used)
    calls = used.metric("calls", "sum_agg", field_name="n")
    used.ok("POST", "/plans/plan/charges", {"charge": priced(calls, code="calls")})
    assert units(used) == {"seats": "1.0", "calls": "0.0"}
    use_many(used, [{"code": "calls", "at": "2024-03-05", "n": 3}])  # In the hour of an old one.
    assert units(used) == {"seats": "1.0", "calls": "3.0"}
    use_many(used, [{"code": "calls", "at": "2024-03-06", "n": 5, "id": "mar-calls-sub"}])  # Known: it counts no more.
    assert units(used) == {"seats": "1.0", "calls": "3.0"}
    assert differences(used) == []
    used.travel("2024-04-01T00:00:00Z")
    assert sorted(fee["amount_cents"] for fee in used.invoices()[-1]["fees"]) == [0, 100, 100, 300, 500]


def test_a_new_metric_that_looks_back_sees_nothing_of_the_old_one(used):
    delete(used)
    names_before = names(used)
    seats = used.metric("calls", "sum_agg", field_name="n", recurring=True)
    used.ok("POST", "/plans/plan/charges", {"charge": priced(seats, code="calls")})
    assert units(used)["calls"] == "0.0"
    assert [name for name in names_before if name not in names(used)] == ["jan-calls-own", "jan-calls-sub"]
    use_many(used, [{"code": "calls", "at": "2024-01-05", "n": 2}])
    assert units(used)["calls"] == "2.0"
    used.ok("PUT", "/billable_metrics/calls", {"billable_metric": {"name": "Calls"}})  # Nothing begins anew.
    assert units(used)["calls"] == "2.0"
    assert differences(used) == []


def test_a_metric_that_begins_to_look_back_sees_nothing_either(used):
    delete(used)
    use_many(used, [{"code": "calls", "at": "2024-01-06", "n": 7}])
    used.metric("calls", "sum_agg", field_name="n")
    meter()
    assert "jan-calls-sub" in names(used)
    used.ok("PUT", "/billable_metrics/calls", {"billable_metric": {"recurring": True}})
    assert "jan-calls-sub" not in names(used)
    calls = used.ok("GET", "/billable_metrics/calls")["billable_metric"]
    used.ok("POST", "/plans/plan/charges", {"charge": priced(calls, code="calls")})
    assert units(used)["calls"] == "7.0"


def test_charges_in_advance_leave_with_their_metric(aws):
    story = Story.begin()
    story.plan(charges=[priced(story.metric("calls"), pay_in_advance=True)])
    story.customer()
    story.subscribe()
    story.use("calls", at=ts("2024-01-02"))
    meter()
    assert [len(invoice["fees"]) for invoice in story.invoices()] == [1]
    delete(story)
    story.metric("calls")
    story.use("calls", at=ts("2024-01-03"))
    meter()
    assert len(story.invoices()) == 1  # What was charged stays; nothing charges any more.
    assert names(story) == ["tx-2"]
    assert not advance_codes.current(story.ref.id, real_now=clock.utc_now() + limits.ADVANCE_CODES_KEPT)


def test_each_step_may_run_twice_and_in_parts(used, monkeypatch):
    organization, now = used.ref, clock.now(used.ref)
    metric = used.ok("GET", "/billable_metrics/calls")["billable_metric"]
    detail = {"metric_id": metric["lago_id"], "code": "calls", "whole": False}
    gone = delete(used)
    assert gone["lago_id"] == metric["lago_id"]
    after = (used.ok("GET", "/plans/plan"), amounts(used), names(used))
    monkeypatch.setattr(walk, "RUN_SECONDS", -1)  # Each run carries out one step only.
    until = core.get(f"{organization.id}#metric-deleted", "calls")["until"]
    # The plans are done; two external ids, and one draft, each with a run that finds nothing more.
    for kind, runs in ((changes.DETACH, 1), (changes.ERASE, 3), (changes.REFRESH, 2)):
        task = agenda.task(kind, organization, metric["lago_id"], now, detail | {"until": until})
        agenda.put(task, now=now).alone()
        places = []
        while (standing := agenda.find(task.key)) is not None:
            places.append(standing.detail.get("after", ""))
            assert runner.run(standing, now=now) is None
        assert len(places) == len(set(places)) == runs
    assert (used.ok("GET", "/plans/plan"), amounts(used), names(used)) == after


def test_nothing_of_a_metric_without_plans_and_events_is_left(story):
    story.metric("calls")
    delete(story)
    story.metric("calls", "max_agg", field_name="n")
    assert story.ok("GET", "/billable_metrics")["meta"]["total_count"] == 1
