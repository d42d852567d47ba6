"""The vocabulary of stories about charges in advance."""

from typing import Any

from tests.support.charging import ts
from tests.support.story import Story, meter, work

JANUARY_2 = ts("2024-01-02T00:00:00")


def advance(metric: Any, properties: Any = None, model: str = "standard", **fields: Any) -> dict[str, Any]:
    """A charge in advance as a request has it."""
    body = {"billable_metric_id": metric["lago_id"], "charge_model": model, "pay_in_advance": True}
    return body | {"properties": properties or {"amount": "1"}} | fields


def unique(story: Story, code: str = "users", **fields: Any) -> Any:
    return story.metric(code, "unique_count_agg", field_name="id", **fields)


def summed(story: Story, code: str = "gb", **fields: Any) -> Any:
    return story.metric(code, "sum_agg", field_name="n", **fields)


def event_fees(story: Story, query: str = "") -> list[Any]:
    """The fees of events, in the order of their events."""
    meter()
    work()
    found = story.ok("GET", f"/fees?per_page=1000{query}")["fees"]
    own = [fee for fee in found if fee["event_transaction_id"]]
    return sorted(own, key=lambda fee: int(fee["event_transaction_id"].removeprefix("tx-")))


def paid(story: Story, query: str = "") -> list[tuple[str, int]]:
    """(units, cents) of each event's fee."""
    return [(fee["units"], fee["amount_cents"]) for fee in event_fees(story, query)]


def charges_of(invoice: Any) -> list[tuple[str, str, int]]:
    """(code, units, cents) of an invoice's usage."""
    return [
        (fee["item"]["code"], fee["units"], fee["amount_cents"])
        for fee in invoice["fees"]
        if fee["item"]["type"] == "charge"
    ]


def cents(story: Story, query: str = "") -> list[int]:
    """Charge of each event, in the order in which they were sent."""
    return [fee["amount_cents"] for fee in event_fees(story, query)]


def charged_one_by_one(story: Story, code: str, hours: int, **properties: Any) -> None:
    """An event so many hours after 2 January, charged before another one is sent."""
    story.use(code, at=JANUARY_2 + 3600 * hours, **properties)
    meter()
    work()


def shown(story: Story, charge: int = 0) -> int:
    """The cents of a charge in current usage."""
    return int(story.usage()["charges_usage"][charge]["amount_cents"])
