"""What pages ask beyond the API: making an endpoint once, how many messages wait, and how many a replay would send."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.webhooks import asking, reading, service
from chalicelib.platform import clock
from chalicelib.platform.ids import WebhookEndpointId
from tests.support.receiving import Receiver, deliver, listen
from tests.support.story import Story

_URL = {"webhook_url": "https://example.com/hook"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def test_a_form_that_is_sent_twice_makes_one_endpoint(story: Story):
    made = [service.create_once(story.ref, _URL, request_id="r", now=clock.utc_now()) for _ in range(2)]
    assert made[0] == made[1]
    (found,) = story.ok("GET", "/webhook_endpoints")["webhook_endpoints"]
    assert found["lago_id"] == made[0].id


def test_a_slower_click_finds_what_the_faster_one_made(story: Story, monkeypatch):
    made = service.create_once(story.ref, _URL, request_id="r", now=clock.utc_now())
    kind = type(service.ENDPOINTS)
    real, asked = kind.get, []

    def late(self, organization_id, endpoint_id):
        asked.append(endpoint_id)
        return None if len(asked) == 1 else real(self, organization_id, endpoint_id)

    monkeypatch.setattr(kind, "get", late)
    assert service.create_once(story.ref, _URL, request_id="r", now=clock.utc_now()) == made
    with pytest.raises(Invalid):
        service.create_once(story.ref, _URL, request_id="other", now=clock.utc_now())


def test_what_waits_is_what_was_not_tried(story: Story, receiver: Receiver):
    endpoint = WebhookEndpointId(listen(story, receiver)["lago_id"])
    assert reading.waiting(story.ref, WebhookEndpointId("none")) == 0
    story.ok("POST", f"/webhook_endpoints/{endpoint}/pause")
    story.customer("ada")
    story.customer("bob")
    deliver()
    assert reading.waiting(story.ref, endpoint) == 2
    story.ok("POST", f"/webhook_endpoints/{endpoint}/resume")
    deliver()
    assert reading.waiting(story.ref, endpoint) == 0


def test_a_replay_sends_as_many_as_was_said(story: Story, receiver: Receiver):
    endpoint = WebhookEndpointId(listen(story, receiver)["lago_id"])
    story.plan()
    for each in ("ada", "bob", "eve"):
        story.customer(each)
    deliver()
    hour_ago = (clock.utc_now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for body, expected in (
        ({"from_sequence": 2}, 3),
        ({"from_sequence": 2, "to_sequence": 99}, 3),
        ({"from": hour_ago}, 4),
        ({"to": hour_ago}, 0),
        ({"from": hour_ago, "webhook_types": ["customer.created"]}, 3),
    ):
        assert asking.replayed(story.ref, endpoint, body) == expected
        made = story.ok("POST", f"/webhook_endpoints/{endpoint}/replay", {"replay": body})["replay"]
        assert made["messages"] == expected
    with pytest.raises(Invalid):
        asking.replayed(story.ref, endpoint, {})
    with pytest.raises(NotFound):
        asking.replayed(story.ref, WebhookEndpointId("none"), {"from_sequence": 1})
