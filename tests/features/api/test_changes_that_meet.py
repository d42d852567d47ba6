"""Two changes that meet where their rules touch: limits, names, currencies, settings; and numbers that are not drawn for
nothing."""

import json
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.customers import service as customers_service
from chalicelib.features.customers import store as customers
from chalicelib.features.invoices import store as invoices
from chalicelib.features.invoicing import drafts
from chalicelib.features.plans import changes
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.subscriptions import store as subscriptions
from chalicelib.features.webhooks import store as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import runner
from chalicelib.platform.agenda.store import TaskRow
from chalicelib.platform.unit import Unit
from tests.support.faults import overtaken, recorded
from tests.support.items import core
from tests.support.messages import messages
from tests.support.story import Story, work


@pytest.fixture
def real(aws: None) -> Story:
    """An organization in real time."""
    return Story.begin(sandbox=False)


def endpoint(story: Story, url: str) -> Any:
    return story.call("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": f"https://example.com/{url}"}})


def urls(story: Story) -> list[str]:
    return [url.rpartition("/")[2] for url in story.ok("GET", "/organizations")["organization"]["webhook_urls"]]


def settings(story: Story, **fields: Any) -> Any:
    return story.call("PUT", "/organizations", {"organization": fields})


# Settings and the first endpoint.


def test_settings_with_a_taken_url_change_nothing(real):
    assert [endpoint(real, url).status for url in ("a", "b")] == [200, 200]
    real.organization(timezone="America/New_York")
    before = real.ok("GET", "/organizations")
    work()
    with recorded() as writes:
        answer = settings(real, name="Other", timezone="Asia/Tokyo", webhook_url="https://example.com/b")
    assert (answer.status, answer.body["error_details"]) == (422, {"webhook_url": ["value_already_exist"]})
    assert real.ok("GET", "/organizations") == before
    assert len(writes) == 1  # The transaction that was refused.


def test_settings_change_with_their_endpoint_and_the_plan_of_customers(real):
    assert settings(real, name="Two", timezone="Asia/Tokyo", webhook_url="https://example.com/a").status == 200
    organization = real.ok("GET", "/organizations")["organization"]
    shown = (organization["name"], organization["timezone"], urls(real))
    assert shown == ("Two", "Asia/Tokyo", ["a"])
    assert len([key for key in _tasks(real) if "replan_customers" in key]) == 1
    assert settings(real, webhook_url=None).status == 200
    assert urls(real) == []


def test_two_settings_that_both_make_the_first_endpoint_make_one(real):
    with overtaken(lambda: settings(real, name="One", webhook_url="https://example.com/a")):
        assert settings(real, name="Two", webhook_url="https://example.com/a").status == 200
    assert (urls(real), real.ok("GET", "/organizations")["organization"]["name"]) == (["a"], "Two")
    assert settings(real, webhook_url=None).status == 200
    with overtaken(lambda: settings(real, webhook_url="https://example.com/b")):
        assert settings(real, webhook_url="https://example.com/c").status == 200
    assert urls(real) == ["c"]


def _tasks(story: Story) -> list[str]:
    pages = core.client.get_paginator("scan").paginate(TableName=core.name)
    keys = [item["pk"]["S"] for page in pages for item in page["Items"]]
    return [key for key in keys if key.startswith(f"{story.ref.id}#task#")]


# Limits.


def test_the_limit_of_endpoints_holds_for_two_at_once(real):
    for n in range(limits.WEBHOOK_ENDPOINTS_MAX - 1):
        assert endpoint(real, str(n)).status == 200
    with overtaken(lambda: endpoint(real, "tenth")):
        answer = endpoint(real, "eleventh")
    assert (answer.status, answer.body["error_details"]) == (422, {"base": ["exceeded_limit"]})
    assert len(urls(real)) == limits.WEBHOOK_ENDPOINTS_MAX
    one, other = (each.id for each in webhooks.live(real.ref.id)[:2])
    with overtaken(lambda: real.ok("DELETE", f"/webhook_endpoints/{one}")):
        real.ok("DELETE", f"/webhook_endpoints/{other}")
    assert [endpoint(real, url).status for url in ("x", "y", "z")] == [200, 200, 422]


