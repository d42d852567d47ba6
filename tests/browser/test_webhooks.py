"""Webhooks in the browser: a message that failed is sent again, keys are shown once, ranges are replayed."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Organization
from tests.support.receiving import Receiver, listen

_DELIVERED_WITHIN_SECONDS = 60


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def delivered(organization: Organization, number: int, status: str) -> None:
    """Wait until so many messages have a status."""
    end = time.monotonic() + _DELIVERED_WITHIN_SECONDS
    while len(organization.story.ok("GET", f"/webhooks?status={status}")["webhooks"]) < number:
        assert time.monotonic() < end, f"{number} messages are {status}"
        time.sleep(0.2)


def test_a_failed_message_is_sent_again(
    organization: Organization, page: Page, receiver: Receiver, axe: Callable[[Page], None]
):
    receiver.answers = [500]
    listen(organization.story, receiver, name="Accounting")
    organization.story.customer("ada", name="Ada")
    delivered(organization, 1, "retrying")
    page.goto(organization.address("webhooks"))
    page.get_by_role("link", name="Accounting").click()
    row = page.get_by_role("row").filter(has_text="customer.created")
    expect(row).to_contain_text("Retrying")
    expect(row).to_contain_text("500")
    axe(page)
    row.get_by_role("button", name="Actions for customer.created 1").click()
    row.get_by_role("button", name="Resend").click()
    expect(page.get_by_text("Sent again")).to_be_visible()
    # The row turns green by itself.
    expect(row).to_contain_text("Succeeded")
    assert receiver.sequences == [1, 1]
    row.get_by_role("link", name="customer.created").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("customer.created")
    expect(page.get_by_role("row")).to_have_count(3)
    expect(page.get_by_label("Payload")).to_contain_text('"name": "Ada"')
    axe(page)


def test_what_succeeded_is_sent_again_after_a_question(organization: Organization, page: Page, receiver: Receiver):
    listen(organization.story, receiver)
    organization.story.customer("ada")
    delivered(organization, 1, "succeeded")
    page.goto(organization.address("webhooks", "log"))
    page.get_by_role("link", name="customer.created").click()
    page.get_by_role("link", name="Resend").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It was delivered already, and goes out again.")
    dialog.get_by_role("button", name="Resend").click()
    expect(page.get_by_text("Sent again")).to_be_visible()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(3)
    assert receiver.sequences == [1, 1]


def test_ticked_messages_are_sent_again(organization: Organization, page: Page, receiver: Receiver):
    listen(organization.story, receiver)
    for each in ("ada", "bob", "eve"):
        organization.story.customer(each)
    delivered(organization, 3, "succeeded")
    page.goto(organization.address("webhooks", "log"))
    for number in (1, 3):
        page.get_by_label(f"Select customer.created {number}").check()
    page.get_by_role("button", name="Resend").click()
    expect(page.get_by_text("2 sent again")).to_be_visible()
    delivered(organization, 3, "succeeded")
    assert sorted(receiver.sequences) == [1, 1, 2, 3, 3]


def test_ticks_stay_while_the_log_asks_anew(organization: Organization, page: Page, receiver: Receiver):
    receiver.answers = [500]
    listen(organization.story, receiver)
    organization.story.customer("ada")
    delivered(organization, 1, "retrying")
    page.goto(organization.address("webhooks", "log"))
    tick = page.get_by_label("Select customer.created 1")
    tick.check()
    with page.expect_response(lambda answer: answer.url.endswith("/webhooks/log")):
        pass
    page.wait_for_load_state("networkidle")
    expect(tick).to_be_checked()


def test_a_range_is_replayed(organization: Organization, page: Page, receiver: Receiver, axe: Callable[[Page], None]):
    listen(organization.story, receiver, name="Accounting")
    for each in ("ada", "bob", "eve"):
        organization.story.customer(each)
    delivered(organization, 3, "succeeded")
    page.goto(organization.address("webhooks"))
    page.get_by_role("link", name="Accounting").click()
    page.get_by_role("link", name="Replay").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("From number").fill("2")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("2 messages go out again.")
    axe(page)
    dialog.get_by_role("button", name="Replay 2 messages").click()
    page.wait_for_url("**/replays/*")
    expect(page.get_by_text("2 messages went out again.")).to_be_visible()
    axe(page)
    assert sorted(receiver.sequences) == [1, 2, 2, 3, 3]


def test_an_endpoint_is_added_paused_resumed_rotated_and_deleted(
    organization: Organization, page: Page, receiver: Receiver, axe: Callable[[Page], None]
):
    page.goto(organization.address("webhooks"))
    page.get_by_role("link", name="Add an endpoint").first.click()
    page.get_by_label("URL").fill("nowhere")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_text("url_is_invalid")).to_be_visible()
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_label("Name").fill("Accounting")
    page.get_by_label("Only these").check()
    page.get_by_text("Customer", exact=True).click()
    page.get_by_label("customer.created").check()
    axe(page)
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_role("heading", name="Endpoint added")).to_be_visible()
    secret = page.get_by_role("button", name="Copy secret").get_attribute("data-copy")
    assert secret is not None
    axe(page)
    (made,) = organization.story.ok("GET", "/webhook_endpoints")["webhook_endpoints"]
    assert (made["event_types"], made["secret"][-4:]) == (["customer.created"], secret[-4:])
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Somebody paused it.")).to_be_visible()
    organization.story.customer("ada")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Resumed")).to_be_visible()
    delivered(organization, 1, "succeeded")
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("link", name="Rotate secret").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Rotate").click()
    rotated = dialog.get_by_role("button", name="Copy secret").get_attribute("data-copy")
    assert rotated not in (None, secret)
    dialog.get_by_role("link", name="Done").click()
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No endpoints yet")).to_be_visible()
    assert organization.story.ok("GET", "/webhook_endpoints")["webhook_endpoints"] == []


def test_the_hmac_key_is_shown_once(organization: Organization, page: Page):
    page.goto(organization.address("webhooks", "signatures"))
    page.get_by_role("link", name="Show").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Show").click()
    expect(dialog.get_by_role("button", name="Copy HMAC key")).to_be_visible()
    dialog.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Rotate").click()
    dialog.get_by_role("button", name="Rotate").click()
    expect(dialog).to_contain_text("Your new HMAC key")
