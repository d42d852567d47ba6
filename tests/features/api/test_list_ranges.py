"""Lists by ranges of dates, which are ranges of keys, and by what no key tells: complete, and with true totals."""

import copy
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.platform import listing, rows
from chalicelib.platform.ids import new_id
from chalicelib.platform.timestamps import stamp
from tests.support.aws import again
from tests.support.capacity import counting
from tests.support.items import core
from tests.support.quick_moto import Everything, everything
from tests.support.story import Story, work

pytestmark = pytest.mark.xdist_group("list_ranges")  # They begin with one world, which is told once.

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def told(module_aws) -> tuple[Story, Everything]:
    """Invoices of January to June, each with its fee in the list of fees; and all that is stored then."""
    story = Story.begin()
    story.plan(amount_cents=1000, pay_in_advance=True)
    story.customer()
    story.subscribe()
    for month in range(2, 8):
        story.travel(f"2024-{month:02d}-01T00:30:00Z")
    work()
    return story, everything()


@pytest.fixture
def billed(told) -> Iterator[Story]:
    """The same for each test, which may do with it what it wants."""
    story, before = told
    with again(before):
        yield story


def issued(story: Story, query: str, path: str = "/invoices") -> list[str]:
    body = story.ok("GET", f"{path}?{query}")
    found = [each["issuing_date"][:7] for each in body["invoices"]]
    assert body["meta"]["total_count"] == len(found)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("issuing_date_from=2024-05-01", ["2024-07", "2024-06", "2024-05"]),
        ("issuing_date_from=2024-05-02", ["2024-07", "2024-06"]),
        ("issuing_date_to=2024-03-01", ["2024-03", "2024-02", "2024-01"]),
        ("issuing_date_to=2024-02-29", ["2024-02", "2024-01"]),
        ("issuing_date_from=2024-03-01&issuing_date_to=2024-04-01", ["2024-04", "2024-03"]),
        ("issuing_date_from=2024-03-02&issuing_date_to=2024-03-31", []),
        ("issuing_date_from=2024-06-01&issuing_date_to=2024-02-01", []),
        ("issuing_date_from=2024-06-01&currency=EUR&amount_from=1", ["2024-07", "2024-06"]),
        ("issuing_date_from=2024-06-01&currency=USD", []),
    ],
)
def test_invoices_of_issuing_dates(billed, query, expected):
    assert issued(billed, query) == expected
    assert issued(billed, f"{query}&external_customer_id=cust") == expected
    assert issued(billed, query, "/customers/cust/invoices") == expected


def test_dates_that_are_none_are_refused(billed):
    for query, field in (
        ("issuing_date_from=soon", "issuing_date_from"),
        ("issuing_date_to=13-2024", "issuing_date_to"),
    ):
        answer = billed.call("GET", f"/invoices?{query}")
        assert (answer.status, answer.body["error_details"]) == (422, {field: ["invalid_date"]})


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("created_at_from=2024-05-01", 3),
        ("created_at_to=2024-03-01T00:00:00Z", 3),
        ("created_at_from=2024-03-01T00:00:00Z&created_at_to=2024-04-01T00:00:00Z", 2),
        ("created_at_from=2024-03-01T00:00:00Z&created_at_to=2024-04-01T00:00:00Z&fee_type=charge", 0),
        ("created_at_from=2024-04-01&created_at_to=2024-02-01", 0),
    ],
)
def test_fees_of_times(billed, query, number):
    for more in ("", "&external_customer_id=cust", "&payment_status=pending"):
        body = billed.ok("GET", f"/fees?{query}{more}")
        assert (len(body["fees"]), body["meta"]["total_count"]) == (number, number), more