def test_an_organization_from_before_the_lock_of_the_set_counts_its_endpoints(real):
    for n in range(limits.WEBHOOK_ENDPOINTS_MAX):
        assert endpoint(real, str(n)).status == 200
    core.delete((f"{real.ref.id}#webhook-endpoints", "-")).alone()
    assert endpoint(real, "more").status == 422
    assert real.call("DELETE", f"/webhook_endpoints/{webhooks.live(real.ref.id)[3].id}").status == 200
    assert endpoint(real, "more").status == 200


def test_limits_within_a_record_hold_for_two_at_once(real, monkeypatch):
    monkeypatch.setattr(limits, "CHARGES_PER_PLAN_MAX", 1)
    metric = real.metric()
    real.plan()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}

    def add() -> Any:
        return real.call("POST", "/plans/plan/charges", {"charge": charge})

    with overtaken(add):
        answer = add()
    assert (answer.status, answer.body["error_details"]) == (422, {"charges": ["invalid_count"]})
    full = {f"k{n}": "v" for n in range(49)}
    real.ok("POST", "/plans/plan/metadata", {"metadata": full})

    def merge(name: str) -> Any:
        return real.call("PATCH", "/plans/plan/metadata", {"metadata": {name: "v"}})

    with overtaken(lambda: merge("last")):
        answer = merge("one more")
    assert (answer.status, answer.body["error_details"]) == (422, {"metadata": ["invalid_count"]})


# Names.


def test_a_name_given_to_another_meanwhile_is_refused_and_one_given_to_the_same_is_not(real):
    for code in ("a", "b"):
        real.ok("POST", "/taxes", {"tax": {"name": code, "code": code, "rate": 1}})

    def rename(code: str, **fields: Any) -> Any:
        return real.call("PUT", f"/taxes/{code}", {"tax": {"code": "new", **fields}})

    with overtaken(lambda: rename("a")):
        answer = rename("b")
    assert (answer.status, answer.body["error_details"]) == (422, {"code": ["value_already_exist"]})
    one = {"webhook_url": "https://example.com/new"}
    made = endpoint(real, "old").body["webhook_endpoint"]["lago_id"]

    def move(name: str) -> Any:
        return real.call("PUT", f"/webhook_endpoints/{made}", {"webhook_endpoint": {**one, "name": name}})

    with overtaken(lambda: move("first")):
        answer = move("second")
    assert (answer.status, answer.body["webhook_endpoint"]["name"]) == (200, "second")


def test_of_two_changes_of_a_plan_the_last_one_wins_whole(real):
    metric = real.metric()
    real.plan()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}

    def put(**fields: Any) -> Any:
        return real.ok("PUT", "/plans/plan", {"plan": fields})["plan"]

    with overtaken(lambda: put(name="first", amount_cents=1, charges=[charge, charge])):
        shown = put(name="second", amount_cents=2, charges=[charge])
    assert (shown["name"], shown["amount_cents"], len(shown["charges"])) == ("second", 2, 1)
    assert real.ok("GET", "/plans/plan")["plan"] == shown


# Currencies and customers.


@pytest.mark.parametrize("subscription_first", [True, False])
def test_a_customer_and_its_subscription_agree_on_a_currency(real, subscription_first):
    real.plan()  # In EUR.
    real.customer("cust", currency="EUR")
    body = {"external_customer_id": "cust", "plan_code": "plan", "external_id": "sub"}

    def subscribe() -> Any:
        return real.call("POST", "/subscriptions", {"subscription": body})

    def change() -> Any:
        return real.call("POST", "/customers", {"customer": {"external_id": "cust", "currency": "USD"}})

    first, second = (subscribe, change) if subscription_first else (change, subscribe)
    with overtaken(first):
        answer = second()
    assert (answer.status, answer.body["error_details"]) == (422, {"currency": ["currencies_does_not_match"]})


