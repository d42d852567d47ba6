"""Customers at payment providers: created once, linked, told of edits, found again. Source: rules/catalog 10."""

import pytest

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.connections import reading
from chalicelib.features.payments.links import sync
from chalicelib.features.payments.links.reading import account_of
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner
from tests.features.payments import far_side
from tests.features.payments.far_side import KEY, connect, customer, leave_card, methods, provider_customer_id
from tests.support import messages
from tests.support.story import Story, work

OTHER = "sk_test_other_side_5678"


def there(stripe, key: str = KEY):
    return stripe.fake.account(key).listed("customer")


def told(story: Story):
    return [each.webhook_type for each in messages.messages(story.ref.id)]


def listen(story: Story) -> None:
    types = [
        f"customer.{name}" for name in ("payment_provider_created", "payment_provider_error", "checkout_url_generated")
    ]
    body = {"webhook_url": "https://example.com/hook", "event_types": [*types, "payment_provider.error"]}
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})


def run_again(story: Story, external_id: str = "cust") -> None:
    """The customer's task once more, and whatever waits for it."""
    own_id = customers.find(story.ref.id, external_id).id
    agenda.put(agenda.task(sync.SYNC, story.ref, own_id, clock.utc_now()), now=clock.utc_now()).alone()
    found = agenda.find(agenda.task(sync.SYNC, story.ref, own_id, clock.utc_now()).key)
    assert found is not None
    runner.run(found, now=found.due_at)


def test_a_customer_is_created_there_and_named_here(story: Story, stripe):
    listen(story)
    connect(story)
    customer(story)
    (made,) = there(stripe)
    assert made["email"] == "cust@example.com"
    assert provider_customer_id(story) == made["id"]
    assert sorted(told(story)) == ["customer.checkout_url_generated", "customer.payment_provider_created"]


def test_a_request_may_wait_for_it(story: Story, stripe):
    connect(story)
    billing = {"payment_provider": "stripe", "sync": True, "sync_with_provider": True}
    shown = story.customer("cust", billing_configuration=billing)
    assert shown["billing_configuration"]["provider_customer_id"] == there(stripe)[0]["id"]


def test_without_being_asked_nobody_is_created(story: Story, stripe):
    connect(story)
    customer(story, sync_with_provider=False)
    assert there(stripe) == []


@pytest.mark.parametrize("kind", ["lost_done", "lost_undone", "500_done", "500", "502", "429", "reset", "odd", "empty"])
def test_a_customer_is_created_once_whatever_answer_is_lost(story: Story, stripe, kind):
    connect(story)
    stripe.fake.faults.add("POST /v1/customers", kind)
    customer(story)
    run_again(story)
    run_again(story)
    (made,) = there(stripe)
    assert provider_customer_id(story) == made["id"]


def test_a_worker_that_dies_behind_the_call_leaves_nobody_behind(story: Story, stripe, monkeypatch: pytest.MonkeyPatch):
    connect(story)
    with monkeypatch.context() as killed:
        killed.setattr(sync, "_finish", lambda *_: 1 / 0)
        customer(story)
    assert provider_customer_id(story) is None
    stripe.fake.forward(hours=25)  # Its key is new again.
    story.customer("cust", name="Another name", email="another@example.com")
    run_again(story)
    assert [each["id"] for each in there(stripe)] == [provider_customer_id(story)]


def test_an_edit_is_told(story: Story, stripe):
    connect(story)
    customer(story)
    story.customer("cust", name="Umbra", email="a@example.com,b@example.com")
    work()
    (made,) = there(stripe)
    assert (made["name"], made["email"]) == ("Umbra", "a@example.com")
    calls = len(stripe.fake.calls("POST /v1/customers/*"))
    story.customer("cust", name="Umbra")
    work()
    assert len(stripe.fake.calls("POST /v1/customers/*")) == calls


def test_a_given_customer_is_linked_with_its_methods(story: Story, stripe):
    connect(story)
    customer(story, "first")
    leave_card(stripe)
    given = provider_customer_id(story, "first")
    customer(story, "second", sync_with_provider=False, provider_customer_id=given)
    assert len(there(stripe)) == 1
    assert len(methods(story, "second")) == 1


def test_a_given_customer_that_is_not_there_is_told(story: Story, stripe):
    listen(story)
    connect(story)
    customer(story, sync_with_provider=False, provider_customer_id="cus_none")
    assert told(story) == ["customer.payment_provider_error"]
    assert methods(story) == []


def test_no_provider_unlinks_and_the_same_one_links_the_same_again(story: Story, stripe):
    connect(story)
    customer(story)
    leave_card(stripe)
    before = provider_customer_id(story)
    customer(story, provider=None)
    assert (provider_customer_id(story), methods(story)) == (None, [])
    customer(story)
    assert provider_customer_id(story) == before
    assert len(there(stripe)) == 1


def test_another_connection_knows_neither_the_customer_nor_its_methods(story: Story, stripe):
    connect(story)
    customer(story, payment_provider_code="main")
    leave_card(stripe)
    far_side.deliver(stripe)
    work()
    assert len(methods(story)) == 1
    connect(story, "second", OTHER)
    customer(story, payment_provider_code="second")
    assert provider_customer_id(story) == there(stripe, OTHER)[0]["id"]
    assert methods(story) == []


def test_the_id_of_the_account_before_is_not_used_with_another(story: Story, stripe):
    connect(story)
    customer(story, payment_provider_code="main")
    before = provider_customer_id(story)
    connect(story, "second", OTHER)
    customer(story, payment_provider_code="second", provider_customer_id=before)
    assert provider_customer_id(story) == there(stripe, OTHER)[0]["id"] != before


