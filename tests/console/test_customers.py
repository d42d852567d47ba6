"""The list of customers."""

from tests.support import capacity
from tests.support.console import Visitor


def test_the_list_shows_customers_newest_first(visitor: Visitor):
    for n in range(3):
        visitor.story.customer(f"c{n}", name=f"Customer {n}", currency="EUR")
    shown = visitor.get("customers")
    assert shown.status == 200
    assert shown.words.index("Customer 2") < shown.words.index("Customer 0")
    assert "1–3 of 3" in shown.words


def test_an_empty_list_says_what_it_is_for(visitor: Visitor):
    assert "Customers are whom you bill." in visitor.get("customers").words
    assert "Nothing matches" in visitor.get("customers", search_term="x").words


def test_a_name_is_text(visitor: Visitor):
    visitor.story.customer("c", name="<script>alert(1)</script>")
    assert "<script>alert" not in visitor.get("customers").text


def test_the_list_costs_few_requests(visitor: Visitor):
    for n in range(5):
        visitor.story.customer(f"c{n}")
    with capacity.counting() as meter:
        visitor.get("customers")
    assert sum(meter.requests.values()) <= 8
