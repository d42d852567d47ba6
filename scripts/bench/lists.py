"""Cost of pages of lists with few and with many rows before them, counted on DynamoDB Local, or on the tables in memory of the
tests: both answer in pages of 1 MB as DynamoDB does."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.features.metering import messages
from chalicelib.platform.ids import new_id
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.values import Item
from scripts.bench import ours
from scripts.bench.tables import Row
from tests.support.aws import ADMIN_KEY
from tests.support.capacity import counting
from tests.support.items import core
from tests.support.story import Story, request
from tests.support.usage import event, message

SIZES = (1_000, 10_000, 100_000)
_WANTED = 350  # Rows that a range of dates leaves.
_MARCH = datetime(2026, 3, 1, tzinfo=UTC)
_BEFORE = datetime(2030, 1, 1, tzinfo=UTC)  # Lists begin with what is newer.
_NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)
_A_DAY = 86_400

Around = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Question:
    """A list, which of its pages is looked at after those before it, and by how much it may cost more with all the rows
    before it (None: as many requests as it takes to walk there). `walks`: over rows that DynamoDB Local reads slowly,
    so there are fewer of them."""

    name: str
    path: str
    page: int = 1
    bound: float | None = 1.0
    walks: bool = False


QUESTIONS = (
    Question("invoices of some issuing dates", "/invoices?issuing_date_from=2026-03-01&issuing_date_to=2026-03-31"),
    Question("the same, page 3", "/invoices?issuing_date_from=2026-03-01&issuing_date_to=2026-03-31", 3),
    Question("a customer's invoices of some issuing dates", "/customers/cust/invoices?issuing_date_to=2026-03-31"),
    Question("fees made at some time", "/fees?created_at_from=2026-03-01&created_at_to=2026-03-31"),
    Question("invoices of a currency", "/invoices?currency=EUR", 1, None, walks=True),
    Question("the same, page 3", "/invoices?currency=EUR", 3, walks=True),
    Question("fees of a payment status", "/fees?payment_status=pending", 1, None, walks=True),
    Question("the same, page 3", "/fees?payment_status=pending", 3, walks=True),
    Question("events of an organization, page 3", "/events", 3),
    Question("the log of events, page 3", "/event_logs", 3),
    Question("events of a code", "/events?code=calls", 1, None),
    Question("the same, page 3", "/events?code=calls", 3),
    Question("events of some hours, which are the oldest", "/events?timestamp_to=2024-01-10T12:00:10Z", 1, None),
    Question("events of a subscription", "/events?external_subscription_id=s1"),
    Question("the same, page 3", "/events?external_subscription_id=s1", 3),
)


def rows(
    sizes: Sequence[int] = SIZES, tables: Around = ours.tables, filling: Around = ours.raw_events_beside
) -> list[Row]:
    """Requests of each page at a large size against the smallest, and as they are. `sizes`: a small one, that of lists
    that are walked, and that of the others; `tables`: new ones for each; `filling`: how they are filled with events."""
    few, some, many = (_counted(size, tables, filling, is_walked=n != 2) for n, size in enumerate(sizes))
    rows: list[Row] = []
    for question in QUESTIONS:
        size, counted = (sizes[1], some) if question.walks else (sizes[2], many)
        name = f"{question.name}: a page with {size:,} rows before it"
        rows.append(Row(name, "requests", counted[question], None))
        times = counted[question] / few[question]
        rows.append(Row(f"the same against {sizes[0]:,} rows", "times", times, question.bound))
    return rows


def _counted(size: int, tables: Around, filling: Around, *, is_walked: bool) -> dict[Question, int]:
    with tables():
        return _asked(_world(size, filling), [question for question in QUESTIONS if is_walked or not question.walks])


def _asked(story: Story, questions: Sequence[Question]) -> dict[Question, int]:
    found: dict[Question, int] = {}
    for question in questions:
        link = "&" if "?" in question.path else "?"
        for number in range(1, question.page + 1):
            with counting() as asked:
                body = story.ok("GET", f"{question.path}{link}per_page=100&page={number}")
        (name,) = set(body) - {"meta"}
        assert len(body[name]) == 100, question
        found[question] = asked.total
    return found


def _world(size: int, filling: Around) -> Story:
    """So many invoices, fees and events before those that are looked for."""
    made = request("POST", "/admin/organizations", {"name": "Lists", "sandbox": True}, {"X-Admin-API-Key": ADMIN_KEY})
    story = Story(made.body["api_key"])
    story.travel("2024-01-01T00:00:00Z")
    story.plan(amount_cents=1000, pay_in_advance=True)
    story.customer()
    story.subscribe()
    story.travel("2024-01-02T00:00:00Z")
    (invoice,) = story.invoices()
    pk = f"{story.ref.id}#invoice#{invoice['lago_id']}"
    item, (fee, *_) = core.get(pk, "-"), [each for each in core.query(pk) if each["sk"] != "-"]
    assert item is not None
    core.write_many(list(_invoices(item, size)))
    core.write_many(list(_fees(story, item, fee, size)))
    with filling():
        _meter(story, size)
    return story


def _instants(size: int) -> Iterator[datetime]:
    for n in range(_WANTED):
        yield _MARCH + timedelta(minutes=n)
    for n in range(size):
        yield _BEFORE + timedelta(seconds=n)


def _invoices(item: Item, size: int) -> Iterator[Item]:
    for at in _instants(size):
        number, own = new_id(), copy.deepcopy(item)
        own["record"] |= {"id": number, "issuing_date": at.date().isoformat(), "created_at": at.isoformat()}
        own["pk"] = item["pk"].rpartition("#")[0] + f"#{number}"
        own["list_sk"] = own["owner_sk"] = f"{at.date().isoformat()}#{stamp(at)}#{number}"
        yield own


def _fees(story: Story, invoice: Item, fee: Item, size: int) -> Iterator[Item]:
    organization_id, customer_id = story.ref.id, invoice["record"]["customer_id"]
    for at in _instants(size):
        number, own = new_id(), copy.deepcopy(fee)
        own["record"] |= {"id": number, "created_at": at.isoformat()}
        own |= {
            "pk": f"{organization_id}#fee#{number}",
            "sk": "-",
            "version": 0,
            "deleted": False,
            "created_at": stamp(at),
        }
        own |= {"list_pk": f"{organization_id}#fee", "owner_pk": f"{organization_id}#fee-of#{customer_id}"}
        own["list_sk"] = own["owner_sk"] = f"{stamp(at)}#{number}"
        yield own


def _meter(story: Story, size: int) -> None:
    """The oldest events are those that a range of time leaves."""
    step = _A_DAY / 4 / size
    for start in range(0, size + _WANTED, 1000):
        some = range(start, min(start + 1000, size + _WANTED))
        sent = [
            event(
                f"t{n}",
                _NOON + timedelta(milliseconds=n * 10) if n < _WANTED else _NOON + timedelta(seconds=60 + n * step),
                sub=f"s{n % 2}",
            )
            for n in some
        ]
        records: list[dict[str, Any]] = [message(sent[n : n + 100], story.ref) for n in range(0, len(sent), 100)]
        assert messages.handle(records) == []
