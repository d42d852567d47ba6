"""The emulator's queues are fair, as AWS's are by `MessageGroupId`; and every message says whose it is."""

import itertools
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.platform import aws as clients
from chalicelib.platform import queues
from chalicelib.platform.queues import Outgoing
from chalicelib.platform.settings import settings
from infra.local.fair_queues import choose
from tests.support import ministack
from tests.support.story import Story


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with (
        pytest.MonkeyPatch.context() as patch,
        ministack.running(tmp_path_factory.mktemp("ministack") / "log", patch) as variables,
    ):
        yield variables


@pytest.fixture
def queue(emulator, monkeypatch) -> str:
    """One with nothing in it."""
    for name, value in emulator.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    name = settings().webhooks_queue
    clients.client("sqs").purge_queue(QueueUrl=queues.url(name))
    return name


def receive(queue: str, most: int = 10) -> list[str]:
    """The groups of the messages handed out."""
    answer = clients.client("sqs").receive_message(
        QueueUrl=queues.url(queue), MaxNumberOfMessages=most, AttributeNames=["All"]
    )
    return [message["Attributes"].get("MessageGroupId", "") for message in answer.get("Messages", [])]


def test_a_quiet_group_is_served_next_whatever_lies_before_it(queue):
    queues.send_many(queue, [Outgoing({"n": n}, "noisy") for n in range(2_000)])
    queues.send(queue, {"n": 0}, group="quiet")
    queues.send_many(queue, [Outgoing({"n": n}, "other", delay_seconds=600) for n in range(10)])
    begun = time.monotonic()
    assert Counter(receive(queue)) == {"noisy": 9, "quiet": 1}
    assert receive(queue) == ["noisy"] * 10
    queues.send(queue, {"n": 1}, group="third")
    assert receive(queue, 1) == ["third"]  # It has nothing in flight; the noisy one nineteen.
    assert time.monotonic() - begun < 10


def test_messages_without_a_group_are_of_nobody_and_come_in_their_order(queue):
    for n in range(5):
        queues.send(queue, {"n": n})
    queues.send_many(queue, [Outgoing({"n": n}, "one") for n in range(5)])
    assert receive(queue) == [""] * 5 + ["one"] * 5


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([0, 1, 2])), max_size=40),
    st.integers(1, 10),
)
def test_whoever_has_the_fewest_in_flight_is_next(sent, most):
    """0: visible; 1: in flight; 2: not to be seen yet."""
    messages = [
        {"id": n, "group_id": group, "visible_at": 0 if state == 0 else 9, "receive_count": int(state == 1)}
        for n, (group, state) in enumerate(sent)
    ]
    chosen = choose(messages, most, 5)
    visible = [message for message in messages if message["visible_at"] == 0]
    assert len(chosen) == min(most, len(visible))
    assert len({message["id"] for message in chosen}) == len(chosen)
    in_flight = Counter(group or n for n, (group, state) in enumerate(sent) if state == 1)
    left = list(visible)
    for message in chosen:
        fewest = min(in_flight[each["group_id"] or each["id"]] for each in left)
        first = next(each for each in left if in_flight[each["group_id"] or each["id"]] == fewest)
        assert first is message
        in_flight[message["group_id"] or message["id"]] += 1
        left.remove(message)


def test_every_message_of_an_organization_names_it(aws):
    """Events, jobs, webhooks and documents, of sandboxes and others: what stands in a queue has its owner's group."""
    for sandbox in (True, False):
        story = Story.begin(sandbox=sandbox)
        story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
        story.plan(amount_cents=100, pay_in_advance=True)
        story.subscribe()
        event = {"transaction_id": "t", "external_subscription_id": "sub", "code": "calls"}
        story.ok("POST", "/events", {"event": event})
    found = Counter()
    names = {
        getattr(settings(), f"{name}_queue"): name for name in ("events", "jobs", "sandbox", "webhooks", "documents")
    }
    for _ in range(4):
        for queue, name in names.items():
            found.update(_worked_off(queue, name))
    assert set(found) == set(names.values())


def _worked_off(queue: str, name: str) -> list[str]:
    from chalicelib import wiring

    sqs, url, seen = clients.client("sqs"), queues.url(queue), []
    for _ in itertools.count():
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        if not (messages := answer.get("Messages")):
            return seen
        for message in messages:
            group = message["Attributes"]["MessageGroupId"]
            assert message["Body"].startswith((f'{{"pk":"{group}#', f'{{"org":"{group}"')), message["Body"]
            seen.append(name)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        carry_out = wiring.meter if name == "events" else wiring.work
        records = [{"messageId": message["MessageId"], "body": message["Body"]} for message in messages]
        assert carry_out(records) == {"batchItemFailures": []}
