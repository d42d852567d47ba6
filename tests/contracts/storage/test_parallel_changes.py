"""64 requests at the same instant, in threads, on Amazon's own DynamoDB Local: all pass, and the last one wins whole."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.platform import agenda, aws
from infra.local import provision
from tests.support import aws as support
from tests.support.dynamodb_local import running, without_kms
from tests.support.faults import colliding
from tests.support.parallel import at_once, statuses
from tests.support.story import Story

pytestmark = [pytest.mark.local_dynamodb, pytest.mark.xdist_group("local_dynamodb")]

MANY = 64


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def story(
    server: str, environment: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Story]:
    """An organization in real time, in tables of its own; nobody works its queues."""
    stage = f"p{abs(hash(request.node.name)) % 10**8}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("STAGE", stage)
    without_kms(monkeypatch)
    monkeypatch.setattr(agenda, "push", lambda tasks: None)
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(minutes=2))  # Whatever else this machine has to do.
    support.forget()
    provision.tables(aws.client("dynamodb"), stage)
    yield Story.begin(sandbox=False)
    support.forget()


def charge(metric: Any, amount: int) -> dict[str, Any]:
    body = {"billable_metric_id": metric["lago_id"], "charge_model": "standard"}
    return {**body, "properties": {"amount": str(amount)}}


def test_of_many_changes_of_one_plan_the_last_one_wins_whole(story: Story) -> None:
    metric = story.metric()
    story.plan(charges=[charge(metric, 1)])
    bodies = [{"name": f"{n}", "amount_cents": n, "charges": [charge(metric, n)]} for n in range(MANY)]
    answers = at_once(story.call, [("PUT", "/plans/plan", {"plan": body}) for body in bodies])
    assert statuses(answers) == {200: MANY}
    plan = story.ok("GET", "/plans/plan")["plan"]
    number = plan["amount_cents"]
    assert (plan["name"], plan["charges"][0]["properties"]["amount"]) == (str(number), str(number))
    for n, answer in enumerate(answers):  # Each was answered with what itself wrote.
        assert answer.body["plan"]["name"] == str(n)


def test_many_charges_and_pairs_of_metadata_are_all_kept(story: Story) -> None:
    metric = story.metric()
    story.plan()
    added = at_once(story.call, [("POST", "/plans/plan/charges", {"charge": charge(metric, n)}) for n in range(MANY)])
    assert statuses(added) == {200: MANY}
    kept = story.ok("GET", "/plans/plan")["plan"]["charges"]
    assert sorted(int(each["properties"]["amount"]) for each in kept) == list(range(MANY))
    assert len({each["code"] for each in kept}) == MANY
    pairs = [("PATCH", "/plans/plan/metadata", {"metadata": {f"k{n}": str(n)}}) for n in range(40)]
    assert statuses(at_once(story.call, pairs)) == {200: 40}
    assert story.ok("GET", "/plans/plan")["plan"]["metadata"] == {f"k{n}": str(n) for n in range(40)}


def test_many_customers_the_same_and_different_ones(story: Story) -> None:
    same = [("POST", "/customers", {"customer": {"external_id": "one", "name": f"n{n}"}}) for n in range(MANY)]
    answers = at_once(story.call, same)
    assert statuses(answers) == {200: MANY}
    assert len({answer.body["customer"]["lago_id"] for answer in answers}) == 1
    others = [("POST", "/customers", {"customer": {"external_id": f"c{n}"}}) for n in range(MANY)]
    made = at_once(story.call, others)
    assert statuses(made) == {200: MANY}
    numbers = [answer.body["customer"]["sequential_id"] for answer in [answers[0], *made]]
    assert len(set(numbers)) == MANY + 1
    assert story.ok("GET", "/customers")["meta"]["total_count"] == MANY + 1


def test_many_subscriptions_of_one_customer_and_their_ends(story: Story) -> None:
    story.plan(amount_cents=100, pay_in_advance=True)
    bodies = [{"external_customer_id": "new", "plan_code": "plan", "external_id": f"s{n}"} for n in range(MANY)]
    begun = at_once(story.call, [("POST", "/subscriptions", {"subscription": body}) for body in bodies])
    assert statuses(begun) == {200: MANY}
    assert story.ok("GET", "/customers/new/subscriptions")["meta"]["total_count"] == MANY
    changes = [("PUT", f"/subscriptions/s{n}", {"subscription": {"name": f"n{n}"}}) for n in range(16)]
    changes += [("DELETE", f"/subscriptions/s{n}", None) for n in range(16, 32)]
    changes += [("DELETE", "/subscriptions/s40", None), ("DELETE", "/subscriptions/s40", None)]
    assert statuses(at_once(story.call, changes)) == {200: 33, 404: 1}
    assert story.ok("GET", "/subscriptions")["meta"]["total_count"] == MANY - 17
    assert story.ok("GET", "/subscriptions?status[]=terminated")["meta"]["total_count"] == 17


def test_one_of_many_creations_of_a_code_succeeds(story: Story) -> None:
    tax = {"tax": {"name": "n", "code": "vat", "rate": 20}}
    answers = at_once(story.call, [("POST", "/taxes", tax)] * MANY)
    assert statuses(answers) == {200: 1, 422: MANY - 1}
    details = [answer.body["error_details"] for answer in answers if answer.status == 422]
    assert details == [{"code": ["value_already_exist"]}] * (MANY - 1)


def test_no_more_endpoints_than_the_limit_and_settings_change_with_their_endpoint(story: Story) -> None:
    urls = [f"https://example.com/{n}" for n in range(MANY)]
    added = [("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": url}}) for url in urls]
    assert statuses(at_once(story.call, added)) == {200: 10, 422: MANY - 10}
    assert story.ok("GET", "/webhook_endpoints")["meta"]["total_count"] == 10
    settings = [
        ("PUT", "/organizations", {"organization": {"name": f"n{n}", "webhook_url": f"https://example.com/n{n}"}})
        for n in range(MANY)
    ]
    assert statuses(at_once(story.call, settings)) == {200: MANY}
    organization = story.ok("GET", "/organizations")["organization"]
    assert organization["webhook_url"] == f"https://example.com/{organization['name']}"
    assert len(organization["webhook_urls"]) == 10


def test_collisions_as_aws_has_them_are_waited_out(story: Story) -> None:
    """DynamoDB refuses a transaction on an item that another one in flight touches; the emulator puts them in a row."""
    story.plan()
    calls = [("PUT", "/plans/plan", {"plan": {"name": f"{n}"}}) for n in range(16)]
    calls += [("POST", "/customers", {"customer": {"external_id": f"c{n}"}}) for n in range(16)]
    calls += [("POST", "/customers", {"customer": {"external_id": "one", "name": f"{n}"}}) for n in range(16)]
    with colliding(lambda: time.sleep(0.002)) as met:
        assert statuses(at_once(story.call, calls)) == {200: 48}
    assert met.transactions["conflict"] > 0