def test_a_customer_that_moves_while_it_is_subscribed_is_billed_by_its_new_zone(real):
    real.plan()
    real.customer("cust", timezone="UTC")
    body = {"external_customer_id": "cust", "plan_code": "plan", "external_id": "sub"}
    with overtaken(lambda: real.customer("cust", timezone="Asia/Tokyo")):
        shown = real.ok("POST", "/subscriptions", {"subscription": body})["subscription"]
    assert shown["current_billing_period_ending_at"].endswith("T14:59:59Z")
    customer = real.ok("GET", "/customers/cust")["customer"]["lago_id"]
    due_at = customers.state_of(real.ref.id, customer).due_at
    assert due_at is not None
    assert due_at.strftime("%H:%M") == "15:00"  # Midnight in Tokyo.


def test_customers_made_at_once_have_numbers_of_their_own_and_refused_ones_have_none(real):
    with overtaken(lambda: real.customer("a")):
        later = real.customer("b")
    numbers = {c["external_id"]: c["sequential_id"] for c in real.ok("GET", "/customers")["customers"]}
    assert sorted(numbers.values()) == [1, 2]
    assert numbers["b"] == later["sequential_id"]
    six = [{"key": f"k{n}", "value": "v"} for n in range(limits.METADATA_PAIRS_MAX + 1)]
    assert real.call("POST", "/customers", {"customer": {"external_id": "c", "metadata": six}}).status == 422
    real.plan()
    body = {"external_customer_id": "d", "plan_code": "plan", "external_id": "sub", "ending_at": "2001-01-01"}
    assert real.call("POST", "/subscriptions", {"subscription": body}).status == 422
    assert real.customer("e")["sequential_id"] == 3


def test_a_cheaper_plan_for_a_subscription_that_has_just_been_succeeded_is_decided_anew(real, monkeypatch):
    """What was read of an external id may be over by the time its customer is read."""
    for code, cents in (("low", 100), ("mid", 200), ("high", 300)):
        real.plan(code, amount_cents=cents)
    real.customer()
    real.subscribe("mid")
    stale = [subscriptions.find_live(real.ref.id, "sub")]
    real.subscribe("high")  # A dearer plan takes over at once.
    find_live = subscriptions.find_live
    monkeypatch.setattr(subscriptions, "find_live", lambda *key: stale.pop() if stale else find_live(*key))
    shown = real.subscribe("low")
    assert (shown["plan_code"], shown["next_plan_code"], shown["status"]) == ("high", "low", "active")
    statuses = real.ok("GET", "/subscriptions?status[]=pending&status[]=active&status[]=terminated")["subscriptions"]
    assert sorted((s["plan_code"], s["status"]) for s in statuses) == [
        ("high", "active"), ("low", "pending"), ("mid", "terminated")
    ]  # fmt: skip


# Drafts.


@pytest.fixture
def draft(real: Story) -> str:
    """The id of a draft invoice in real time."""
    real.plan(amount_cents=100, pay_in_advance=True)
    real.customer(billing_configuration={"invoice_grace_period": 3})
    real.subscribe()
    work()
    (invoice,) = real.invoices()
    return str(invoice["lago_id"])


def test_a_draft_is_finalized_by_the_first_of_two_requests(real, draft):
    assert [real.call("PUT", f"/invoices/{draft}/finalize").status for _ in range(2)] == [200, 200]
    assert len([key for key in _tasks(real) if "finalize_invoice" in key]) == 1


def test_a_finalization_that_failed_too_often_is_asked_for_again(real, draft):
    real.ok("PUT", f"/invoices/{draft}/finalize")
    (place,) = [key for key in _tasks(real) if "finalize_invoice" in key]
    core.update((place, "-"), "SET parked = :yes, attempts = :n", values={":yes": True, ":n": 8}).alone()
    real.ok("PUT", f"/invoices/{draft}/finalize")
    task = agenda.find((place, "-"))
    assert task is not None
    assert (task.parked, task.attempts) == (False, 0)


def test_a_draft_that_became_final_meanwhile_is_not_computed_again(real, draft):
    def finalize() -> None:
        found = invoices.get(real.ref.id, draft)
        assert found is not None
        final = found.model_copy(update={"status": "finalized", "number": "N-1", "sequential_id": 1})
        Unit(invoices.replace_actions(real.ref.id, found, final)).commit()

    with overtaken(finalize):
        shown = real.ok("PUT", f"/invoices/{draft}/refresh")["invoice"]
    assert (shown["status"], shown["number"]) == ("finalized", "N-1")


