"""Coupons in stories."""

from typing import Any

from tests.support.story import Answer, Story


def coupon(story: Story, code: str = "ten", **fields: Any) -> Any:
    """A coupon of 10.00 for ever, where nothing else is said; a percentage, where a rate is."""
    body: dict[str, Any] = {"name": code, "code": code, "frequency": "forever", "expiration": "no_expiration"}
    if "percentage_rate" in fields:
        body |= {"coupon_type": "percentage"}
    else:
        body |= {"coupon_type": "fixed_amount", "amount_cents": 1000, "amount_currency": "EUR"}
    return story.ok("POST", "/coupons", {"coupon": body | fields})["coupon"]


def application(story: Story, code: str = "ten", customer: str = "cust", **fields: Any) -> Answer:
    """The answer to applying a coupon."""
    body = {"external_customer_id": customer, "coupon_code": code, **fields}
    return story.call("POST", "/applied_coupons", {"applied_coupon": body})


def apply(story: Story, code: str = "ten", customer: str = "cust", **fields: Any) -> Any:
    """A coupon applied to a customer."""
    answer = application(story, code, customer, **fields)
    assert answer.status == 200, answer
    return answer.body["applied_coupon"]


def applied(story: Story, query: str = "") -> list[Any]:
    """The applied coupons, the oldest first."""
    found = story.ok("GET", f"/applied_coupons?per_page=1000{query}")["applied_coupons"]
    return list(reversed(found))