@pytest.fixture
def many(billed) -> Story:
    """Four hundred fees more, of two invoices in turn, one of which is paid."""
    fee = next(item for item in core.query(f"{billed.ref.id}#fee", index="list"))
    invoices = billed.ok("GET", "/invoices")["invoices"]
    paid, pending = (invoices[n]["lago_id"] for n in (0, 1))
    billed.ok("PUT", f"/invoices/{paid}", {"invoice": {"payment_status": "succeeded"}})
    made = []
    for n in range(400):
        number, own, at = new_id(), copy.deepcopy(fee), NOON + timedelta(minutes=n)
        own["record"] |= {"id": number, "created_at": at.isoformat(), "invoice_id": paid if n % 3 == 0 else pending}
        own |= {"pk": f"{billed.ref.id}#fee#{number}", "created_at": stamp(at)}
        own["list_sk"] = own["owner_sk"] = f"{stamp(at)}#{number}"
        made.append(own)
    core.write_many(made)
    return billed


def pages(story: Story, query: str, size: int) -> list[str]:
    found: list[str] = []
    for number in itertools.count(1):
        body = story.ok("GET", f"/fees?page={number}&per_page={size}{query}")
        found += [fee["lago_id"] for fee in body["fees"]]
        if body["meta"]["next_page"] is None:
            assert body["meta"]["total_count"] == len(found)
            return found
    raise AssertionError


@pytest.mark.parametrize("is_long", [False, True], ids=["one request counts", "the first page counts"])
def test_fees_of_a_payment_status_come_in_pages(many, monkeypatch, is_long):
    if is_long:
        real = listing._total
        monkeypatch.setattr(listing, "_total", lambda *asked: (real(*asked)[0], True))
    everything = many.ok("GET", "/fees?per_page=1000")["fees"]
    for status in ("succeeded", "pending", "failed"):
        expected = [fee["lago_id"] for fee in everything if fee["payment_status"] == status]
        for size in (23, 100):  # A page of every 7 would be the same law, with three times as many requests.
            assert pages(many, f"&payment_status={status}", size) == expected
        leapt = many.ok("GET", f"/fees?payment_status={status}&page=4&per_page=31")["fees"]
        assert [fee["lago_id"] for fee in leapt] == expected[93:124]


def test_who_walks_on_in_a_long_list_is_spared_counting_it(many, monkeypatch):
    real = rows.page

    def short(*args: Any, **how: Any) -> Any:
        return real(*args, **{**how, "limit": min(how.get("limit") or 100, 100)})

    monkeypatch.setattr(rows, "page", short)
    costs = []
    for number in (1, 2, 3, 4):
        with counting() as asked:
            body = many.ok("GET", f"/fees?currency=EUR&page={number}&per_page=50")
        assert len(body["fees"]) == 50
        assert body["meta"]["total_count"] >= 400
        costs.append(asked.requests["query"])
    assert costs[0] > costs[1] == costs[2]


def test_subscriptions_of_a_customer_and_of_an_external_id_are_found_by_their_keys(story):
    story.plan()
    for name in ("a", "z"):  # No id has a z in it, which a search would find.
        story.customer(name)
        for n in range(5):
            story.subscribe(external_id=f"{name}{n}", customer=name)
    story.terminate("a0")
    story.subscribe(external_id="a0", customer="a")
    both = "status[]=active&status[]=terminated"
    for query, expected in (
        ("external_customer_id=a", ["a0", "a4", "a3", "a2", "a1"]),
        (f"external_customer_id=a&{both}", ["a0", "a4", "a3", "a2", "a1", "a0"]),
        (f"external_id=a0&{both}", ["a0", "a0"]),
        ("external_id=a0&external_customer_id=a", ["a0"]),
        ("external_id=a0&external_customer_id=z", []),
        ("external_id=none", []),
        ("external_customer_id=none", []),
        ("external_customer_id=z&search_term=z3", ["z3"]),
    ):
        body = story.ok("GET", f"/subscriptions?{query}")
        assert [each["external_id"] for each in body["subscriptions"]] == expected, query
        assert body["meta"]["total_count"] == len(expected)
        paged = [story.ok("GET", f"/subscriptions?{query}&per_page=2&page={n}")["subscriptions"] for n in (1, 2, 3)]
        assert [each["external_id"] for page in paged for each in page] == expected
    costs = []
    for more in (0, 30):
        for n in range(more):
            story.subscribe(external_id=f"more{n}", customer="z")
        with counting() as asked:
            story.ok("GET", "/customers/a/subscriptions")
        costs.append(asked.read_units)
    assert costs[0] == costs[1]