def test_two_requests_park_the_same_failing_task(story, monkeypatch):
    story.plan(amount_cents=100, pay_in_advance=True)

    def broken(task: Any, now: Any) -> None:
        raise RuntimeError

    postpone = agenda.postpone

    def twice(task: Any, error: str, **how: Any) -> Any:
        if "test clock" in error:
            postpone(task, error, **how)  # The other request's.
        return postpone(task, error, **how)

    runner._handler(customers_service.BILL)
    monkeypatch.setitem(runner._handlers, customers_service.BILL.name, broken)
    monkeypatch.setattr(agenda, "postpone", twice)
    assert story.subscribe()["status"] == "active"
    assert len(story.ok("GET", "/test_clock")["test_clock"]["failed_tasks"]) == 1


@pytest.mark.parametrize("sandbox", [False, True], ids=["tasks wait in a queue", "tasks wait under a clock"])
def test_of_several_changes_of_a_plan_the_last_one_is_followed(aws, monkeypatch, sandbox):
    story = Story.begin(sandbox=sandbox)
    story.plan()
    story.subscribe()
    work()
    with monkeypatch.context() as patch:
        patch.setattr(test_clock, "run_due", lambda *_, **__: None)
        for n in range(3):
            story.ok("PUT", "/plans/plan", {"plan": {"name": f"{n}"}})
    tasks = _follow_tasks(story)
    seen: list[str] = []
    monkeypatch.setattr(drafts, "refresh_all", lambda *_, **how: seen.append(how["plan_id"]))
    assert [runner.run(task, now=task.due_at) for task in tasks] == [None] * 3
    assert len(seen) == 1
    assert _follow_tasks(story) == []


def test_units_that_change_at_once_are_followed_change_by_change(real, monkeypatch):
    real.ok("POST", "/add_ons", {"add_on": {"name": "s", "code": "s", "amount_cents": 1, "amount_currency": "EUR"}})
    seat = {"add_on_code": "s", "charge_model": "standard", "properties": {"amount": "1"}, "pay_in_advance": True}
    plan = real.plan(fixed_charges=[{**seat, "units": 1}])
    real.subscribe()
    for units in (5, 3):
        entry = {"id": plan["fixed_charges"][0]["lago_id"], "units": units, "apply_units_immediately": True}
        real.ok("PUT", "/plans/plan", {"plan": {"fixed_charges": [entry]}})
    tasks = _follow_tasks(real)
    seen: list[str] = []
    monkeypatch.setattr(drafts, "refresh_all", lambda *_, **how: seen.append(how["plan_id"]))
    assert [runner.run(task, now=task.due_at) for task in tasks] == [None] * 2
    assert len(seen) == 2


def _follow_tasks(story: Story) -> list[agenda.Task]:
    """Those that bring subscriptions in line with a plan, that of the oldest change first."""
    pages = core.client.get_paginator("scan").paginate(TableName=core.name)
    items = [item for page in pages for item in page["Items"] if item.get("kind") == {"S": changes.FOLLOW.name}]
    found = [TaskRow.read(item).value for item in items]
    own = [task for task in found if task.organization.id == story.ref.id]
    return sorted(own, key=lambda task: int(task.subject.rpartition("#")[2]))


# What is told of both.


def test_large_announcements_of_two_changes_at_once_each_tell_their_own(real, monkeypatch):
    monkeypatch.setattr(limits, "WEBHOOK_PAYLOAD_BYTES_MAX", 200)
    endpoint(real, "a")
    real.plan()
    work()
    with overtaken(lambda: real.ok("PUT", "/plans/plan", {"plan": {"name": "first"}})):
        real.ok("PUT", "/plans/plan", {"plan": {"name": "second"}})
    work()
    bodies = [json.loads(message.payload) for message in messages(real.ref.id)]
    told = [body["plan"]["name"] for body in bodies if body["webhook_type"] == "plan.updated"]
    assert sorted(told) == ["first", "second"]
