"""Webhooks: endpoints, keys that are shown once, the log, one message, sending again, and replays."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.console.format import ago
from chalicelib.features.webhooks.types import TYPES
from chalicelib.platform import clock
from tests.support import capacity
from tests.support.console import Shown, Visitor, member_of, requests_of, sent
from tests.support.receiving import Receiver, deliver, listen
from tests.support.story import Story

URL = "https://example.com/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def told(visitor: Visitor, receiver: Receiver) -> Visitor:
    """An endpoint with three messages, of which the second failed."""
    listen(visitor.story, receiver, name="Accounting")
    receiver.answers = [200, 500]
    for each in ("ada", "bob", "eve"):
        visitor.story.customer(each, name=each.capitalize())
    deliver()
    return visitor


def endpoint(visitor: Visitor) -> dict:
    (found,) = visitor.story.ok("GET", "/webhook_endpoints")["webhook_endpoints"]
    return found


def message(visitor: Visitor, sequence: int) -> dict:
    found = visitor.story.ok("GET", "/webhooks")["webhooks"]
    return next(each for each in found if each["sequence"] == sequence)


def numbers(shown: Shown) -> list[int]:
    """Numbers of the rows of the log."""
    return [int(each) for each in re.findall(r'aria-label="Select [a-z_.]+ (\d+)"', shown.text)]


def secret_in(shown: Shown) -> str:
    found = re.search(r"whsec_[A-Za-z0-9+/=]{20,}", shown.text)
    assert found is not None, shown.words
    return found[0]


def test_an_endpoint_is_added_and_its_secret_shown_once(visitor: Visitor):
    made = visitor.post(
        "webhooks",
        "new",
        form={"webhook_url": URL, "name": "Accounting", "signature_algo": "hmac", "every": "true", "request_id": "r"},
    )
    secret = secret_in(made)
    found = endpoint(visitor)
    assert (found["webhook_url"], found["name"], found["signature_algo"]) == (URL, "Accounting", "hmac")
    assert found["event_types"] is None
    assert found["secret"].endswith(secret[-4:])
    for page in (visitor.get("webhooks"), visitor.get("webhooks", found["lago_id"])):
        assert "Accounting" in page.words
        assert secret not in page.text
    assert found["secret"] in visitor.get("webhooks", found["lago_id"]).words


def test_a_second_click_makes_one_endpoint_and_shows_its_secret(visitor: Visitor):
    form = {"webhook_url": URL, "signature_algo": "hmac", "every": "true", "request_id": "r"}
    first, second = visitor.post("webhooks", "new", form=form), visitor.post("webhooks", "new", form=form)
    assert secret_in(first) == secret_in(second)
    visitor.post("webhooks", endpoint(visitor)["lago_id"], "rotate_secret")
    late = visitor.post("webhooks", "new", form=form)
    assert late.status == 303
    assert "whsec_" not in late.text


def test_an_endpoint_of_some_types_is_changed_field_by_field(visitor: Visitor):
    shown = visitor.post("webhooks", "new", form={"every": "false", "_do": "draw"})
    assert set(re.findall(r'name="event_types" value="([^"]+)"', shown.text)) == TYPES
    form = {
        "webhook_url": URL,
        "signature_algo": "jwt",
        "every": "false",
        "event_types": ["plan.created", "fee.created"],
    }
    visitor.post("webhooks", "new", form={**form, "request_id": "r"})
    found = endpoint(visitor)
    assert sorted(found["event_types"]) == ["fee.created", "plan.created"]
    changed = sent(visitor, "webhooks", found["lago_id"], "edit", webhook_url=f"{URL}/2", name="Ledger")
    assert changed.status == 303
    after = endpoint(visitor)
    assert (after["webhook_url"], after["name"]) == (f"{URL}/2", "Ledger")
    assert sorted(after["event_types"]) == ["fee.created", "plan.created"]
    sent(visitor, "webhooks", found["lago_id"], "edit", every="true", signature_algo="hmac", name="")
    after = endpoint(visitor)
    assert (after["event_types"], after["signature_algo"], after["name"]) == (None, "hmac", None)


@pytest.mark.parametrize(
    ("fields", "code", "name"),
    [
        ({"webhook_url": ""}, "value_is_mandatory", "webhook_url"),
        ({"webhook_url": "nowhere"}, "url_is_invalid", "webhook_url"),
        ({"every": "false"}, "value_is_mandatory", "event_types"),
        ({"every": "false", "event_types": ["none.such"]}, "contains invalid types", "event_types"),
    ],
)
def test_what_is_refused_is_told_at_its_field(visitor: Visitor, fields, code, name):
    form = {"webhook_url": URL, "signature_algo": "hmac", "every": "true", "request_id": "r", **fields}
    shown = visitor.post("webhooks", "new", form=form)
    assert shown.status == 422
    assert f'id="f-{name}-error"' in shown.text
    assert code in shown.words
    assert visitor.story.ok("GET", "/webhook_endpoints")["webhook_endpoints"] == []


def test_a_url_is_taken_once(visitor: Visitor):
    form = {"webhook_url": URL, "signature_algo": "hmac", "every": "true"}
    visitor.post("webhooks", "new", form={**form, "request_id": "a"})
    assert "value_already_exist" in visitor.post("webhooks", "new", form={**form, "request_id": "b"}).words


def test_a_rotated_secret_is_shown_once(told: Visitor):
    found = endpoint(told)
    secret = secret_in(told.post("webhooks", found["lago_id"], "rotate_secret"))
    assert endpoint(told)["secret"].endswith(secret[-4:])
    assert secret not in told.get("webhooks", found["lago_id"]).text


def test_the_hmac_key_is_shown_to_whoever_asks_first(visitor: Visitor):
    visitor.get("webhooks", "hmac_key")
    first = visitor.post("webhooks", "hmac_key")
    assert "It is shown only this once." in first.words
    again = visitor.post("webhooks", "hmac_key")
    assert "It was shown before." in again.words
    masked = visitor.story.ok("GET", "/organizations/hmac_key")["organization"]["hmac_key"]
    assert masked in again.words
    rotated = visitor.post("webhooks", "hmac_key", "rotate")
    assert "The one before signs too for 24 hours." in rotated.words
    after = visitor.story.ok("GET", "/organizations/hmac_key")["organization"]["hmac_key"]
    assert after != masked
    assert after[-4:] in rotated.text


def test_the_public_key_is_the_apis(visitor: Visitor):
    key = visitor.story.ok("GET", "/webhooks/json_public_key")["webhook"]["public_key"]
    assert f'data-copy="{key}"' in visitor.get("webhooks", "signatures").text


def test_an_endpoint_is_paused_and_resumed(told: Visitor):
    found = endpoint(told)["lago_id"]
    assert "wait" in told.get("webhooks", found, "pause").words
    assert told.post("webhooks", found, "pause").status == 303
    assert endpoint(told)["status"] == "paused"
    shown = told.get("webhooks", found)
    assert "Somebody paused it." in shown.words
    assert "By hand" in told.get("webhooks").words
    told.story.customer("zoe")
    deliver()
    assert "1 message waits and is given up" in told.get("webhooks", found, "delete").words
    assert told.post("webhooks", found, "resume").status == 303
    deliver()
    assert endpoint(told)["status"] == "active"
    assert message(told, 4)["status"] == "succeeded"


def test_a_deleted_endpoint_leaves_its_messages_behind(told: Visitor):
    found, third = endpoint(told)["lago_id"], message(told, 3)["lago_id"]
    assert "No new message waits." in told.get("webhooks", found, "delete").words
    assert told.post("webhooks", found, "delete").status == 303
    assert told.get("webhooks", found).status == 404
    assert "Deleted" in told.get("webhooks", "log").words
    shown = told.get("webhooks", found, third)
    assert "an endpoint that was deleted" in shown.words
    assert "Resend" not in shown.words
    refused = told.post("webhooks", "resend", form={"ids": [third], "back": "log"})
    assert refused.status == 422
    assert "webhook_endpoint_not_found" in refused.words


def test_the_log_is_the_apis_newest_first(told: Visitor):
    found = endpoint(told)["lago_id"]
    for page in (told.get("webhooks", "log"), told.get("webhooks", found)):
        assert numbers(page) == [3, 2, 1]
        assert "1–3 of 3" in page.words
        assert "customer.created Retrying 2" in page.words
        assert "500" in page.words


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "retrying"}, [2]),
        ({"status": ["retrying", "succeeded"]}, [3, 2, 1]),
        ({"webhook_type": "plan.created"}, []),
        ({"http_status": "500"}, [2]),
        ({"webhook_endpoint_id": "none"}, []),
    ],
)
def test_each_filter_is_the_apis(told: Visitor, query, expected):
    assert numbers(told.get("webhooks", "log", **query)) == expected
    if not expected:
        assert "Nothing matches" in told.get("webhooks", "log", **query).words


def test_days_are_the_organizations(told: Visitor):
    told.story.organization(timezone="Pacific/Auckland")
    from zoneinfo import ZoneInfo

    today = clock.utc_now().astimezone(ZoneInfo("Pacific/Auckland")).date()
    for since, until, expected in ((0, 0, 3), (-1, -1, 0), (1, 1, 0), (-1, 1, 3)):
        query = {"from": str(today + timedelta(days=since)), "to": str(today + timedelta(days=until))}
        assert len(numbers(told.get("webhooks", "log", **query))) == expected, query


@pytest.mark.parametrize("query", [{"http_status": "x"}, {"from": "x"}, {"to": "9999-12-31x"}, {"status": "x"}])
def test_a_wrong_filter_is_refused(told: Visitor, query):
    shown = told.get("webhooks", "log", **query)
    assert shown.status == 200
    assert 'class="field-error" role="alert"' in shown.text


def test_an_empty_log_says_how_to_begin(visitor: Visitor):
    assert "No endpoints yet" in visitor.get("webhooks").words
    shown = visitor.get("webhooks", "log")
    assert "No messages yet" in shown.words
    assert "Add an endpoint" in shown.words


def test_one_message_shows_payload_and_attempts(told: Visitor):
    found = message(told, 2)
    shown = told.get("webhooks", found["webhook_endpoint_id"], found["lago_id"])
    assert '"webhook_type": "customer.created"' in shown.words
    assert '"name": "Bob"' in shown.words
    assert "thanks" in shown.words
    assert "1 500" in shown.words
    assert told.address("customers", found["object_id"]) in shown.text
    assert 'hx-trigger="every 2s"' in shown.text
    settled = message(told, 1)
    assert "every 2s" not in told.get("webhooks", settled["webhook_endpoint_id"], settled["lago_id"]).text


def test_a_message_belongs_to_its_endpoint(told: Visitor):
    found = message(told, 2)
    assert told.get("webhooks", "other", found["lago_id"]).status == 404
    other = member_of(Story.begin(), "eve@example.com")
    assert other.get("webhooks", found["webhook_endpoint_id"], found["lago_id"]).status == 404
    assert other.get("webhooks", found["webhook_endpoint_id"]).status == 404
    assert other.post("webhooks", found["webhook_endpoint_id"], found["lago_id"], "resend").status == 404
    assert message(told, 2) == found


def test_failed_and_succeeded_messages_are_sent_again(told: Visitor, receiver: Receiver):
    for sequence in (2, 1):
        found = message(told, sequence)
        place = ("webhooks", found["webhook_endpoint_id"], found["lago_id"])
        asked = told.get(*place, "resend", back="log", query="status=retrying")
        assert ("It was delivered already" in asked.words) == (sequence == 1)
        answer = told.post(*place, "resend", form=asked.fields)
        assert answer.location.endswith(told.address("webhooks", "log", status="retrying"))
        deliver()
        assert receiver.sequences[-1] == sequence
        assert message(told, sequence)["status"] == "succeeded"
    assert told.post(*place, "resend").location.endswith(told.address(*place))


def test_ticked_messages_are_sent_again(told: Visitor, receiver: Receiver):
    ids = [message(told, each)["lago_id"] for each in (1, 2)]
    form = {"ids": ids, "back": "endpoint", "endpoint": endpoint(told)["lago_id"], "query": "page=1&self=x"}
    answer = told.post("webhooks", "resend", form=form)
    assert answer.location.endswith(told.address("webhooks", endpoint(told)["lago_id"], page=1))
    deliver()
    assert sorted(receiver.sequences[3:]) == [1, 2]
    assert told.post("webhooks", "resend", form={}).status == 422
    assert told.post("webhooks", "resend", form={"ids": list(map(str, range(101)))}).status == 422


def test_a_paused_endpoint_gets_it_later(told: Visitor):
    found = message(told, 2)
    told.story.ok("POST", f"/webhook_endpoints/{found['webhook_endpoint_id']}/pause")
    told.post("webhooks", found["webhook_endpoint_id"], found["lago_id"], "resend")
    assert message(told, 2)["status"] == "retrying"


def test_a_range_of_numbers_is_replayed_after_its_size_was_shown(told: Visitor, receiver: Receiver):
    place = ("webhooks", endpoint(told)["lago_id"], "replay")
    shown = told.post(*place, form={"by": "numbers", "from_sequence": "2", "to_sequence": ""})
    assert "2 messages go out again." in shown.words
    assert "Replay 2 messages" in shown.words
    assert len(receiver.calls) == 3
    changed = told.post(*place, form={**shown.fields, "from_sequence": "1"})
    assert "3 messages go out again." in changed.words
    begun = told.post(*place, form=shown.fields)
    assert begun.status == 303
    assert "go out again" in told.at(begun.location.partition("8000")[2] or begun.location).words
    deliver()
    assert receiver.sequences[3:] == [2, 3]
    assert "went out again" in told.at(begun.location.partition("8000")[2] or begun.location).words


def test_times_and_types_are_replayed(told: Visitor, receiver: Receiver):
    place = ("webhooks", endpoint(told)["lago_id"], "replay")
    start = (clock.utc_now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    shown = told.post(*place, form={"by": "times", "from": start, "to": "", "webhook_types": ["customer.created"]})
    assert "3 messages go out again." in shown.words
    assert told.post(*place, form=shown.fields).status == 303
    nothing = told.post(*place, form={"by": "times", "to": start, "from": ""})
    assert "No message lies in this range." in nothing.words


@pytest.mark.parametrize(
    "form",
    [
        {"by": "numbers"},
        {"by": "numbers", "from_sequence": "x"},
        {"by": "numbers", "from_sequence": "0"},
        {"by": "numbers", "from_sequence": "3", "to_sequence": "1"},
        {"by": "times", "from": "x"},
        {"by": "times", "from": "2024-01-02T00:00", "to": "2024-01-01T00:00"},
        {"by": "numbers", "from_sequence": "1", "webhook_types": ["none.such"]},
    ],
)
def test_a_wrong_range_is_refused(told: Visitor, receiver: Receiver, form):
    assert told.post("webhooks", endpoint(told)["lago_id"], "replay", form=form).status == 422
    deliver()
    assert len(receiver.calls) == 3


def test_pages_cost_few_requests(told: Visitor):
    found = message(told, 2)
    first, second = found["webhook_endpoint_id"], found["lago_id"]
    for place in (
        (),
        ("log",),
        ("signatures",),
        ("new",),
        (first,),
        (first, second),
        (first, "delete"),
        (first, "replay"),
    ):
        told.get("webhooks", *place)
        with capacity.counting() as meter:
            told.get("webhooks", *place)
        print(place, meter.total, dict(meter.requests))
        assert meter.total <= 8, (place, dict(meter.requests))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")],
)
def test_how_long_ago(seconds, expected):
    now = datetime(2024, 1, 2, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == expected


def test_what_fails_is_told_at_home_and_by_endpoint(told: Visitor, receiver: Receiver):
    """Also where there are no invoices yet."""

    def at_home(**query: str) -> Shown:
        told.headers["hx-request"] = "true"
        shown = told.get(part="failing", **query)
        del told.headers["hx-request"]
        return shown

    assert "part=failing&amp;alone=true" in told.get().text
    for query in ({}, {"alone": "true"}):
        assert "Failed webhook messages 1 of those since" in at_home(**query).words
    assert re.search(r'num"><a href="[^"]*status=retrying&amp;status=failed">1</a>', told.get("webhooks").text)
    failed = message(told, 2)
    receiver.answers = [200]
    told.story.ok("POST", f"/webhooks/{failed['lago_id']}/retry")
    deliver()
    assert message(told, 2)["status"] == "succeeded"
    assert "Failed webhook messages 0 of those since" in at_home().words
    assert at_home(alone="true").status == 204


def test_a_log_of_many_endpoints_costs_as_much_as_of_one(visitor: Visitor, receiver: Receiver):
    costs = []
    for number in (1, 4):
        for each in range(number):
            listen(visitor.story, receiver, f"/more{number}-{each}")
        visitor.story.customer(f"c{number}", name="Ada")
        deliver()
        visitor.get("webhooks", "log")
        costs.append(requests_of(visitor, "webhooks", "log"))
    assert max(costs) <= 8, costs
