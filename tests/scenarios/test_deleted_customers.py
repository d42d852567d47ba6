"""Drafts become final once, and those of a deleted customer before its last invoices. Source: rules/money 5."""

from tests.support.coupons import applied, apply, coupon
from tests.support.parallel import at_once, statuses
from tests.support.story import Story


def test_the_draft_of_a_deleted_customer_takes_the_coupon_before_its_last_invoice(aws: None) -> None:
    story = Story.begin()
    story.plan(amount_cents=10000)
    story.customer(billing_configuration={"invoice_grace_period": 10})
    story.subscribe()
    coupon(story, amount_cents=2000, frequency="recurring", frequency_duration=1)
    apply(story)
    story.travel("2024-02-05T00:00:00Z")
    story.ok("DELETE", "/customers/cust")
    by_number = {each["number"][-3:]: each for each in story.invoices()}
    january, last = by_number["001"], by_number["002"]
    assert {january["status"], last["status"]} == {"finalized"}
    assert (january["fees_amount_cents"], january["coupons_amount_cents"]) == (10000, 2000)
    assert january["total_amount_cents"] == 8000
    assert (last["coupons_amount_cents"], last["fees_amount_cents"] < 10000) == (0, True)
    (ended,) = applied(story)
    assert ended["status"] == "terminated"


def test_a_draft_is_made_final_for_one_of_several_who_ask_at_once(aws: None) -> None:
    story = Story.begin()
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer(billing_configuration={"invoice_grace_period": 3})
    story.subscribe()
    (draft,) = story.invoices()
    path = f"/invoices/{draft['lago_id']}/finalize"
    answers = at_once(story.call, [("PUT", path, None)] * 4)
    assert statuses(answers) == {200: 1, 404: 3}
    assert {each.body["code"] for each in answers if each.status == 404} == {"invoice_not_found"}
    assert story.call("PUT", path).status == 404