def test_a_customer_that_was_deleted_there_is_marked_and_created_anew_with_the_next_edit(story: Story, stripe):
    listen(story)
    connect(story)
    customer(story)
    gone = provider_customer_id(story)
    stripe.fake.account(KEY).get("customer", gone)["deleted"] = True
    story.customer("cust", name="Edit one")
    work()
    assert "customer.payment_provider_error" in told(story)
    assert account_of(story.ref, customers.find(story.ref.id, "cust")) is None
    story.customer("cust", name="Edit two")
    work()
    assert provider_customer_id(story) == there(stripe)[0]["id"] != gone


def test_a_customer_that_was_deleted_there_is_created_anew_for_a_page(story: Story, stripe):
    connect(story)
    customer(story)
    gone = provider_customer_id(story)
    stripe.fake.account(KEY).get("customer", gone)["deleted"] = True
    assert story.call("POST", "/customers/cust/checkout_url").status == 200
    assert provider_customer_id(story) == there(stripe)[0]["id"] != gone


def test_pages_are_made_on_demand(story: Story, stripe):
    connect(story, success_redirect_url="https://example.com/back")
    customer(story)
    one, two = (story.ok("POST", "/customers/cust/checkout_url")["customer"] for _ in range(2))
    assert one["checkout_url"] != two["checkout_url"]
    assert (one["external_customer_id"], one["payment_provider"]) == ("cust", "stripe")
    assert set(one) == {
        *("lago_customer_id", "external_customer_id", "payment_provider", "payment_provider_code", "checkout_url")
    }


@pytest.mark.parametrize(
    ("billing", "code"),
    [
        pytest.param({"provider": None}, "no_linked_payment_provider", id="no provider"),
        pytest.param({"sync_with_provider": False}, "no_linked_payment_provider", id="not linked"),
        pytest.param(
            {"provider_payment_methods": ["crypto"]}, "no_payment_methods_to_setup_available", id="nothing to leave"
        ),
    ],
)
def test_pages_that_cannot_be_made(story: Story, stripe, billing, code):
    connect(story)
    customer(story, **billing)
    refused = story.call("POST", "/customers/cust/checkout_url")
    assert (refused.status, refused.body["error_details"]) == (422, {"base": [code]})
    assert story.call("POST", "/customers/none/checkout_url").status == 404


def test_a_page_without_an_answer_is_no_fault_of_the_request(story: Story, stripe):
    connect(story)
    customer(story)
    stripe.fake.faults.add("POST /v1/checkout/sessions", "503")
    refused = story.call("POST", "/customers/cust/checkout_url")
    assert (refused.status, refused.body["error_details"]) == (422, {"base": ["payment_provider_not_reached"]})


def test_of_several_connections_one_has_to_be_named(story: Story, stripe):
    connect(story)
    connect(story, "second", OTHER)
    for code, refusal in ((None, "payment_provider_code_missing"), ("none", "payment_provider_not_found")):
        billing = {"payment_provider": "stripe", "payment_provider_code": code, "sync_with_provider": True}
        body = {"customer": {"external_id": "cust", "billing_configuration": billing}}
        refused = story.call("POST", "/customers", body)
        assert (refused.status, refused.body["error_details"]) == (422, {"payment_provider_code": [refusal]})


def test_without_connections_all_is_done_by_hand(story: Story):
    customer(story, payment_provider_code="any")
    assert provider_customer_id(story) is None
    assert methods(story) == []


def test_a_revoked_key_marks_the_connection_and_its_customers_wait(story: Story, stripe):
    listen(story)
    connect(story)
    stripe.fake.revoked.add(KEY)
    customer(story)
    customer(story, "late")
    assert reading.find(story.ref.id, "main").state == "misconfigured"
    assert told(story) == ["payment_provider.error"]
    story.ok("PUT", "/payment_providers/main", {"payment_provider": {"secret_key": OTHER}})
    assert reading.find(story.ref.id, "main").state == "active"
    run_again(story)
    run_again(story, "late")
    assert len(there(stripe, OTHER)) == 2


def test_debit_customers_sign_a_mandate_which_is_their_method(story: Story, gocardless):
    far_side.connect_gocardless(story, gocardless)
    story.customer("cust", currency="EUR", name="Umbra", billing_configuration={
        "payment_provider": "gocardless", "sync_with_provider": True})  # fmt: skip
    work()
    account = gocardless.fake.account(far_side.TOKEN)
    (made,) = account.listed("customers")
    assert provider_customer_id(story) == made["id"]
    url = story.ok("POST", "/customers/cust/checkout_url")["customer"]["checkout_url"]
    flow = next(each["id"] for each in account.listed("billing_request_flows") if each["authorisation_url"] == url)
    gocardless.fake.control("complete", {"key": far_side.TOKEN, "id": flow})
    far_side.deliver(gocardless)
    work()
    (method,) = methods(story)
    assert method["is_default"] is True
    assert method["payment_provider_type"] == "gocardless"


@pytest.mark.parametrize("asked", [True, False], ids=["created by us", "given"])
def test_connected_anew_with_the_same_account_a_customer_is_found_again(story: Story, stripe, asked):
    connect(story)
    customer(story, "first")
    own = there(stripe)[0]["id"]
    if not asked:
        customer(story, "cust", sync_with_provider=False, provider_customer_id=own)
    external_id = "first" if asked else "cust"
    story.ok("DELETE", "/payment_providers/main")
    work()
    connect(story, "again")
    assert provider_customer_id(story, external_id) is None
    billing = {"sync_with_provider": True} if asked else {"provider_customer_id": own}
    story.customer(external_id, name="Edited", billing_configuration={"payment_provider": "stripe", **billing})
    work()
    assert provider_customer_id(story, external_id) == own
    assert len(there(stripe)) == 1
    assert account_of(story.ref, customers.find(story.ref.id, external_id)) is not None
