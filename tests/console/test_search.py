"""Search over everything."""

import threading

from chalicelib.console.views import search
from chalicelib.console.views.search import GROUPS, Found
from tests.support.console import Visitor


def full(visitor: Visitor) -> dict[str, str]:
    """An object of each kind, named Falcon; their ids."""
    story = visitor.story
    ids = {"billable_metrics": story.metric("falcon_calls", name="Falcon calls")["lago_id"]}
    ids["plans"] = story.plan("falcon_plan", name="Falcon plan", amount_cents=1000)["lago_id"]
    ids["customers"] = story.customer("falcon-1", name="Falcon Ltd", currency="EUR")["lago_id"]
    story.subscribe("falcon_plan", "falcon-sub", "falcon-1", name="Falcon main")
    coupon = {"name": "Falcon off", "code": "falcon_off", "coupon_type": "percentage", "percentage_rate": "10"}
    coupon |= {"frequency": "once", "expiration": "no_expiration"}
    ids["coupons"] = story.ok("POST", "/coupons", {"coupon": coupon})["coupon"]["lago_id"]
    add_on = {"name": "Falcon setup", "code": "falcon_setup", "amount_cents": 5, "amount_currency": "EUR"}
    ids["add_ons"] = story.ok("POST", "/add_ons", {"add_on": add_on})["add_on"]["lago_id"]
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    ids["invoices"] = invoice["lago_id"]
    return ids


def test_one_box_finds_everything(visitor: Visitor):
    full(visitor)
    words = visitor.get("search", q="falcon").words
    for label in ("Customers", "Subscriptions", "Invoices", "Plans", "Billable metrics", "Coupons", "Add-ons"):
        assert f"All {label.lower()} with “falcon”" in words, label
    for name in ("Falcon Ltd", "Falcon main", "Falcon plan", "Falcon calls", "Falcon off", "Falcon setup"):
        assert name in words
    assert "Nothing found" in visitor.get("search", q="no such thing").words
    assert "Find anything" in visitor.get("search").words


def test_a_whole_id_or_number_opens_the_object(visitor: Visitor):
    for place, lago_id in full(visitor).items():
        assert visitor.get("search", q=lago_id).location == visitor.address(place, lago_id)
    (invoice,) = visitor.story.invoices()
    assert visitor.get("search", q=invoice["number"].lower()).location == visitor.address(
        "invoices", invoice["lago_id"]
    )
    subscription = visitor.story.ok("GET", "/subscriptions")["subscriptions"][0]["lago_id"]
    assert visitor.get("search", q=subscription).location == visitor.address("subscriptions", subscription)


def test_what_was_deleted_is_not_opened(visitor: Visitor):
    lago_id = visitor.story.customer("gone")["lago_id"]
    visitor.story.ok("DELETE", "/customers/gone")
    assert visitor.get("search", q=lago_id).status == 200


def test_at_most_five_of_each_and_a_link_to_all(visitor: Visitor):
    for n in range(7):
        visitor.story.customer(f"c{n}", name=f"Robin {n}")
    shown = visitor.get("search", q="robin")
    assert shown.text.count('<th scope="row">') == 5
    assert "Customers 7" in shown.words
    assert visitor.address("customers", search_term="robin") in shown.text


def test_a_list_that_takes_too_long_is_left_out():
    stop = threading.Event()

    def look(group):
        if group.label == "Invoices":
            stop.wait(10)
        return Found(group)

    found, late = search.together(GROUPS, look, patience=0.3)
    stop.set()
    assert [group.label for group in late] == ["Invoices"]
    assert len(found) == len(GROUPS) - 1


def test_what_is_searched_is_text(visitor: Visitor):
    assert "<script>alert" not in visitor.get("search", q="<script>alert(1)</script>").text
