"""Work that was cut off, and providers that tell less than ours do. Source: rules/collection 2, 3."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.payments import store
from chalicelib.features.payments.collection import starting
from chalicelib.platform import agenda, clock
from tests.features.payments import far_side
from tests.features.payments.collecting import KEY, Payer
from tests.features.payments.far_side import deliver
from tests.features.payments.test_judged import debited, settled
from tests.support.messages import messages
from tests.support.providers.frame import Running
from tests.support.story import Story, work


@pytest.fixture
def payer(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> Payer:
    """A customer with a provider."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return Payer(story, stripe, monkeypatch)


def told(payer: Payer) -> list[str]:
    return [each.webhook_type for each in messages(payer.story.ref.id)]


def test_a_call_that_died_is_taken_up_when_its_lease_ends(payer: Payer) -> None:
    """A message that comes meanwhile comes again then: nobody waits for the tick."""
    invoice = payer.begin().bill()
    row = payer.row()
    now = clock.utc_now()
    calling = row.collected.after(sent_at=now, last_sent_at=now, leased_until=now + timedelta(seconds=2))
    store.replace(payer.story.ref.id, row, row.model_copy(update={"collection": calling})).alone()
    work()
    assert payer.row().payment_status == "pending"
    payer.later(seconds=3)
    assert (payer.again(invoice)["payment_status"], len(payer.intents())) == ("succeeded", 1)


def test_a_message_within_a_lease_is_sent_again(payer: Payer, monkeypatch: pytest.MonkeyPatch) -> None:
    payer.begin().bill()
    row, now = payer.row(), clock.utc_now()
    calling = row.collected.after(sent_at=now, leased_until=now + timedelta(seconds=40))
    store.replace(payer.story.ref.id, row, row.model_copy(update={"collection": calling})).alone()
    pushed: list[agenda.Task] = []
    monkeypatch.setattr(agenda, "push", pushed.extend)
    work()
    assert [each.run_at for each in pushed if each.kind == starting.COLLECT] == [calling.leased_until]


def test_a_secret_that_is_mended_at_once_is_found_within_minutes(payer: Payer) -> None:
    invoice = payer.begin().bill()
    payer.stripe.fake.revoked.add(KEY)
    work()
    payer.stripe.fake.revoked.clear()
    payer.story.ok("PUT", "/payment_providers/main", {"payment_provider": {"secret_key": KEY}})
    payer.later(minutes=1)
    assert payer.again(invoice)["payment_status"] == "succeeded"


def test_the_looks_for_a_secret_grow_rare(payer: Payer) -> None:
    payer.begin().bill()
    payer.stripe.fake.revoked.add(KEY)
    work()
    looks = len(payer.stripe.fake.log)
    for _ in range(12):
        payer.later(minutes=5)
    assert len(payer.stripe.fake.log) == looks
    (due,) = [
        each
        for number in range(limits.DUE_SHARDS)
        for each in agenda.due(number, until=payer.now() + timedelta(days=1))
        if each.kind == starting.COLLECT
    ]
    assert timedelta(minutes=4) < due.run_at - payer.now() <= limits.PROVIDER_MENDED_LOOK


def test_a_connection_whose_answer_was_lost_is_made_once(story: Story, stripe: Running) -> None:
    stripe.fake.faults.add("POST /v1/webhook_endpoints", "lost_done")
    body = {"payment_provider": {"code": "main", "payment_provider": "stripe", "secret_key": KEY}}
    refused = story.call("POST", "/payment_providers", body)
    assert (refused.status, refused.body["error_details"]) == (422, {"base": ["payment_provider_not_reached"]})
    assert story.ok("GET", "/payment_providers")["payment_providers"] == []
    story.ok("POST", "/payment_providers", body)
    assert len(stripe.fake.account(KEY).listed("webhook_endpoint")) == 1  # type: ignore[attr-defined]


def test_a_connection_whose_failure_is_kept_begins_anew(story: Story, stripe: Running) -> None:
    stripe.fake.faults.add("POST /v1/webhook_endpoints", "stored")
    body = {"payment_provider": {"code": "main", "payment_provider": "stripe", "secret_key": KEY}}
    statuses = [story.call("POST", "/payment_providers", body).status for _ in range(3)]
    assert statuses == [422, 422, 200]


def test_a_dispute_that_cannot_be_read_is_lost_if_its_event_says_so(payer: Payer) -> None:
    invoice = payer.begin("4000000000000259").bill()
    work()
    (dispute,) = payer.account.listed("dispute")
    payer.account.move(dispute["id"], "lost")
    sent = payer.stripe.fake.sender.requests()  # type: ignore[attr-defined]
    del payer.account.objects[dispute["id"]]
    for each in [*sent, *sent]:
        assert far_side.post(each.url, each.body, each.headers).status == 200
    settled()
    assert payer.again(invoice)["payment_dispute_lost_at"] is not None
    assert told(payer).count("invoice.payment_dispute_lost") == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_failures_in_any_order_mean_what_the_newest_says(
    story: Story, gocardless: Running, order: tuple[int, int]
) -> None:
    """Also with a provider whose events cannot be read, so that each explains only what it brings."""
    payer = Payer(story, gocardless, None)  # type: ignore[arg-type]
    debit, account = debited(story, gocardless)
    account.move(debit["id"], "submitted")
    deliver(gocardless)
    settled()
    sent: list[Any] = []
    for number, again in enumerate((True, False)):
        account.move(debit["id"], "failed", will_attempt_retry=again)
        newest = account.listed("events")[0]
        newest["created_at"] = f"2026-12-0{number + 1}T00:00:00.000Z"
        sent += gocardless.fake.sender.requests()  # type: ignore[attr-defined]
        for each in account.listed("events"):
            del account.objects[each["id"]]
    for place in order:
        each = sent[place]
        assert far_side.post(each.url, each.body, each.headers).status == 200
        settled()
    assert [each["payment_status"] for each in payer.payments()] == ["failed"]
